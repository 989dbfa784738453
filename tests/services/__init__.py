"""Each of the eight services, from an empty folder to answering requests."""
