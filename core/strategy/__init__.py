"""What trains and what stays frozen, as data that needs no model."""
