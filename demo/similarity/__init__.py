"""The Compare tab: sentences side by side."""
