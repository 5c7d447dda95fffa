"""Which of several strategies, with intervals, and when nobody can tell."""
