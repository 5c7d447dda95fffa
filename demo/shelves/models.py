"""The models that the page predicts with: the shipped one, and runs that visitors opened."""

import secrets
import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # torch is behind it, and the page is on screen before torch
    from core.model.model import MultiTaskModel

PLACES = 3
"""How many opened runs stay in memory; the one unused for longest goes first."""

MOST_OFFERED = 500


@dataclass(frozen=True, kw_only=True)
class WorkingModel:
    """Which model a visitor works with: all that their state holds.

    Attributes:
        id: Whose run it is cannot be guessed from it; empty for the page's own model.
        name: What people call it.
    """

    id: str = ""
    name: str = ""


OWN_MODEL = WorkingModel()
"""The model that the page was started with."""


class ModelShelf:
    """Loads models on first use, once per process.

    Args:
        folder: A model folder, or None for the model that ships with Thaw.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._held: OrderedDict[str, Future[MultiTaskModel]] = OrderedDict()
        self._offered: OrderedDict[str, Path] = OrderedDict()
        self._lock = threading.RLock()

    def offer(self, folder: Path, name: str) -> WorkingModel:
        """Let a visitor work with the model in a folder.

        Args:
            folder: A model folder.
            name: What people call it.
        """
        with self._lock:
            found = secrets.token_urlsafe(16)
            self._offered[found] = folder
            while len(self._offered) > MOST_OFFERED:
                self._offered.popitem(last=False)
        return WorkingModel(id=found, name=name)

    def get(self, model: WorkingModel = OWN_MODEL) -> "MultiTaskModel":
        """Return a model, loading it if it is not here; thread-safe.

        Raises:
            ValueError: If the folder holds no model, or its encoder cannot be had.
            RuntimeError: If a download breaks midway.
        """
        with self._lock:
            held = self._held.get(model.id)
            mine = held is None
            if held is None:
                held = self._held[model.id] = Future()
            self._held.move_to_end(model.id)
        if not mine:
            return held.result()
        try:
            held.set_result(self._load(model))
        except BaseException as error:
            with self._lock:
                self._held.pop(model.id, None)  # so that the next one tries again
            held.set_exception(error)
            raise
        self._put_away()
        return held.result()

    def is_ready(self, model: WorkingModel = OWN_MODEL) -> bool:
        """Say whether `get` would answer at once."""
        held = self._held.get(model.id)
        return held is not None and held.done() and held.exception() is None

    def warm_up(self) -> None:
        """Load the page's own model and run it once, so that the first click is a warm one.

        What goes wrong here is told to whoever predicts first.
        """
        from core.model.prediction import predict

        try:
            predict(self.get(), ["The first sentence pays for all."])
        except (ValueError, RuntimeError):
            return

    def _load(self, model: WorkingModel) -> "MultiTaskModel":
        from core.model.model_folder import load_model

        if not model.id:
            return load_model(self.folder)
        folder = self._offered.get(model.id)
        if folder is None or not folder.is_dir():
            raise ValueError(
                f"the model {model.name[:80]} is not kept here any more: open another one, or go "
                "back to the page's own"
            )
        loaded = load_model(folder)
        loaded.name = model.name
        return loaded

    def _put_away(self) -> None:
        with self._lock:
            runs = [each for each in self._held if each and self._held[each].done()]
            for each in runs[: max(0, len(runs) - PLACES)]:
                del self._held[each]
