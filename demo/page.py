"""The page: the one module that knows every tab."""

import gradio as gr

from core.config import EncoderChoice
from demo.check_endpoint import build_check_endpoint
from demo.compare_endpoint import build_compare_endpoint
from demo.compare_tab import build_compare_tab
from demo.comparisons import ComparisonShelf
from demo.data_tab import build_data_tab
from demo.encoders import EncoderShelf
from demo.endpoints import build_endpoints
from demo.freezing_tab import build_freezing_tab
from demo.layer_profiles import ProfileShelf
from demo.map_endpoint import build_map_endpoint
from demo.map_tab import build_map_tab
from demo.maps import MapShelf
from demo.models import ModelShelf
from demo.predict_tab import build_predict_tab
from demo.sessions import Sessions
from demo.shelves import Shelves
from demo.sidebar import build_sidebar
from demo.theme import STATIC
from demo.training_example import shipped_similarity
from demo.training_tab import build_training_tab
from demo.working_data import DataShelf

HEADER = (STATIC / "header.html").read_text(encoding="utf-8")


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
    """Build the page; launch it with `demo.theme.launch_options()`.

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
