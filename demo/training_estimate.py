"""How long a run will take here, from a measurement of this machine."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from demo.training_worker import TrainingJob

if TYPE_CHECKING:  # torch is behind it
    from core.encoder import Encoder
    from core.scenario import Scenario

MEASURED_SENTENCES = 48
MEASURED_TIMES = 2
"""The quickest counts: others use the machine too."""

BACKWARD = 2.0
"""A layer's gradient costs about two of its forward runs: one for what is below, one for itself."""

LEARNED = 0.85
"""Of the rows; the rest validates."""

STEP_SECONDS = 0.008
START_SECONDS = 0.6
"""A process of its own, the encoder loaded, the rows dealt, and the model written at the end."""


class Estimates:
    """What a token costs in a layer of an encoder, measured once for each.

    Args:
        knows: Whether the similarities of an encoder are known by its fingerprint: of one that
            is tuned they are computed before and after otherwise.
    """

    def __init__(self, knows: Callable[[str], bool] = lambda _: False) -> None:
        self._of: dict[str, float] = {}  # seconds for a token in a layer
        self._knows = knows

    def seconds(self, encoder: "Encoder", scenario: "Scenario", job: TrainingJob) -> float:
        """Estimate the seconds of a run, from its start to its model.

        Args:
            encoder: What it trains on top of.
            scenario: Its strategy.
            job: Its rows and settings.
        """
        from core.freezing import frozen_depth

        texts = [example.text for example in job.dataset.examples]
        some = texts[:: max(1, len(texts) // 50)]
        tokens = _tokens(encoder, some) / len(some) * len(texts)
        top = scenario.read if isinstance(scenario.read, int) else encoder.layers
        epochs = job.choice.epochs
        steps = epochs * -(-round(LEARNED * len(texts)) // job.choice.batch)
        depth = frozen_depth(scenario.strategy, encoder.layers)
        passes = tokens * _passes(scenario, encoder.layers, top, epochs)
        if depth is None or depth < top:
            passes += self._forgotten(encoder)
        return START_SECONDS + passes * self._measured(encoder, texts) + steps * STEP_SECONDS

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
        from core.probe import load_probe

        sides = [side for pair in load_probe().pairs for side in pair]
        times = 1 if self._knows(encoder.fingerprint()) else 2
        return times * _tokens(encoder, sides) * encoder.layers

    def _measured(self, encoder: "Encoder", texts: list[str]) -> float:
        key = encoder.fingerprint()
        if key not in self._of:
            some = texts[:MEASURED_SENTENCES]
            tokens = _tokens(encoder, some)
            encoder.encode(some[:4])  # what a first call pays for is no part of it
            found = []
            for _ in range(MEASURED_TIMES):
                started = time.perf_counter()
                encoder.encode(some)
                found.append(time.perf_counter() - started)
            self._of[key] = min(found) / tokens / encoder.layers
        return self._of[key]


def _passes(scenario: "Scenario", layers: int, top: int, epochs: int) -> float:
    """Count how often a token runs through a layer; a gradient there counts as `BACKWARD` runs."""
    from core.freezing import Moment, frozen_depth

    total, deepest = 0.0, 0
    for epoch in range(epochs):
        depth = frozen_depth(scenario.strategy, layers, Moment(epoch=epoch, epochs=epochs, top=top))
        frozen = 0 if depth is None else min(depth, top)
        deepest = max(deepest, frozen)
        total += (top - frozen) * (LEARNED * (1 + BACKWARD) + (1 - LEARNED))
    return total + deepest  # what is frozen runs once


def _tokens(encoder: "Encoder", texts: list[str]) -> int:
    return sum(len(each.ids) for each in encoder.tokenizer.encode(texts))


def in_words(seconds: float) -> str:
    """Write a time as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
