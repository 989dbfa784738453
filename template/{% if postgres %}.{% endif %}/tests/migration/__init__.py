"""What is asked of every migration, those of this service included; nothing needs adding here."""
