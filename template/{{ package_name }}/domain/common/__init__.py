"""Base classes of all domains."""
