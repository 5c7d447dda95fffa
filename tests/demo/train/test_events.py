from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.config import EncoderChoice
from demo.shelves.comparisons import ComparisonShelf
from demo.shelves.encoders import EncoderShelf
from demo.shelves.models import ModelShelf
from demo.shelves.shelves import Shelves
from demo.shelves.working_data import DataShelf, WorkingData
from demo.train.events import TrainingEvents
from demo.train.sessions import Sessions

Folder = Callable[[str], Path]
FIELDS = [40, ["topic"], "lower:2", 2, 16, "", "", "sum", 0]


@pytest.fixture
def choice(family_folder: Folder) -> EncoderChoice:
    return EncoderChoice(name=str(family_folder("minilm")))


@pytest.fixture
def events(choice: EncoderChoice) -> Iterator[TrainingEvents]:
    sessions, comparisons = Sessions(), ComparisonShelf()
    sessions.warm_up = lambda: None  # type: ignore[method-assign]  # no process is wanted here
    shelves = Shelves(
        encoders=EncoderShelf(choice, local=True),
        models=ModelShelf(),
        data=DataShelf(),
        comparisons=comparisons,
    )
    yield TrainingEvents(shelves, sessions)
    sessions.close()
    comparisons.close()


def test_the_time_is_said_before_anything_is_trained(
    events: TrainingEvents, choice: EncoderChoice
) -> None:
    said = events.estimate(choice, WorkingData(), *FIELDS)
    assert "About " in said
    assert "34 rows to learn from and 6 to validate on" in said


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (2, "<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        (2, "lower:9", "must be lower:0 to lower:2"),
        (0, 5, "Rows is 5, must be a whole number from 20"),
        (1, ["no such task"], "no such task"),
    ],
)
def test_what_cannot_be_trained_is_said_beside_the_fields_as_text(
    place: int,
    value: object,
    said: str,
    events: TrainingEvents,
    choice: EncoderChoice,
) -> None:
    given = [value if k == place else field for k, field in enumerate(FIELDS)]
    html = events.estimate(choice, WorkingData(), *given)
    assert 'class="warn"' in html
    assert said in html
    assert "<img" not in html


@pytest.mark.parametrize("asked", [None, 7, [], {}, {"token": 3}, "token"])
def test_a_question_without_a_run_is_refused(asked: object, events: TrainingEvents) -> None:
    with pytest.raises(ValueError, match="no run is named"):
        events.look(asked)
    assert events.act(asked)["refused"] == "No run is named."
    assert events.piece(asked)["refused"] == "No run is named."
    assert "refused" in events.put(asked)


def test_a_run_that_is_not_there_is_gone_and_nothing_else_is_told(events: TrainingEvents) -> None:
    asked = {"token": "x" * 40, "since": -5, "kind": "model", "at": 0, "what": "go"}
    assert events.look(asked) == {"state": "gone", "events": [], "next": 0}
    assert "not kept any more" in events.act(asked)["refused"]
    assert "not kept any more" in events.piece(asked)["refused"]
    assert events.act({"token": "x", "what": "<b>explode</b>"})["refused"].startswith(
        "A run cannot"
    )
