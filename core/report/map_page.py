"""A map as a web page that needs nothing else."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MAP_PARTS = Path(__file__).resolve().parent / "map"
"""What a page with a map is put together from; who draws maps live takes the same script."""


def map_page(document: Mapping[str, Any]) -> str:
    """Write a map as a web page that needs nothing else: no network, no other file.

    Texts and labels travel as JSON, in which no `<` is left, and the page only ever shows them as
    text; its policy lets it load nothing and run no other script.

    Args:
        document: What `core.maps.document.map_document` returns.
    """
    from core.maps.fields import quality_in_words

    shown = {**document, "told": quality_in_words(document)}
    given = json.dumps(shown, ensure_ascii=False, allow_nan=False)
    for character in "<>&\u2028\u2029":
        given = given.replace(character, f"\\u{ord(character):04x}")
    page = (MAP_PARTS / "page.html").read_text(encoding="utf-8")
    before, _, rest = page.partition("{{css}}")
    middle, _, rest = rest.partition("{{document}}")
    after, _, rest = rest.partition("{{scatter}}")
    end, _, last = rest.partition("{{page}}")
    css, scatter, script = (
        (MAP_PARTS / name).read_text(encoding="utf-8")
        for name in ("scatter.css", "scatter.js", "page.js")
    )
    return "".join((before, css, middle, given, after, scatter, end, script, last))
