"""Numbers in, numbers out; knows no model."""
