"""Tests over HTTP, from the request to the store and back."""
