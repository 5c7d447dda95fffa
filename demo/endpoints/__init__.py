"""What a script may ask of the page."""
