"""Tests of this service's routes: who can call them."""
