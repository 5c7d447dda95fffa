"""A map as a web page that needs nothing else."""

from collections.abc import Mapping
from typing import Any

from core.report.templates import FOLDER, as_data, filled, part

MAP_PARTS = FOLDER / "map"
"""What a page with a map is put together from; who draws maps live takes the same script."""


def map_page(document: Mapping[str, Any]) -> str:
    """Write a map as a web page that needs nothing else: no network, no other file.

    Texts and labels travel as JSON, in which no `<` is left, and the page only ever shows them as
    text; its policy lets it load nothing and run no other script.

    Args:
        document: What `core.maps.document.map_document` returns.
    """
    from core.maps.fields import quality_in_words

    return filled(
        "map/page.html",
        document=as_data({**document, "told": quality_in_words(document)}),
        css=part("map/scatter.css"),
        scatter=part("map/scatter.js"),
        page=part("map/page.js"),
    )
