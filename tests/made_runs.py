"""Held-out predictions made up with known accuracies, for tests of what is concluded from them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import ndtri

from core.advice.held_out import HeldOut, TaskPredictions
from core.comparison.store import RunRecord
from core.task import Task

MOOD = Task(name="mood", kind="sentence", labels=("glad", "sad"))
Generator = np.random.Generator


def predicted(right: Sequence[bool], task: Task = MOOD) -> TaskPredictions:
    """Give predictions that are right as told, labels in turn."""
    labels = [task.labels[row % len(task.labels)] for row in range(len(right))]
    others = [task.labels[(row + 1) % len(task.labels)] for row in range(len(right))]
    said = [a if ok else b for a, b, ok in zip(labels, others, right, strict=True)]
    return TaskPredictions(task=task, actual=tuple(labels), predicted=tuple(said))


def run_of(
    strategy: str, right: Sequence[bool], *, seed: int = 0, rows: Sequence[int] | None = None
) -> HeldOut:
    """Give one run of a data set with a test split, right on the rows told."""
    places = tuple(range(len(right)) if rows is None else rows)
    tasks = {MOOD.name: predicted(right)}
    return HeldOut(strategy=strategy, seed=seed, fold=None, repetition=0, rows=places, tasks=tasks)


def record_of(strategy: str, *, seed: int = 0, **given: object) -> RunRecord:
    """Give the record of a run, with what is given set otherwise."""
    plain: dict[str, Any] = {
        "settings": {},
        "fold": None,
        "repetition": 0,
        "read": {MOOD.name: 3},
        "rates": {"encoder": 1e-4, "head": 1e-2},
        "epochs": 4,
        "best_epoch": 2,
        "converged": True,
        "training_rows": 20,
        "steps": 8,
        "trainable_parameters": 100,
        "seconds": 1.0,
        "wall_seconds": 2.0,
        "seconds_per_step": 0.1,
        "prefix_seconds": 0.0,
        "profile_seconds": 0.0,
        "peak_memory_bytes": None,
        "inference_sentences_per_second": None,
        "drift": None,
        "forgetting": None,
        "scores": {},
        "validation": None,
        "curves": {"loss": [], "epochs": []},
        "temperature": {},
        "tested_calibration": {},
        "threads": 1,
    }
    return RunRecord(strategy=strategy, seed=seed, **(plain | given))


def folded_runs(
    generator: Generator,
    accuracies: Mapping[str, float],
    rows: int,
    *,
    seeds: int = 3,
    alike: float = 0.7,
    spread: float = 0.01,
) -> list[HeldOut]:
    """Draw cross-validated runs of strategies whose true accuracy is known.

    Args:
        generator: Draws.
        accuracies: By strategy, in the order of the runs.
        rows: How many rows the data has.
        seeds: How many runs each has; seed s tests fold s mod 3.
        alike: The share of a row's luck that all strategies have in common.
        spread: How far single trainings lie from a strategy's accuracy, a standard deviation.
    """
    luck = generator.normal(size=rows)  # (rows,)
    found = []
    for seed in range(seeds):
        if seed % 3 == 0:
            order = generator.permutation(rows)
        tested = np.sort(order[seed % 3 :: 3])
        for name, accuracy in accuracies.items():
            own = np.sqrt(alike) * luck[tested] + np.sqrt(1 - alike) * generator.normal(
                size=len(tested)
            )
            level = np.clip(accuracy + spread * generator.normal(), 0.01, 0.99)
            found.append(
                HeldOut(
                    strategy=name,
                    seed=seed,
                    fold=seed % 3,
                    repetition=seed // 3,
                    rows=tuple(tested.tolist()),
                    tasks={MOOD.name: predicted((own < ndtri(level)).tolist())},
                )
            )
    return found
