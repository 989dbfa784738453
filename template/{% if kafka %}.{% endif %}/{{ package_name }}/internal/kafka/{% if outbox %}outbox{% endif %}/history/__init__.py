"""The revisions of the outbox and the inbox; never edit one that has been released."""
