"""The page: one module a tab over `core`, which holds everything that computes."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before anything imports gradio
