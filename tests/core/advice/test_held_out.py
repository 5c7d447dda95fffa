"""A run's held-out predictions survive the way to JSON and back, and nothing else is read."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.advice.held_out import HeldOut, TaskPredictions, always_wrong, held_out_from
from core.task import Span, Task

MOOD = Task(name="mood", kind="sentence", labels=("glad", "sad"))
NAMES = Task(name="names", kind="token", labels=("PER", "LOC"))


def record(**changed: Any) -> HeldOut:  # noqa: ANN401 (fields of any type)
    mood = TaskPredictions(
        task=MOOD,
        actual=("glad", None, "sad"),
        predicted=("sad", None, "sad"),
        scores=((0.5, 1.25), (0.0, 0.0), (-1.0, 2.5)),
    )
    names = TaskPredictions(
        task=NAMES,
        actual=((Span(0, 3, "PER"), Span(4, 6, "LOC")), (), None),
        predicted=((Span(4, 6, "LOC"), Span(0, 3, "PER")), (Span(1, 2, "LOC"),), ()),
    )
    given = {
        "strategy": "lower:4@auto",
        "seed": 4,
        "fold": 1,
        "repetition": 1,
        "rows": (7, 2, 9),
        "tasks": {"mood": mood, "names": names},
    }
    return HeldOut(**(given | changed))


def test_a_record_comes_back_from_json_as_it_was() -> None:
    assert held_out_from(json.loads(json.dumps(record().document()))) == record()
    alone = record(fold=None, repetition=0)
    assert held_out_from(json.loads(json.dumps(alone.document()))) == alone


def test_a_row_is_wrong_by_its_label_or_by_any_of_its_spans() -> None:
    assert record().tasks["mood"].wrong == (True, None, False)
    assert record().tasks["names"].wrong == (False, True, None), "the order of spans is nothing"


def test_rows_that_every_strategy_gets_wrong_are_found() -> None:
    def said(strategy: str, seed: int, *predicted: str) -> HeldOut:
        mood = TaskPredictions(task=MOOD, actual=("glad",) * len(predicted), predicted=predicted)
        rows = tuple(range(len(predicted)))
        return record(strategy=strategy, seed=seed, rows=rows, tasks={"mood": mood})

    heads, full = said("heads", 0, "sad", "sad", "glad"), said("full", 0, "sad", "glad", "sad")
    assert always_wrong([heads, full]) == {"mood": [0]}
    again = said("full", 3, "glad", "sad", "sad")
    assert always_wrong([heads, full, again]) == {"mood": []}, "right once is not always wrong"
    assert always_wrong([heads]) == {"mood": []}, "one strategy says nothing about a row"


def broken(*path: str | int, to: object) -> dict[str, Any]:
    document = json.loads(json.dumps(record().document()))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return document


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "an object for each run"),
        (broken("tasks", to=[]), "tasks by name"),
        (broken("strategy", to=3), "must be text"),
        (broken("strategy", to=""), "characters"),
        (broken("seed", to=-1), "whole number"),
        (broken("seed", to=True), "whole number"),
        (broken("seed", to=10**30), "whole number"),
        (broken("fold", to=0.5), "whole number"),
        (broken("rows", to="012"), "must be a list"),
        (broken("rows", to=[7, 7, 9]), "repeat"),
        (broken("rows", to=[7, 9]), "must be 2 of"),
        (broken("tasks", "mood", "kind", to="regression"), "must be sentence or token"),
        (broken("tasks", "mood", "labels", to=["glad"]), "needs 2"),
        (broken("tasks", "mood", "actual", to=["glad", None, "<b>"]), "'<b>'"),
        (broken("tasks", "mood", "actual", to=["glad", None, []]), "must be a label"),
        (broken("tasks", "mood", "predicted", to=["sad", None, None]), "lack one"),
        (broken("tasks", "mood", "predicted", to=["sad"]), "one a row"),
        (broken("tasks", "mood", "scores", to=[[1, 2], [1, 2]]), "row by row"),
        (broken("tasks", "mood", "scores", to=[[1, 2], [1, 2], [1, float("nan")]]), "finite"),
        (broken("tasks", "mood", "scores", to=[[1, 2], [1, 2], [1, "2"]]), "finite"),
        (broken("tasks", "names", "scores", to=[[1, 2]] * 3), "token task"),
        (broken("tasks", "names", "actual", to=[["PER"], [], None]), "must be an object"),
        (broken("tasks", "names", "actual", 0, 0, "end", to="3"), "whole number"),
    ],
)
def test_a_record_of_another_shape_is_refused_in_a_sentence(document: object, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        held_out_from(document)
    assert len(str(refused.value)) < 300
    assert "\n" not in str(refused.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(value=JSON, key=st.sampled_from(["strategy", "seed", "fold", "repetition", "rows", "tasks"]))
def test_whatever_stands_in_a_record_only_a_value_error_comes_out(value: object, key: str) -> None:
    for document in (value, broken(key, to=value), broken("tasks", "mood", to=value)):
        try:
            held_out_from(document)
        except ValueError:
            continue
