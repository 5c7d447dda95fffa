"""What a comparison tells while it runs: a plan, runs that begin, go on and end, and a report."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from core.advice.held_out import HeldOut
from core.comparison.store import FinishedRun, RunRecord
from core.data.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One run of the plan, in the order in which they begin.

    Attributes:
        strategy: Its name.
        seed: Its seed.
        part: The further table it is for, as `balance dwa`; empty for the comparison itself.
        seconds: What it is expected to take, from measured step times; 0 where it is done.
        done: Whether it was finished before.
    """

    strategy: str
    seed: int
    part: str
    seconds: float
    done: bool


@dataclass(frozen=True, kw_only=True)
class ComparisonPlan:
    """What is about to run.

    Attributes:
        runs: In order, those that are done already included. With a budget the race may leave
            some out, or change their order.
        seconds: What is left to do, as spent, from measured step times.
        rows: How many rows take part.
        folds: 3, or None with a test split of the person's own.
        jobs: Runs side by side.
        threads: torch threads of each run.
        floor: By task, `{majority, lexical}`, on the same folds.
        notes: What was left out, and what a person should know.
    """

    runs: tuple[PlannedRun, ...]
    seconds: float
    rows: int
    folds: int | None
    jobs: int
    threads: int
    floor: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ComparisonStage:
    """What is being done before, or between, runs: a sentence's beginning, such as `profiling`."""

    what: str


@dataclass(frozen=True, kw_only=True)
class RunStarted:
    """A run has begun; `part` is the further table it is for, or empty."""

    strategy: str
    seed: int
    part: str = ""


@dataclass(frozen=True, kw_only=True)
class RunProgress:
    """How far a run is.

    Attributes:
        strategy: Whose.
        seed: Its seed.
        step: Steps done.
        steps: Steps planned at most.
        epoch: From 1.
        loss: By task, in nats per label.
        part: The further table it is for, or empty.
    """

    strategy: str
    seed: int
    part: str
    step: int
    steps: int
    epoch: int
    loss: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class RunFinished:
    """A run has ended, and is kept.

    Attributes:
        record: What it cost and how it went.
        held_out: What it predicted for the rows it was tested on.
        part: The further table it is for, or empty.
        done: Runs that are done, those from before included.
        seconds_left: What is expected to be left.
        report: Gives the report of all that has finished so far, the JSON document.
    """

    record: RunRecord
    held_out: HeldOut
    part: str
    done: int
    seconds_left: float
    report: Callable[[], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class RunFailed:
    """A run did not come to its end; the others go on.

    Attributes:
        strategy: Whose.
        seed: Its seed.
        reason: One sentence.
        part: The further table it is for, or empty.
    """

    strategy: str
    seed: int
    reason: str
    part: str = ""


@dataclass(frozen=True, kw_only=True)
class RunStopped:
    """A run was stopped, as others have finished and it can no longer change the answer.

    Attributes:
        strategy: Whose.
        seed: Its seed.
    """

    strategy: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class ComparisonDone:
    """All that was asked for has run, or the budget is spent.

    Attributes:
        document: The report, as `python -m core compare --json` prints it.
        dataset: The rows as they were compared on; held-out predictions count their places.
        runs: All runs that the report is of; none where the budget ended before the first did.
    """

    document: dict[str, Any]
    dataset: Dataset
    runs: tuple[FinishedRun, ...]


ComparisonEvent = (
    ComparisonPlan
    | ComparisonStage
    | RunStarted
    | RunProgress
    | RunFinished
    | RunFailed
    | RunStopped
    | ComparisonDone
)


def event_document(event: ComparisonEvent) -> dict[str, Any]:
    """Describe an event of a comparison: `{event, …}`, as who follows one by JSON is told it."""
    if isinstance(event, ComparisonStage):
        return {"event": "stage", **vars(event)}
    if isinstance(event, ComparisonPlan):
        runs = [{"strategy": r.strategy, "seed": r.seed, "part": r.part} for r in event.runs]
        return {"event": "plan", "runs": runs, "seconds": event.seconds}
    if isinstance(event, RunStarted):
        return {"event": "started", **vars(event)}
    if isinstance(event, RunProgress):
        return {"event": "progress", **vars(event), "loss": dict(event.loss)}
    if isinstance(event, RunFinished):
        return {
            "event": "run",
            "runs_done": event.done,
            "seconds_left": event.seconds_left,
            "run": run_document(event.record),
        }
    if isinstance(event, RunFailed):
        return {"event": "failed", **vars(event)}
    if isinstance(event, RunStopped):
        return {"event": "stopped", **vars(event)}
    return {"event": "report", "report": event.document}


def run_document(record: RunRecord) -> dict[str, Any]:
    """Describe a run that has finished, as a report lists it."""
    document = record.document()
    document["tasks"] = document.pop("scores")
    return document
