"""Databases for tests. Each test gets its own database.

`databases` finds or starts the server, `template` makes the migrated database that `clones` copies
ahead of time, `catalogue` tells two schemas apart, and `stairs`, `models`, `revisions`, `indexes`
and `rows` are for migration tests.
"""

pytest_plugins = ("tests.harness.postgres.fixtures",)
