"""From a sentence to its vector."""
