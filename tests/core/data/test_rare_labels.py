"""Labels too rare to be tested are dropped, their rows are not, and this is said."""

import pytest

from core.data.rare_labels import without_rare_labels
from core.task import Example, Label, Span, Task

MOOD = Task(name="mood", kind="sentence", labels=("glad", "sad", "odd"))
NAMES = Task(name="names", kind="token", labels=("PER", "LOC"))


def rows(*labels: Label, task: str = "mood") -> list[Example]:
    return [Example(text=f"text {n}", labels={task: label}) for n, label in enumerate(labels)]


def test_where_every_label_has_enough_rows_nothing_changes() -> None:
    examples = rows(*["glad", "sad", "odd"] * 3)
    tested = without_rare_labels(examples, [MOOD], range(9), 3)
    assert tested.examples == tuple(examples)
    assert (tested.tasks, tested.notes) == ((MOOD,), ())


def test_a_rare_label_is_dropped_and_its_rows_stay() -> None:
    examples = rows(*["glad", "sad"] * 3, "odd", "odd")
    tested = without_rare_labels(examples, [MOOD], range(8), 3)
    assert tested.tasks[0].labels == ("glad", "sad")
    assert [each.text for each in tested.examples] == [each.text for each in examples]
    assert [each.labels.get("mood") for each in tested.examples[-3:]] == ["sad", None, None]
    assert len(tested.notes) == 1
    assert "'odd' has 2 rows" in tested.notes[0]


def test_near_duplicates_count_as_one_row() -> None:
    examples = rows(*["glad", "sad"] * 3, "odd", "odd", "odd")
    groups = [*range(6), 6, 6, 7]
    assert without_rare_labels(examples, [MOOD], groups, 3).tasks[0].labels == ("glad", "sad")


def test_spans_of_a_rare_label_are_dropped_and_the_others_stay() -> None:
    both = (Span(0, 4, "PER"), Span(5, 6, "LOC"))
    examples = rows(both, (both[0],), (both[0],), (), task="names")
    tested = without_rare_labels(examples, [NAMES], range(4), 3)
    assert tested.tasks[0].labels == ("PER",)
    assert [each.labels["names"] for each in tested.examples] == [*[(both[0],)] * 3, ()]


def test_a_task_left_with_one_label_is_refused_in_words() -> None:
    examples = rows("glad", "glad", "glad", "sad", "odd")
    with pytest.raises(ValueError, match=r"task mood cannot be tested: .*'sad' has 1, 'odd' has 1"):
        without_rare_labels(examples, [MOOD], range(5), 3)
