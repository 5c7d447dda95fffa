"""What a training tells while it runs: a plan, steps, evaluations, and an end."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.evaluation import TaskScores
from core.model import Calibration


@dataclass(frozen=True, kw_only=True)
class PlanEvent:
    """What is about to be trained.

    Attributes:
        strategy: Its name.
        read: By task, the layer its head reads.
        parts: Each part of the model, whether it trains, and how many weights it has.
        steps: How many steps there will be at most.
        rows: How many sentences are trained on.
        validation_rows: How many are held out to validate.
    """

    strategy: str
    read: Mapping[str, int | str]
    parts: tuple[tuple[str, bool, int], ...]
    steps: int
    rows: int
    validation_rows: int

    @property
    def trainable_parameters(self) -> int:
        """How many weights train."""
        return sum(size for _, trains, size in self.parts if trains)

    @property
    def total_parameters(self) -> int:
        """How many weights there are."""
        return sum(size for _, _, size in self.parts)


@dataclass(frozen=True, kw_only=True)
class StepEvent:
    """One update.

    Attributes:
        step: From 1.
        epoch: From 1.
        loss: By task, in nats per label.
        rate: The share of the full learning rates that this step used.
        seconds: Since training began.
    """

    step: int
    epoch: int
    loss: Mapping[str, float]
    rate: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class EvaluationEvent:
    """The scores on the validation rows after an epoch.

    Attributes:
        epoch: From 1.
        step: The steps done.
        scores: By task.
        best: Whether it is the best so far.
    """

    epoch: int
    step: int
    scores: Mapping[str, TaskScores]
    best: bool


@dataclass(frozen=True, kw_only=True)
class DoneEvent:
    """Training has ended; the model holds the best weights.

    Attributes:
        epoch: The epoch whose weights were kept.
        steps: The steps done.
        scores: By task, on the validation rows; None where none were held out.
        calibration: By task.
        seconds: In all.
    """

    epoch: int
    steps: int
    scores: Mapping[str, TaskScores] | None
    calibration: Mapping[str, Calibration]
    seconds: float


class DivergedError(RuntimeError):
    """The loss is no longer a number; the model holds the weights of the last good epoch."""


Event = PlanEvent | StepEvent | EvaluationEvent | DoneEvent
