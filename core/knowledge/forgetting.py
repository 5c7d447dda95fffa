"""What tuning does to the embedding: how far it moves (drift), and what it loses (forgetting).

Both are of the full-depth embedding, whatever layer the heads read. What the tuning left frozen is
not run again: its states come from the prefix of the pretrained encoder.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.encoder.backbone import eval_mode
from core.encoder.encoder import Encoder, pad
from core.encoder.packed import pool_packed
from core.encoder.tokenizer import Tokenizer
from core.frozen.prefix import TOKENS_PER_BATCH, Needs, Prefix, States
from core.knowledge.probe import Probe
from core.measures.drift import (
    NEIGHBOURS,
    linear_cka,
    neighbours_kept,
    rank_agreement,
    spearman,
    weighted_spearman,
)
from core.measures.metrics import Interval

OWN_SENTENCES = 200
"""Of a person's own sentences drift is measured on so many: more would cost more than training."""

SAMPLES = 2000
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """Some texts as an encoder sees them.

    Attributes:
        by_layer: The mean of each text's token states, 0 (the embeddings) to the last layer,
            (layers + 1, texts, hidden).
        vectors: The full-depth embeddings, (texts, dimension).
    """

    by_layer: Tensor
    vectors: Tensor

    def select(self, places: Sequence[int]) -> "Embedded":
        """Give some of the texts, in the order asked for."""
        some = list(places)
        return Embedded(by_layer=self.by_layer[:, some], vectors=self.vectors[some])


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How far an embedding has moved.

    Attributes:
        cka: Linear CKA of the embeddings; 1 where nothing moved.
        cka_by_layer: The same of each layer's mean states, the embeddings' first.
        rank_agreement: Spearman's correlation of the cosines of all pairs; 1 where none moved.
        neighbours_kept: How many of each sentence's 10 nearest stay; of fewer sentences, of those.
    """

    cka: float
    cka_by_layer: tuple[float, ...]
    rank_agreement: float
    neighbours_kept: float

    def document(self) -> dict[str, Any]:
        """Describe it as JSON."""
        return {**vars(self), "cka_by_layer": list(self.cka_by_layer)}


@dataclass(frozen=True, kw_only=True)
class Retention:
    """What a tuned encoder has kept of the pretrained one.

    Attributes:
        probe: Drift on the probe's sentences.
        data: Drift on the person's own; None where there are fewer than three.
        forgetting: Spearman lost on the probe's pairs, pretrained less tuned, with its interval.
        pretrained: Spearman of the pretrained encoder.
        tuned: Spearman of the tuned one; None where nothing was run, as nothing was tuned.
    """

    probe: Drift
    data: Drift | None
    forgetting: Interval
    pretrained: float | None = None
    tuned: float | None = None

    def document(self) -> dict[str, Any]:
        """Describe it as JSON: `{drift: {probe, data}, forgetting, spearman}`."""
        return {
            "drift": {
                "probe": self.probe.document(),
                "data": None if self.data is None else self.data.document(),
            },
            "forgetting": vars(self.forgetting).copy(),
            "spearman": {"pretrained": self.pretrained, "tuned": self.tuned},
        }


class Yardstick:
    """The texts that a tuned encoder is held against the pretrained one on.

    Args:
        probe: The graded pairs and the plain sentences.
        own: The person's sentences; a bounded sample of them is taken.
        tokenizer: The encoder's.
    """

    def __init__(self, probe: Probe, own: Sequence[str], tokenizer: Tokenizer) -> None:
        self.probe = probe
        self.own = own_sample(own)
        texts = [each for pair in probe.pairs for each in pair]
        self.ids = [each.ids for each in tokenizer.encode([*texts, *probe.sentences, *self.own])]

    @staticmethod
    def needs(layers: int, depths: Sequence[int | None]) -> Needs:
        """Say what the prefix of these texts must hold.

        Args:
            layers: How many the encoder has.
            depths: Of each tuning to be measured the highest layer that never trains; None where
                the embeddings train.
        """
        whole = {States(layer, "mean") for layer in range(layers + 1)}
        begins = {States(depth) for depth in depths if depth is not None and depth < layers}
        return frozenset(whole | begins | {States(layers)})

    def measure(
        self, encoder: Encoder, prefix: Prefix, depth: int | None, *, seed: int = 0
    ) -> Retention:
        """Hold a tuned encoder against the pretrained one.

        Args:
            encoder: As it was tuned.
            prefix: Of the pretrained encoder and these texts, with what `needs` says.
            depth: The highest layer that never trained; None where the embeddings did.
            seed: Draws the pairs for the interval.

        Raises:
            ValueError: If the prefix lacks something.
        """
        if depth is not None and depth >= encoder.layers:
            return untouched(encoder.layers, len(self.own))
        places = prefix.texts.places(self.ids)
        before, after = pretrained(encoder, prefix, places), tuned(encoder, prefix, places, depth)
        pairs = len(self.probe.pairs)
        first, second = range(0, 2 * pairs, 2), range(1, 2 * pairs, 2)
        sentences = range(2 * pairs, 2 * pairs + len(self.probe.sentences))
        own = range(sentences.stop, len(self.ids))
        scores = [
            _cosines(each.select(first).vectors, each.select(second).vectors)
            for each in (before, after)
        ]
        grades = np.array(self.probe.grades)  # (pairs,)
        return Retention(
            probe=drift(before.select(sentences), after.select(sentences)),
            data=drift(before.select(own), after.select(own)) if len(own) > 2 else None,
            forgetting=forgetting(scores[0], scores[1], grades, seed=seed),
            pretrained=spearman(scores[0], grades),
            tuned=spearman(scores[1], grades),
        )


def forgetting(before: Floats, after: Floats, grades: Floats, *, seed: int = 0) -> Interval:
    """Return the Spearman lost on graded pairs, with its 95 % interval.

    Args:
        before: The pretrained encoder's scores, (pairs,).
        after: The tuned one's, (pairs,).
        grades: (pairs,).
        seed: Makes the draws repeatable.

    Source:
        Efron & Tibshirani 1993, chapter 13: the percentile bootstrap, pairs of sentences drawn
        again, both encoders scored on the same draws.
    """
    generator = np.random.default_rng(seed)
    count = len(grades)
    draws = generator.multinomial(count, np.full(count, 1 / count), SAMPLES).astype(np.float64)
    lost = weighted_spearman(before, grades, draws) - weighted_spearman(after, grades, draws)
    low, high = np.percentile(lost, [2.5, 97.5])
    mean = spearman(before, grades) - spearman(after, grades)
    return Interval(mean=mean, low=float(low), high=float(high))


def drift(before: Embedded, after: Embedded) -> Drift:
    """Measure how far texts have moved; three of them at least."""
    one, other = before.vectors.double().numpy(), after.vectors.double().numpy()
    layers = zip(before.by_layer.double().numpy(), after.by_layer.double().numpy(), strict=True)
    return Drift(
        cka=linear_cka(one, other),
        # What was not run again is the very same: 1, without the rounding.
        cka_by_layer=tuple(1.0 if (a == b).all() else linear_cka(a, b) for a, b in layers),
        rank_agreement=rank_agreement(one, other),
        neighbours_kept=neighbours_kept(one, other),
    )


def untouched(layers: int, own: int) -> Retention:
    """Say what an encoder has kept that was never tuned: everything, without computing."""

    def still(neighbours: int) -> Drift:
        return Drift(
            cka=1.0,
            cka_by_layer=(1.0,) * (layers + 1),
            rank_agreement=1.0,
            neighbours_kept=float(neighbours),
        )

    return Retention(
        probe=still(NEIGHBOURS),
        data=still(min(NEIGHBOURS, own - 1)) if own > 2 else None,
        forgetting=Interval(mean=0.0, low=0.0, high=0.0),
    )


def own_sample(texts: Sequence[str], most: int = OWN_SENTENCES) -> list[str]:
    """Draw some different sentences, the same ones each time, in their order."""
    distinct = [each for each in dict.fromkeys(texts) if each.strip()]
    if len(distinct) <= most:
        return distinct
    drawn = random.Random(0).sample(range(len(distinct)), most)
    return [distinct[place] for place in sorted(drawn)]


@torch.no_grad()
def pretrained(encoder: Encoder, prefix: Prefix, places: Sequence[int]) -> Embedded:
    """Read off a prefix how the pretrained encoder sees some texts.

    Args:
        encoder: Of the same kind: its pooling and projections, which are never tuned.
        prefix: With the mean states of every layer, and the last one's tokens.
        places: Which texts.
    """
    layers = [prefix.take(places, States(each, "mean")) for each in range(prefix.layers + 1)]
    vectors = torch.zeros(len(places), encoder.dimension)  # (texts, dimension)
    for some in _batches(prefix, places):
        states = prefix.take([places[each] for each in some], States(prefix.layers))
        lengths = [prefix.texts.lengths[places[each]] for each in some]
        vectors[some] = _embeddings(encoder, states.to(encoder.device), lengths)
    return Embedded(by_layer=torch.stack(layers), vectors=vectors)


@torch.no_grad()
def tuned(encoder: Encoder, prefix: Prefix, places: Sequence[int], depth: int | None) -> Embedded:
    """Run a tuned encoder on some texts, from the highest layer that never trained.

    Args:
        encoder: As it was tuned.
        prefix: Of the pretrained encoder, with the token states of layer `depth`.
        places: Which texts.
        depth: The highest layer that never trained; None where the embeddings did.
    """
    by_layer = torch.zeros(encoder.layers + 1, len(places), encoder.hidden)
    vectors = torch.zeros(len(places), encoder.dimension)  # (texts, dimension)
    start = depth or 0
    for layer in range(start if depth is None else start + 1):
        by_layer[layer] = prefix.take(places, States(layer, "mean"))  # (texts, hidden)
    with eval_mode(encoder):
        for some in _batches(prefix, places):
            own = [places[each] for each in some]
            lengths = [prefix.texts.lengths[each] for each in own]
            if depth is None:
                ids, mask = pad([prefix.texts.ids[each] for each in own])  # (batch, tokens) each
                ids, mask = ids.to(encoder.device), mask.to(encoder.device)
                begin = encoder.backbone.embed_packed(ids, mask)  # (tokens, hidden)
            else:
                begin = prefix.take(own, States(depth)).to(encoder.device)  # (tokens, hidden)
            with encoder.busy:
                found = encoder.backbone.packed_layers(begin, lengths, start, encoder.layers)
            for layer, states in enumerate(found, start):
                if depth is None or layer > depth:
                    each = states[: sum(lengths)].float().cpu()  # (tokens, hidden)
                    by_layer[layer, some] = pool_packed(each, torch.tensor(lengths), "mean")
            vectors[some] = _embeddings(encoder, found[-1][: sum(lengths)], lengths)
    return Embedded(by_layer=by_layer, vectors=vectors)


def _batches(prefix: Prefix, places: Sequence[int]) -> list[list[int]]:
    """Cut texts into batches of similar length, as indices into `places`."""
    order = sorted(range(len(places)), key=lambda each: (places[each], each))
    batches: list[list[int]] = []
    longest = 0
    for each in order:  # in a prefix the longest text stands first
        length = prefix.texts.lengths[places[each]]
        if not batches or longest * (len(batches[-1]) + 1) > TOKENS_PER_BATCH:
            batches.append([])
            longest = length
        batches[-1].append(each)
    return batches


def _embeddings(encoder: Encoder, states: Tensor, lengths: Sequence[int]) -> Tensor:
    """Pool, project and normalise packed states, (tokens, hidden) to (batch, dimension)."""
    counts = torch.tensor(list(lengths), device=states.device)  # (batch,)
    mask = torch.arange(max(1, int(counts.max())), device=states.device) < counts[:, None]
    padded = states.new_zeros(*mask.shape, states.shape[1])  # (batch, tokens, hidden)
    padded[mask] = states
    return encoder.finish(padded, mask.long()).float().cpu()  # (batch, dimension)


def _cosines(one: Tensor, other: Tensor) -> Floats:
    """Return the cosine of each row with the same row of the other, (pairs,)."""
    return torch.nn.functional.cosine_similarity(one.double(), other.double(), dim=1).numpy()
