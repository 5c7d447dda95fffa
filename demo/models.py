"""The model that the page predicts with, loaded once and shared by all visitors."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # torch is behind it, and the page is on screen before torch
    from core.model import MultiTaskModel


class ModelShelf:
    """Loads the model on first use, once per process.

    Args:
        folder: A model folder, or None for the model that ships with Thaw.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._held: MultiTaskModel | None = None
        self._lock = threading.RLock()

    def get(self) -> "MultiTaskModel":
        """Return the model, loading it if it is not here; thread-safe.

        Raises:
            ValueError: If the folder holds no model, or its encoder cannot be had.
            RuntimeError: If a download breaks midway.
        """
        with self._lock:
            if self._held is None:
                from core.model_folder import load_model

                self._held = load_model(self.folder)
            return self._held

    def is_ready(self) -> bool:
        """Say whether `get` would answer at once."""
        return self._held is not None

    def warm_up(self) -> None:
        """Load the model and run it once, so that the first click is a warm one.

        What goes wrong here is told to whoever predicts first.
        """
        from core.prediction import predict

        try:
            predict(self.get(), ["The first sentence pays for all."])
        except (ValueError, RuntimeError):
            return
