"""What the service is about, a package for each subject."""
