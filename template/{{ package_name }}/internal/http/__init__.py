"""How the service speaks HTTP: envelopes, problems, pages, middleware, the server."""
