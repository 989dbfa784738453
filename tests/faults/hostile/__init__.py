"""What a running service answers to requests that no client should send."""
