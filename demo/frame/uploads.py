"""Files that visitors uploaded: kept while their page is open, so that they can be read again."""

import contextlib
import threading
import time
from pathlib import Path

import gradio as gr

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
        visitor = request.session_hash or ""
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
