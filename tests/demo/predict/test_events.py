from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from core.model.model_folder import Saved, save_model
from demo.predict.events import NO_TABLE, ONE, OWN, PredictEvents, link_of
from demo.predict.examples import EXAMPLES, shipped_example
from demo.predict.predictions import Given, Predicted
from demo.shelves.models import ModelShelf
from tests.tiny_tasks import tiny_model

PAGE = gr.Request(session_hash="mine")


@pytest.fixture(scope="module")
def events(
    family_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> PredictEvents:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_model(tiny_model(family_folder), folder, {}, Saved())
    return PredictEvents(ModelShelf(folder))


def last(updates: Any) -> Any:  # noqa: ANN401 (a generator's own)
    return list(updates)[-1]


def test_one_sentence_gives_all_there_is_to_see_and_no_table(events: PredictEvents) -> None:
    one, many, predicted, status, _ = last(events.predict("Anna went to Oslo.", PAGE))
    assert one["text"] == "Anna went to Oslo."
    assert one["share"] == {"predict": "Anna went to Oslo."}
    assert many == NO_TABLE
    assert predicted.texts == ("Anna went to Oslo.",)
    assert status == ""


def test_several_give_a_table_and_all_of_the_first(events: PredictEvents) -> None:
    one, many, predicted, *_ = last(events.predict("It works.\n\nIt broke.\n", PAGE))
    assert (one["title"], one["text"]) == ("Sentence 1", "It works.")
    assert [row["text"] for row in many["rows"]] == ["It works.", "It broke."]
    opened = events.open_row(predicted, gr.EventData(None, {"row": 1}))
    assert (opened["title"], opened["text"]) == ("Sentence 2", "It broke.")
    for row in (2, -1, "1", None):
        with pytest.raises(gr.Error):
            events.open_row(predicted, gr.EventData(None, {"row": row}))


@pytest.mark.parametrize("text", ["", " \n\t\n", None])
def test_nothing_to_predict_is_told(text: Any, events: PredictEvents) -> None:  # noqa: ANN401
    with pytest.raises(gr.Error, match="There is no sentence yet"):
        list(events.predict(text, PAGE))


def test_an_uploaded_file_is_predicted_and_removed_when_it_is_taken_away(
    events: PredictEvents, tmp_path: Path
) -> None:
    path = tmp_path / "own" / "a.csv"
    path.parent.mkdir()
    path.write_text("id,text\n1,It works.\n2,It broke.\n")
    _, many, *_ = last(events.upload(str(path), "", PAGE))
    assert len(many["rows"]) == 2
    with pytest.raises(gr.Error, match="no column &#x27;nope&#x27;"):
        list(events.upload(str(path), "nope", PAGE))
    assert path.is_file()
    assert all("value" not in str(update) for update in last(events.upload(None, "", PAGE)))
    assert not path.exists()


def test_downloads_follow_the_threshold_on_the_page(events: PredictEvents) -> None:
    predicted = last(events.predict("It works.\nIt broke.", PAGE))[2]
    assert events.save(predicted, ONE, 100, kind="csv").count(",true,") == 4
    assert events.save(predicted, OWN, 100, kind="csv").count(",true,") == 0
    with pytest.raises(gr.Error):
        events.save(predicted, OWN, 100, kind="xlsx")


def test_an_example_is_there_before_the_model_is() -> None:
    events = PredictEvents(ModelShelf())
    one, many, predicted, *_ = last(events.example(EXAMPLES[1])(PAGE))
    assert one == shipped_example(EXAMPLES[1])[0]
    assert (many, predicted.texts) == (NO_TABLE, (EXAMPLES[1].text,))
    assert not events.models.is_ready()


def test_a_page_with_another_model_computes_its_worked_example(events: PredictEvents) -> None:
    request = gr.Request(session_hash="mine")
    request.kwargs = {"query_params": {}}
    _, _, one, *_ = last(events.open_link(request))
    assert one["text"] == EXAMPLES[0].text
    assert "tiny" in one["notes"][-1].lower()


def test_a_link_holds_what_was_typed_unless_it_is_too_long_or_a_files() -> None:
    assert link_of(Given(texts=("a", "b"))) == {"predict": "a\nb"}
    assert link_of(Given(texts=("a" * 2_000,))) == {}
    assert link_of(Given(texts=("a",), shared=False)) == {}


def test_a_model_that_is_not_there_is_told_in_a_sentence(tmp_path: Path) -> None:
    events = PredictEvents(ModelShelf(tmp_path / "none"))
    events.models.warm_up()
    with pytest.raises(gr.Error, match="is no model folder"):
        list(events.predict("It works.", PAGE))


def test_what_is_kept_of_predictions_is_small() -> None:
    row = shipped_example(EXAMPLES[0])[1]
    assert len(Predicted.of([row] * 1_000).packed) < 100_000
