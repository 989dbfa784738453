"""Runs consumers: polls, keeps the order of each key, retries, commits, saves dead letters."""
