"""The page: the one module that knows every tab."""

from pathlib import Path

import gradio as gr

from core.config import EncoderChoice
from demo.data.tab import TAB as DATA
from demo.endpoints.check import build_check_endpoint
from demo.endpoints.compare import build_compare_endpoint
from demo.endpoints.encoder import build_endpoints
from demo.endpoints.map import build_map_endpoint
from demo.frame import theme
from demo.freeze.tab import TAB as FREEZE
from demo.map.shelf import MapShelf
from demo.map.tab import TAB as MAP
from demo.predict.tab import TAB as PREDICT
from demo.shelves.encoders import EncoderShelf
from demo.shelves.shelves import Shelves
from demo.sidebar.sidebar import build_sidebar
from demo.sidebar.tabs import Page
from demo.similarity.tab import TAB as COMPARE
from demo.strategies import strip
from demo.train.tab import TAB as TRAIN

TABS = (COMPARE, PREDICT, FREEZE, TRAIN, MAP, DATA)
"""In the order in which they stand."""

FILES = (*theme.FILES, *strip.FILES, *(file for tab in TABS for file in tab.files))
"""The page's scripts and sheets, for `demo.frame.theme.launch_options`."""

HEADER = (Path(__file__).parent / "frame/header.html").read_text(encoding="utf-8")

UPLOADS_SECONDS = 3600
"""How old what was uploaded may get, and how often that is looked at; pages remove it sooner."""


def build_app(shelves: Shelves | None = None) -> gr.Blocks:
    """Build the page; launch it with `demo.frame.theme.launch_options(FILES)`.

    Args:
        shelves: What visitors share; of the built-in encoder, for a page of one's own, if None.
    """
    shelves = shelves or Shelves(encoders=EncoderShelf(EncoderChoice(), local=True))
    with gr.Blocks(
        title="Thaw",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(UPLOADS_SECONDS, UPLOADS_SECONDS),
    ) as app:
        build_endpoints(shelves)  # first, so that no listener takes their names
        build_check_endpoint(shelves)
        build_compare_endpoint(shelves)
        build_map_endpoint(shelves.one(MapShelf))
        page = Page(app=app, shelves=shelves, working=build_sidebar(app, shelves.encoders))
        gr.HTML(HEADER, elem_id="masthead")
        with gr.Tabs():
            for tab in TABS:
                tab.build(page)
    return app
