"""The comparison as the page sees it: its events, odd data, workers that stop."""

import contextlib
import json
import multiprocessing
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.advice.race import Race, Recorded, Standing
from core.comparison import comparison
from core.comparison.choice import ComparisonChoice, default_strategies
from core.comparison.comparison import compare, identity
from core.comparison.events import (
    ComparisonDone,
    ComparisonPlan,
    RunFailed,
    RunFinished,
    RunProgress,
    RunStarted,
    RunStopped,
)
from core.comparison.folds import compared_data
from core.comparison.report import candidate
from core.comparison.shared import Known
from core.comparison.store import read_runs
from core.comparison.variants import Variant, variants_of
from core.config import AdviceChoice, DataChoice, EncoderChoice, TrainingChoice
from core.data.dataset import Dataset, read_dataset
from core.encoder.encoder import CancelledError
from core.strategy.scenario import parse_strategy
from tests.core.conftest import labelled_rows, write_rows, write_spans
from tests.replayed import replay


def choice_of(*names: str, seeds: int = 1, **given: object) -> ComparisonChoice:
    settings = {"epochs": 1, "threads": 1} | given
    scenarios = tuple(parse_strategy(name, 3) for name in names)
    return ComparisonChoice(strategies=scenarios, seeds=seeds, **settings)  # type: ignore[arg-type]


def rows(folder: Path, count: int) -> Dataset:
    write_spans(folder / "rows.jsonl", labelled_rows(count))
    return read_dataset(DataChoice(source=str(folder / "rows.jsonl")))


def read(folder: Path, lines: list[tuple[str, ...]], header: tuple[str, ...]) -> Dataset:
    write_rows(folder / "rows.csv", lines, header)
    split = "split" if "split" in header else None
    return read_dataset(DataChoice(source=str(folder / "rows.csv"), split_column=split))


def done_of(
    dataset: Dataset, encoder: str, choice: ComparisonChoice, folder: Path | None = None
) -> ComparisonDone:
    *_, last = compare(dataset, EncoderChoice(name=encoder), choice, folder=folder)
    assert isinstance(last, ComparisonDone)
    return last


@pytest.mark.slow
def test_events_tell_a_plan_then_each_run_then_the_report(tiny: str, tmp_path: Path) -> None:
    choice = choice_of("heads", "full", single_task=True, epochs=2)
    found = list(compare(rows(tmp_path, 36), EncoderChoice(name=tiny), choice))
    plan = next(each for each in found if isinstance(each, ComparisonPlan))
    assert [(run.part, run.strategy, run.seed, run.done) for run in plan.runs] == [
        (part, strategy, 0, False)
        for part in ("", "single-task kind", "single-task names")
        for strategy in ("heads", "full")
    ]
    assert all(run.seconds > 0 for run in plan.runs)
    told = [each for each in found if isinstance(each, RunStarted | RunProgress | RunFinished)]
    assert [isinstance(each, RunStarted) for each in told].count(True) == 6
    heads, full, *alone = (each for each in told if isinstance(each, RunFinished))
    first = heads.report()
    assert first["advice"] is None, "of one strategy there is nothing to advise"
    assert [run["strategy"] for run in first["runs"]] == ["heads"]
    assert heads.record.forgetting == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert full.record.forgetting is not None
    assert full.record.drift is not None
    assert 0 < full.record.drift["probe"]["cka"] < 1
    last = found[-1]
    assert isinstance(last, ComparisonDone)
    assert [each.part for each in alone] == ["single-task kind"] * 2 + ["single-task names"] * 2
    assert len(last.document["runs"]) == 2, "further runs are none of the comparison's own"
    assert [each["name"] for each in last.document["single_task"]["kind"]] == ["heads", "full"]
    assert last.document["advice"]["strategy"] in ("heads", "full")
    assert last.document["advice"]["status"] == "cannot_tell", "one fold of three is tested"


@pytest.mark.slow
def test_a_comparison_that_is_closed_leaves_no_worker(tiny: str, tmp_path: Path) -> None:
    dataset = rows(tmp_path, 36)
    choice = choice_of("full", epochs=500, training=TrainingChoice(batch=4))
    events = compare(dataset, EncoderChoice(name=tiny), choice, folder=tmp_path / "runs")
    for event in events:
        if isinstance(event, RunProgress):
            break
    assert multiprocessing.active_children()
    events.close()
    assert not multiprocessing.active_children()
    assert read_runs(tmp_path / "runs") == []


@pytest.mark.slow
def test_a_comparison_that_is_told_to_stop_stops_and_keeps_what_had_finished(
    tiny: str, tmp_path: Path
) -> None:
    stop: list[bool] = []
    choice = choice_of("heads", "full", epochs=40, training=TrainingChoice(batch=4))
    events = compare(
        rows(tmp_path, 36),
        EncoderChoice(name=tiny),
        choice,
        folder=tmp_path / "runs",
        cancelled=lambda: bool(stop),
    )

    def follow() -> None:
        for event in events:
            if isinstance(event, RunProgress) and event.strategy == "full":
                stop.append(True)

    with pytest.raises(CancelledError):
        follow()
    assert [run.record.strategy for run in read_runs(tmp_path / "runs")] == ["heads"]
    assert not multiprocessing.active_children()


def workers() -> set[int]:
    return {each.pid for each in multiprocessing.active_children() if each.pid is not None}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_run_whose_process_is_killed_is_told_and_the_others_go_on(
    tiny: str, tmp_path: Path
) -> None:
    choice = choice_of("heads", "full", seeds=2, epochs=20, training=TrainingChoice(batch=4))
    before, failed, last = set[int](), list[RunFailed](), None
    for last in compare(rows(tmp_path, 36), EncoderChoice(name=tiny), choice):
        if isinstance(last, RunStarted):
            before = workers()
        elif isinstance(last, RunProgress) and (last.strategy, last.seed) == ("full", 0):
            fresh = workers() - before
            assert len(fresh) <= 1, "a strategy's first run has a process that did nothing before"
            for each in fresh:
                os.kill(each, signal.SIGKILL)  # as the system does where memory runs out
        elif isinstance(last, RunFailed):
            failed.append(last)
    assert isinstance(last, ComparisonDone)
    ((strategy, seed, reason),) = ((each.strategy, each.seed, each.reason) for each in failed)
    assert (strategy, seed) == ("full", 0)
    assert "killed" in reason
    assert last.document["failed"] == {"full": [f"seed 0: {reason}"]}
    ended = [(run["strategy"], run["seed"]) for run in last.document["runs"]]
    assert ended == [("heads", 0), ("heads", 1), ("full", 1)]
    assert last.document["strategies"][1]["forgetting"] is not None, "its next run measures it"


def test_further_tables_change_one_thing_each(tiny: str, tmp_path: Path) -> None:
    choice = choice_of("lower:1@2", epochs=4, per_class=True, balances=True, jobs=2, threads=2)
    dataset = rows(tmp_path, 108)
    events = list(compare(dataset, EncoderChoice(name=tiny), choice))
    runs = {each.part: each for each in events if isinstance(each, RunFinished)}
    parts = ["", "balance uncertainty", "balance dwa", "per-class 8", "per-class 16"]
    assert set(runs) == set(parts)
    own = runs[""]
    assert all(each.held_out.rows == own.held_out.rows for each in runs.values())
    learned = [runs[part].record.training_rows for part in parts]
    assert learned[0] == learned[1] == learned[2] > learned[4] > learned[3]
    for balance in ("uncertainty", "dwa"):
        plain, other = (run.record.curves["loss"] for run in (own, runs[f"balance {balance}"]))
        assert other[0] == plain[0], "it begins as the sum does"
        assert other[-1] != plain[-1]
    done = events[-1]
    assert isinstance(done, ComparisonDone)
    told = [(each["rows_per_class"], each["rows"]) for each in done.document["per_class"]]
    assert told == [(8, learned[3]), (16, learned[4])]


@pytest.mark.slow
def test_what_a_race_had_no_time_to_measure_is_measured_when_it_goes_on(
    tiny: str, tmp_path: Path
) -> None:
    dataset, names = rows(tmp_path, 36), ("heads", "lower:1")
    hurried = choice_of(*names, budget_seconds=600.0)
    first = done_of(dataset, tiny, hurried, tmp_path / "runs").document
    assert [each["forgetting"] is None for each in first["strategies"]] == [False, True]
    more = done_of(dataset, tiny, choice_of(*names, seeds=3), tmp_path / "runs").document
    assert all(each["forgetting"] is not None for each in more["strategies"])
    tuned = [run for run in more["runs"] if run["strategy"] == "lower:1"]
    assert [run["seed"] for run in tuned] == [0, 1, 2]
    assert [run["forgetting"] is not None for run in tuned] == [False, True, False], "one suffices"


def test_two_classes_of_three_rows_are_compared(tiny: str, tmp_path: Path) -> None:
    texts = ["the ferry left", "shares fell", "a man sang", "nobody works", "sushi chefs", "fog"]
    lines = [(text, "ab"[place % 2]) for place, text in enumerate(texts)]
    dataset = read(tmp_path, lines, ("text", "kind"))
    document = done_of(dataset, tiny, choice_of("heads", "heads@auto", seeds=3)).document
    assert len(document["runs"]) == 6
    assert document["advice"]["status"] == "cannot_tell"
    auto = [run for run in document["runs"] if run["strategy"] == "heads@auto"]
    assert all(run["read"] == {"kind": 3} for run in auto)
    assert all("finds no layer" in " ".join(run["notes"]) for run in auto)


def test_a_class_of_two_rows_is_named_and_a_test_split_of_ones_own_is_used(
    tiny: str, tmp_path: Path
) -> None:
    plain = [(text, kind) for text, kind, _, _ in labelled_rows(36)]
    rare = [("a hall of fog", "odd"), ("a verse of boats", "odd")]
    dataset = read(tmp_path, [*plain, *rare], ("text", "kind"))
    document = done_of(dataset, tiny, choice_of("heads")).document
    assert any("'odd'" in note for note in document["notes"])
    assert document["folds"] == 3
    assert document["advice"] is None
    split = [(*row, "test" if place % 3 == 0 else "train") for place, row in enumerate(plain)]
    own = done_of(
        read(tmp_path, split, ("text", "kind", "split")), tiny, choice_of("heads", seeds=2)
    ).document
    assert own["folds"] is None
    assert [run["fold"] for run in own["runs"]] == [None, None]


def test_a_budget_ends_it_with_what_has_finished(tiny: str, tmp_path: Path) -> None:
    training = TrainingChoice(batch=2)
    choice = choice_of("heads", "full", budget_seconds=8.0, epochs=3000, training=training)
    found = list(compare(rows(tmp_path, 60), EncoderChoice(name=tiny), choice))
    assert not any(isinstance(each, RunFailed) for each in found)
    last = found[-1]
    assert isinstance(last, ComparisonDone)
    assert last.document["over_budget"] or len(last.runs) == 2


@pytest.mark.slow
def test_a_race_stops_what_runs_and_can_no_longer_change_the_answer(
    tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = comparison.stand

    def judge_once_one_has_ended(*about: Any, **more: Any) -> Standing:  # noqa: ANN401 (stand's)
        standing = judged(*about, **more)
        *_, runs = about
        return replace(standing, needed=(), next=None) if runs else standing

    monkeypatch.setattr(comparison, "stand", judge_once_one_has_ended)
    training = TrainingChoice(batch=2)
    choice = choice_of(
        "heads", "full", budget_seconds=600.0, epochs=60, training=training, jobs=2, threads=2
    )
    found = list(compare(rows(tmp_path, 60), EncoderChoice(name=tiny), choice))
    *_, last = found
    (finished,) = (each for each in found if isinstance(each, RunFinished))
    (stopped,) = (each for each in found if isinstance(each, RunStopped))
    begun = {(each.strategy, each.seed) for each in found if isinstance(each, RunStarted)}
    ended = {(finished.record.strategy, finished.record.seed), (stopped.strategy, stopped.seed)}
    assert ended == begun
    assert isinstance(last, ComparisonDone)
    assert len(last.runs) == 1
    assert not multiprocessing.active_children()


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


@pytest.mark.slow
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
    assert not last.document["over_budget"]


def test_a_comparison_goes_on_with_more_of_the_same_and_with_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Known(
        fingerprint="abc",
        layers=3,
        hidden=32,
        pooling="mean",
        normalized=True,
        max_tokens=64,
        both_ways=False,
    )
    data, encoder, choice = compared_data(rows(tmp_path, 36)), EncoderChoice(name="tiny"), "heads"
    before = identity(data, encoder, known, choice_of(choice))
    more = choice_of("full", seeds=9, threads=3, jobs=2, budget_seconds=60.0, balances=True)
    more = replace(more, advice=AdviceChoice(margin=5))
    assert identity(data, encoder, known, more) == before
    for other in (choice_of(choice, rates=3), choice_of(choice, epochs=2)):
        assert identity(data, encoder, known, other) != before
    fives = choice_of(choice, training=TrainingChoice(batch=5))
    plain, others = choice_of(choice), compared_data(rows(tmp_path, 45))
    assert identity(data, encoder, known, fives) != before
    assert identity(data, encoder, replace(known, fingerprint="xyz"), plain) != before
    assert identity(data, encoder, replace(known, pooling="cls"), plain) != before
    assert identity(data, EncoderChoice(name="other"), known, plain) != before
    assert identity(others, encoder, known, plain) != before
    monkeypatch.setattr(comparison, "versions", lambda _: {"torch": "0.1"})
    assert identity(data, encoder, known, plain) != before


@pytest.mark.slow
def test_of_runs_side_by_side_no_long_one_is_the_last_to_begin(tiny: str, tmp_path: Path) -> None:
    def planned(**more: int) -> list[tuple[str, int]]:
        choice = choice_of("heads", "full", epochs=1, **more)
        events = compare(rows(tmp_path, 36), EncoderChoice(name=tiny), choice)
        with contextlib.closing(events):
            plan = next(each for each in events if isinstance(each, ComparisonPlan))
        return [(run.strategy, run.seed) for run in plan.runs]

    one = [("heads", 0), ("full", 0)]
    assert planned(seeds=1, jobs=2, threads=2) == one, "the first answers come from cheap ones"
    assert planned(seeds=2, jobs=2, threads=2) == [*one, ("full", 1), ("heads", 1)]
    assert planned(seeds=2, jobs=1, threads=1) == [*one, ("heads", 1), ("full", 1)]


def test_the_default_strategies_are_those_of_the_design() -> None:
    names = [each.name for each in default_strategies(6)]
    assert names == ["heads", "heads@auto", "lower:2@auto", "lower:2", "lower:4", "full"]
    assert len({each.name for each in default_strategies(1)}) == len(default_strategies(1))


def test_fewer_rows_of_each_class_are_drawn_one_set_within_the_next(tmp_path: Path) -> None:
    data = compared_data(rows(tmp_path, 108))
    deals = {seed: data.deal(seed) for seed in range(3)}
    variants = variants_of(choice_of("heads", per_class=True, balances=True), data, deals)
    assert [each.name for each in variants] == [
        *("balance uncertainty", "balance dwa"),
        *("per-class 8", "per-class 16"),
    ]
    for deal in deals.values():
        few, more = (each.deal(data, deal) for each in variants[2:4])
        assert few.tested == more.tested == deal.tested
        assert set(few.training) < set(more.training) < set(deal.training)
        kinds = [data.dataset.examples[row].labels["kind"] for row in few.training]
        assert min(kinds.count(kind) for kind in ("food", "travel", "work")) >= 8


def test_a_single_task_leaves_out_strategies_that_freeze_a_head() -> None:
    alone = Variant(kind="single-task", tasks=("kind",))
    names = ("heads", "full", "freeze-head:mood", "heads+freeze-head:mood")
    assert [alone.takes(parse_strategy(name, 3)) for name in names] == [True, True, False, False]
