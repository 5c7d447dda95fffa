import pytest

from core.data.renames import labels_there, renamed
from core.task import Label, Span

LABELS: dict[str, list[Label]] = {
    "topic": ["tech", "news", None, "a:b"],
    "mood": ["good", "news", "x=y", "bad"],
    "names": [(Span(0, 1, "PER"),), (), None, (Span(0, 1, "tech"),)],
}


@pytest.mark.parametrize(
    ("typed", "changed"),
    [
        (
            ["tech=technology"],
            {("topic", 0): "technology", ("names", 3): (Span(0, 1, "technology"),)},
        ),
        (["topic:tech=technology"], {("topic", 0): "technology"}),
        (["mood:news=old", "topic:news=new"], {("mood", 1): "old", ("topic", 1): "new"}),
        (["good=bad", "bad=good"], {("mood", 0): "bad", ("mood", 3): "good"}),  # at once
        (["x=y=z"], {("mood", 2): "z"}),
        (["a:b=c"], {("topic", 3): "c"}),
        (["topic:a:b=c:d"], {("topic", 3): "c:d"}),
        ([" good = fine "], {("mood", 0): "fine"}),
        (["good=fine", "good=fine"], {("mood", 0): "fine"}),
    ],
)
def test_labels_are_renamed_where_they_are(
    typed: list[str], changed: dict[tuple[str, int], Label]
) -> None:
    expected = {task: list(rows) for task, rows in LABELS.items()}
    for (task, row), label in changed.items():
        expected[task][row] = label
    assert renamed(LABELS, typed) == expected


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["tech"], r"renames is 'tech', must be FROM=TO or TASK:FROM=TO"),
        (
            ["tec=technology"],
            r"renames a label that is not there: topic has 'a:b', 'news', 'tech'; mo",
        ),
        (["mood:tech=t"], r"renames a label that is not there"),
        (["none:good=g"], r"renames a label that is not there"),
        (["good="], r"renames 'good' to nothing: give a label"),
        (["=good"], r"renames a label that is not there"),
        (["good=a", "good=b"], r"renames 'good' twice, the second time as 'good=b'"),
    ],
)
def test_a_renaming_that_cannot_be_is_refused(typed: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        renamed(LABELS, typed)


def test_labels_are_listed_in_order_and_numbers_by_size() -> None:
    assert labels_there(["10", "9", None, "9"]) == ["9", "10"]
    assert labels_there(["b", "10", "9"]) == ["10", "9", "b"]
    assert labels_there([(Span(0, 1, "B"), Span(1, 2, "A")), None]) == ["A", "B"]
