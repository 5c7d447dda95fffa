"""What a training tells while it runs: a plan, steps, evaluations, and an end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.model.evaluation import TaskScores
from core.model.model import Calibration
from core.task import Example, Label


@dataclass(frozen=True, kw_only=True)
class PlanEvent:
    """What is about to be trained.

    Attributes:
        strategy: Its name.
        read: By task, the layer its head reads.
        parts: Each part of the model, how many of its weights train, and how many it has.
        steps: How many steps there will be at most.
        rows: How many sentences are trained on.
        validation_rows: How many are held out to validate.
        prefix: The highest layer up to which the network runs once for each text, in some epoch
            at least; None where the embeddings train from the first step.
        prefix_bytes: What those states take.
        prefix_in_files: Whether that is past the memory budget, so that they go to files.
        processes: How many train it together, reading those states from files they share.
    """

    strategy: str
    read: Mapping[str, int | str]
    parts: tuple[tuple[str, int, int], ...]
    steps: int
    rows: int
    validation_rows: int
    prefix: int | None = None
    prefix_bytes: int = 0
    prefix_in_files: bool = False
    processes: int = 1

    @property
    def trainable_parameters(self) -> int:
        """How many weights train."""
        return sum(trained for _, trained, _ in self.parts)

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
        rates: By part that trains at this step, the learning rate.
        gradient: By part that trains at this step, the norm of its gradient before clipping.
        tokens_per_second: Since training began.
        seconds: Since training began.
        seconds_left: Until the last planned step, judged by the steps so far.
    """

    step: int
    epoch: int
    loss: Mapping[str, float]
    rate: float
    rates: Mapping[str, float]
    gradient: Mapping[str, float]
    tokens_per_second: float
    seconds: float
    seconds_left: float


@dataclass(frozen=True, kw_only=True)
class ChangeEvent:
    """Somebody changed the run between two steps.

    Attributes:
        step: The steps done.
        change: What was to change, as `core.training.steering.Change` describes it.
        refused: Why nothing was changed; empty where it was.
        encoder_rate: The full learning rate of what trains in the encoder from now on.
        head_rate: That of the heads.
        training: The parts that train now.
        prefix: The highest layer up to which the network runs once for each text, from now on.
        again: Whether a run that goes on from a checkpoint did it once more, as it was then.
    """

    step: int
    change: Mapping[str, Any]
    refused: str = ""
    encoder_rate: float
    head_rate: float
    training: tuple[str, ...]
    prefix: int | None
    again: bool = False


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What the model says of one fixed validation sentence, beside what is true.

    Attributes:
        text: The sentence.
        actual: By task that it has a label of, the label, or the spans.
        predicted: By task, the same as the model has it.
        confidence: By sentence task, the probability of the predicted label before calibration.
    """

    text: str
    actual: Mapping[str, Label]
    predicted: Mapping[str, Label]
    confidence: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class EvaluationEvent:
    """The scores on the validation rows after an epoch.

    Attributes:
        epoch: From 1.
        step: The steps done.
        scores: By task.
        loss: By task, on the validation rows, in nats per label.
        drift: By part that trains, how far its weights are from where they began, as a share of
            their norm then.
        watched: Predicted against actual, for the same few rows at each evaluation.
        best: Whether it is the best so far.
    """

    epoch: int
    step: int
    scores: Mapping[str, TaskScores]
    loss: Mapping[str, float]
    drift: Mapping[str, float]
    watched: tuple[Watched, ...]
    best: bool


@dataclass(frozen=True, kw_only=True)
class SnapshotEvent:
    """Where the same few sentences stand at a moment of a run. Told only where it is asked for.

    Attributes:
        epoch: Epochs done.
        step: The steps done.
        examples: The sentences, with what is true of them; the same ones in the same order at
            each moment. `core.maps.run_map` lays them out.
        held_out: How many of them validate; the others, behind them, are learned from.
        predicted: By task, what the model says of each.
        probabilities: By sentence task, before calibration, (sentences, labels).
        layer: The highest layer that a head reads.
        states: What is read there, pooled, (sentences, hidden).
    """

    epoch: int
    step: int
    examples: tuple[Example, ...]
    held_out: int
    predicted: Mapping[str, tuple[Label, ...]]
    probabilities: Mapping[str, NDArray[np.float32]]
    layer: int
    states: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class CheckpointEvent:
    """The run was written down; killed now, it goes on from here.

    Attributes:
        step: The steps done.
        path: The file.
    """

    step: int
    path: str


@dataclass(frozen=True, kw_only=True)
class DoneEvent:
    """Training has ended; the model holds the best weights.

    Attributes:
        epoch: The epoch whose weights were kept.
        steps: The steps done.
        scores: By task, on the validation rows; None where none were held out.
        calibration: By task.
        seconds: In all.
        notes: What a person should know of it, as of a task that has learned nothing.
    """

    epoch: int
    steps: int
    scores: Mapping[str, TaskScores] | None
    calibration: Mapping[str, Calibration]
    seconds: float
    notes: tuple[str, ...] = ()


class DivergedError(RuntimeError):
    """The loss is no longer a number; the model holds the weights of the last good epoch."""


Event = (
    PlanEvent
    | StepEvent
    | ChangeEvent
    | EvaluationEvent
    | SnapshotEvent
    | CheckpointEvent
    | DoneEvent
)


def event_document(event: Event) -> dict[str, Any]:
    """Describe an event of training as the command line prints it: `{event, …}`."""
    if isinstance(event, PlanEvent):
        return {
            "event": "plan",
            "strategy": event.strategy,
            "read": dict(event.read),
            "steps": event.steps,
            "rows": event.rows,
            "validation_rows": event.validation_rows,
            "processes": event.processes,
            "trainable_parameters": event.trainable_parameters,
            "total_parameters": event.total_parameters,
            "prefix": {
                "layer": event.prefix,
                "bytes": event.prefix_bytes,
                "in_files": event.prefix_in_files,
            },
            "parts": [
                {"part": part, "trains": trained > 0, "trainable": trained, "parameters": every}
                for part, trained, every in event.parts
            ],
        }
    if isinstance(event, StepEvent):
        return {"event": "step", **vars(event)}
    if isinstance(event, CheckpointEvent):
        return {"event": "checkpoint", **vars(event)}
    if isinstance(event, ChangeEvent):
        return {"event": "change", **vars(event)}
    if isinstance(event, SnapshotEvent):
        return {
            "event": "snapshot",
            "epoch": event.epoch,
            "step": event.step,
            "layer": event.layer,
            "held_out": event.held_out,
            "predicted": {name: list(said) for name, said in event.predicted.items()},
            "probabilities": {n: found.tolist() for n, found in event.probabilities.items()},
        }
    scores = event.scores
    metrics = None if scores is None else {n: each.document() for n, each in scores.items()}
    if isinstance(event, DoneEvent):
        return {
            "event": "done",
            "epoch": event.epoch,
            "steps": event.steps,
            "seconds": event.seconds,
            "metrics": metrics,
            "notes": list(event.notes),
            "calibration": {n: vars(each).copy() for n, each in event.calibration.items()},
        }
    return {
        "event": "evaluation",
        "epoch": event.epoch,
        "step": event.step,
        "best": event.best,
        "loss": dict(event.loss),
        "drift": dict(event.drift),
        "watched": [vars(each) for each in event.watched],
        "metrics": metrics,
    }
