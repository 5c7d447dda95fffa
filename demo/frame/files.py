"""Files up and down: what visitors bring, and results as text that a spreadsheet may open."""

import contextlib
import csv
import io
import json
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from demo.frame.work import visitor_of

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def as_json(document: dict[str, Any]) -> str:
    """Write a document as the command line prints it."""
    return json.dumps(document, ensure_ascii=False, indent=1)


def as_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write rows as CSV; text that a spreadsheet would run as a formula gets a quote before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return "\ufeff" + out.getvalue()  # the mark makes Excel read it as UTF-8


def harmless(cell: object) -> object:
    """Return a cell that no spreadsheet runs; numbers stay numbers."""
    if isinstance(cell, str) and cell.startswith(FORMULA_STARTS):
        return "'" + cell
    return cell


EMPTY_SECONDS = 60


class Uploads:
    """What each open page uploaded last; an older file, and that of a closed page, is removed.

    The page's `delete_cache` removes what a crash leaves behind.
    """

    def __init__(self) -> None:
        self._of: dict[str, Path] = {}
        self._lock = threading.Lock()

    def keep(self, path: str, request: gr.Request) -> None:
        """Remember a visitor's file, and remove the one before it."""
        self._put(request, Path(path))
        with contextlib.suppress(OSError):
            sweep(Path(path).parents[1])

    def remove(self, request: gr.Request) -> None:
        """Remove a visitor's file, if any: it was taken away, or the page was closed."""
        self._put(request, None)

    def _put(self, request: gr.Request, path: Path | None) -> None:
        visitor = visitor_of(request)
        with self._lock:
            before = self._of.pop(visitor, None)
            if path is not None:
                self._of[visitor] = path
            # Gradio names files by what is in them: two visitors may have uploaded the same one.
            if before is None or before in self._of.values():
                return
        with contextlib.suppress(OSError):
            before.unlink()
            before.parent.rmdir()


def sweep(folder: Path) -> None:
    """Remove the empty files that Gradio leaves in its cache, one for each file it hands over."""
    for each in folder.glob("tmp*"):
        found = each.stat()
        old = time.time() - found.st_mtime > EMPTY_SECONDS
        if each.is_file() and found.st_size == 0 and old:
            each.unlink()
