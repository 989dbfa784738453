"""Runs consumers: polls, keeps the order of keys, commits, tries again, saves dead letters."""
