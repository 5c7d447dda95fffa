"""The weights that train in a run: as they are, as they began, and as they were at their best."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class RunWeights:
    """What trains in a run, beside copies of it to measure from and to go back to.

    Args:
        trained: The weights that ever train, by name, as the run begins.

    Attributes:
        trained: The same, as they are now.
        begun: As they were when the run began.
    """

    def __init__(self, trained: Mapping[str, nn.Parameter]) -> None:
        self.trained = dict(trained)
        self.begun = {name: weight.detach().clone() for name, weight in trained.items()}
        self._kept = dict(self.begun)

    def add(self, trained: Mapping[str, nn.Parameter]) -> None:
        """Let more weights train, or the same again; new ones are as they were in the beginning."""
        for name, weight in trained.items():
            if name not in self.trained:
                self.trained[name] = weight
                self.begun[name] = self._kept[name] = weight.detach().clone()

    @torch.no_grad()
    def keep(self) -> None:
        """Keep the weights as they are, over those kept before: no third copy of them all."""
        for name, weight in self.trained.items():
            if self._kept[name] is self.begun[name]:
                self._kept[name] = weight.detach().clone()
            else:
                self._kept[name].copy_(weight)

    @torch.no_grad()
    def go_back(self) -> None:
        """Make the weights what they were when they were kept, or when the run began."""
        for name, weight in self.trained.items():
            weight.copy_(self._kept[name])

    def tensors(self, *, kept: bool) -> dict[str, Tensor]:
        """Name the weights for a checkpoint.

        Args:
            kept: Whether to add those kept: where none were, they are those of the beginning.
        """
        found: dict[str, Tensor] = {f"weight.{name}": each for name, each in self.trained.items()}
        if kept:
            found.update({f"kept.{name}": self._kept[name] for name in self._kept})
        return found

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor], *, kept: bool) -> None:
        """Go on from what `tensors` named.

        Raises:
            KeyError: If they are of other weights.
            RuntimeError: If one has another shape.
        """
        for name, weight in self.trained.items():
            weight.copy_(tensors[f"weight.{name}"])
        if kept:
            self._kept = {name: tensors[f"kept.{name}"] for name in self.trained}
