"""The advice follows its rule to the letter, says what it does not know, and is seldom wrong."""

import json
import re

import numpy as np
import pytest

from core.advice.advice import Advice, advise
from core.advice.costs import Candidate
from core.advice.held_out import HeldOut
from core.advice.paired import Outcomes
from core.advice.verdict import BETTER_CHANCE, judge
from core.advice.words import forgetting_in_words, times_the_rows
from core.config import AdviceChoice
from core.measures.metrics import Interval
from core.task import Task
from tests.made_runs import folded_runs, predicted, run_of

ROWS = 200
NOTHING = Interval(mean=0.0, low=0.0, high=0.0)
SOME = Interval(mean=0.02, low=0.01, high=0.03)
CANDIDATES = [
    Candidate(name="heads", seconds=10.0, trainable_parameters=10, forgetting=NOTHING),
    Candidate(name="lower:4", seconds=60.0, trainable_parameters=100, forgetting=SOME),
    Candidate(name="full", seconds=130.0, trainable_parameters=900, forgetting=SOME),
]


def right(count: int, wrong_first: int = 0) -> list[bool]:
    """Give so many right ones after some wrong ones."""
    return [wrong_first <= row < wrong_first + count for row in range(ROWS)]


def advice_of(
    *records: HeldOut, margin: float = 3.0, cost: str = "seconds", dropped: tuple[str, ...] = ()
) -> Advice:
    choice = AdviceChoice(margin=margin, cost=cost)
    found = advise(CANDIDATES, records, range(ROWS), choice, dropped=dropped)
    assert found is not None
    return found


def test_one_shown_better_than_every_cheaper_one_is_better() -> None:
    runs = [run_of("heads", right(120)), run_of("lower:4", right(130)), run_of("full", right(170))]
    found = advice_of(*runs)
    assert (found.strategy, found.status) == ("full", "better")
    assert "full is better than every cheaper strategy: 85.0 %" in found.overall.text
    assert "20.0 points above lower:4" in found.overall.text
    assert "130 s of training against 60 s of lower:4" in found.overall.text
    assert (
        "forgets 0.020 of the probe's Spearman correlation (0.010 to 0.030)" in found.overall.text
    )


def test_what_is_better_is_said_with_the_bound_that_the_claim_rests_on() -> None:
    crossed = 0
    for more in range(8, 40):
        found = advice_of(run_of("heads", right(100)), run_of("full", right(100 + more, 10)))
        if found.status != "better":
            continue
        said = re.search(r"with 95 % confidence, at least (\d+\.\d) points", found.overall.text)
        assert said is not None
        gap = found.overall.verdict.difference
        assert gap is not None
        least = gap.value - gap.reach(BETTER_CHANCE)
        assert least > 0
        assert float(said[1]) == round(100 * least, 1)
        crossed += gap.interval.low <= 0  # the two-sided interval would seem to deny the claim
    assert crossed


def test_the_cheapest_that_is_shown_good_enough_is_advised() -> None:
    runs = [run_of("heads", right(160)), run_of("lower:4", right(161)), run_of("full", right(162))]
    found = advice_of(*runs)
    assert (found.strategy, found.status) == ("heads", "good_enough")
    assert found.overall.verdict.best == "full"
    assert "heads is good enough: with 95 % confidence at most" in found.overall.text
    assert "heads forgets nothing" in found.overall.text


def test_a_cheaper_one_is_not_good_enough_for_a_margin_that_is_too_small() -> None:
    runs = [run_of("heads", right(160)), run_of("full", right(163))]
    assert advice_of(*runs, margin=6).status == "good_enough"
    strict = advice_of(*runs, margin=2)
    assert (strict.strategy, strict.status) == ("full", "cannot_tell")


def test_the_cheapest_with_the_highest_mean_is_good_enough_if_it_is_shown_to_be() -> None:
    runs = [run_of("heads", right(162)), run_of("full", right(160))]
    found = advice_of(*runs)
    assert (found.strategy, found.status) == ("heads", "good_enough")
    assert "it is the cheapest and has the highest mean" in found.overall.text
    apart = advice_of(run_of("heads", right(162)), run_of("full", right(160, wrong_first=40)))
    assert (apart.strategy, apart.status) == ("heads", "cannot_tell")
    assert "is the cheapest and has the highest mean, 81.0 %" in apart.overall.text


def test_the_cheapest_must_be_shown_good_enough_beside_every_other() -> None:
    close, apart = right(160), right(160, wrong_first=40)
    runs = [run_of("heads", right(162)), run_of("lower:4", close), run_of("full", apart)]
    found = advice_of(*runs)
    assert (found.strategy, found.status) == ("heads", "cannot_tell"), "full was not ruled out"
    assert advice_of(*runs[:2]).status == "good_enough"


def test_good_enough_is_held_to_one_side_of_the_margin() -> None:
    runs, one_sided = [run_of("heads", right(150)), run_of("full", right(155))], 0
    for tenths in range(20, 100):
        found = advice_of(*runs, margin=tenths / 10)
        gap = found.overall.verdict.difference
        assert gap is not None
        if found.status == "good_enough":
            one_sided += gap.interval.low <= -tenths / 1000
    assert one_sided, "needs a case that the two-sided interval would not have let pass"


def test_where_nothing_is_shown_it_says_so_and_what_would_settle_it() -> None:
    runs = [run_of("heads", right(140)), run_of("full", right(144, wrong_first=20))]
    found = advice_of(*runs)
    assert (found.strategy, found.status) == ("full", "cannot_tell")
    text = found.overall.text
    assert text.startswith("This data cannot tell: full has the highest mean")
    assert "Choosing full may pay for nothing (130 s of training against 10 s of heads)" in text
    assert "choosing heads may lose up to" in text
    assert "more labelled rows" in text
    assert "'glad'" in text, "it names rows of which classes"


def test_the_cost_that_matters_decides_which_is_cheaper() -> None:
    runs = [run_of("heads", right(160)), run_of("full", right(160))]
    turned = [
        Candidate(name="heads", seconds=10.0, sentences_per_second=10.0),
        Candidate(name="full", seconds=130.0, sentences_per_second=90.0),
    ]
    for cost, cheapest in (("seconds", "heads"), ("inference", "full")):
        found = advise(turned, runs, range(ROWS), AdviceChoice(cost=cost))
        assert found is not None
        assert (found.strategy, found.status) == (cheapest, "good_enough")


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ((0.02, 0.01, 0.03), "full forgets 0.020 of the probe's Spearman correlation"),
        ((0.004, -0.01, 0.02), "no forgetting is shown of full: 0.004 of the probe's"),
        ((-0.012, -0.02, -0.001), "no forgetting is shown of full: −0.012 of the probe's"),
    ],
)
def test_forgetting_is_said_only_where_it_is_shown(
    lost: tuple[float, float, float], said: str
) -> None:
    found = Interval(mean=lost[0], low=lost[1], high=lost[2])
    assert forgetting_in_words(Candidate(name="full", forgetting=found)).startswith(said)


def test_of_single_trainings_it_says_that_another_seed_may_differ() -> None:
    once = [run_of("heads", right(120)), run_of("full", right(170))]
    assert "another seed may differ" in advice_of(*once).overall.text
    mixed = advice_of(*once, run_of("full", right(171), seed=1))
    assert "another seed may differ" not in mixed.overall.text, "not each was trained once"
    twice = [*once, run_of("heads", right(121), seed=1), run_of("full", right(171), seed=1)]
    assert "another seed may differ" not in advice_of(*twice).overall.text


def folds(strategy: str, outcome: list[bool], count: int = 3) -> list[HeldOut]:
    return [
        HeldOut(
            strategy=strategy,
            seed=fold,
            fold=fold,
            repetition=0,
            rows=tuple(range(fold, ROWS, 3)),
            tasks={"mood": predicted(outcome[fold::3])},
        )
        for fold in range(count)
    ]


def test_one_that_has_not_tested_every_fold_cannot_be_vouched_for() -> None:
    found = advice_of(*folds("heads", right(100)), *folds("full", right(190), count=2))
    assert (found.strategy, found.status) == ("full", "cannot_tell")
    assert "has not tested every row" in found.overall.text
    assert found.unfinished == ("lower:4", "full")
    assert "Not finished, and so able to change this: lower:4." in found.overall.text


def test_one_that_is_matched_only_by_an_unfinished_one_may_still_change_the_advice() -> None:
    runs = [*folds("lower:4", right(120)), *folds("full", right(120), count=2)]
    matched = advice_of(*runs, *folds("heads", right(50)), margin=20)
    assert matched.unfinished == (), "lower:4 is shown good enough beside it, and is cheaper"
    runs = [*folds("lower:4", right(120), count=2), *folds("full", right(120), count=2)]
    open_ones = advice_of(*runs, *folds("heads", right(50)), margin=20)
    assert open_ones.unfinished == ("lower:4", "full")


def test_one_that_is_behind_on_part_of_the_rows_takes_none_from_the_others() -> None:
    runs = [*folds("heads", right(120)), *folds("lower:4", right(170))]
    found = advice_of(*runs, *folds("full", right(100), count=1))
    assert (found.strategy, found.status) == ("lower:4", "better")
    assert found.overall.verdict.mean.rows == ROWS


def test_what_the_race_dropped_is_settled() -> None:
    runs = [*folds("heads", right(120), count=1), *folds("full", right(170))]
    assert advice_of(*runs).status == "better"
    close = [*folds("heads", right(163), count=1), *folds("full", right(164))]
    assert advice_of(*close, margin=0.5).status == "cannot_tell"
    settled = advice_of(*close, margin=0.5, dropped=("heads",))
    assert (settled.strategy, settled.status) == ("full", "better")
    assert settled.dropped == ("heads",)
    assert "heads" not in settled.unfinished


def test_there_is_no_advice_about_fewer_than_two() -> None:
    assert advise(CANDIDATES, [], range(ROWS), AdviceChoice()) is None
    alone = [run_of("full", right(100))]
    assert advise(CANDIDATES, alone, range(ROWS), AdviceChoice()) is None
    with pytest.raises(ValueError, match="none of the strategies"):
        advise(CANDIDATES, [run_of("odd", right(1))], range(ROWS), AdviceChoice())


def test_there_is_a_status_for_each_task_and_the_mean_counts_tasks_alike() -> None:
    other = Task(name="kind", kind="sentence", labels=("a", "b"))

    def both(strategy: str, mood: int, kind: int) -> HeldOut:
        tasks = {"mood": predicted(right(mood)), "kind": predicted(right(kind), other)}
        rows = tuple(range(ROWS))
        return HeldOut(strategy=strategy, seed=0, fold=None, repetition=0, rows=rows, tasks=tasks)

    found = advice_of(both("heads", 160, 60), both("full", 160, 160))
    assert found.status == "better"
    assert found.overall.verdict.mean.value == pytest.approx(0.8)
    assert found.overall.verdict.difference is not None
    assert found.overall.verdict.difference.value == pytest.approx(0.25)
    assert found.tasks["mood"].verdict.status == "good_enough"
    assert found.tasks["mood"].verdict.strategy == "heads"
    assert found.tasks["kind"].verdict.status == "better"
    document = json.loads(json.dumps(found.document()))
    assert set(document) >= {"strategy", "status", "text", "tasks"}
    assert set(document["tasks"]["mood"]) >= {"strategy", "status", "text"}


def test_a_label_that_a_person_wrote_stays_on_its_line() -> None:
    odd = Task(name="mood", kind="sentence", labels=("a\n\n# b" + "x" * 100, "c"))
    tasks = [{"mood": predicted(r, odd)} for r in (right(140), right(144, wrong_first=20))]
    rows = tuple(range(ROWS))
    runs = [
        HeldOut(strategy=name, seed=0, fold=None, repetition=0, rows=rows, tasks=each)
        for name, each in zip(("heads", "full"), tasks, strict=True)
    ]
    text = advice_of(*runs).overall.text
    assert "\n" not in text
    assert "x" * 60 not in text


def test_forty_rows_cannot_tell_and_it_says_what_would_help() -> None:
    runs = folded_runs(np.random.default_rng(3), {"heads": 0.7, "full": 0.75}, 40)
    found = advise(CANDIDATES, runs, range(40), AdviceChoice())
    assert found is not None
    assert found.status == "cannot_tell"
    assert "cannot tell" in found.overall.text
    assert "rows" in found.overall.text


def test_the_rows_it_asks_for_would_settle_it_if_what_was_measured_holds() -> None:
    few = [right(70)[:100], right(70, wrong_first=8)[:100]]
    few[1] = [*few[1][:96], True, True, True, True]
    runs = [run_of(name, each) for name, each in zip(("heads", "full"), few, strict=True)]
    verdict = judge(Outcomes(runs, range(100)), ["heads", "full"], margin=3)
    assert verdict.status == "cannot_tell"
    factor = times_the_rows(verdict, 3)
    assert factor is not None
    times = int(factor) + 2
    more = [run_of(n, each * times) for n, each in zip(("heads", "full"), few, strict=True)]
    again = judge(Outcomes(more, range(100 * times)), ["heads", "full"], margin=3)
    assert again.status != "cannot_tell"


SAMPLES = 100


def claims(accuracies: dict[str, float], rows: int) -> tuple[float, float, float]:
    """Return how often "better" and "good enough" are false, and how often anything is told."""
    generator = np.random.default_rng(0)
    false_better = false_enough = told = 0
    names, best = list(accuracies), max(accuracies.values())
    for _ in range(SAMPLES):
        outcomes = Outcomes(folded_runs(generator, accuracies, rows), range(rows))
        verdict = judge(outcomes, names, margin=3)
        own = accuracies[verdict.strategy]
        cheaper = [accuracies[name] for name in names[: names.index(verdict.strategy)]]
        told += verdict.status != "cannot_tell"
        false_better += verdict.status == "better" and own <= max(cheaper)
        false_enough += verdict.status == "good_enough" and own < best - 0.03
    return false_better / SAMPLES, false_enough / SAMPLES, told / SAMPLES


# A true rate of 5 % shows more than 10 % in 100 samples once in 80 seeds; these are seeded.
@pytest.mark.parametrize(("rows", "names"), [(120, "abcd"), (300, "abc")])
def test_better_is_seldom_claimed_of_one_that_is_not(rows: int, names: str) -> None:
    false, _, _ = claims(dict.fromkeys(names, 0.7), rows)
    assert false <= 0.1


@pytest.mark.parametrize("rows", [120, 300])
def test_good_enough_is_seldom_claimed_of_one_that_is_worse_by_more_than_the_margin(
    rows: int,
) -> None:
    _, false, _ = claims({"a": 0.7, "b": 0.731, "c": 0.731}, rows)
    assert false <= 0.1


def test_what_is_plain_is_told() -> None:
    _, _, told = claims({"a": 0.6, "b": 0.75}, 300)
    assert told >= 0.8
