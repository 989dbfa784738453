"""Checks of every event, including those of this service. You need not add tests here."""
