"""How long a run will take here, from a measurement of this machine."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.train.worker import TrainingJob

if TYPE_CHECKING:  # torch is behind it
    from core.encoder.encoder import Encoder
    from core.strategy.scenario import Scenario

MEASURED_SENTENCES = 16
MEASURED_LAYERS = 2
MEASURED_TIMES = 3
"""The quickest counts: others use the machine too."""

MEASUREMENTS = 3
"""How often a machine is measured anew: what was asked first may have met a busy moment."""

LEARNED = 0.85
"""Of the rows; the rest validates."""

STEP_SECONDS = 0.008
START_SECONDS = 0.6
"""A process of its own, the encoder loaded, the rows dealt, and the model written at the end."""


@dataclass(frozen=True)
class TokenCosts:
    """What a token costs in a layer of an encoder.

    Attributes:
        forward: Seconds where nothing trains.
        trained: Seconds of a forward run and the whole gradient.
    """

    forward: float
    trained: float


class Estimates:
    """What a token costs in a layer of an encoder, measured once for each.

    Args:
        knows: Whether the similarities of an encoder are known by its fingerprint: of one that
            is tuned they are computed before and after otherwise.
    """

    def __init__(self, knows: Callable[[str], bool] = lambda _: False) -> None:
        self._of: dict[str, list[TokenCosts]] = {}  # by fingerprint
        self._knows = knows

    def seconds(self, encoder: "Encoder", scenario: "Scenario", job: TrainingJob) -> float:
        """Estimate the seconds of a run, from its start to its model.

        Args:
            encoder: What it trains on top of.
            scenario: Its strategy.
            job: Its rows and settings.
        """
        from core.strategy.strategy import Strategy, frozen_depth

        texts = [example.text for example in job.dataset.examples]
        some = texts[:: max(1, len(texts) // 50)]
        tokens = _tokens(encoder, some) / len(some) * len(texts)
        top = scenario.read if isinstance(scenario.read, int) else encoder.layers
        epochs = job.choice.epochs
        steps = epochs * -(-round(LEARNED * len(texts)) // job.choice.batch)
        depth = frozen_depth(scenario.strategy, encoder.layers)
        cost = self._costs(encoder, texts, job.choice.threads)
        forward, trained = _passes(scenario, encoder.layers, top, epochs)
        gradient = (1 + scenario.strategy.gradient) / (1 + Strategy.gradient)
        total = tokens * (forward * cost.forward + trained * gradient * cost.trained)
        if depth is None or depth < top:
            total += self._forgotten(encoder) * cost.forward
        return START_SECONDS + total + steps * STEP_SECONDS

    def in_words(self, encoder: "Encoder", scenario: "Scenario", job: TrainingJob) -> str:
        """Say how long a run will take, and what makes the time."""
        rows, batch = len(job.dataset.examples), job.choice.batch
        learned = rows - round((1 - LEARNED) * rows)
        each = -(-learned // batch)
        took = in_words(self.seconds(encoder, scenario, job))
        return (
            f"About {took} on this machine: {learned:,} rows to learn from and {rows - learned:,} "
            f"to validate on, {each} steps an epoch."
        )

    def _forgotten(self, encoder: "Encoder") -> float:
        """Count what is run to see what was forgotten, in tokens times layers."""
        from core.knowledge.probe import load_probe

        sides = [side for pair in load_probe().pairs for side in pair]
        times = 1 if self._knows(encoder.fingerprint()) else 2
        return times * _tokens(encoder, sides) * encoder.layers

    def _costs(self, encoder: "Encoder", texts: list[str], threads: int | None) -> TokenCosts:
        found = self._of.setdefault(encoder.fingerprint(), [])
        if len(found) < MEASUREMENTS:
            found.append(measured(encoder, texts[:MEASURED_SENTENCES], threads))
        return TokenCosts(
            forward=min(each.forward for each in found),
            trained=min(each.trained for each in found),
        )


def measured(encoder: "Encoder", texts: Sequence[str], threads: int | None) -> TokenCosts:
    """Measure what a token costs in a layer, without and with its gradient.

    Args:
        encoder: Left as it is: the gradient is that of a copy that shares its weights.
        texts: Some, as they are learned from.
        threads: Of the run; None is the usable cores.
    """
    import torch
    from torch import nn

    from core.encoder.encoder import pad
    from core.system.machine import torch_threads, usable_cores

    backbone = encoder.backbone
    shared: dict[int, object] = {id(w): nn.Parameter(w.detach()) for w in backbone.parameters()}
    learning = copy.deepcopy(backbone, shared).train()
    depth = min(MEASURED_LAYERS, encoder.layers)
    ids = sorted((each.ids for each in encoder.tokenizer.encode(texts)), key=len)
    lengths = [len(each) for each in ids]

    def learn() -> None:
        with torch.no_grad():
            padded = (each.to(encoder.device) for each in pad(ids))  # (texts, tokens) each
            states = learning.embed_packed(*padded)  # (tokens, hidden)
        out = learning.packed_layers(states.requires_grad_(), lengths, 0, depth)[-1]
        out.sum().backward()

    with torch_threads(threads or usable_cores()):
        forward = _quickest(lambda: encoder.encode(texts))
        trained = _quickest(learn)
    tokens = max(1, sum(lengths))
    return TokenCosts(
        forward=forward / tokens / encoder.layers, trained=trained / tokens / max(1, depth)
    )


def _quickest(work: Callable[[], object]) -> float:
    """Time some work; the first time, which pays for what is set up once, is no part of it."""
    work()
    found = []
    for _ in range(MEASURED_TIMES):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return min(found)


def _passes(scenario: "Scenario", layers: int, top: int, epochs: int) -> tuple[float, float]:
    """Count how often a token runs through a layer, without and with its gradient."""
    from core.strategy.strategy import Moment, frozen_depth

    forward, trained, deepest = 0.0, 0.0, 0
    for epoch in range(epochs):
        depth = frozen_depth(scenario.strategy, layers, Moment(epoch=epoch, epochs=epochs, top=top))
        frozen = 0 if depth is None else min(depth, top)
        deepest = max(deepest, frozen)
        forward += (top - frozen) * (1 - LEARNED)
        trained += (top - frozen) * LEARNED
    return forward + deepest, trained  # what is frozen runs once


def _tokens(encoder: "Encoder", texts: list[str]) -> int:
    return sum(len(each.ids) for each in encoder.tokenizer.encode(texts))


def in_words(seconds: float) -> str:
    """Write a time as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
