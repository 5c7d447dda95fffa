"""The comparison that the Freeze tab opens with: a real one of the corpus, computed beforehand.

`python -m core compare --data corpus --rows 300 --out report.json` computes one, and
`python -m demo.comparison_examples report.json` writes it to assets/examples/comparison.json with
the date and the machine: run both whenever the corpus or the strategies' defaults change.
"""

import functools
import json
import sys
import time
from pathlib import Path
from typing import Any

from core.config import ASSETS

PATH = ASSETS / "examples" / "comparison.json"

EXAMPLE = "example"
"""What the page calls it."""


@functools.cache
def shipped_comparison() -> dict[str, Any] | None:
    """Read what is shipped, `{made, document}`; None where there is none."""
    if not PATH.is_file():
        return None
    found: dict[str, Any] = json.loads(PATH.read_text("utf-8"))
    return found


def main(report: str) -> None:
    """Take a report over, with its date and machine.

    Args:
        report: A file that `python -m core compare --out` wrote.
    """
    path = Path(report)
    document = json.loads(path.read_text("utf-8"))
    date = time.strftime("%Y-%m-%d", time.localtime(path.stat().st_mtime))
    made = f"Computed on {date} on {document['machine']}, in {document['wall_seconds']:.0f} s."
    text = json.dumps({"made": made, "document": document}, ensure_ascii=False, indent=None)
    PATH.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
