"""This service's own fixtures, and its changes to those of the harness, by the same names."""
