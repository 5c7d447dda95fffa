"""Hidden states computed once and kept: each text goes through the frozen network one time.

What is kept is bounded: past a memory budget it lies in memory-mapped files of a temporary
folder, which is removed with the object that made it.
"""

import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import torch
from torch import Tensor

from core.encoder import CancelledError, Encoder, Progress, batches_by_length, pad
from core.pooling import mean_pool
from core.tokenizer import Pieces, Tokens

TOKENS_PER_BATCH = 2048
"""Batches depend on the texts alone, so that the same texts give the same states bit for bit."""

MEMORY_BYTES = 1_000_000_000


class _Store:
    """Something that may lie in files of a temporary folder: a context, or to be closed."""

    _folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def in_files(self) -> bool:
        """Whether it went past the memory budget, to files."""
        return self._folder is not None

    def close(self) -> None:
        """Let go of what is kept, and of the files it may lie in."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class LayerStates(_Store):
    """The states of every layer, 0 (the embeddings) to the highest one wanted, for some texts.

    Use it as a context, or close it.

    Attributes:
        pooled: The mean of each text's token states, fp32, (layers + 1, texts, hidden).
        tokens: Every token's state, the texts one after another, fp16,
            (layers + 1, all tokens, hidden); None where they were not asked for.
        pieces: Each text's tokens; empty where token states were not asked for.
        starts: Where each text's tokens begin in `tokens`, and where the last ends, (texts + 1,).
    """

    def __init__(self, pooled: Tensor, tokens: Tensor | None, pieces: Sequence[Pieces]) -> None:
        self.pooled = pooled
        self.tokens = tokens
        self.pieces = tuple(pieces)
        lengths = [len(each.ids) for each in self.pieces]
        self.starts = torch.tensor([0, *lengths]).cumsum(dim=0)  # (texts + 1,)

    @property
    def layer_count(self) -> int:
        """The highest layer kept."""
        return len(self.pooled) - 1

    def token_rows(self, texts: Sequence[int]) -> Tensor:
        """Return the rows of `tokens` that belong to some texts, in their order."""
        spans = [torch.arange(int(self.starts[i]), int(self.starts[i + 1])) for i in texts]
        return torch.cat(spans) if spans else torch.empty(0, dtype=torch.int64)  # (rows,)

    def close(self) -> None:
        self.pooled, self.tokens = self.pooled[:0], None
        super().close()


def compute_layer_states(
    encoder: Encoder,
    texts: Sequence[str],
    *,
    tokens: bool = False,
    highest: int | None = None,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> LayerStates:
    """Run each text through the network once and keep every layer's states.

    Args:
        encoder: The network; its pooling and projections play no part.
        texts: What to run.
        tokens: Whether to keep every token's state as well, for token tasks.
        highest: The highest layer wanted; None is all of them.
        memory_bytes: Token states beyond this much go to files.
        progress: Called after each batch with texts done and texts in all.
        cancelled: Asked before each batch; True stops.

    Raises:
        ValueError: If there is no such layer.
        CancelledError: If `cancelled` answered True; nothing is left behind.
    """
    highest = encoder.layers if highest is None else highest
    if not 0 <= highest <= encoder.layers:
        raise ValueError(f"layer is {highest}, must be 0 to {encoder.layers}")
    read = encoder.tokenizer.encode(texts)
    pieces = [encoder.tokenizer.pieces(text) for text in texts] if tokens else []
    shape = (highest + 1, len(texts), encoder.hidden)
    states = LayerStates(torch.zeros(shape), None, pieces)
    if tokens:
        _make_room(states, highest, encoder.hidden, memory_bytes)
    done = 0
    try:
        for batch in batches_by_length(read, TOKENS_PER_BATCH):
            if cancelled is not None and cancelled():
                raise CancelledError(f"stopped after {done} of {len(texts)} sentences")
            _run(encoder, states, batch, [read[i].ids for i in batch], highest)
            done += len(batch)
            if progress is not None:
                progress(done, len(texts))
    except BaseException:
        states.close()
        raise
    return states


def _make_room(states: LayerStates, highest: int, hidden: int, memory_bytes: int) -> None:
    """Give a store its room for token states: in memory, or in a file past the budget."""
    shape = (highest + 1, int(states.starts[-1]), hidden)
    if 2 * shape[0] * shape[1] * shape[2] <= memory_bytes:
        states.tokens = torch.empty(shape, dtype=torch.float16)  # (layers + 1, tokens, hidden)
        return
    states._folder = tempfile.TemporaryDirectory(prefix="thaw-states-")
    path = Path(states._folder.name) / "tokens.f16"
    mapped = np.memmap(path, dtype=np.float16, mode="w+", shape=shape)
    states.tokens = torch.from_numpy(mapped)  # (layers + 1, tokens, hidden)


@torch.inference_mode()
def _run(
    encoder: Encoder, states: LayerStates, batch: list[int], ids: list[list[int]], highest: int
) -> None:
    padded, mask = pad(ids)  # (batch, tokens) each
    padded, mask = padded.to(encoder.device), mask.to(encoder.device)
    with encoder.busy:
        layers = encoder.backbone.layer_states(padded, mask, highest)
    rows = states.token_rows(batch) if states.tokens is not None else None
    for layer, found in enumerate(layers):
        states.pooled[layer, batch] = mean_pool(found.float(), mask).cpu()  # (batch, hidden)
        if states.tokens is not None and rows is not None:
            states.tokens[layer, rows] = found[mask.bool()].half().cpu()  # (rows, hidden)


class FrozenStates(_Store):
    """What the frozen bottom of a network gives for some texts: the token states of a few layers.

    Use it as a context, or close it.

    Attributes:
        layers: Which layers are kept, the lowest first.
        lengths: Each text's tokens, (texts,).
    """

    def __init__(self, layers: Sequence[int], lengths: Sequence[int]) -> None:
        self.layers = tuple(layers)
        self.lengths = torch.tensor(list(lengths), dtype=torch.int64)  # (texts,)
        self._ends = self.lengths.cumsum(dim=0)  # (texts,)
        self._states: dict[int, Tensor] = {}

    def rows(self, texts: Sequence[int]) -> Tensor:
        """Find where the tokens of some texts lie, in the order of the texts, (tokens,)."""
        spans = [
            torch.arange(int(self._ends[i] - self.lengths[i]), int(self._ends[i])) for i in texts
        ]
        return torch.cat(spans) if spans else torch.empty(0, dtype=torch.int64)  # (tokens,)

    def take(
        self, texts: Sequence[int], layers: Collection[int] | None = None
    ) -> dict[int, Tensor]:
        """Return the kept states of some texts, one text after another, (tokens, hidden) each.

        Args:
            texts: Which texts, by their place.
            layers: Which of the layers; None is all that are kept.
        """
        rows = self.rows(texts)  # (tokens,)
        wanted = self.layers if layers is None else layers
        return {layer: self._states[layer][rows] for layer in wanted}

    def close(self) -> None:
        self._states = {}
        super().close()

    def _make_room(self, hidden: int, memory_bytes: float) -> None:
        tokens = int(self.lengths.sum())
        shape = (tokens, hidden)
        if frozen_bytes(len(self.layers), tokens, hidden) <= memory_bytes:
            self._states = {layer: torch.empty(shape) for layer in self.layers}
            return
        self._folder = tempfile.TemporaryDirectory(prefix="thaw-states-")
        for layer in self.layers:
            path = Path(self._folder.name) / f"layer-{layer}.f32"
            mapped = np.memmap(path, dtype=np.float32, mode="w+", shape=shape)
            self._states[layer] = torch.from_numpy(mapped)  # (tokens, hidden)


def frozen_bytes(layers: int, tokens: int, hidden: int) -> int:
    """Give the size of the states of some layers for some texts, fp32, in bytes."""
    return 4 * layers * tokens * hidden


def compute_frozen_states(
    encoder: Encoder,
    ids: Sequence[Sequence[int]],
    layers: Sequence[int],
    *,
    memory_bytes: float = MEMORY_BYTES,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> FrozenStates:
    """Run texts through the frozen bottom of a network once, and keep the states of some layers.

    Batches depend on the texts alone, so that the same texts give the same states bit for bit.

    Args:
        encoder: The network, in eval mode up to the highest of the layers.
        ids: Each text's token ids.
        layers: Which layers to keep, 0 being the embeddings.
        memory_bytes: States beyond this much go to files.
        progress: Called after each batch with texts done and texts in all.
        cancelled: Asked before each batch; True stops.

    Raises:
        ValueError: If there is no such layer.
        CancelledError: If `cancelled` answered True; nothing is left behind.
    """
    wanted = sorted(set(layers))
    if not wanted or not 0 <= wanted[0] <= wanted[-1] <= encoder.layers:
        raise ValueError(f"layers are {wanted}, must be some of 0 to {encoder.layers}")
    tokens = [Tokens(ids=list(each), truncated=False) for each in ids]
    states = FrozenStates(wanted, [len(each) for each in ids])
    states._make_room(encoder.hidden, memory_bytes)
    done = 0
    try:
        for batch in batches_by_length(tokens, TOKENS_PER_BATCH):
            if cancelled is not None and cancelled():
                raise CancelledError(f"stopped after {done} of {len(ids)} sentences")
            _run_frozen(encoder, states, batch, [tokens[i].ids for i in batch])
            done += len(batch)
            if progress is not None:
                progress(done, len(ids))
    except BaseException:
        states.close()
        raise
    return states


@torch.no_grad()
def _run_frozen(
    encoder: Encoder, states: FrozenStates, batch: list[int], ids: list[list[int]]
) -> None:
    padded, mask = pad(ids)  # (batch, tokens) each
    padded, mask = padded.to(encoder.device), mask.to(encoder.device)
    rows = states.rows(batch)  # (tokens,)
    with encoder.busy:
        embedded = encoder.backbone.embed_packed(padded, mask)  # (tokens, hidden)
        lengths = [len(each) for each in ids]
        found = encoder.backbone.packed_layers(embedded, lengths, 0, states.layers[-1])
    for layer in states.layers:
        states._states[layer][rows] = found[layer][: len(rows)].float().cpu()  # (tokens, hidden)
