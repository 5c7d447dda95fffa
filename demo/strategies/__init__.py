"""A strategy as a visitor sees it: its title, its strip of layers, its card."""
