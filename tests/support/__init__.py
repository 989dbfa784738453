"""Helpers that several folders of tests share. Each is written once."""
