"""The states of every layer for some texts, from one pass: what the layer profile reads."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.encoder.encoder import CancelledError, Encoder, Progress, batches_by_length, pad
from core.encoder.tokenizer import Pieces
from core.frozen.prefix import MEMORY_BYTES, TOKENS_PER_BATCH, TemporaryStore, reserve
from core.pooling import Mean
from core.system.scratch import own_prefix


class LayerStates(TemporaryStore):
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
    memory_bytes: float = MEMORY_BYTES,
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


def _make_room(states: LayerStates, highest: int, hidden: int, memory_bytes: float) -> None:
    """Give a store its room for token states: in memory, or in a file past the budget."""
    shape = (highest + 1, int(states.starts[-1]), hidden)
    if 2 * shape[0] * shape[1] * shape[2] <= memory_bytes:
        states.tokens = torch.empty(shape, dtype=torch.float16)  # (layers + 1, tokens, hidden)
        return
    states._folder = tempfile.TemporaryDirectory(prefix=own_prefix("thaw-states-"))
    path = Path(states._folder.name) / "tokens.f16"
    reserve(path, 2 * shape[0] * shape[1] * shape[2])
    mapped = np.memmap(path, dtype=np.float16, mode="r+", shape=shape)
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
        states.pooled[layer, batch] = Mean()(found.float(), mask).cpu()  # (batch, hidden)
        if states.tokens is not None and rows is not None:
            states.tokens[layer, rows] = found[mask.bool()].half().cpu()  # (rows, hidden)
