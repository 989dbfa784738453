"""The tests of this service, and `harness/`, which they lean on."""
