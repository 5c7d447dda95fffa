"""The Train tab: a live run in a process of its own."""
