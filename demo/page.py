"""The page: the one module that knows every tab."""

import gradio as gr

from core.config import EncoderChoice
from demo.data.tab import build_data_tab
from demo.endpoints.check import build_check_endpoint
from demo.endpoints.compare import build_compare_endpoint
from demo.endpoints.encoder import build_endpoints
from demo.endpoints.map import build_map_endpoint
from demo.frame.theme import DEMO
from demo.freeze.profiles import ProfileShelf
from demo.freeze.tab import build_freezing_tab
from demo.map.shelf import MapShelf
from demo.map.tab import build_map_tab
from demo.predict.tab import build_predict_tab
from demo.shelves.comparisons import ComparisonShelf
from demo.shelves.encoders import EncoderShelf
from demo.shelves.models import ModelShelf
from demo.shelves.shelves import Shelves
from demo.shelves.working_data import DataShelf
from demo.sidebar.sidebar import build_sidebar
from demo.similarity.tab import build_compare_tab
from demo.train.example import shipped_similarity
from demo.train.sessions import Sessions
from demo.train.tab import build_training_tab

HEADER = (DEMO / "frame/header.html").read_text(encoding="utf-8")


UPLOADS_SECONDS = 3600
"""How old what was uploaded may get, and how often that is looked at; pages remove it sooner."""


def build_app(
    shelf: EncoderShelf | None = None,
    models: ModelShelf | None = None,
    data: DataShelf | None = None,
    comparisons: ComparisonShelf | None = None,
    maps: MapShelf | None = None,
    sessions: Sessions | None = None,
) -> gr.Blocks:
    """Build the page; launch it with `demo.frame.theme.launch_options()`.

    Args:
        shelf: Where encoders come from; the built-in one, for a page of one's own, if None.
        models: Where the model comes from; the shipped one if None.
        data: Where visitors' labelled data is kept; a shelf of its own if None.
        comparisons: Where comparisons run and are kept; a shelf of its own if None.
        maps: Where drawn maps are kept; a shelf of its own if None.
        sessions: The live runs; its own if None.
    """
    shelf = shelf or EncoderShelf(EncoderChoice(), local=True)
    models, data = models or ModelShelf(), data or DataShelf()
    comparisons = comparisons or ComparisonShelf()
    sessions = sessions or Sessions(shipped_similarity())
    shelf.models = models
    shelves = Shelves(encoders=shelf, models=models, data=data, comparisons=comparisons)
    profiles = ProfileShelf(shelf, data)
    maps = maps or MapShelf(shelf, models, data)
    with gr.Blocks(
        title="Thaw",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(UPLOADS_SECONDS, UPLOADS_SECONDS),
    ) as app:
        build_endpoints(shelf, models)  # first, so that no listener takes their names
        build_check_endpoint(shelf, data)
        build_compare_endpoint(shelves)
        build_map_endpoint(maps)
        working = build_sidebar(app, shelf)
        gr.HTML(HEADER, elem_id="masthead")
        with gr.Tabs():
            compared = build_compare_tab(app, shelf, working.choice, working.model)
            build_predict_tab(app, models, working.model)
            build_freezing_tab(app, shelves, profiles, working)
            build_training_tab(shelves, profiles, sessions, working)
            build_map_tab(app, maps, working, compared)
            build_data_tab(app, data, working.choice, working.data, working.data_line)
    return app
