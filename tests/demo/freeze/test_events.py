"""What the Freeze tab's callbacks give: plain values, checked as they come from a browser."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from core.config import DataChoice, EncoderChoice
from core.data.dataset import read_dataset
from core.knowledge.layer_profile import profile_of
from demo.freeze.events import FreezingEvents, first_view
from demo.freeze.examples import compute_example, shipped
from demo.freeze.profiles import MOST_PROFILED, ProfileShelf, axis, lead, profile_view
from demo.shelves.encoders import EncoderShelf
from demo.shelves.working_data import DataShelf, WorkingData
from demo.strategies.cards import MOST_CHOSEN
from tests.demo.shelves.test_working_data import uploaded

REQUEST: Any = SimpleNamespace(session_hash="ann")
CORPUS = WorkingData()
COMMAND = "run python -m demo.freeze.examples"


@pytest.fixture
def tiny_choice(family_folder: Any) -> EncoderChoice:  # noqa: ANN401 (a fixture)
    return EncoderChoice(name=str(family_folder("minilm")))


@pytest.fixture
def events(tiny_choice: EncoderChoice) -> FreezingEvents:
    return FreezingEvents(ProfileShelf(EncoderShelf(tiny_choice, local=True), DataShelf()))


def asked(**data: Any) -> gr.EventData:  # noqa: ANN401 (whatever a browser sends)
    return gr.EventData(None, data)


def last(updates: Iterator[Any]) -> Any:  # noqa: ANN401
    return list(updates)[-1]


def moods(folder: Path, rows: int) -> str:
    lines = [f"Sentence number {n} about the {'sun' if n % 2 else 'rain'}." for n in range(rows)]
    labels = ["good" if n % 2 else "bad" for n in range(rows)]
    text = "text,mood\n" + "\n".join(f"{a},{b}" for a, b in zip(lines, labels, strict=True))
    return uploaded(folder, text)


def test_what_is_shipped_is_of_this_corpus_and_this_encoder(default_encoder: Any) -> None:  # noqa: ANN401
    found, corpus = shipped(), read_dataset(DataChoice(source="corpus"))
    assert found["fingerprint"] == corpus.fingerprint, COMMAND
    profile = found["profile"]
    assert profile["rows"] == len(corpus.examples), COMMAND
    assert profile_of(profile).best == profile["best"]
    again = compute_example(profile)
    assert json.loads(json.dumps(again)) == found, f"{COMMAND} --keep-profile"
    assert default_encoder.layers == profile["layers"]


@pytest.mark.slow
def test_the_shipped_profile_is_what_the_encoder_gives_of_some_rows(default_encoder: Any) -> None:  # noqa: ANN401
    """On a sample the scores lie near those of all rows, or below: fewer rows teach less."""
    from core.knowledge.layer_profile import profile_document

    sample = profile_document(
        default_encoder, read_dataset(DataChoice(source="corpus", rows=600, tasks=("topic",)))
    )
    for mine, shipped_score in zip(
        sample["tasks"]["topic"], shipped()["profile"]["tasks"]["topic"], strict=True
    ):
        low, high = mine["accuracy"]["low"] - 0.08, mine["accuracy"]["high"] + 0.2
        assert low < shipped_score["accuracy"]["mean"] < high, COMMAND


def test_the_first_view_needs_no_encoder_and_says_where_what_one_needs_is_known() -> None:
    view = first_view()
    assert view["strip"]["name"] == "lower:4"
    assert len(view["profile"]["tasks"]) == 3
    assert "sentiment at layer" in view["profile"]["lead"]
    assert "full" in view["chosen"]


def test_a_click_and_a_typed_name_are_drawn(
    events: FreezingEvents, tiny_choice: EncoderChoice
) -> None:
    given = ("lower:1", ("heads",), CORPUS, tiny_choice)
    name, view, status, _ = last(events.draw(*given, asked(part="layer 3"), REQUEST))
    assert name == view["strip"]["name"] == "freeze:0-1+3"
    assert view["chosen"] == ["heads"]
    assert status == ""
    name, view, *_ = last(events.draw(*given, asked(name=" lower:2@auto "), REQUEST))
    assert name == "lower:2@auto"
    name, view, *_ = last(events.draw(*given, asked(read=1), REQUEST))
    assert name == "heads@1", "nothing of the encoder would train"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"name": "lowest"}, "Strategy is 'lowest', must be one of: frozen, heads"),
        ({"name": "x" * 500}, "A strategy's name is text of up to 200 characters"),
        ({"name": 7}, "A strategy's name is text"),
        ({"read": 9}, "must be @0 to @3"),
        ({"read": "layer 2"}, "Heads read a layer, auto or mix, not 'layer 2'"),
        ({"read": None}, "Heads read a layer"),
        ({"read": 1.5}, "Heads read a layer"),
        ({"part": "<b>layer</b>"}, "There is no '<b>layer</b>' here"),
    ],
)
def test_what_cannot_be_drawn_is_said_and_the_strip_stays(
    events: FreezingEvents, tiny_choice: EncoderChoice, data: dict[str, Any], said: str
) -> None:
    given = ("lower:1", (), CORPUS, tiny_choice)
    name, view, *_ = last(events.draw(*given, asked(**data), REQUEST))
    assert name == view["strip"]["name"] == "lower:1"
    assert said in view["strip"]["said"]


def test_strategies_are_chosen_left_out_and_reset(
    events: FreezingEvents, tiny_choice: EncoderChoice
) -> None:
    def choose(names: tuple[str, ...], **data: Any) -> tuple[str, ...]:  # noqa: ANN401
        chosen, cards, strip = events.choose("lower:1", names, CORPUS, tiny_choice, asked(**data))
        assert [each["name"] for each in cards["chosen"]] == list(chosen) == strip["chosen"]
        return chosen

    assert choose(("heads",), add="freeze:0+2") == ("heads", "freeze:0+2")
    assert choose(("heads",), add="heads") == ("heads",)
    assert choose(("heads", "full"), remove="heads") == ("full",)
    assert choose((), reset=True) == (
        *("heads", "heads@auto", "lower:1@auto", "lower:1", "lower:2", "full"),
    )
    many = (
        *(f"heads@{layer}" for layer in range(4)),
        *("heads", "full", "lora", "bitfit", "gradual", "lp-ft", "frozen", "layerwise-lr"),
    )
    assert len(many) == MOST_CHOSEN
    with pytest.raises(gr.Error, match="which is the most the page compares at once"):
        choose(many, add="lower:1")
    with pytest.raises(gr.Error, match="must be one of: frozen, heads"):
        choose((), add="lowest")


def test_data_of_ones_own_is_drawn_at_once_and_profiled_after(
    events: FreezingEvents, tiny_choice: EncoderChoice, tmp_path: Path
) -> None:
    data = events.profiles.data.take(moods(tmp_path, 24), "ann")
    shown, drawn, chosen, view, cards, *_ = last(events.open(None, data, tiny_choice, REQUEST))
    assert shown == (tiny_choice.name, data)
    assert [b["name"] for b in view["strip"]["blocks"] if b["layer"] is None] == ["mood"]
    assert view["profile"] is None
    assert [each["name"] for each in cards["chosen"]] == list(chosen)
    assert last(events.profile(data, tiny_choice, REQUEST))[0] == ""
    view = events.redraw(drawn, chosen, data, tiny_choice)
    assert [task["name"] for task in view["profile"]["tasks"]] == ["mood"]
    assert len(view["profile"]["tasks"][0]["scores"]) == 4
    assert list(events.open(shown, data, tiny_choice, REQUEST)) == [(gr.skip(),) * 7]


def test_of_many_rows_a_sample_is_profiled_and_too_few_are_told(
    events: FreezingEvents, tiny_choice: EncoderChoice, tmp_path: Path
) -> None:
    large = events.profiles.data.take(moods(tmp_path, MOST_PROFILED + 100), "ann")
    document = events.profiles.compute(large, tiny_choice, lambda *_: None, lambda: False)
    assert document["rows"] == MOST_PROFILED
    small = events.profiles.data.take(moods(tmp_path, 4), "ann")
    status, _ = last(events.profile(small, tiny_choice, REQUEST))
    assert "No layer profile:" in status
    assert str(tmp_path) not in status
    view = events.redraw("lower:1", (), small, tiny_choice)
    assert view["profile"] is None


def test_the_answer_names_layers_below_the_last() -> None:
    def document(**best: int) -> dict[str, Any]:
        return {"layers": 6, "best": best}

    assert lead(document(topic=6)) == "Every task is read best at the last layer."
    assert lead(document(topic=5, mood=0)) == (
        "What you need is known below the last layer: topic at layer 5, mood at the embeddings."
    )
    assert lead(document(topic=6, mood=3)) == (
        "Known best below the last layer: mood at layer 3. At the last: topic."
    )


def test_an_axis_holds_every_interval_in_whole_tenths() -> None:
    def of(low: float, high: float) -> list[float]:
        return axis([{"mean": (low + high) / 2, "low": low, "high": high}])

    assert of(0.31, 0.62) == [0.3, 0.7]
    assert of(0.81, 0.84) == [0.7, 1.0]
    assert of(0.98, 1.0) == [0.7, 1.0]
    assert of(0.0, 0.05) == [0.0, 0.3]


def test_hostile_names_stay_text_in_the_profile() -> None:
    score = {"mean": 0.5, "low": 0.4, "high": 0.6}
    document = {
        **{"encoder": "e", "layers": 1, "rows": 9, "folds": 3, "notes": []},
        "tasks": {"<b>x</b>": [{"layer": k, "accuracy": score} for k in range(2)]},
        "best": {"<b>x</b>": 0},
        "text": {"<b>x</b>": "<b>x</b> is read best at layer 0"},
    }
    view = profile_view(document, CORPUS)
    assert view["tasks"][0]["name"] == "<b>x</b>", "the page draws it as text"
