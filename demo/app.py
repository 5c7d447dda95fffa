"""The page: the one module that knows every tab."""

import os
import sys
from pathlib import Path

# A Space runs this very file, which puts demo/ on the path, and not the project.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr

from core.config import EncoderChoice
from demo.compare_tab import build_compare_tab
from demo.encoders import EncoderShelf
from demo.endpoints import build_endpoints
from demo.sidebar import build_sidebar
from demo.theme import STATIC

HEADER = (STATIC / "header.html").read_text(encoding="utf-8")


def build_app(shelf: EncoderShelf | None = None) -> gr.Blocks:
    """Build the page; launch it with `demo.theme.launch_options()`.

    Args:
        shelf: Where encoders come from; the built-in one, for a page of one's own, if None.
    """
    shelf = shelf or EncoderShelf(EncoderChoice(), local=True)
    with gr.Blocks(title="Thaw", analytics_enabled=False, fill_width=True) as app:
        build_endpoints(shelf)  # first, so that no listener takes their names
        choice = build_sidebar(app, shelf)
        gr.HTML(HEADER, elem_id="masthead")
        with gr.Tabs():
            build_compare_tab(app, shelf, choice)
    return app


if __name__ == "__main__":
    from demo.__main__ import main

    main()
