"""How a run scores its rows: what is frozen is taken from a prefix, the rest is computed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from core.encoder.packed import pool_packed
from core.frozen.prefix import TOKENS, Needs, Prefix, States
from core.model.heads import TaskHead
from core.model.model import MultiTaskModel
from core.model.reading import ReadText


def reads_pooled(head: TaskHead, start: int) -> bool:
    """Tell whether a head can do with pooled states where nothing trains up to a layer."""
    return head.pools is not None and head.highest_read <= start


def needs_from(model: MultiTaskModel, start: int | None) -> Needs:
    """List the states that a model takes from a prefix if it runs from a layer on."""
    if start is None:
        return frozenset()
    needs: set[States] = set()
    for head in model.task_heads.values():
        form = head.pools if reads_pooled(head, start) and head.pools else TOKENS
        needs |= {States(min(layer, start), form) for layer in head.layers_read}
    return frozenset(needs)


def needs_of(model: MultiTaskModel, starts: Iterable[int | None]) -> Needs:
    """List the states that a run takes from a prefix, in one epoch or another.

    Args:
        model: Its heads read where they will.
        starts: The layers that it runs from.
    """
    return frozenset[States]().union(*(needs_from(model, start) for start in set(starts)))


class Reading(NamedTuple):
    """What heads read of some texts, in the order in which `MultiTaskModel.score` takes it."""

    layers: Mapping[int, Tensor]
    """By layer, packed states, (tokens, hidden)."""
    lengths: Tensor
    """Each text's tokens, (batch,)."""
    spelling: Tensor | None
    """How the words are written, (tokens, features)."""
    pooled: Mapping[tuple[int, str], Tensor]
    """By layer and pooling, (batch, hidden), where no more is needed."""

    def of(self, layer: int, pooling: str) -> Tensor:
        """Give the states of a layer, pooled, (batch, hidden)."""
        if (layer, pooling) in self.pooled:
            return self.pooled[layer, pooling].float()  # (batch, hidden)
        packed = self.layers[layer].float()[: int(self.lengths.sum())]  # (tokens, hidden)
        return pool_packed(packed, self.lengths, pooling)  # (batch, hidden)


class Scorer:
    """Scores rows of a run.

    Args:
        model: What scores.
        texts: All rows of the run, as the model reads them.
    """

    def __init__(self, model: MultiTaskModel, texts: Sequence[ReadText]) -> None:
        self.model, self.texts = model, texts
        self._prefix: Prefix | None = None
        self._places: list[int] = []

    def take_from(self, prefix: Prefix) -> None:
        """Take what is frozen from a prefix from now on.

        Raises:
            ValueError: If one of the texts is not in it.
        """
        self._places = prefix.texts.places([text.ids for text in self.texts])
        self._prefix = prefix

    def read(self, rows: Sequence[int], start: int | None) -> Reading:
        """Get what the heads read of some rows.

        Args:
            rows: Which.
            start: The layer that the network runs from; None runs all of it.
        """
        texts = [self.texts[row] for row in rows]
        model, device = self.model, self.model.encoder.device
        if self._prefix is None or start is None:
            batch = model.batch(texts)
            return Reading(model.states(batch), batch.lengths, batch.spelling, {})
        places = [self._places[row] for row in rows]
        layers, pooled = {}, {}
        for states in needs_from(model, start):
            found = self._prefix.take(places, states).to(device)
            if states.form == TOKENS:
                layers[states.layer] = found  # (tokens, hidden)
            else:
                pooled[states.layer, states.form] = found  # (batch, hidden)
        lengths = [len(text.ids) for text in texts]
        if model.highest_read > start:
            upper = model.encoder.backbone.packed_layers(
                layers[start], lengths, start, model.highest_read
            )
            layers.update(enumerate(upper, start))
        counted = torch.tensor(lengths, device=device)  # (batch,)
        return Reading(layers, counted, model.spelling(texts), pooled)

    def scores(self, rows: Sequence[int], start: int | None) -> dict[str, Tensor]:
        """Score some rows, as `MultiTaskModel.score` does. For the arguments see `read`."""
        return self.model.score(*self.read(rows, start))
