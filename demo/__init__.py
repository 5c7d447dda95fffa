"""The page: one module a tab over `core`, which holds everything that computes."""
