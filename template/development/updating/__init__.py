"""How this service follows its template: what `development/template.py` is made of."""
