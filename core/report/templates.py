"""Pages from templates: whatever is put in is text, unless it was made here."""

import base64
import functools
import hashlib
import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from core.sentences import clean

FOLDER = Path(__file__).resolve().parent
"""Where the templates lie, and what they are put together from."""


def filled(template: str, **given: Any) -> str:  # noqa: ANN401 (whatever the template names)
    """Fill a template in.

    Args:
        template: Its path below `FOLDER`.
        given: What it names. Text is escaped, without its control characters.
    """
    return _environment().get_template(template).render(given)


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_readable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _readable(value: Any) -> Any:  # noqa: ANN401 (Jinja's own)
    return value if isinstance(value, Markup) else clean(str(value))


def part(name: str) -> Markup:
    """Read a script or a style sheet of ours, to stand in a page as it is."""
    return Markup((FOLDER / name).read_text(encoding="utf-8"))


def as_data(value: Any) -> Markup:  # noqa: ANN401 (any JSON)
    """Write JSON that stands in a page's script and ends no tag."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def digest(script: str) -> Markup:
    """Give what a Content-Security-Policy calls a script by, so that no other one runs."""
    found = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Markup(f"'sha256-{found}'")
