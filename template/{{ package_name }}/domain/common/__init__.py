"""The bases that every domain builds on."""
