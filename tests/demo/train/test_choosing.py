"""The Train tab's strategy: the field, the strip and the card say the same, on any encoder."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.config import EncoderChoice
from core.strategy.scenario import parse_strategy
from core.strategy.strategies import Full, Heads, Lower
from demo.freeze.profiles import ProfileShelf
from demo.shelves.encoders import EncoderShelf
from demo.shelves.working_data import DataShelf, WorkingData
from demo.strategies.words import choices, first_choice, followed
from demo.train.ask import TrainingAsk
from demo.train.choosing import ChoosingEvents, Drawn
from demo.train.notes import encoder_note, epochs_note, head_note

Folder = Callable[[str], Path]
DATA = WorkingData()
LAYERS = 3


@pytest.fixture
def choice(family_folder: Folder) -> EncoderChoice:
    return EncoderChoice(name=str(family_folder("minilm")))


@pytest.fixture
def events(choice: EncoderChoice) -> ChoosingEvents:
    return ChoosingEvents(ProfileShelf(EncoderShelf(choice, local=True), DataShelf()))


def drawn(name: str, choice: EncoderChoice) -> Drawn:
    return Drawn(name, LAYERS, choice.name, DATA)


def click(what: dict[str, Any]) -> Any:  # noqa: ANN401 (as Gradio hands it on)
    return SimpleNamespace(_data=what)


def test_on_another_depth_the_list_and_the_choice_follow(
    events: ChoosingEvents, choice: EncoderChoice
) -> None:
    now, strip, card, field = events.open(Drawn(), "lower:4", ["topic"], 3, DATA, choice)
    assert now == drawn("lower:2", choice), "the upper third of three layers, as of six"
    assert strip["layers"] == LAYERS
    assert strip["name"] == card["name"] == field["value"] == "lower:2"
    assert ("one layer: the last", "lower:2") in field["choices"]
    assert [block["name"] for block in strip["blocks"] if block["layer"] is None] == ["topic"]


def test_a_click_changes_the_field_the_strip_and_the_card_alike(
    events: ChoosingEvents, choice: EncoderChoice
) -> None:
    given = (drawn("lower:2", choice), "lower:2", ["topic", "sentiment"], 3, DATA, choice)
    now, strip, card, field = events.click(given[0], click({"part": "layer 2"}), *given[1:])
    assert now.name == strip["name"] == card["name"] == field["value"] == "lower:1"
    now, strip, _, field = events.click(given[0], click({"read": 2}), *given[1:])
    assert now.name == strip["name"] == field["value"] == "heads@2"
    now, strip, _, field = events.click(given[0], click({"part": "<b>"}), *given[1:])
    assert now.name == field["value"] == "lower:2"
    assert "There is no '<b>' here" in strip["said"]


def test_what_thaws_late_is_drawn_for_the_epochs_chosen(
    events: ChoosingEvents, choice: EncoderChoice
) -> None:
    for epochs, first in ((2, 1), (12, 2)):
        given = ("gradual", ["topic"], epochs, DATA, choice)
        _, strip, _, _ = events.open(drawn("gradual", choice), *given)
        thaws = {block["part"]: block["from"] for block in strip["blocks"]}
        assert (thaws["head topic"], thaws["embeddings"] > first) == (1, True)
        assert thaws["embeddings"] <= epochs
        assert "At most" not in strip["told"]


@pytest.mark.parametrize("typed", ["", None, "<b>lowest</b>", "lower:9", "x" * 9_000])
def test_what_is_no_strategy_is_said_and_leaves_what_was_drawn(
    typed: str | None, events: ChoosingEvents, choice: EncoderChoice
) -> None:
    now, strip, _, _ = events.open(drawn("full", choice), typed, [], None, DATA, choice)
    assert now.name == strip["name"] == "full"
    assert strip["said"].endswith(".")
    assert len(strip["said"]) < 500


def test_a_head_whose_task_is_not_ticked_any_more_is_no_strategy(
    events: ChoosingEvents, choice: EncoderChoice
) -> None:
    name = "freeze-head:topic"
    now, strip, _, _ = events.open(drawn(name, choice), name, ["sentiment"], 3, DATA, choice)
    assert now.name == strip["name"] == "lower:2"
    assert "must be of: sentiment" in strip["said"]


def test_nothing_is_loaded_before_the_tab_is_opened(choice: EncoderChoice) -> None:
    events = ChoosingEvents(None)  # type: ignore[arg-type]  # it would fail to be asked
    assert len(events.follow(Drawn(), "full", [], 3, DATA, choice)) == 4
    assert len(events.notes(Drawn(), *[None] * 9)) == 7


def test_every_noted_control_has_a_sentence_of_its_value(
    events: ChoosingEvents, choice: EncoderChoice
) -> None:
    fields = [300, ["topic"], "lower:2", 1, 4, "0.1", "high", "dwa", 3]
    said = [each["info"] for each in events.notes(drawn("lower:2", choice), *fields)]
    tasks, epochs, batch, encoder, head, balance, seed = said
    assert "to itself" in tasks
    assert "One pass" in epochs
    assert "Small batches" in batch
    assert "A learning rate this high" in encoder
    assert "Empty is 0.01" in head, "what is no rate is said by the estimate"
    assert "nothing to balance" in balance
    assert "luck" in seed


@pytest.mark.parametrize(
    ("typed", "said"),
    [("", "own, 0.0003"), ("1e-3", "this high"), ("3e-4", "About"), ("1e-4", "Below"),
     ("3e-6", "this low")],
)  # fmt: skip
def test_the_note_on_a_rate_is_of_the_strategys_own(typed: str, said: str) -> None:
    assert said in encoder_note(Lower(layers=4), typed, moves=True)


def test_what_moves_nothing_says_so() -> None:
    assert "moves nothing" in encoder_note(Heads(), "1", moves=False)
    assert "nearly free" in epochs_note(Heads(), 20, moves=False)
    assert "by heart" in epochs_note(Full(), 20, moves=True)
    assert "this low" in head_note(Full(), "0.0001")
    assert "this high" in head_note(Full(), "0.5")


@pytest.mark.parametrize("layers", [1, 2, 3, 6, 12, 24])
def test_all_that_is_offered_is_a_strategy_of_such_an_encoder(layers: int) -> None:
    offered = choices(layers)
    assert len({name for _, name in offered}) == len(offered)
    for _, name in offered:
        assert parse_strategy(name, layers).name == name
    assert first_choice(layers) in [name for _, name in offered]
    assert TrainingAsk().strategy == first_choice(6)


@pytest.mark.parametrize(
    ("name", "layers", "after"),
    [
        ("lower:4", 12, "lower:8"),
        ("lower:5", 12, "lower:11"),
        ("lower:2", 1, "lower:0"),
        ("full", 12, "full"),
        ("lower:3", 12, "lower:3"),
    ],
)
def test_a_share_of_the_layers_stays_that_share(name: str, layers: int, after: str) -> None:
    assert followed(name, 6, layers) == after
