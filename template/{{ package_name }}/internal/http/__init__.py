"""HTTP: envelopes, problems, lists, middleware, and the server."""
