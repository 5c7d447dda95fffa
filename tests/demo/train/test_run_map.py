import json

import numpy as np

from core.task import Example, Span
from core.training.events import SnapshotEvent
from demo.train.example import shipped_run
from demo.train.run_map import MOST_LETTERS, RunMapTelling

STATES = np.random.default_rng(0).normal(size=(3, 8)).astype("f4")


def snapshot(step: int, states: np.ndarray) -> SnapshotEvent:
    spans = (Span(0, 3, "PER"),)
    first = Example(text="<b>Ann</b>" + "x" * 900, labels={"mood": "good", "names": spans})
    rows = (first, Example(text="b", labels={}), Example(text="c", labels={"names": ()}))
    return SnapshotEvent(
        epoch=step,
        step=step,
        examples=rows,
        held_out=2,
        predicted={"mood": ("good", "bad", "bad"), "names": (spans, (), spans)},
        probabilities={"mood": np.array([[0.9, 0.1], [0.2, 0.8], [0, 1]], dtype="f4")},
        layer=2,
        states=states,
    )


def test_a_moment_is_told_in_whole_numbers_and_what_stands_still_is_told_once() -> None:
    telling = RunMapTelling()
    first, second, third = (
        telling.document(snapshot(k, states))
        for k, states in enumerate((STATES, STATES, STATES[::-1].copy()))
    )
    assert json.loads(json.dumps(first)) == first
    assert len(first["texts"][0]) == MOST_LETTERS
    assert first["is"] == {"mood": ["good", None, None], "names": ["PER", None, "none"]}
    assert first["tasks"]["mood"] == {
        "says": ["good", "bad", "bad"],
        "at": [-800, 0, 600, 0, 1000, 0],
        "sure": [90, 80, 100],
    }
    assert first["tasks"]["names"] == {
        "says": ["PER", "none", "PER"],
        "right": [True, None, False],
    }
    assert len(first["states"]) == 6
    assert all(isinstance(each, int) for each in first["states"])
    assert not {"states", "texts"} & second.keys()
    assert "states" in third


def test_the_shipped_run_has_a_map_with_a_moment_before_it_and_one_for_each_epoch() -> None:
    events = shipped_run()["example"]["events"]
    told = [each for each in events if each["event"] == "map"]
    epochs = [each["epoch"] for each in events if each["event"] == "evaluation"]
    assert [each["epoch"] for each in told] == [0, *epochs]
    assert len(told[0]["texts"]) == len(told[-1]["tasks"]["topic"]["says"])
