"""What is said of a training that has learned nothing."""

import numpy as np
import pytest

from core.measures.metrics import ClassScores
from core.model.evaluation import TaskScores
from core.training.validation import outcome_notes
from tests.tiny_tasks import KIND, NAMES


def kind(confusion: list[list[int]]) -> TaskScores:
    table = np.array(confusion, dtype=np.int64)
    return TaskScores(task=KIND, rows=int(table.sum()), confusion=table)


@pytest.mark.parametrize(
    ("confusion", "said"),
    [
        ([[5, 0, 0], [3, 0, 0], [2, 0, 0]], True),  # always the commonest label
        ([[4, 1, 0], [3, 0, 0], [1, 0, 1]], True),  # 5 of 10, as that
        ([[4, 1, 0], [2, 1, 0], [1, 0, 1]], False),  # 6 of 10
        ([[0, 0, 0], [0, 0, 0], [0, 0, 0]], False),  # nobody knows
    ],
)
def test_a_task_no_better_than_its_commonest_label_is_told(
    confusion: list[list[int]], said: bool
) -> None:
    notes = outcome_notes({"kind": kind(confusion)}, {"kind": 0.5})
    assert bool(notes) == said
    if said:
        assert "always saying 'travel' has 0.500" in notes[0]
        assert "more rows or epochs" in notes[0]


@pytest.mark.parametrize(("loss", "rate"), [(1.6, False), (1.7, True)])
def test_a_loss_far_above_even_odds_points_at_the_rate(loss: float, rate: bool) -> None:
    (note,) = outcome_notes({"kind": kind([[3, 0, 0], [3, 0, 0], [3, 0, 0]])}, {"kind": loss})
    assert ("give a lower encoder_rate or head_rate" in note) == rate


@pytest.mark.parametrize(("f1", "rows", "said"), [(0.0, 4, True), (0.1, 4, False), (0.0, 0, False)])
def test_a_token_task_that_finds_nothing_is_told(f1: float, rows: int, said: bool) -> None:
    spans = ClassScores(precision=f1, recall=f1, f1=f1, rows=rows)
    scores = TaskScores(task=NAMES, rows=9, spans=spans)
    notes = outcome_notes({"names": scores}, {"names": 0.5})
    assert [("none of 4 spans is found" in note) for note in notes] == [True] * said
