"""Encoder, model and data, beside every tab."""
