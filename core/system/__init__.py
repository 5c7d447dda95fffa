"""The machine: threads, memory, scratch folders, processes, files put in place whole."""
