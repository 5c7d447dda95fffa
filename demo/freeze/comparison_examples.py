"""The comparison that the Freeze tab opens with: a real one of the corpus, computed beforehand.

`python -m core compare --data corpus --rows 300 --out report.json` computes one, and `python -m
demo.freeze.comparison_examples report.json` writes it to assets/examples/comparison.json with the
date and the machine: run both whenever the corpus or the strategies' defaults change. It is laid
out too, as the page is built before torch is there; without a report, what is shipped is laid out
anew.
"""

import functools
import json
import sys
import time
from pathlib import Path
from typing import Any

from core.config import ASSETS
from demo.freeze.views import result_view

PATH = ASSETS / "examples" / "comparison.json"

EXAMPLE = "example"
"""What the page calls it."""


@functools.cache
def shipped_comparison() -> dict[str, Any] | None:
    """Read what is shipped, `{made, document, view}`; None where there is none."""
    if not PATH.is_file():
        return None
    found: dict[str, Any] = json.loads(PATH.read_text("utf-8"))
    return found


def main(report: str | None = None) -> None:
    """Take a report over, with its date and machine, and lay it out.

    Args:
        report: A file that `python -m core compare --out` wrote; None takes what is shipped.
    """
    if report is None:
        shipped = shipped_comparison() or {}
    else:
        path = Path(report)
        document = json.loads(path.read_text("utf-8"))
        date = time.strftime("%Y-%m-%d", time.localtime(path.stat().st_mtime))
        took = f"{document['wall_seconds']:.0f} s"
        made = f"Computed on {date} on {document['machine']}, in {took}."
        shipped = {"made": made, "document": document}
    view = result_view(shipped["document"], name=EXAMPLE, made=shipped["made"])
    text = json.dumps({**shipped, "view": view}, ensure_ascii=False, indent=None)
    PATH.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
