"""Which callers are let in or refused, and how an issuer's outages and key changes are handled."""
