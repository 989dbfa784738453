"""The service: `main.create_app` puts it together, `python -m` serves it."""
