"""What the tests share: each helper once, in the module that is named for its subject."""
