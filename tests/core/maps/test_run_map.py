import numpy as np
import pytest

from core.maps.near import Floats
from core.maps.run_map import RunMap, among_corners, corners
from core.training.events import SnapshotEvent

RNG = np.random.default_rng(0)
STATES = (3 * np.eye(3, 8).repeat(10, axis=0) + 0.3 * RNG.normal(size=(30, 8))).astype("f4")


def snapshot(states: Floats) -> SnapshotEvent:
    shares = np.full((len(states), 3), 1 / 3, dtype="f4")
    return SnapshotEvent(
        epoch=0,
        step=0,
        examples=(),
        held_out=0,
        predicted={},
        probabilities={"topic": shares},
        layer=2,
        states=states,
    )


def test_what_did_not_change_stands_still_and_what_only_turned_does_too() -> None:
    run = RunMap()
    first = run.frame(snapshot(STATES))
    assert run.frame(snapshot(STATES)).states == pytest.approx(first.states, abs=1e-5)
    turn, _ = np.linalg.qr(RNG.normal(size=(8, 8)))
    turned = run.frame(snapshot((STATES @ turn).astype("f4")))
    assert turned.states == pytest.approx(first.states, abs=1e-4)


def test_the_picture_is_the_one_that_shows_most_and_says_how_much() -> None:
    frame = RunMap().frame(snapshot(STATES))
    unit = STATES / np.linalg.norm(STATES, axis=1, keepdims=True)
    whole = np.linalg.svd(unit - unit.mean(axis=0), compute_uv=False) ** 2
    assert frame.share == pytest.approx(whole[:2].sum() / whole.sum(), abs=1e-4)
    assert (frame.states.var(axis=0) * 30) == pytest.approx(whole[:2], rel=1e-3)


def test_a_sure_head_puts_a_sentence_in_its_labels_corner_and_an_undecided_one_in_the_middle() -> (
    None
):
    for labels in (2, 3, 6):
        assert among_corners(np.eye(labels, dtype="f4")) == pytest.approx(corners(labels))
        assert np.linalg.norm(corners(labels), axis=1) == pytest.approx(np.ones(labels))
        even = np.full((1, labels), 1 / labels, dtype="f4")
        assert among_corners(even) == pytest.approx(np.zeros((1, 2)), abs=1e-6)
    assert corners(2)[:, 1] == pytest.approx([0, 0], abs=1e-6), "two lie abreast"


@pytest.mark.parametrize("count", [1, 2])
def test_few_sentences_and_equal_ones_have_a_map_too(count: int) -> None:
    frame = RunMap().frame(snapshot(STATES[:1].repeat(count, axis=0)))
    assert frame.states == pytest.approx(np.zeros((count, 2)), abs=1e-6)
    assert frame.share == pytest.approx(0, abs=1e-6)


def test_a_state_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        RunMap().frame(snapshot(np.full((3, 8), np.nan, dtype="f4")))
