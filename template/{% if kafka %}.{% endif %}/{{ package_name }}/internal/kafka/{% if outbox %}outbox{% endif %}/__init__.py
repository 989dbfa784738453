"""The outbox and the inbox: events to send, and events that have been handled, in PostgreSQL.

Their tables have their own schema, `internal`, and their own migrations, in `history`.
"""
