"""The models that the page predicts with: the shipped one, and runs that visitors opened."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from demo.shelves.shelf import Bounds, Shelf

if TYPE_CHECKING:  # torch is behind it, and the page is on screen before torch
    from core.model.model import MultiTaskModel

PLACES = 4
"""How many models stay in memory, the page's own among them."""

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
        self._held: Shelf[str, MultiTaskModel] = Shelf(
            Bounds(most=PLACES), stays=lambda name, _: not name
        )
        self._offered: Shelf[str, Path] = Shelf(Bounds(most=MOST_OFFERED))

    def offer(self, folder: Path, name: str) -> WorkingModel:
        """Let a visitor work with the model in a folder.

        Args:
            folder: A model folder.
            name: What people call it.
        """
        found = secrets.token_urlsafe(16)
        self._offered.put(found, folder)
        return WorkingModel(id=found, name=name)

    def get(self, model: WorkingModel = OWN_MODEL) -> "MultiTaskModel":
        """Return a model, loading it if it is not here; thread-safe.

        Raises:
            ValueError: If the folder holds no model, or its encoder cannot be had.
            RuntimeError: If a download breaks midway.
        """
        return self._held.get(model.id, lambda: self._load(model))

    def is_ready(self, model: WorkingModel = OWN_MODEL) -> bool:
        """Say whether `get` would answer at once."""
        return self._held.is_ready(model.id)

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
        folder = self._offered.find(model.id)
        if folder is None or not folder.is_dir():
            raise ValueError(
                f"the model {model.name[:80]} is not kept here any more: open another one, or go "
                "back to the page's own"
            )
        loaded = load_model(folder)
        loaded.name = model.name
        return loaded
