"""A BERT forward of our own, without padding: every matrix product sees real tokens only.

The parameters carry transformers' names and shapes, so that weights, adapters and exports go
either way unchanged. Layers can be run from any one to any other, which the frozen prefix needs.
docs/decisions.md has the measurements that earned it its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.encoder.packed import PackableLinear

PACKED_AT_MOST = 128_000_000
"""Weights of larger models are not packed: the copy would need half a gigabyte and more."""

ROWS_STEP = 256
"""For inference a batch of more rows than this is rounded up to a multiple of it.

Tensors of ever new sizes leave holes in the heap, and oneDNN keeps something for every size it
meets: embedding a long file grew by a gigabyte. Batches of a few sizes stay level.
"""


@dataclass(frozen=True, kw_only=True)
class BertShape:
    """The sizes of a BERT, from its `config.json`."""

    vocabulary: int
    hidden: int
    layers: int
    attention_heads: int
    intermediate: int
    positions: int
    token_types: int
    epsilon: float
    dropout: float
    attention_dropout: float

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> "BertShape | None":
        """Read a `config.json`; None where it describes something this forward does not do."""
        usual = (
            config.get("model_type") == "bert"
            and config.get("hidden_act", "gelu") == "gelu"
            and config.get("position_embedding_type", "absolute") == "absolute"
            and not config.get("is_decoder", False)
            and not config.get("add_cross_attention", False)
        )
        if not usual:
            return None
        return BertShape(
            vocabulary=config.get("vocab_size", 30522),
            hidden=config.get("hidden_size", 768),
            layers=config.get("num_hidden_layers", 12),
            attention_heads=config.get("num_attention_heads", 12),
            intermediate=config.get("intermediate_size", 3072),
            positions=config.get("max_position_embeddings", 512),
            token_types=config.get("type_vocab_size", 2),
            epsilon=config.get("layer_norm_eps", 1e-12),
            dropout=config.get("hidden_dropout_prob", 0.1),
            attention_dropout=config.get("attention_probs_dropout_prob", 0.1),
        )


class Run(NamedTuple):
    """Neighbouring texts of one length in a packed batch: they attend as one dense block."""

    start: int
    texts: int
    length: int


class BertEmbeddings(nn.Module):
    """Word, position and token-type embeddings. Source: BERT, section 3.2 (arXiv:1810.04805)."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(shape.vocabulary, shape.hidden)
        self.position_embeddings = nn.Embedding(shape.positions, shape.hidden)
        self.token_type_embeddings = nn.Embedding(shape.token_types, shape.hidden)
        self.LayerNorm = nn.LayerNorm(shape.hidden, eps=shape.epsilon)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        words = self.word_embeddings(ids) + self.token_type_embeddings.weight[0]  # (tokens, hidden)
        summed = words + self.position_embeddings(positions)  # (tokens, hidden)
        return self.dropout(self.LayerNorm(summed))  # (tokens, hidden)


class SelfAttention(nn.Module):
    """Multi-head self-attention. Source: Vaswani et al. 2017, section 3.2 (arXiv:1706.03762)."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.heads = shape.attention_heads
        self.dropout = shape.attention_dropout
        self.query = PackableLinear(shape.hidden, shape.hidden)
        self.key = PackableLinear(shape.hidden, shape.hidden)
        self.value = PackableLinear(shape.hidden, shape.hidden)

    def forward(self, states: Tensor, runs: list[Run]) -> Tensor:
        projected = (self.query(states), self.key(states), self.value(states))
        dropout = self.dropout if self.training else 0.0
        mixed = []
        for start, texts, length in runs:
            rows = slice(start, start + texts * length)
            query, key, value = (
                part[rows].view(texts, length, self.heads, -1).transpose(1, 2) for part in projected
            )  # (texts, heads, length, hidden / heads) each
            out = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
            mixed.append(out.transpose(1, 2).reshape(texts * length, -1))  # (rows, hidden)
        return with_rows(torch.cat(mixed), len(states)) if mixed else states  # (tokens, hidden)


class AddAndNorm(nn.Module):
    """Project, add the layer's input, normalise: the end of both halves of a layer."""

    def __init__(self, shape: BertShape, inner: int) -> None:
        super().__init__()
        self.dense = PackableLinear(inner, shape.hidden)
        self.LayerNorm = nn.LayerNorm(shape.hidden, eps=shape.epsilon)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, inner: Tensor, entering: Tensor) -> Tensor:
        return self.LayerNorm(self.dropout(self.dense(inner)) + entering)  # (tokens, hidden)


class BertLayer(nn.Module):
    """One transformer layer: attention, then a feed-forward network, each with its residual."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.attention = nn.ModuleDict(
            {"self": SelfAttention(shape), "output": AddAndNorm(shape, shape.hidden)}
        )
        self.intermediate = nn.ModuleDict(
            {"dense": PackableLinear(shape.hidden, shape.intermediate)}
        )
        self.output = AddAndNorm(shape, shape.intermediate)

    def forward(self, states: Tensor, runs: list[Run]) -> Tensor:
        mixed = self.attention["self"](states, runs)  # (tokens, hidden)
        states = self.attention["output"](mixed, states)  # (tokens, hidden)
        wide = self.intermediate["dense"](states, gelu=True)  # (tokens, intermediate)
        return self.output(wide, states)  # (tokens, hidden)


class Bert(nn.Module):
    """BERT's encoder, from token ids to the states of its last layer (no pooler)."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.shape = shape
        self.embeddings = BertEmbeddings(shape)
        layers = nn.ModuleList(BertLayer(shape) for _ in range(shape.layers))
        self.encoder = nn.ModuleDict({"layer": layers})

    def layers(self) -> list[BertLayer]:
        """The transformer layers, the lowest first."""
        return list(cast(nn.ModuleList, self.encoder["layer"]))  # type: ignore[arg-type]

    def word_embeddings(self) -> nn.Embedding:
        """The table of the vocabulary."""
        return self.embeddings.word_embeddings

    @property
    def layer_count(self) -> int:
        """How many transformer layers there are."""
        return self.shape.layers

    @property
    def hidden(self) -> int:
        """Numbers in a token's state."""
        return self.shape.hidden

    def pack(self, *, again: bool = True) -> None:
        """Get ready for inference: keep the linear layers' weights packed, where that helps.

        Args:
            again: Also those that are packed already, as after a training.
        """
        linears = [each for each in self.modules() if isinstance(each, PackableLinear)]
        if sum(each.weight.numel() for each in linears) <= PACKED_AT_MOST:
            for each in linears:
                each.pack(again=again)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Run all layers.

        Args:
            ids: Token ids, padded, (batch, tokens).
            mask: 1 for a real token, 0 for padding, (batch, tokens).

        Returns:
            The last layer's states, zeros where there is padding, (batch, tokens, hidden).
        """
        states, runs = self.embed(ids, mask)  # (packed tokens, hidden)
        states = self.run_layers(states, runs, 0, self.shape.layers)  # (packed tokens, hidden)
        return unpacked(states, mask)  # (batch, tokens, hidden)

    def layer_states(self, ids: Tensor, mask: Tensor, highest: int) -> list[Tensor]:
        """Return the states of the embeddings and of each layer up to one; none above is run.

        Args:
            ids: Token ids, padded, (batch, tokens).
            mask: 1 for a real token, 0 for padding, (batch, tokens).
            highest: The highest layer wanted, 0 to the number of layers.

        Returns:
            `highest` + 1 tensors, layer 0 (the embeddings) first, (batch, tokens, hidden) each.
        """
        states, runs = self.embed(ids, mask)  # (packed tokens, hidden)
        found = [unpacked(states, mask)]
        for layer in range(highest):
            states = self.run_layers(states, runs, layer, layer + 1)  # (packed tokens, hidden)
            found.append(unpacked(states, mask))
        return found

    def embed_packed(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return layer 0's states of the real tokens, one text after another, (tokens, hidden)."""
        states, _ = self.embed(ids, mask)  # (packed tokens, hidden)
        return states[: int(mask.sum())]  # (tokens, hidden), without the rows after the last text

    def packed_layers(
        self, states: Tensor, lengths: Sequence[int], first: int, last: int
    ) -> list[Tensor]:
        """Run layers `first` + 1 to `last` on packed states.

        Args:
            states: The output of layer `first`, one text after another, (tokens, hidden).
            lengths: Each text's tokens; texts of one length are best neighbours.
            first: The layer that `states` come from, 0 to the number of layers.
            last: The highest layer wanted, from `first` on.

        Returns:
            The outputs of layers `first` to `last`, (tokens, hidden) each.
        """
        runs = equal_length_runs(list(lengths))
        found = [states]
        for layer in range(first, last):
            found.append(self.run_layers(found[-1], runs, layer, layer + 1))  # (tokens, hidden)
        return found

    def embed(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, list[Run]]:
        """Look up the embeddings of the real tokens alone.

        Returns:
            Layer 0's states, packed, (tokens, hidden), and where the texts lie in them. Without
            gradients, rows of zeros may follow the last text.
        """
        real = mask.to(torch.bool)  # (batch, tokens)
        positions = (real.cumsum(dim=1) - 1)[real]  # (packed tokens,)
        runs = equal_length_runs(real.sum(dim=1).tolist())
        states = self.embeddings(ids[real], positions)  # (packed tokens, hidden)
        if not torch.is_grad_enabled() and len(states) > ROWS_STEP:
            states = with_rows(states, -(-len(states) // ROWS_STEP) * ROWS_STEP)
        return states, runs

    def run_layers(self, states: Tensor, runs: list[Run], first: int, last: int) -> Tensor:
        """Run layers `first` + 1 to `last`, counted as people do: 0 is the embeddings' output.

        Args:
            states: The packed output of layer `first`, (tokens, hidden).
            runs: Where the texts lie in it.
            first: The layer that `states` come from, 0 to the number of layers.
            last: The layer whose output is wanted, from `first` on.

        Returns:
            The output of layer `last`, packed, (tokens, hidden).
        """
        for layer in self.layers()[first:last]:
            states = layer(states, runs)  # (tokens, hidden)
        return states


def with_rows(states: Tensor, rows: int) -> Tensor:
    """Add rows of zeros until there are `rows`, (rows, hidden)."""
    missing = rows - len(states)
    return F.pad(states, (0, 0, 0, missing)) if missing else states  # (rows, hidden)


def unpacked(states: Tensor, mask: Tensor) -> Tensor:
    """Lay packed states (tokens, hidden) out again, (batch, tokens, hidden), zeros for padding."""
    real = mask.to(torch.bool)  # (batch, tokens)
    states = states[: int(real.sum())]  # (tokens, hidden), without the rows after the last text
    if len(states) == real.numel():
        return states.view(*mask.shape, -1)  # (batch, tokens, hidden)
    padded = states.new_zeros(*mask.shape, states.shape[-1])  # (batch, tokens, hidden)
    padded[real] = states
    return padded


def equal_length_runs(lengths: list[int]) -> list[Run]:
    """Group neighbouring texts of equal length; texts with no token at all take no room.

    >>> equal_length_runs([5, 5, 3])
    [Run(start=0, texts=2, length=5), Run(start=10, texts=1, length=3)]
    """
    runs: list[Run] = []
    start = 0
    for length in lengths:
        if length == 0:
            continue
        if runs and runs[-1].length == length:
            runs[-1] = runs[-1]._replace(texts=runs[-1].texts + 1)
        else:
            runs.append(Run(start, 1, length))
        start += length
    return runs
