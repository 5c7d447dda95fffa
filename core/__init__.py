"""Thaw's model and training package: encoders, heads, freezing, training, comparison."""
