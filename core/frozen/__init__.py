"""What frozen blocks give, computed once and held."""
