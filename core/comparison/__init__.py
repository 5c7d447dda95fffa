"""Strategies compared: many runs in a few processes, kept in a folder."""
