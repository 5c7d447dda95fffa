"""How long a run will take here, from a measurement of this machine."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from core.config import TrainingChoice
from core.data.dataset import Dataset
from core.data.dealing import HELD_OUT
from core.encoder.encoder import Encoder, pad
from core.knowledge.probe import load_probe
from core.strategy.scenario import Scenario
from core.strategy.strategy import Strategy
from core.strategy.thaw_plan import ThawPlan
from core.system.machine import torch_threads, usable_cores

MEASURED_SENTENCES = 16
MEASURED_LAYERS = 2
MEASURED_TIMES = 3
"""The quickest counts: others use the machine too."""

MEASUREMENTS = 3
"""How often a machine is measured anew: what was asked first may have met a busy moment."""

STEP_SECONDS = 0.008
START_SECONDS = 0.6
"""A process of its own, the encoder loaded, the rows dealt, and the model written at the end."""


@dataclass(frozen=True, kw_only=True)
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

    def document(
        self, encoder: Encoder, scenario: Scenario, dataset: Dataset, choice: TrainingChoice
    ) -> dict[str, Any]:
        """Estimate a run: `{seconds, rows, validation_rows, steps_an_epoch}`.

        Args:
            encoder: What it trains on top of.
            scenario: Its strategy.
            dataset: Its rows.
            choice: Epochs, batch and threads.
        """
        rows = len(dataset.examples)
        held = round(HELD_OUT * rows)
        return {
            "seconds": self.seconds(encoder, scenario, dataset, choice),
            "rows": rows - held,
            "validation_rows": held,
            "steps_an_epoch": -(-(rows - held) // choice.batch),
        }

    def seconds(
        self, encoder: Encoder, scenario: Scenario, dataset: Dataset, choice: TrainingChoice
    ) -> float:
        """Estimate the seconds of a run, from its start to its model.

        Args:
            encoder: What it trains on top of.
            scenario: Its strategy.
            dataset: Its rows.
            choice: Epochs, batch and threads.
        """
        texts = [example.text for example in dataset.examples]
        some = texts[:: max(1, len(texts) // 50)]
        tokens = _tokens(encoder, some) / len(some) * len(texts)
        top = scenario.read if isinstance(scenario.read, int) else encoder.layers
        read = {task.name: top for task in dataset.tasks}
        plan = ThawPlan(scenario=scenario, read=read, layers=encoder.layers, epochs=choice.epochs)
        steps = plan.epochs * -(-round((1 - HELD_OUT) * len(texts)) // choice.batch)
        cost, every = self._costs(encoder, texts, choice.threads), plan.layers_run
        forward = sum(every) * HELD_OUT + top - min(every)  # what is frozen runs once
        trained = sum(every) * (1 - HELD_OUT)
        gradient = (1 + plan.strategy.gradient) / (1 + Strategy.gradient)
        total = tokens * (forward * cost.forward + trained * gradient * cost.trained)
        if plan.start != top:
            total += self._forgotten(encoder) * cost.forward
        return START_SECONDS + total + steps * STEP_SECONDS

    def _forgotten(self, encoder: Encoder) -> float:
        """Count what is run to see what was forgotten, in tokens times layers."""
        sides = [side for pair in load_probe().pairs for side in pair]
        times = 1 if self._knows(encoder.fingerprint()) else 2
        return times * _tokens(encoder, sides) * encoder.layers

    def _costs(self, encoder: Encoder, texts: list[str], threads: int | None) -> TokenCosts:
        found = self._of.setdefault(encoder.fingerprint(), [])
        if len(found) < MEASUREMENTS:
            found.append(measured(encoder, texts[:MEASURED_SENTENCES], threads))
        return TokenCosts(
            forward=min(each.forward for each in found),
            trained=min(each.trained for each in found),
        )


def measured(encoder: Encoder, texts: Sequence[str], threads: int | None) -> TokenCosts:
    """Measure what a token costs in a layer, without and with its gradient.

    Args:
        encoder: Left as it is: the gradient is that of a copy that shares its weights.
        texts: Some, as they are learned from.
        threads: Of the run; None is the usable cores.
    """
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


def _tokens(encoder: Encoder, texts: list[str]) -> int:
    return sum(len(each.ids) for each in encoder.tokenizer.encode(texts))
