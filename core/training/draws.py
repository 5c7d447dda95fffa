"""What chance decides in a training: the order of its rows, and its dropout.

A run draws from a state of its own, so that whoever draws between two of its steps, another run
included, changes nothing of it.
"""

import contextlib
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

BATCHES_SORTED_TOGETHER = 16
"""Batches drawn at random are sorted by length among this many, so that each has little spread."""

_BETWEEN_RANKS = 0x9E3779B97F4A7C15
"""Far enough from one process's seed to the next one's that no two runs of a person's meet."""


class Draws:
    """The draws of one run.

    Args:
        seed: The same seed gives the same draws.
        device: Where the run computes, and so draws its dropout.
        rank: Which of the processes of the run this is: all draw one order, and each its own
            dropout.
    """

    def __init__(self, seed: int, device: torch.device, rank: int = 0) -> None:
        self.order = random.Random(seed)
        self.device = device
        seed = (seed + rank * _BETWEEN_RANKS) % 2**63 if rank else seed
        self._cpu = torch.Generator().manual_seed(seed).get_state()
        cuda = torch.Generator(device).manual_seed(seed) if device.type == "cuda" else None
        self._cuda = None if cuda is None else cuda.get_state()

    def tensors(self) -> dict[str, Tensor]:
        """Give the state that dropout is drawn from, for a checkpoint."""
        found = {"cpu": self._cpu}
        return found if self._cuda is None else {**found, "cuda": self._cuda}

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from a state that `tensors` gave; a GPU's is left as it is where there was none."""
        self._cpu = tensors["cpu"]
        if self._cuda is not None:
            self._cuda = tensors.get("cuda", self._cuda)

    def order_state(self) -> list[Any]:
        """Give the state that the order of rows is drawn from, as JSON holds it."""
        version, numbers, gauss = self.order.getstate()
        return [version, list(numbers), gauss]

    def load_order_state(self, state: Sequence[Any]) -> None:
        """Go on from a state that `order_state` gave."""
        version, numbers, gauss = state
        self.order.setstate((version, tuple(numbers), gauss))

    def batches(self, lengths: Sequence[int], size: int) -> list[list[int]]:
        """Deal rows into batches: at random, then by length among some batches.

        Args:
            lengths: Each row's tokens.
            size: Rows in a batch; the last may have fewer.

        Returns:
            The rows of each batch; each row is in one.
        """
        order = list(range(len(lengths)))
        self.order.shuffle(order)
        some = size * BATCHES_SORTED_TOGETHER
        batches = []
        for start in range(0, len(order), some):
            near = sorted(order[start : start + some], key=lengths.__getitem__)
            batches += [near[at : at + size] for at in range(0, len(near), size)]
        self.order.shuffle(batches)
        return batches

    @contextlib.contextmanager
    def dropout(self) -> Iterator[None]:
        """Draw what torch draws from this run's own state, then put back the state it found."""
        before = torch.get_rng_state()
        before_cuda = None if self._cuda is None else torch.cuda.get_rng_state(self.device)
        torch.set_rng_state(self._cpu)
        if self._cuda is not None:
            torch.cuda.set_rng_state(self._cuda, self.device)
        try:
            yield
        finally:
            self._cpu = torch.get_rng_state()
            torch.set_rng_state(before)
            if before_cuda is not None:
                self._cuda = torch.cuda.get_rng_state(self.device)
                torch.cuda.set_rng_state(before_cuda, self.device)
