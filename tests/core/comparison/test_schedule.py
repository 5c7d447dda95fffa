"""What a comparison wants, asked of no worker: order, estimates, what was kept, what is left."""

from pathlib import Path

import pytest

from core.comparison.choice import ComparisonChoice
from core.comparison.cost import Measured
from core.comparison.folds import compared_data
from core.comparison.schedule import Schedule
from core.comparison.shared import Profiled
from core.comparison.store import ComparisonFolder, FinishedRun, keep_run
from core.comparison.variants import TOGETHER_ALL, WantedRun
from core.knowledge.layer_profile import LayerProfile, LayerScore
from core.measures.metrics import Interval
from tests.core.comparison.test_comparison import choice_of, rows
from tests.made_runs import record_of, run_of

LAYERS = 3


def schedule_of(folder: Path, choice: ComparisonChoice, *, jobs: int = 1) -> Schedule:
    """Give a schedule of some rows, with step times made up."""
    data = compared_data(rows(folder, 60))
    deals = {seed: data.deal(seed) for seed in range(choice.seeds)}
    schedule = Schedule(data, deals, choice, jobs, 1)
    tokens = (10,) * len(data.dataset.examples)
    schedule.measured = Measured(
        layers=LAYERS, load=0.1, head=0.01, layer=1e-4, embeddings=0.01, tokens=tokens, probe=100
    )
    return schedule


def profiled(best: int) -> Profiled:
    """Give a profile that is best at a layer for both tasks."""
    scores = tuple(
        LayerScore(layer=layer, scores={name: Interval(mean=float(layer == best), low=0, high=1)})
        for layer in range(LAYERS + 1)
        for name in ("accuracy",)
    )
    profile = LayerProfile(tasks={"kind": scores, "names": scores})
    return Profiled(profile=profile, reason="", seconds=5.0)


def finished(strategy: str, seed: int, seconds: float = 2.0) -> FinishedRun:
    """Give a run that has ended."""
    record = record_of(strategy, seed=seed, wall_seconds=seconds)
    return FinishedRun(record=record, held_out=run_of(strategy, [True, False], seed=seed))


def places(runs: list[WantedRun]) -> list[tuple[str, int]]:
    return [run.place for run in runs]


def test_cheap_strategies_come_first_and_the_last_of_runs_side_by_side_the_other_way_round(
    tmp_path: Path,
) -> None:
    choice = choice_of("full", "lower:1", "heads", seeds=2)
    one, two = (schedule_of(tmp_path, choice, jobs=jobs) for jobs in (1, 2))
    seconds = list(one.estimates().values())
    assert seconds == sorted(seconds, reverse=True), "needs the dearest named first"
    first = [("heads", 0), ("lower:1", 0), ("full", 0)]
    assert places(one.order()) == [*first, ("heads", 1), ("lower:1", 1), ("full", 1)]
    assert places(two.order()) == [*first, ("full", 1), ("lower:1", 1), ("heads", 1)]


def test_of_the_runs_that_were_kept_those_take_part_that_are_asked_for(tmp_path: Path) -> None:
    schedule = schedule_of(tmp_path, choice_of("heads", "gradual", seeds=2))
    records = [record_of(name, seed=seed) for name in ("heads", "full") for seed in (0, 1, 2)]
    records.append(record_of("gradual", settings={"unfreeze_every": 2}))
    with ComparisonFolder(tmp_path / "runs", {}) as kept:
        for record in records:
            place = kept.run_folder(record.strategy, record.settings, record.seed)
            held_out = run_of(record.strategy, [True, False], seed=record.seed)
            building = place.with_name(f".{place.name}")
            keep_run(building, place, FinishedRun(record=record, held_out=held_out))
        schedule.recall(TOGETHER_ALL, kept.finished())
    assert set(schedule.finished) == {("heads", 0), ("heads", 1)}
    assert places(schedule.waiting()) == [("gradual", 0), ("gradual", 1)]
    plan = schedule.plan({}, ["a note"])
    assert [(run.strategy, run.seed, run.done) for run in plan.runs] == [
        *(("heads", 0, True), ("gradual", 0, False), ("heads", 1, True), ("gradual", 1, False))
    ]
    assert plan.seconds == sum(run.seconds for run in plan.runs) > 0
    assert plan.notes[-1] == "a note"
    assert all((run.seconds == 0) == run.done for run in plan.runs)


def test_heads_read_the_best_layer_of_the_seed_that_something_trains_below(tmp_path: Path) -> None:
    choice = choice_of("heads@auto", "lower:1@auto", "full", seeds=2)
    schedule = schedule_of(tmp_path, choice)
    heads, lower, full = choice.strategies
    assert schedule.needs_profiles
    schedule.profiles[schedule.deals[0].training] = profiled(1)
    schedule.profiles[schedule.deals[1].training] = Profiled(
        profile=None, reason="too few", seconds=1.0
    )
    assert schedule.read(heads, 0).layers == {"kind": 1, "names": 1}
    assert schedule.read(heads, 0).seconds == 5.0
    assert schedule.read(lower, 0).layers == {"kind": 2, "names": 2}, "above what is frozen"
    assert schedule.read(full, 0).layers == {"kind": LAYERS, "names": LAYERS}
    none = schedule.read(heads, 1)
    assert none.layers == {"kind": LAYERS, "names": LAYERS}
    assert "seed 1: @auto finds no layer, so the last is read: too few" in none.notes


def test_a_seed_whose_layers_nobody_has_asked_for_is_estimated_as_the_first(tmp_path: Path) -> None:
    choice = choice_of("heads@auto", seeds=2)
    schedule = schedule_of(tmp_path, choice)
    schedule.profiles[schedule.deals[0].training] = profiled(0)
    (heads,) = choice.strategies
    low = schedule.estimate(WantedRun(scenario=heads, seed=1))
    schedule.profiles[schedule.deals[1].training] = profiled(LAYERS)
    assert schedule.estimate(WantedRun(scenario=heads, seed=1)) > low


def test_rates_to_choose_from_lie_around_a_strategys_own(tmp_path: Path) -> None:
    choice = choice_of("heads", "full", seeds=2, epochs=None, rates=3)
    schedule = schedule_of(tmp_path, choice)
    heads, full = choice.strategies
    for seed in (0, 1):
        plan = schedule.thaw_plan(heads, schedule.read(heads, seed).layers)
        found = schedule.choices(WantedRun(scenario=heads, seed=seed), plan)
        tuned = heads.strategy.head_rate
        assert [each.head_rate for each in found] == pytest.approx([tuned, tuned / 3, tuned * 3])
        assert {each.seed for each in found} == {seed}
        assert {each.epochs for each in found} == {heads.strategy.epochs}
        assert {each.patience for each in found} == {heads.strategy.patience}
    own = full.strategy.encoder_rate
    plan = schedule.thaw_plan(full, schedule.read(full, 0).layers)
    tried = [each.encoder_rate for each in schedule.choices(WantedRun(scenario=full, seed=0), plan)]
    assert tried == pytest.approx([own, own / 3, own * 3])


def test_what_is_left_is_expected_from_what_has_ended(tmp_path: Path) -> None:
    choice = choice_of("heads", "full", seeds=3)
    schedule = schedule_of(tmp_path, choice)
    heads, full = (WantedRun(scenario=each, seed=1) for each in choice.strategies)
    estimate = schedule.estimate(full)
    assert schedule.seconds_left([full], []) == pytest.approx(estimate)
    later = schedule.estimate(heads) + 7
    schedule.finish(heads, finished("heads", 1, later))
    assert schedule.seconds_left([full], []) == pytest.approx(estimate + 7), "files take time too"
    assert schedule.seconds_left([heads], []) == later, "as the strategy's others took"
    assert schedule.seconds_left([], [heads]) == later / 2, "of what runs, half is done"
    assert schedule.done == 1


def test_a_strategys_first_run_is_measured_and_one_that_failed_is_measured_by_the_next(
    tmp_path: Path,
) -> None:
    choice = choice_of("heads", "full", seeds=2)
    schedule = schedule_of(tmp_path, choice)
    heads, full = (WantedRun(scenario=each, seed=0) for each in choice.strategies)
    assert schedule.is_first(heads, [])
    assert not schedule.is_first(heads, [heads]), "it is under way"
    assert schedule.is_first(full, [heads])
    schedule.fail(heads, "killed")
    assert (schedule.failed, schedule.gone) == ({"heads": ["seed 0: killed"]}, {("heads", 0)})
    assert schedule.ended == (0, 1)
    assert schedule.is_first(heads, [])
    assert schedule.lacks_retention(heads, [])
    schedule.finish(heads, finished("heads", 1))
    assert not schedule.is_first(heads, [])
    assert schedule.lacks_retention(heads, []), "that run did not measure what it forgets"
