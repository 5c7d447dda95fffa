"""How a comparison goes on: by its records alone, with what was kept, and with nothing else."""

import copy
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.advice.race import Race, Recorded, replay
from core.comparison import schedule as comparison_plan
from core.comparison.comparison import compare
from core.comparison.events import (
    ComparisonDone,
    ComparisonPlan,
    RunFailed,
    RunProgress,
    RunStarted,
)
from core.comparison.folds import compared_data
from core.comparison.report import candidate
from core.comparison.schedule import Planned
from core.comparison.shared import Known
from core.comparison.store import ComparisonFolder, FinishedRun, keep_run
from core.comparison.variants import TOGETHER_ALL
from core.config import AdviceChoice, EncoderChoice, TrainingChoice
from tests.core.comparison.test_comparison import choice_of, done_of, rows, workers
from tests.made_runs import record_of, run_of


def test_a_race_with_time_enough_takes_the_runs_that_a_replay_of_its_records_takes(
    tiny: str, tmp_path: Path
) -> None:
    """One run at a time: side by side, the order is that in which they happen to end."""
    names, dataset = ("full", "heads"), rows(tmp_path, 36)
    # With this margin heads is good enough beside any; weights are what no clock measures.
    wanted = AdviceChoice(margin=100, cost="parameters")
    choice = choice_of(*names, seeds=3, budget_seconds=600.0, jobs=1, advice=wanted)
    events = list(compare(dataset, EncoderChoice(name=tiny), choice))
    begun = [(each.strategy, each.seed) for each in events if isinstance(each, RunStarted)]
    assert 2 <= len(begun) < 6, "needs a race that leaves runs out"
    plan = next(each for each in events if isinstance(each, ComparisonPlan))
    done = events[-1]
    assert isinstance(done, ComparisonDone)
    by_name = {name: [r.record for r in done.runs if r.key[0] == name] for name in names}
    candidates = [candidate(name, records) for name, records in by_name.items()]
    runs, standing = replay(
        Race(
            seeds=3,
            groups=compared_data(dataset).groups,
            choice=wanted,
            estimates={run.strategy: run.seconds for run in plan.runs if run.seed == 0},
        ),
        [each for each in candidates if each is not None],
        {r.key: Recorded(held_out=r.held_out, seconds=r.record.wall_seconds) for r in done.runs},
    )
    assert [run.place for run in runs] == begun
    assert list(standing.dropped) == done.document["advice"]["dropped"]
    assert not done.document["over_budget"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_race_pays_for_nothing_twice_and_goes_on_past_a_run_that_fails(
    tiny: str, tmp_path: Path
) -> None:
    folder, dataset = tmp_path / "runs", rows(tmp_path, 36)
    long = {"epochs": 20, "training": TrainingChoice(batch=4)}
    done_of(dataset, tiny, choice_of("heads", **long), folder)
    (path,) = folder.glob("runs/*/seed-0/run.json")
    dear = json.loads(path.read_text()) | {"wall_seconds": 400.0}
    path.write_text(json.dumps(dear))  # with the one to come more than the budget
    choice = choice_of("heads", "lower:1", seeds=2, budget_seconds=600.0, **long)
    before, failed, last = set[int](), list[RunFailed](), None
    for last in compare(dataset, EncoderChoice(name=tiny), choice, folder=folder):
        if isinstance(last, RunStarted) and (last.strategy, last.seed) == ("lower:1", 0):
            before = workers()
        elif isinstance(last, RunProgress) and (last.strategy, last.seed) == ("lower:1", 0):
            for each in workers() - before:
                os.kill(each, signal.SIGKILL)
        elif isinstance(last, RunFailed):
            failed.append(last)
    assert [(each.strategy, each.seed) for each in failed] == [("lower:1", 0)]
    assert isinstance(last, ComparisonDone)
    ended = {(run["strategy"], run["seed"]) for run in last.document["runs"]}
    assert ended == {("heads", 0), ("heads", 1), ("lower:1", 1)}
    assert last.within_budget


def changed(planned: Planned, **given: object) -> dict[str, Any]:
    """Say what all runs of a comparison share, with some of it set otherwise."""
    other = copy.copy(planned)
    vars(other).update(given)
    return other.identity()


def test_a_comparison_goes_on_with_more_of_the_same_and_with_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = object.__new__(Planned)  # what it is asked for needs no worker
    planned.data, planned.encoder = compared_data(rows(tmp_path, 36)), EncoderChoice(name="tiny")
    planned.choice = choice_of("heads")
    planned.known = Known(
        fingerprint="abc",
        layers=3,
        hidden=32,
        pooling="mean",
        normalized=True,
        max_tokens=64,
        both_ways=False,
    )
    before = planned.identity()
    more = choice_of("full", seeds=9, threads=3, jobs=2, budget_seconds=60.0, balances=True)
    assert changed(planned, choice=replace(more, advice=AdviceChoice(margin=5))) == before
    for other in (
        changed(planned, choice=choice_of("heads", rates=3)),
        changed(planned, choice=choice_of("heads", epochs=2)),
        changed(planned, choice=choice_of("heads", training=TrainingChoice(batch=5))),
        changed(planned, known=replace(planned.known, fingerprint="xyz")),
        changed(planned, known=replace(planned.known, pooling="cls")),
        changed(planned, encoder=EncoderChoice(name="other")),
        changed(planned, data=compared_data(rows(tmp_path, 45))),
    ):
        assert other != before
    monkeypatch.setattr(comparison_plan, "versions", lambda _: {"torch": "0.1"})
    assert planned.identity() != before


def test_of_the_runs_that_were_kept_those_take_part_that_are_asked_for(tmp_path: Path) -> None:
    planned = object.__new__(Planned)
    planned.deals = dict.fromkeys(range(2), compared_data(rows(tmp_path, 36)).deal(0))
    planned.choice = choice_of("heads", "gradual")
    records = [record_of(name, seed=seed) for name in ("heads", "full") for seed in (0, 1, 2)]
    records.append(record_of("gradual", settings={"unfreeze_every": 2}))
    with ComparisonFolder(tmp_path / "runs", {}) as planned.kept:
        for record in records:
            place = planned.kept.run_folder(record.strategy, record.settings, record.seed)
            held_out = run_of(record.strategy, [True, False], seed=record.seed)
            building = place.with_name(f".{place.name}")
            keep_run(building, place, FinishedRun(record=record, held_out=held_out))
        assert set(planned._there(TOGETHER_ALL)) == {("heads", 0), ("heads", 1)}
