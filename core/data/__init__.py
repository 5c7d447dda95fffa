"""Labelled rows: what they are labelled for, and how they are shared out."""
