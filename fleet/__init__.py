"""What an update would do to each of many services, rehearsed before anyone runs it.

`python -m fleet check` asks, `python -m fleet merge` puts the answers of several machines together;
docs/fleet.md shows how to use both.
"""
