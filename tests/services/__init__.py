"""Services with different features: each is installed, linted, tested and run."""
