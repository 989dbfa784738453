"""What is asked of every event, those of this service included; nothing needs adding here."""
