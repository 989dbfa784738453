"""What is measured: a script for each claim, which prints its figure and what it is against."""
