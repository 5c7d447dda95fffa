"""Vectors laid out flat, and how far to trust that."""
