"""The tests of this service; those of the template are in `harness/` and `migration/`."""
