"""The report of a comparison: its JSON document, from the runs that have finished."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.advice.advice import Advice, advise
from core.advice.costs import Candidate
from core.advice.held_out import always_wrong
from core.advice.paired import Estimate, Outcomes
from core.comparison.choice import ComparisonChoice
from core.comparison.events import run_document
from core.comparison.folds import ComparedData
from core.comparison.store import FORMAT, FinishedRun, RunRecord
from core.comparison.variants import Variant, further_tables
from core.config import SCORES
from core.measures.metrics import Interval
from core.measures.scores import main_figure, scores_of
from core.system.machine import machine_name, versions
from core.task import Label, Task
from core.training.run import PACKAGES

HEADS = "heads"
_SHARED = (
    *("batch", "weight_decay", "warmup", "clip", "schedule"),
    *("balance", "class_weights", "smoothing"),
)
"""Of how all runs train, what a report holds: enough to train again without Thaw."""
SHOWN_CHARACTERS = 40
SHOWN_ROWS = 50
"""Of the rows that every strategy gets wrong, a task's report holds this many with their text."""


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What a report says beside its runs.

    Attributes:
        data: The rows.
        choice: What was asked for.
        encoder: The encoder's name, and what tells its weights from others.
        floor: By task, `{majority, lexical}`.
        command: What a person typed.
        jobs: Runs side by side.
        threads: torch threads of each.
        wall_seconds: Spent since it was begun, on everything.
        notes: What a person should know.
        failed: By strategy, why runs of it did not come to their end.
        dropped: Strategies that the race has settled.
        further: By variant, the runs of further tables.
        over_budget: Whether the budget ended it before all runs were done.
    """

    data: ComparedData
    choice: ComparisonChoice
    encoder: Mapping[str, Any]
    floor: Mapping[str, Mapping[str, Any] | None]
    command: str = ""
    jobs: int = 1
    threads: int = 1
    wall_seconds: float = 0.0
    notes: Sequence[str] = ()
    failed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    dropped: Collection[str] = ()
    over_budget: bool = False
    further: Mapping[Variant, Sequence[FinishedRun]] = field(default_factory=dict)


def comparison_document(about: Circumstances, runs: Sequence[FinishedRun]) -> dict[str, Any]:
    """Report on the runs that have finished: the JSON that `compare` prints.

    Args:
        about: What is said beside the runs.
        runs: All that have finished, of strategies that were asked for.
    """
    order = {scenario.name: place for place, scenario in enumerate(about.choice.strategies)}
    runs = sorted(runs, key=lambda run: (order[run.record.strategy], run.record.seed))
    dataset, wanted = about.data.dataset, about.choice.advice
    held_out = [run.held_out for run in runs]
    scored = {score: Outcomes(held_out, about.data.groups, score) for score in SCORES}
    own = scored[wanted.score]
    names = own.strategies
    best = max(names, key=lambda name: (_known(own.mean(name)), -order[name]), default=None)
    strategies, candidates = [], []
    failed = [name for name in order if name in about.failed and name not in names]
    for name in order:
        records = [run.record for run in runs if run.record.strategy == name]
        cost = candidate(name, records)
        if cost is None:
            if name not in failed:  # it may still run, and change the advice
                candidates.append(Candidate(name=name))
            continue
        candidates.append(cost)
        strategies.append(_strategy(about, records, cost, scored))
        strategies[-1]["versus_best"] = _versus(own, name, best)
    groups, dropped = about.data.groups, about.dropped
    advice = advise(candidates, held_out, groups, wanted, dropped=dropped, failed=failed)
    return {
        "thaw_format": FORMAT,
        "data": dataset.name,
        "data_fingerprint": dataset.fingerprint,
        "rows": len(dataset.examples),
        "tasks": {
            task.name: {"kind": task.kind, "labels": list(task.labels)} for task in dataset.tasks
        },
        "columns": {"text": dataset.text_column, "labels": dict(dataset.label_columns)},
        "encoder": dict(about.encoder),
        "training": {name: getattr(about.choice.training, name) for name in _SHARED},
        "seeds": about.choice.seeds,
        "folds": about.data.folds,
        "epochs": about.choice.epochs,
        "score": wanted.score,
        "margin": wanted.margin,
        "cost": wanted.cost,
        "budget_seconds": about.choice.budget_seconds,
        "over_budget": about.over_budget,
        "rates": about.choice.rates,
        "jobs": about.jobs,
        "threads": about.threads,
        "wall_seconds": about.wall_seconds,
        "floor": {name: None if each is None else dict(each) for name, each in about.floor.items()},
        "strategies": strategies,
        "best": best,
        "runs": [run_document(run.record) for run in runs],
        "advice": None if advice is None else _cautioned(advice, strategies),
        **further_tables(about.data, runs, about.further, wanted.score),
        "second_look": second_look(about.data, runs),
        "failed": {name: list(reasons) for name, reasons in about.failed.items()},
        "notes": list(dict.fromkeys([*about.data.notes, *about.notes])),
        "command": about.command,
        "versions": versions(PACKAGES),
        "machine": machine_name(),
    }


def _strategy(
    about: Circumstances,
    records: Sequence[RunRecord],
    cost: Candidate,
    scored: Mapping[str, Outcomes],
) -> dict[str, Any]:
    """Sum up a strategy's runs."""
    name, own = records[0].strategy, scored[about.choice.advice.score]
    versus = _versus(own, name, HEADS)
    tasks = {
        task.name: {
            **_figures(scored, name, task),
            "versus_heads": None if versus is None else versus["tasks"][task.name],
        }
        for task in about.data.dataset.tasks
    }
    for task, each in tasks.items():
        each["clears_floor"] = _clears(each, about.floor.get(task))
    return {
        "name": name,
        "seeds": sorted(each.seed for each in records),
        "trainable_parameters": cost.trainable_parameters,
        "seconds": cost.seconds,
        "wall_seconds": float(np.mean([each.wall_seconds for each in records])),
        "seconds_per_step": float(np.mean([each.seconds_per_step for each in records])),
        "peak_memory_bytes": cost.memory_bytes,
        "inference_sentences_per_second": cost.sentences_per_second,
        "mean": _share(own.mean(name)),
        "versus_heads": None if versus is None else versus["mean"],
        "tasks": tasks,
        "drift": next((each.drift for each in records if each.drift is not None), None),
        "forgetting": None if cost.forgetting is None else vars(cost.forgetting).copy(),
        "read": sorted({json_read(each.read) for each in records}),
        "rates": [dict(each.rates) for each in records],
        "best_epochs": [each.best_epoch for each in records],
        "converged": None
        if all(each.converged is None for each in records)
        else all(each.converged is not False for each in records),
        "notes": _notes(name, records, tasks, about.floor),
    }


def json_read(read: Mapping[str, int | str]) -> str:
    """Say in a few characters where a run's heads read."""
    layers = set(read.values())
    if len(layers) == 1:
        return str(layers.pop())
    return ", ".join(f"{task} {layer}" for task, layer in read.items())


def _notes(
    name: str,
    records: Sequence[RunRecord],
    tasks: Mapping[str, Mapping[str, Any]],
    floor: Mapping[str, Mapping[str, Any] | None],
) -> list[str]:
    """Say what is wrong with a strategy's runs: floors not cleared, epochs too few."""
    notes = [
        f"{name} does not clear the floor of {task}: {_floor_reached(floor[task])} does as well"
        for task, each in tasks.items()
        if each["clears_floor"] is False
    ]
    late = [each.seed for each in records if each.converged is False]
    if late:
        many = f"{len(late)} of {len(records)} runs"
        notes.append(
            f"{name} was still improving when its last epoch ended ({many}): more epochs may "
            "raise its figures"
        )
    return notes


def _figures(scored: Mapping[str, Outcomes], name: str, task: Task) -> dict[str, Any]:
    """Give a strategy's scores of a task, with intervals."""
    return {
        score.key: _share(scored[score.chosen or SCORES[0]].mean(name, task.name))
        for score in scores_of(task.of_kind)
    }


def _clears(figures: Mapping[str, Any], floor: Mapping[str, Any] | None) -> bool | None:
    """Tell whether a task is done better than without any network; None where nobody knows."""
    own = main_figure(figures)
    if own is None or floor is None:
        return None
    return bool(own["mean"] > max(floor["lexical"]["mean"], floor["majority"] or 0.0))


def _floor_reached(floor: Mapping[str, Any] | None) -> str:
    """Name what the floor is made of: whichever of its two reaches more."""
    if floor is None or floor["majority"] is None:
        return "tagging each word as it is most often tagged"
    most = floor["majority"] > floor["lexical"]["mean"]
    return "always saying the commonest label" if most else "counting words"


def _cautioned(advice: Advice, strategies: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Add to an advice where the strategy it names does not clear the floor."""
    document = advice.document()
    below = {
        each["name"]: [task for task, its in each["tasks"].items() if its["clears_floor"] is False]
        for each in strategies
    }
    of = below[document["strategy"]]
    parts = [(document, of)]
    parts += [(each, [task] if task in below[each["strategy"]] else [])
              for task, each in document["tasks"].items()]  # fmt: skip
    for counsel, tasks in parts:
        if tasks:
            named = f"{', '.join(tasks[:-1])} and {tasks[-1]}" if len(tasks) > 1 else tasks[0]
            counsel["text"] += (
                f" Beware: {counsel['strategy']} does not clear the floor of {named}, which takes "
                "no network at all."
            )
    return document


def _versus(outcomes: Outcomes, name: str, other: str | None) -> dict[str, Any] | None:
    """Compare two strategies on the rows that both have tested; None where there is none."""
    common = set(outcomes.seeds(name)) & set(outcomes.seeds(other or ""))
    if other is None or other == name or not common:
        return None
    return {
        "strategy": other,
        "mean": _difference(outcomes.difference(name, other)),
        "tasks": {
            task: _difference(outcomes.difference(name, other, task)) for task in outcomes.tasks
        },
    }


def candidate(name: str, records: Sequence[RunRecord]) -> Candidate | None:
    """Say what a strategy costs, to advice and race; None where no run of it has finished."""
    if not records:
        return None
    peaks = [each.peak_memory_bytes for each in records if each.peak_memory_bytes is not None]
    speeds = [
        each.inference_sentences_per_second
        for each in records
        if each.inference_sentences_per_second is not None
    ]
    lost = next((each.forgetting for each in records if each.forgetting is not None), None)
    return Candidate(
        name=name,
        trainable_parameters=max(each.trainable_parameters for each in records),
        seconds=float(np.mean([each.seconds for each in records])),
        memory_bytes=max(peaks, default=None),
        sentences_per_second=float(np.median(speeds)) if speeds else None,
        forgetting=None if lost is None else Interval(**{n: lost[n] for n in _ENDS}),
    )


_ENDS = ("mean", "low", "high")


def second_look(data: ComparedData, runs: Sequence[FinishedRun]) -> dict[str, Any]:
    """List the rows that every strategy gets wrong, with what they are labelled and called.

    Returns:
        By task, `{rows, shown: [{row, place, text, actual, predicted}]}`; the place counts in the
        file, and `predicted` says how often each label was predicted. Empty with one strategy.
    """
    found = {}
    for task, rows in always_wrong([run.held_out for run in runs]).items():
        if not rows:
            continue
        said: dict[int, dict[str, int]] = {row: {} for row in rows[:SHOWN_ROWS]}
        actual: dict[int, str] = {}
        for run in runs:
            each = run.held_out.tasks[task]
            for row, true, predicted in zip(
                run.held_out.rows, each.actual, each.predicted, strict=True
            ):
                if row in said:
                    text = data.dataset.examples[row].text
                    actual[row] = _told(true, text)
                    told = _told(predicted, text)
                    if told == actual[row]:  # the same words, at another place in the text
                        told = _told(predicted, text, places=True)
                    said[row][told] = said[row].get(told, 0) + 1
        found[task] = {
            "rows": [data.dataset.places[row] for row in rows],
            "unit": data.dataset.unit,
            "shown": [
                {
                    "place": data.dataset.places[row],
                    "text": data.dataset.examples[row].text,
                    "actual": actual[row],
                    "predicted": said[row],
                }
                for row in said
            ],
        }
    return found


def _told(label: Label, text: str, *, places: bool = False) -> str:
    """Write a label for people: a class by its name, spans by their words."""
    if isinstance(label, str):
        return label
    told = [
        f"{span.label} “{text[span.start : span.end][:SHOWN_CHARACTERS]}”"
        + (f" at {span.start}–{span.end}" if places else "")
        for span in sorted(label or ())
    ]
    return ", ".join(told) or "none"


def _share(found: Estimate) -> dict[str, float] | None:
    """Give a score with its interval; None where no tested row has a label."""
    return vars(found.share_interval).copy() if math.isfinite(found.value) else None


def _difference(found: Estimate) -> dict[str, float] | None:
    """Give a difference with its interval; None where there is nothing to judge it by."""
    return vars(found.interval).copy() if math.isfinite(found.error) else None


def _known(found: Estimate) -> float:
    return found.value if math.isfinite(found.value) else -1.0
