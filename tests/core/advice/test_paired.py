"""Means and paired differences are those of `measures.metrics`, and their errors as they should."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.advice.held_out import HeldOut, TaskPredictions
from core.advice.paired import Outcomes
from core.measures.metrics import confusion_matrix, macro_f1, span_scores, wilson_interval
from core.task import Span, Task
from tests.made_runs import folded_runs, run_of

COLOUR = Task(name="colour", kind="sentence", labels=("red", "green", "blue"))
NAMES = Task(name="names", kind="token", labels=("PER", "LOC"))


def colours(strategy: str, pairs: list[tuple[int, int]]) -> HeldOut:
    said = TaskPredictions(
        task=COLOUR,
        actual=tuple(COLOUR.labels[true] for true, _ in pairs),
        predicted=tuple(COLOUR.labels[found] for _, found in pairs),
    )
    rows = tuple(range(len(pairs)))
    return HeldOut(
        strategy=strategy, seed=0, fold=None, repetition=0, rows=rows, tasks={"colour": said}
    )


def test_a_difference_and_its_error_are_as_by_hand() -> None:
    one = run_of("one", [True] * 8 + [False] * 2)
    other = run_of("other", [True] * 5 + [False] * 3 + [True] + [False])
    found = Outcomes([one, other], range(10)).difference("one", "other")
    # By hand: 3 rows for, 1 against, 6 alike. Mean 0.2; squares 3 * 0.8² + 1.2² + 6 * 0.2² = 3.6;
    # 3.6 / 10² * 10 / 9 = 0.04 of the rows, and half a row each way is 1 / 10² = 0.01.
    assert found.value == pytest.approx(0.2)
    assert found.error == pytest.approx(math.sqrt(0.05))
    assert (found.degrees, found.rows) == (pytest.approx(9), 10)
    # Student's t with 9 degrees, 97.5th percentile: 2.2622 (any table).
    assert found.interval.high == pytest.approx(0.2 + 2.2622 * math.sqrt(0.05), abs=1e-4)


PAIRS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=30)


@given(pairs=PAIRS)
def test_means_are_accuracy_and_macro_f1(pairs: list[tuple[int, int]]) -> None:
    true, said = np.array(pairs).T
    groups = range(len(pairs))
    share = Outcomes([colours("s", pairs)], groups).mean("s").value
    assert share == pytest.approx(float((true == said).mean()))
    found = Outcomes([colours("s", pairs)], groups, "macro-f1").mean("s").value
    assert found == pytest.approx(macro_f1(confusion_matrix(true, said, 3)))


def test_the_mean_of_a_token_task_is_strict_span_f1() -> None:
    true = [(Span(0, 3, "PER"), Span(5, 9, "LOC")), (), (Span(0, 2, "LOC"),)]
    said = [(Span(0, 3, "PER"),), (Span(1, 2, "PER"),), (Span(0, 2, "PER"),)]
    record = HeldOut(
        strategy="s",
        seed=0,
        fold=None,
        repetition=0,
        rows=(0, 1, 2),
        tasks={"names": TaskPredictions(task=NAMES, actual=tuple(true), predicted=tuple(said))},
    )
    found = Outcomes([record], range(3)).mean("s")
    assert found.value == pytest.approx(span_scores(true, said).f1)


def test_the_error_of_macro_f1_is_the_jackknife_s() -> None:
    generator = np.random.default_rng(0)
    true = generator.integers(0, 3, 300)
    runs = []
    for name, right in (("one", 0.8), ("other", 0.7)):
        said = np.where(generator.random(300) < right, true, generator.integers(0, 3, 300))
        runs.append((name, np.stack([true, said], axis=1)))
    records = [colours(name, [tuple(p) for p in pairs.tolist()]) for name, pairs in runs]
    found = Outcomes(records, range(300), "macro-f1").difference("one", "other")

    def gap(rows: np.ndarray) -> float:
        scores = [macro_f1(confusion_matrix(p[rows, 0], p[rows, 1], 3)) for _, p in runs]
        return scores[0] - scores[1]

    left_out = [gap(np.delete(np.arange(300), row)) for row in range(300)]
    # Efron & Tibshirani 1993, equation 11.5: (n - 1) / n of the squares of the deviations.
    jackknife = math.sqrt(299 / 300 * np.square(left_out - np.mean(left_out)).sum())
    assert found.value == pytest.approx(gap(np.arange(300)))
    half_rows = 1 / 300  # by hand, of three classes about equal: a row is worth 1 / rows
    assert found.error == pytest.approx(math.hypot(jackknife, half_rows), rel=0.02)


def test_near_duplicates_count_as_one_row() -> None:
    right = [True, True, False, True, False, True] * 5
    other = [True, False, False, True, True, True] * 5
    once = Outcomes([run_of("a", right), run_of("b", other)], range(30))
    twice = Outcomes([run_of("a", right * 2), run_of("b", other * 2)], list(range(30)) * 2)
    one, two = once.difference("a", "b"), twice.difference("a", "b")
    assert (two.value, two.rows) == (pytest.approx(one.value), 30)
    rows_only = one.error**2 - 1 / 30**2, two.error**2 - 1 / 60**2
    assert rows_only[1] == pytest.approx(rows_only[0])


def test_strategies_are_paired_on_the_rows_that_both_have_tested() -> None:
    whole = run_of("whole", [True] * 4 + [False] * 4)
    part = run_of("part", [True, False, False], rows=[2, 3, 4])
    outcomes = Outcomes([whole, part], range(8))
    assert outcomes.mean("whole").value == 0.5
    assert outcomes.mean("whole", beside=["part"]).value == pytest.approx(2 / 3)
    assert outcomes.difference("whole", "part").value == pytest.approx(1 / 3)
    apart = Outcomes([whole, run_of("b", [True], rows=[8])], range(9)).difference("whole", "b")
    assert math.isinf(apart.error), "no common row"
    assert not apart.above(-1, 0.05)


def test_a_row_that_several_seeds_tested_counts_once_with_its_mean() -> None:
    runs = [run_of("a", [True, True, False], seed=0), run_of("a", [False, True, False], seed=1)]
    runs += [run_of("b", [False, True, False], seed=seed) for seed in (0, 1)]
    found = Outcomes(runs, range(3)).difference("a", "b")
    assert found.value == pytest.approx(0.5 / 3)
    assert found.rows == 3


@given(seed=st.integers(0, 1000), rows=st.integers(6, 60))
def test_a_difference_the_other_way_round_is_the_same_with_its_sign_turned(
    seed: int, rows: int
) -> None:
    runs = folded_runs(np.random.default_rng(seed), {"a": 0.7, "b": 0.6, "c": 0.8}, rows)
    outcomes, turned = Outcomes(runs, range(rows)), Outcomes(runs[::-1], range(rows))
    one, other = outcomes.difference("a", "b"), turned.difference("b", "a")
    assert one.value == pytest.approx(-other.value)
    assert one.error == pytest.approx(other.error)
    assert outcomes.difference("a", "a").value == 0


def test_trainings_that_differ_by_luck_widen_the_interval() -> None:
    def error(spread: float) -> float:
        generator = np.random.default_rng(1)
        names = dict.fromkeys("abcd", 0.7)
        runs = folded_runs(generator, names, 3000, spread=spread)
        return Outcomes(runs, range(3000)).difference("a", "b").error

    assert error(0.05) > 1.5 * error(0.0)


@pytest.mark.parametrize(("one", "other"), [(2, 2), (6, 6), (6, 2)])
@pytest.mark.parametrize("others", [("other",), ("other", "third")])
def test_what_chance_in_training_adds_is_shared_by_the_trainings(
    one: int, other: int, others: tuple[str, ...]
) -> None:
    # One is right on 900 rows and on 800 in turn, by chance; the others always on the same 850.
    runs = [run_of("one", [row < (900, 800)[s % 2] for row in range(1000)], seed=s)
            for s in range(one)]  # fmt: skip
    runs += [
        run_of(name, [row < 850 for row in range(1000)], seed=seed)
        for name in others
        for seed in range(other)
    ]
    found = Outcomes(runs, range(1000)).difference("one", "other")
    # By hand: of one training 50 rows speak for or against, 50 * 0.95² + 950 * 0.05² = 47.5; of
    # all together 100 do by half, 100 * 0.5² = 25; and half a row each way is 1 / 1000².
    half_rows = 1 / 1000**2
    of_one, of_all = (squares * 1000 / 999 / 1000**2 + half_rows for squares in (47.5, 25))
    trainings = min(one, other)
    gaps = 0.05**2 * trainings / (trainings - 1)  # the variance of +0.05 and -0.05 in turn
    pairs = [gaps - of_one] * len(others) + [0 - half_rows] * (len(others) - 1)  # these are alike
    training = sum(pairs) / len(pairs) / trainings
    assert found.value == pytest.approx(0)
    assert found.error**2 == pytest.approx(of_all + training)
    # Satterthwaite 1946; of all pairs of strategies only so many are free as there are others.
    free = len(others) * (trainings - 1)
    degrees = (of_all + training) ** 2 / (of_all**2 / 999 + training**2 / free)
    assert found.degrees == pytest.approx(degrees)


def test_of_two_tasks_that_agree_row_by_row_the_mean_is_as_sure_as_either() -> None:
    kinds = Task(name="kind", kind="sentence", labels=("glad", "sad"))
    said = (
        run_of("one", [True] * 8 + [False] * 2),
        run_of("other", [True] * 5 + [False] * 3 + [True] + [False]),
    )
    both = [
        replace(e, tasks={**e.tasks, "kind": replace(e.tasks["mood"], task=kinds)}) for e in said
    ]
    outcomes = Outcomes(both, range(10))
    found, alone = outcomes.difference("one", "other"), outcomes.difference("one", "other", "kind")
    assert (found.value, found.rows) == (pytest.approx(alone.value), alone.rows)
    # By hand, as above: 0.04 of the rows, and half a row each way of either task by half.
    assert found.error**2 == pytest.approx(0.04 + 2 * 0.01 / 2**2)
    assert alone.error**2 == pytest.approx(0.04 + 0.01)


def test_folds_that_differ_no_more_than_their_rows_would_make_it_no_less_sure() -> None:
    right, other = [True] * 90, [row not in (0, 3, 6, 1, 2) for row in range(90)]
    whole = Outcomes([run_of("one", right), run_of("other", other)], range(90))
    folds = [
        run_of(name, each[fold::3], seed=fold, rows=range(fold, 90, 3))
        for name, each in (("one", right), ("other", other))
        for fold in range(3)
    ]
    # By hand, in rows of a fold: gaps of 3, 1 and 1 have a variance of 1.3, chance among the rows
    # explains (3.8 + 2 + 2) / 3 = 2.6.
    found, plain = (each.difference("one", "other") for each in (Outcomes(folds, range(90)), whole))
    assert found.value == pytest.approx(plain.value) == pytest.approx(5 / 90)
    assert found.error == pytest.approx(plain.error)
    assert found.degrees == pytest.approx(plain.degrees)


@pytest.mark.parametrize(
    ("seeds", "complete"),
    [
        ((0, 1, 2), True),
        ((0, 1), False),
        ((0, 1, 3), False),  # 3 tests the same fold as 0
        ((0, 1, 5), False),  # 5 tests the third fold of folds that were cut anew
        ((0, 1, 3, 4, 5), True),
    ],
)
def test_only_the_three_folds_of_one_deal_test_every_row(
    seeds: tuple[int, ...], complete: bool
) -> None:
    drawn = folded_runs(np.random.default_rng(0), {"one": 0.7}, 30, seeds=6)
    runs = [run for run in drawn if run.seed in seeds]
    tested = {row for run in runs for row in run.rows}
    assert complete <= (tested == set(range(30)))
    assert Outcomes(runs, range(30)).complete("one", 3) is complete


@pytest.mark.parametrize("right", [0, 30, 57, 60])
def test_the_interval_of_an_accuracy_is_about_wilson_s_and_inside_0_to_1(right: int) -> None:
    found = Outcomes([run_of("s", [row < right for row in range(60)])], range(60))
    interval, wilson = found.mean("s").share_interval, wilson_interval(right, 60)
    assert 0 <= interval.low <= interval.mean <= interval.high <= 1
    assert (interval.low, interval.high) == pytest.approx((wilson.low, wilson.high), abs=0.03)


def test_the_labels_whose_rows_differ_are_named_with_their_share() -> None:
    same = [(0, 0)] * 5 + [(2, 2)] * 5
    one = colours("one", [*same, (1, 1), (1, 1), (0, 0)])
    other = colours("other", [*same, (1, 0), (1, 0), (0, 1)])
    found = Outcomes([one, other], range(13)).doubtful_labels("one", "other", "colour")
    assert max(found, key=lambda label: found[label]) == "green"
    assert sum(found.values()) == pytest.approx(1)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="must be one of"):
        Outcomes([], [], "f1")
    with pytest.raises(ValueError, match="seed 0 twice"):
        Outcomes([run_of("s", [True]), run_of("s", [True])], [0])
    with pytest.raises(ValueError, match="the data has 1 rows"):
        Outcomes([run_of("s", [True, False])], [0])
