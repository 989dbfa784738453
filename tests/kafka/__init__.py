"""What only a real broker can show; `nox -s kafka` runs these inside a rendered service."""
