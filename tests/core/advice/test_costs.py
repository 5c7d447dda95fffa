"""Which strategy is cheaper: by the cost that matters, then by parameters, then as given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.advice.costs import ALIKE, Candidate, by_cost
from core.config import COSTS, AdviceChoice
from core.measures.metrics import Interval


def names(candidates: list[Candidate], kind: str = "seconds") -> list[str]:
    return [each.name for each in by_cost(candidates, kind)]


def test_the_cheaper_one_comes_first() -> None:
    assert names([Candidate(name="a", seconds=9.0), Candidate(name="b", seconds=2.0)]) == ["b", "a"]


def test_costs_within_a_tenth_are_equal_then_fewer_parameters_win_then_the_order() -> None:
    big = Candidate(name="big", seconds=10.0, trainable_parameters=9)
    small = Candidate(name="small", seconds=10.9, trainable_parameters=3)
    dear = Candidate(name="dear", seconds=11.1, trainable_parameters=1)
    assert names([dear, big, small]) == ["small", "big", "dear"]
    twin = Candidate(name="twin", seconds=10.5, trainable_parameters=3)
    assert names([twin, small, big]) == ["twin", "small", "big"]
    assert names([small, twin, big]) == ["small", "twin", "big"]


def test_what_is_unknown_is_never_taken_for_cheap() -> None:
    unknown = Candidate(name="unknown", trainable_parameters=1)
    known = Candidate(name="known", memory_bytes=5e8, trainable_parameters=7)
    assert names([unknown, known], "memory") == ["known", "unknown"]
    other = Candidate(name="other", trainable_parameters=0)
    assert names([unknown, other], "memory") == ["other", "unknown"]


def test_faster_predicting_and_less_forgetting_are_cheaper() -> None:
    slow = Candidate(name="slow", sentences_per_second=50.0, forgetting=exactly(-0.01))
    quick = Candidate(name="quick", sentences_per_second=90.0, forgetting=exactly(0.02))
    frozen = Candidate(name="frozen", sentences_per_second=50.0, forgetting=exactly(0.0))
    assert names([slow, quick, frozen], "inference") == ["quick", "slow", "frozen"]
    assert names([quick, slow, frozen], "forgetting") == ["slow", "frozen", "quick"]


def exactly(value: float) -> Interval:
    return Interval(mean=value, low=value, high=value)


SECONDS = st.lists(st.none() | st.floats(0, 100), min_size=1, max_size=8)


@given(seconds=SECONDS, kind=st.sampled_from(COSTS))
def test_every_candidate_has_one_place_and_none_is_far_dearer_than_one_after_it(
    seconds: list[float | None], kind: str
) -> None:
    given = [Candidate(name=str(n), seconds=each) for n, each in enumerate(seconds)]
    ordered = by_cost(given, kind)
    assert sorted(each.name for each in ordered) == sorted(each.name for each in given)
    known = [each.cost("seconds") for each in by_cost(given, "seconds")]
    for place, cost in enumerate(known):
        after = [each for each in known[place:] if each is not None]
        assert cost is None or all(cost <= each * (1 + ALIKE) + 1e-9 for each in after)


def test_a_choice_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="margin is nan"):
        AdviceChoice(margin=float("nan"))
    with pytest.raises(ValueError, match="must be one of"):
        AdviceChoice(cost="money")
    with pytest.raises(ValueError, match="must be one of"):
        AdviceChoice(score="f1")
