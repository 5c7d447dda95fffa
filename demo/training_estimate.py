"""How long a run will take here, from a measurement of this machine."""

import time
from typing import TYPE_CHECKING

from demo.training_worker import TrainingJob

if TYPE_CHECKING:  # torch is behind it
    from core.encoder import Encoder
    from core.scenario import Scenario

MEASURED_SENTENCES = 24
BACKWARD = 2.0
"""A layer's gradient costs about two of its forward runs: one for what is below, one for itself."""

STEP_SECONDS = 0.008
START_SECONDS = 2.0
PROBE_SENTENCES = 588


class Estimates:
    """What a token costs in a layer of an encoder, measured once for each."""

    def __init__(self) -> None:
        self._of: dict[str, float] = {}  # seconds for a token in a layer

    def seconds(self, encoder: "Encoder", scenario: "Scenario", job: TrainingJob) -> float:
        """Estimate the seconds of a run, from its start to its model.

        Args:
            encoder: What it trains on top of.
            scenario: Its strategy.
            job: Its rows and settings.
        """
        from core.freezing import frozen_depth

        texts = [example.text for example in job.dataset.examples]
        a_token = self._measured(encoder, texts)
        some = texts[:: max(1, len(texts) // 50)]
        tokens = sum(len(t.ids) for t in encoder.tokenizer.encode(some)) / len(some) * len(texts)
        top = scenario.read if isinstance(scenario.read, int) else encoder.layers
        depth = min(frozen_depth(scenario.strategy, encoder.layers) or 0, top)
        above, epochs = top - depth, job.choice.epochs
        passes = depth + epochs * above * (0.85 * (1 + BACKWARD) + 0.15)
        steps = epochs * -(-len(texts) // job.choice.batch)
        forgotten = PROBE_SENTENCES * tokens / len(texts) * encoder.layers if above else 0
        return START_SECONDS + (tokens * passes + forgotten) * a_token + steps * STEP_SECONDS

    def in_words(self, encoder: "Encoder", scenario: "Scenario", job: TrainingJob) -> str:
        """Say how long a run will take, and what makes the time."""
        rows, batch = len(job.dataset.examples), job.choice.batch
        learned = rows - round(0.15 * rows)
        each = -(-learned // batch)
        took = in_words(self.seconds(encoder, scenario, job))
        return (
            f"About {took} on this machine: {learned:,} rows to learn from and {rows - learned:,} "
            f"to validate on, {each} steps an epoch."
        )

    def _measured(self, encoder: "Encoder", texts: list[str]) -> float:
        key = encoder.fingerprint()
        if key not in self._of:
            some = texts[:MEASURED_SENTENCES]
            tokens = sum(len(each.ids) for each in encoder.tokenizer.encode(some))
            encoder.encode(some[:4])  # what a first call pays for is no part of it
            started = time.perf_counter()
            encoder.encode(some)
            self._of[key] = (time.perf_counter() - started) / tokens / encoder.layers
        return self._of[key]


def in_words(seconds: float) -> str:
    """Write a time as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
