"""Updates of this service from its template. `development/template.py` is the command."""
