"""Further tables of a comparison: each task alone, other balances of the losses, fewer rows.

A variant is the same strategies and seeds, tested on the same rows, with one thing changed.
"""

import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.advice.paired import Estimate, Outcomes
from core.comparison.choice import ComparisonChoice
from core.comparison.folds import ComparedData, Deal
from core.comparison.store import FinishedRun
from core.data.dealing import HELD_OUT
from core.strategy.scenario import Scenario
from core.task import Example

BALANCES = ("uncertainty", "dwa")
"""What the losses' plain sum is compared with."""

FEWEST_PER_CLASS = 8
TOGETHER = "the comparison itself"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One thing that is changed.

    Attributes:
        kind: Which table it belongs to, as the option is called; empty for the comparison itself.
        tasks: The tasks that are left; None is all.
        balance: How the losses become one; None is as chosen.
        rows_per_class: Training rows of each class at most; None is all there are.
    """

    kind: str = ""
    tasks: tuple[str, ...] | None = None
    balance: str | None = None
    rows_per_class: int | None = None

    @property
    def name(self) -> str:
        """What tells it from others, such as `balance dwa`; empty for the comparison itself."""
        changed = (self.tasks and self.tasks[0], self.balance, self.rows_per_class)
        return " ".join([self.kind, *(str(each) for each in changed if each)]).strip()

    def takes(self, scenario: Scenario) -> bool:
        """Tell whether a strategy makes sense here: none that freezes a head that is not there."""
        return self.tasks is None or not scenario.strategy.held_head

    def deal(self, data: ComparedData, deal: Deal) -> Deal:
        """Deal the rows of a seed; the tested ones are always the same."""
        if self.rows_per_class is None:
            return deal
        validated = max(1, round(self.rows_per_class * HELD_OUT / (1 - HELD_OUT)))
        return replace(
            deal,
            training=_few(data, deal.training, self.rows_per_class, deal.seed),
            validation=_few(data, deal.validation, validated, deal.seed),
        )


TOGETHER_ALL = Variant()
"""The comparison itself."""


@dataclass(frozen=True, kw_only=True)
class WantedRun:
    """A run to be done."""

    scenario: Scenario
    seed: int
    variant: Variant = TOGETHER_ALL

    @property
    def place(self) -> tuple[str, int]:
        """Where it stands in its table."""
        return self.scenario.name, self.seed


def variants_of(
    choice: ComparisonChoice, data: ComparedData, deals: Mapping[int, Deal]
) -> list[Variant]:
    """List the variants that are asked for, in the order in which they run."""
    found = []
    tasks = data.dataset.tasks
    if choice.single_task and len(tasks) > 1:
        found += [Variant(kind="single-task", tasks=(task.name,)) for task in tasks]
    if choice.balances and len(tasks) > 1:
        found += [Variant(kind="balance", balance=balance) for balance in BALANCES]
    if choice.per_class:
        size = FEWEST_PER_CLASS
        while any(
            len(_few(data, deal.training, size, deal.seed)) < len(deal.training)
            for deal in deals.values()
        ):
            found.append(Variant(kind="per-class", rows_per_class=size))
            size *= 2
    return found


def what_is_left_out(
    choice: ComparisonChoice, data: ComparedData, deals: Mapping[int, Deal]
) -> list[str]:
    """Say which of the things that were asked for these rows do not allow, each one sentence."""
    notes = []
    if len(data.dataset.tasks) < 2:
        of = f"{data.dataset.tasks[0].name} is the only task"
        if choice.single_task:
            notes.append(f"{of}, so there is no table of each task alone")
        if choice.balances:
            notes.append(f"{of}, so there is no table of other balances of the losses")
    if choice.per_class and not any(v.rows_per_class for v in variants_of(choice, data, deals)):
        notes.append(
            f"no class has more than {FEWEST_PER_CLASS} training rows, so there is no table of "
            "fewer rows"
        )
    bare = [seed for seed, deal in deals.items() if not deal.validation]
    if choice.rates > 1 and bare:
        named = ", ".join(map(str, bare[:12]))
        notes.append(
            f"no rows validate for seed {named}, so nothing chooses among {choice.rates} rates "
            "there: each strategy's own is taken"
        )
    return notes


def further_tables(
    data: ComparedData,
    runs: Sequence[FinishedRun],
    further: Mapping[Variant, Sequence[FinishedRun]],
    score: str,
) -> dict[str, Any]:
    """Report on the variants that have run, each beside the comparison itself.

    Args:
        data: The rows.
        runs: The comparison's own.
        further: By variant, its runs.
        score: What counts of a sentence task.

    Returns:
        `single_task: {TASK: [...]}`, `balances: {BALANCE: [...]}` and
        `per_class: [{rows_per_class, rows, strategies: [...]}]`, as far as they were asked for.
    """
    tables: dict[str, Any] = {}
    for variant, own in further.items():
        lines = _lines(data, runs, own, score)
        if variant.tasks is not None:
            tables.setdefault("single_task", {})[variant.tasks[0]] = lines
        elif variant.balance is not None:
            tables.setdefault("balances", {})[variant.balance] = lines
        else:
            counts = [run.record.training_rows for run in own]
            tables.setdefault("per_class", []).append(
                {
                    "rows_per_class": variant.rows_per_class,
                    "rows": sum(counts) / len(counts) if counts else None,
                    "strategies": lines,
                }
            )
    return tables


def _lines(
    data: ComparedData, runs: Sequence[FinishedRun], own: Sequence[FinishedRun], score: str
) -> list[dict[str, Any]]:
    """Give each strategy's figures, and how far they are from the comparison's own."""
    lines = []
    for name in dict.fromkeys(run.record.strategy for run in own):
        changed = [run.held_out for run in own if run.record.strategy == name]
        tasks = set(changed[0].tasks)
        together = [
            replace(
                run.held_out,
                strategy=TOGETHER,
                tasks={n: t for n, t in run.held_out.tasks.items() if n in tasks},
            )
            for run in runs
            if run.record.strategy == name
        ]
        outcomes = Outcomes([*changed, *together], data.groups, score)
        common = set(outcomes.seeds(name)) & set(outcomes.seeds(TOGETHER))
        difference = outcomes.difference(name, TOGETHER) if common else None
        lines.append(
            {
                "name": name,
                "mean": _share(outcomes.mean(name)),
                "tasks": {task: _share(outcomes.mean(name, task)) for task in outcomes.tasks},
                "versus": None
                if difference is None or not math.isfinite(difference.error)
                else vars(difference.interval).copy(),
            }
        )
    return lines


def _share(found: Estimate) -> dict[str, float] | None:
    return vars(found.share_interval).copy() if math.isfinite(found.value) else None


def _few(data: ComparedData, rows: Sequence[int], most: int, seed: int) -> tuple[int, ...]:
    """Draw rows until every class has so many, as far as there are; fewer are among more."""
    drawn, counts = [], Counter[tuple[str, str]]()
    shuffled = list(rows)
    random.Random(seed).shuffle(shuffled)
    for row in shuffled:
        labels = list(_labels(data.dataset.examples[row]))
        if any(counts[label] < most for label in labels):
            counts.update(labels)
            drawn.append(row)
    return tuple(sorted(drawn))


def _labels(example: Example) -> Iterator[tuple[str, str]]:
    """Name a row's labels, each once."""
    for task, label in example.labels.items():
        if isinstance(label, str):
            yield task, label
        elif label is not None:
            yield from {(task, span.label): None for span in label}
