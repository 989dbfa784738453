"""Each of the ten services, from an empty folder to answering requests."""
