"""What outlives a click: loaded once, kept within bounds, one of each a server."""
