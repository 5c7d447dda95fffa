"""The race decides on records alone, drops only what is shown to lose, and keeps its budget."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.advice.advice import advise
from core.advice.costs import Candidate
from core.advice.race import Place, Race, Recorded, stand
from core.config import AdviceChoice
from tests.made_runs import folded_runs, run_of
from tests.replayed import replay

ROWS = 150
SECONDS = {"heads": 1.0, "lower:4": 5.0, "lower:2": 8.0, "full": 14.0}
CANDIDATES = [Candidate(name=name, seconds=3 * each) for name, each in SECONDS.items()]
Grid = dict[Place, Recorded]


def grid(seed: int, accuracies: list[float], seeds: int = 3, rows: int = ROWS) -> Grid:
    runs = folded_runs(
        np.random.default_rng(seed), dict(zip(SECONDS, accuracies, strict=True)), rows, seeds=seeds
    )
    found = [Recorded(held_out=run, seconds=SECONDS[run.strategy]) for run in runs]
    return {each.place: each for each in found}


def race_of(seeds: int = 3, budget: float | None = None, rows: int = ROWS) -> Race:
    return Race(
        seeds=seeds,
        groups=range(rows),
        choice=AdviceChoice(),
        estimates=SECONDS,
        budget_seconds=budget,
    )


def test_cheap_strategies_come_first_and_dear_ones_have_their_turn() -> None:
    runs, standing = replay(race_of(), CANDIDATES, grid(0, [0.7, 0.72, 0.71, 0.72]))
    places = [each.place for each in runs]
    assert places[:4] == [("heads", 0), ("heads", 1), ("heads", 2), ("lower:4", 0)]
    assert places.index(("full", 0)) < places.index(("lower:4", 2)), "14 before three times 5"
    assert len(places) == 12, "nothing is shown of strategies this close"
    assert not standing.out_of_time


def test_one_that_is_shown_to_lose_gets_no_more_seeds() -> None:
    runs, standing = replay(race_of(), CANDIDATES, grid(1, [0.85, 0.82, 0.84, 0.3]))
    assert "full" in standing.dropped
    assert sum(each.held_out.strategy == "full" for each in runs) == 1


def test_one_that_could_win_but_not_be_advised_waits() -> None:
    rows = 3000
    recorded = grid(2, [0.9, 0.9, 0.9, 0.9], rows=rows)
    runs, standing = replay(race_of(rows=rows), CANDIDATES, recorded)
    assert "full" in standing.waiting
    assert sum(each.held_out.strategy == "full" for each in runs) < 3
    records = [each.held_out for each in runs]
    found = advise(CANDIDATES, records, range(rows), AdviceChoice(), dropped=standing.dropped)
    assert found is not None
    assert found.unfinished == (), "more runs of it would change nothing"
    assert found.status == "good_enough"
    assert found.strategy != "full"


def test_no_run_begins_that_the_budget_has_no_room_for() -> None:
    runs, standing = replay(race_of(budget=30.0), CANDIDATES, grid(3, [0.7, 0.7, 0.7, 0.7]))
    assert sum(each.seconds for each in runs) <= 30
    assert standing.out_of_time
    assert standing.spent == pytest.approx(sum(each.seconds for each in runs))
    assert standing.next is None


def test_a_second_repetition_is_for_those_that_the_first_could_not_tell_apart() -> None:
    recorded = grid(4, [0.2, 0.8, 0.8, 0.3], seeds=6)
    runs, standing = replay(race_of(seeds=6), CANDIDATES, recorded)
    again = {each.held_out.strategy for each in runs if each.held_out.seed >= 3}
    assert again <= {"lower:4", "lower:2"}
    assert {"heads", "full"} <= set(standing.dropped)
    first = [n for n, each in enumerate(runs) if each.held_out.seed < 3]
    assert first == list(range(len(first))), "all did the first before one began the second"


def test_an_answer_that_is_there_ends_the_race() -> None:
    runs, standing = replay(race_of(seeds=30), CANDIDATES[:2], grid_of_two(5, 0.5, 0.95, seeds=30))
    assert len(runs) <= 6
    assert standing.next is None
    assert not standing.out_of_time


def grid_of_two(seed: int, one: float, other: float, seeds: int) -> Grid:
    accuracies = {"heads": one, "lower:4": other}
    runs = folded_runs(np.random.default_rng(seed), accuracies, ROWS, seeds=seeds)
    found = [Recorded(held_out=run, seconds=SECONDS[run.strategy]) for run in runs]
    return {each.place: each for each in found}


def test_a_cheap_one_that_comes_in_late_has_its_turn() -> None:
    recorded = grid(6, [0.7, 0.7, 0.7, 0.7])
    runs = [recorded[name, seed] for name in ("lower:2", "full") for seed in range(3)]
    standing = stand(race_of(), CANDIDATES, runs)
    assert standing.next == ("heads", 0), "as where strategies are added to what is there"


def test_runs_under_way_are_not_begun_again_and_count() -> None:
    recorded = grid(6, [0.7, 0.7, 0.7, 0.7])
    runs = [recorded["heads", 0]]
    under_way = {("heads", 1), ("heads", 2), ("lower:4", 0)}
    standing = stand(race_of(budget=20.0), CANDIDATES, runs, under_way=under_way)
    assert standing.next == ("lower:2", 0)
    assert standing.spent == pytest.approx(1 + 1 + 1 + 5)


def right(strategy: str, count: int) -> Recorded:
    run = run_of(strategy, [row < count for row in range(1000)])
    return Recorded(held_out=run, seconds=SECONDS[strategy])


def test_a_cheaper_one_must_lose_by_more_than_the_margin_and_a_dearer_one_only_lose() -> None:
    pair, race = [CANDIDATES[0], CANDIDATES[3]], race_of(rows=1000)
    assert stand(race, pair, [right("heads", 880), right("full", 900)]).dropped == ()
    assert stand(race, pair, [right("heads", 840), right("full", 900)]).dropped == ("heads",)
    assert stand(race, pair, [right("heads", 900), right("full", 880)]).dropped == ("full",)


# By hand, of 1,000 rows of which the two differ in g: the error is √(g + 1) rows, and Student's t
# for a chance of 0.05 over (strategies - 1) · seeds is 1.65, 2.13, 2.13, 2.40 and 2.78.
@pytest.mark.parametrize(
    ("strategies", "seeds", "least"), [(2, 1, 4), (4, 1, 6), (2, 3, 6), (2, 6, 7), (4, 6, 9)]
)
def test_the_more_strategies_and_looks_the_more_it_takes_to_be_dropped(
    strategies: int, seeds: int, least: int
) -> None:
    others = [CANDIDATES[0], CANDIDATES[3], *CANDIDATES[1:3]][:strategies]
    for gap in range(1, 12):
        runs = [right("heads", 900), right("full", 900 - gap)]
        standing = stand(race_of(seeds=seeds, rows=1000), others, runs)
        assert standing.dropped == (("full",) if gap >= least else ()), gap


# By hand as above: 30 - g rows of the margin are left, and must be more than t · √(g + 1).
@pytest.mark.parametrize(("seeds", "most"), [(1, 22), (3, 20), (6, 19)])
def test_the_more_looks_the_more_it_takes_to_let_one_wait(seeds: int, most: int) -> None:
    pair, race = [CANDIDATES[0], CANDIDATES[3]], race_of(seeds=seeds, rows=1000)
    for gap in range(1, 28):
        standing = stand(race, pair, [right("heads", 900 - gap), right("full", 900)])
        assert standing.waiting == (("full",) if gap <= most else ()), gap


def test_an_answer_is_not_there_while_one_that_may_change_it_has_folds_to_test() -> None:
    three, recorded = [CANDIDATES[place] for place in (0, 1, 3)], grid(8, [0.3, 0.9, 0.9, 0.9])
    runs = [recorded[name, seed] for name in ("heads", "lower:4") for seed in range(3)]
    assert stand(race_of(), three, runs).next == ("full", 0), "it has not begun"
    like = replace(recorded["lower:4", 0].held_out, strategy="full")
    runs.append(Recorded(held_out=like, seconds=SECONDS["full"]))
    standing = stand(race_of(), three, runs)
    assert (standing.dropped, standing.waiting) == (("heads",), ())
    assert standing.next == ("full", 1), "one fold of three tells little"


def test_what_was_dropped_stays_so_and_workers_share_the_budget() -> None:
    race, runs = replace(race_of(rows=1000), workers=2), [right("heads", 900), right("full", 900)]
    standing = stand(race, CANDIDATES, runs, dropped=("full",))
    assert standing.dropped == ("full",)
    assert standing.spent == pytest.approx((1 + 14) / 2)


def test_only_runs_that_can_change_the_answer_are_needed() -> None:
    close, beaten = grid(0, [0.7, 0.72, 0.71, 0.72]), grid(1, [0.85, 0.82, 0.84, 0.3])
    under_way = {("full", 1)}
    first = [close[name, 0] for name in SECONDS]
    assert stand(race_of(), CANDIDATES, first, under_way=under_way).needed == tuple(SECONDS)
    standing = stand(
        race_of(), CANDIDATES, [beaten[name, 0] for name in SECONDS], under_way=under_way
    )
    assert standing.dropped == ("full",)
    assert standing.waiting == ("lower:2",)
    assert standing.needed == ("heads", "lower:4"), "full's run changes nothing now"
    told_apart = [right("heads", 900), right("full", 840)]
    pair = [CANDIDATES[0], CANDIDATES[3]]
    assert stand(race_of(rows=1000), pair, told_apart).needed == (), "the answer is there"


@settings(max_examples=15)
@given(
    seed=st.integers(0, 100),
    accuracies=st.lists(st.floats(0.3, 0.95), min_size=4, max_size=4),
    budget=st.none() | st.floats(1, 100),
    seeds=st.integers(1, 4),
)
def test_whatever_the_records_a_race_ends_and_keeps_its_rules(
    seed: int, accuracies: list[float], budget: float | None, seeds: int
) -> None:
    recorded = grid(seed, accuracies, seeds=seeds, rows=60)
    race = race_of(seeds=seeds, budget=budget, rows=60)
    runs, standing = replay(race, CANDIDATES, recorded)
    places = [each.place for each in runs]
    assert len(set(places)) == len(places), "no run twice"
    assert budget is None or sum(each.seconds for each in runs) <= budget
    assert set(standing.dropped) != set(SECONDS), "one at least is left"
    again, same = replay(race, CANDIDATES, dict(reversed(recorded.items())))
    assert [each.place for each in again] == places, "the same records give the same race"
    assert same == standing


def test_a_race_about_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        race_of(seeds=0)
    with pytest.raises(ValueError, match="must be above 0"):
        race_of(budget=float("nan"))
    with pytest.raises(ValueError, match="not recorded"):
        replay(race_of(), CANDIDATES, {})
