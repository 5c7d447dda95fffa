"""Heads on an encoder: asked, scored, explained, kept."""
