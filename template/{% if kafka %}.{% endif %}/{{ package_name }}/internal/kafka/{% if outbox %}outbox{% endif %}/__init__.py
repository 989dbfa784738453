"""Events in PostgreSQL: those that are to be sent, and those that have been handled.

The tables are the template's own, in a schema of their own, with a history of their own.
"""
