from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest

from core.config import EncoderChoice, MapSettings
from core.encoder.encoder import Encoder
from demo.endpoints.map import map_with
from demo.map.drawing import (
    BOTH,
    DATA,
    OWN,
    PRETRAINED,
    TUNED,
    MapQuestion,
    grouped,
    lay_out,
    predicted,
    prepare,
)
from demo.map.events import MapEvents
from demo.map.examples import same_sentences, shipped_map
from demo.map.placing import place_on
from demo.map.shelf import MOST_MAPS, SHIPPED, Column, DrawnMap, MapShelf
from demo.map.views import Shown, map_view, nearest_points, point_view
from demo.shelves.encoders import EncoderShelf
from demo.shelves.models import OWN_MODEL, ModelShelf
from demo.shelves.working_data import DataShelf, WorkingData
from tests.core.conftest import labelled_rows, write_rows
from tests.tiny_tasks import save_tuned

PAGE, OTHER = gr.Request(session_hash="mine"), gr.Request(session_hash="other")
TEXTS = tuple(text for text, *_ in labelled_rows(24))
HOSTILE = '=1+1 <img src=x onerror="alert(1)">'


def nothing(*_: object) -> bool:
    return False


@pytest.fixture(scope="module")
def shelf(
    family_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MapShelf]:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_tuned(family_folder, folder)
    encoder = EncoderChoice(name=str(family_folder("minilm")))
    made = MapShelf(EncoderShelf(encoder, local=True), ModelShelf(folder), DataShelf())
    yield made
    if made.is_ready():
        made.worker.close()


def asked(shelf: MapShelf, **changes: Any) -> MapQuestion:  # noqa: ANN401 (any field)
    settings = MapSettings(method=changes.pop("method", "pca"))
    question = MapQuestion(
        source=OWN,
        text="\n".join(TEXTS),
        encoders=PRETRAINED,
        settings=settings,
        choice=shelf.encoders.default,
        data=WorkingData(),
    )
    return replace(question, **changes)


def drawn(shelf: MapShelf, **changes: Any) -> DrawnMap:  # noqa: ANN401 (any field)
    prepared = prepare(shelf, asked(shelf, **changes), lambda *_: None, nothing)
    return lay_out(prepared, shelf, at_once=False, progress=lambda *_: None, cancelled=nothing)


def own_data(shelf: MapShelf, folder: Path) -> WorkingData:
    write_rows(folder / "rows.csv", labelled_rows(30))
    return shelf.data.take(str(folder / "rows.csv"), "mine")


def test_the_shipped_map_is_that_of_the_corpus_by_the_built_in_encoder(
    shelf: MapShelf, default_encoder: Encoder
) -> None:
    found = shelf.shipped()
    assert same_sentences(found.texts) == shipped_map().sentences
    assert {"topic", "sentiment", "register", "topic, right or wrong"} <= {
        column.name for column in found.columns
    }
    some = range(0, len(found.texts), 400)
    exact = default_encoder.encode([found.texts[i] for i in some]).vectors.numpy()
    kept = found.vectors[list(some)]
    cosines = (kept * exact).sum(axis=1) / np.linalg.norm(kept, axis=1)
    assert cosines.min() > 0.9999, "8 bits a number keep the second decimal of every cosine"
    assert found.fields["trustworthiness"] > 0.7
    assert Path("assets/examples/map.safetensors").stat().st_size < 2_500_000


def test_the_nearest_are_found_by_cosine_among_the_embeddings(shelf: MapShelf) -> None:
    found = drawn(shelf)
    unit = found.vectors / np.linalg.norm(found.vectors, axis=1, keepdims=True)
    cosines = unit @ unit[3]
    cosines[3] = -1
    near = nearest_points(found.vectors, 3)
    assert [i for i, _ in near] == np.argsort(-cosines)[:10].tolist()
    assert near[0][1] == pytest.approx(cosines.max(), abs=1e-5)
    assert [each["i"] for each in point_view(found, 3)["near"]] == [i for i, _ in near]


def test_own_data_brings_its_labels_as_columns(shelf: MapShelf, tmp_path: Path) -> None:
    found = drawn(shelf, source=DATA, data=own_data(shelf, tmp_path))
    assert [column.name for column in found.columns] == ["kind", "mood"]
    assert found.columns[0].value(1) == "food"
    view = map_view(found, Shown(key="k"))
    assert len(view["places"]) == 2
    assert len(view["places"][0]) == len(view["texts"]) == 30
    shelf.data.keep_only("mine")


def test_sentences_are_placed_on_a_map_and_its_points_stay(shelf: MapShelf) -> None:
    found = drawn(shelf)
    later = place_on(shelf, found, f"{TEXTS[5]}\nsomething new", lambda *_: None, nothing)
    assert np.array_equal(later.places[:24], found.places)
    assert later.places[24] == pytest.approx(found.places[5], abs=1e-4)
    assert (later.placed, later.texts[24:]) == (2, (TEXTS[5], "something new"))
    again = place_on(shelf, later, "another", lambda *_: None, nothing)
    assert again.texts[24:] == ("another",)
    with pytest.raises(ValueError, match="there is no sentence to place"):
        place_on(shelf, found, " \n", lambda *_: None, nothing)


def test_before_and_after_are_drawn_in_one_frame_with_what_moved(shelf: MapShelf) -> None:
    found = drawn(shelf, encoders=BOTH)
    assert found.after is not None
    assert found.changes is not None
    view = map_view(found, Shown(key="k"))
    assert len(view["after"]["places"][0]) == 24
    assert view["moved"]["neighbours"] == 10
    assert "After: trustworthiness" in view["after"]["told"]
    assert len(point_view(found, 2)["after"]["near"]) == 10


def test_sentences_are_placed_on_both_maps_of_a_pair_and_told_apart(shelf: MapShelf) -> None:
    found = drawn(shelf, encoders=BOTH)
    assert found.after is not None
    text = f"{TEXTS[5]}\n{HOSTILE}\nהרכבת איחרה"
    later = place_on(shelf, found, text, lambda *_: None, nothing)
    assert later.after is not None
    for before, now in ((found, later), (found.after, later.after)):
        assert np.array_equal(now.places[:24], before.places)
        assert np.array_equal(now.vectors[:24], before.vectors)
        assert now.places[24] == pytest.approx(before.places[5], abs=1e-3)
    assert not np.allclose(later.places[24:], later.after.places[24:], atol=1e-3)
    assert later.changes is found.changes, "the map's own list stays"
    view, was = (map_view(each, Shown(key="k")) for each in (later, found))
    assert {name: view["moved"][name] for name in was["moved"] if name != "placed"} == {
        name: value for name, value in was["moved"].items() if name != "placed"
    }
    assert (view["placed"], was["moved"]["placed"]) == (3, None)
    assert len(view["places"][0]) == len(view["after"]["places"][0]) == len(view["texts"]) == 27
    placed = view["moved"]["placed"]
    assert sorted(each["i"] for each in placed["least"]) == [24, 25, 26]
    assert all(pair["b"] >= 24 for pair in (*placed["apart"], *placed["together"]))
    point = point_view(later, 25)
    assert (point["text"], len(point["after"]["near"])) == (HOSTILE, 10)
    assert any(each["i"] >= 24 for each in point_view(later, 5)["after"]["near"]), "its twin"
    again = place_on(shelf, later, "another", lambda *_: None, nothing)
    assert again.after is not None
    assert (len(again.texts), len(again.places), len(again.after.places)) == (25, 25, 25)


def test_a_placed_sentence_that_is_too_long_or_none_is_told(shelf: MapShelf) -> None:
    long = "\n".join(["word " * 300, "short"])
    for encoders in (PRETRAINED, BOTH):
        found = drawn(shelf, encoders=encoders)
        later = place_on(shelf, found, long, lambda *_: None, nothing)
        [note] = later.placed_notes
        assert "1 of 2 sentences is longer than the 32 tokens" in note
        for text, said in (
            ("", "there is no sentence to place"),
            ("x" * 100_001, "has 100,001 characters"),
            ("\n".join(map(str, range(1_001))), "must be at most 1,000"),
        ):
            with pytest.raises(ValueError, match=said):
                place_on(shelf, found, text, lambda *_: None, nothing)
    whole = "\n".join(["word " * 300, *TEXTS[:5]])
    assert "1 of 6 sentences is longer" in drawn(shelf, text=whole, encoders=BOTH).notes[0]


def test_the_model_s_own_encoder_can_be_mapped(shelf: MapShelf) -> None:
    assert drawn(shelf, encoders=TUNED).made_with == "the model's encoder"


def test_predictions_become_columns_and_verdicts_where_labels_are_known(shelf: MapShelf) -> None:
    found = predicted(shelf, drawn(shelf), OWN_MODEL, lambda *_: None, nothing)
    names = [column.name for column in found.columns]
    assert names
    assert all(name.endswith(", predicted") for name in names), "nothing is known of these"
    task = names[0].partition(",")[0]
    known = found.columns[0]
    values = [known.value(i) for i in range(12)] + ["another"] * 6 + [None] * 6
    labelled = replace(found, columns=(Column.of(task, values),))
    verdict = predicted(shelf, labelled, OWN_MODEL, lambda *_: None, nothing).columns[2]
    assert verdict.kind == "verdict"
    assert verdict.codes == (0,) * 12 + (1,) * 6 + (-1,) * 6


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"text": ""}, "there is no sentence"),
        ({"text": "one"}, "at least 3 sentences with different embeddings, and there is 1"),
        ({"text": "one\ntwo"}, "and there are 2"),
        ({"text": "same\n" * 9}, "all 9 sentences have the same embedding"),
        ({"settings": MapSettings(method="pca", neighbours=24)}, "must be 2 to 23"),
        ({"source": "elsewhere"}, "what to draw is 'elsewhere'"),
        ({"text": "\n".join(map(str, range(10_001)))}, "must be at most 10,000"),
    ],
)
def test_bad_input_gets_one_sentence(shelf: MapShelf, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        drawn(shelf, **changes)


def test_maps_are_kept_within_bounds_and_go_with_their_page(shelf: MapShelf) -> None:
    found = drawn(shelf)
    first = shelf.keep(found, "mine")
    mine = [shelf.keep(found, "mine") for _ in range(2)]
    theirs = shelf.keep(found, "other")
    shelf.forget("mine", mine[1])
    for key in (first, mine[0], "guessed"):
        with pytest.raises(ValueError, match="not kept here any more"):
            shelf.get(key)
    assert shelf.get(mine[1]) is shelf.get(theirs) is found
    for _ in range(MOST_MAPS):
        shelf.keep(found, "other")
    with pytest.raises(ValueError, match="draw it again"):
        shelf.get(mine[1])


def draw(events: MapEvents, page: gr.Request = PAGE, **changes: Any) -> list[Any]:  # noqa: ANN401
    fields = {
        "source": OWN,
        "text": "\n".join(TEXTS),
        "encoders": PRETRAINED,
        "method": "PCA",
        "axes": "2-D",
        "neighbours": 0,
        "spread": 1,
        "metric": "cosine",
        "seed": 0,
    } | changes
    default = events.shelf.encoders.default
    return list(events.draw(*fields.values(), "", default, WorkingData(), OWN_MODEL, page))


def drawn_views(updates: list[Any]) -> list[tuple[dict[str, Any], str]]:
    return [(u[0], u[1]) for u in updates if isinstance(u[0], dict) and "texts" in u[0]]


def test_a_page_draws_picks_saves_and_forgets(shelf: MapShelf) -> None:
    events = MapEvents(shelf)
    text = "\n".join([HOSTILE, *TEXTS])
    [(view, key)] = drawn_views(draw(events, text=text))
    assert view["texts"][0] == HOSTILE, "the browser only ever shows it as text"
    picked = events.pick(key, OWN_MODEL, gr.EventData(None, {"i": 0}))
    assert picked["text"] == HOSTILE
    assert picked["predictions"]
    sheet = events.save(key, gr.EventData(None, {"points": [0, 2]}))
    assert sheet.count("\r\n") == 3
    assert "'=1+1 <img" in sheet
    assert events.save(key, gr.EventData(None, {"points": None})).count("\r\n") == 26
    for wrong in ({"i": 25}, {"i": -1}, {"i": "x"}, {}):
        with pytest.raises(gr.Error):
            events.pick(key, OWN_MODEL, gr.EventData(None, wrong))
    for wrong in ({"points": []}, {"points": [99]}, {"points": "all"}):
        with pytest.raises(gr.Error):
            events.save(key, gr.EventData(None, wrong))
    events.close(PAGE)
    with pytest.raises(gr.Error, match="not kept here any more"):
        events.pick(key, OWN_MODEL, gr.EventData(None, {"i": 0}))


def test_a_page_places_on_before_and_after_and_saves_both_places(shelf: MapShelf) -> None:
    events = MapEvents(shelf)
    [(_, key)] = drawn_views(draw(events, encoders=BOTH))
    *_, (view, key, *_) = events.place(f"{HOSTILE}\n{'long ' * 300}", key, PAGE)
    assert (view["placed"], view["texts"][24]) == (2, HOSTILE)
    assert view["notes"][-2] == "2 sentences placed on it, marked by a ring."
    assert "longer than the 32 tokens" in view["notes"][-1]
    sheet = events.save(key, gr.EventData(None, {"points": [24]}))
    assert "x_after" in sheet
    assert "'=1+1 <img" in sheet
    picked = events.pick(key, OWN_MODEL, gr.EventData(None, {"i": 24}))
    assert len(picked["after"]["near"]) == 10
    events.close(PAGE)


def test_a_wrong_setting_is_told_in_one_sentence(shelf: MapShelf) -> None:
    events = MapEvents(shelf)
    for changes, said in (
        ({"axes": "4-D"}, "“Axes” is 0"),
        ({"method": "tsne"}, "“Method” is"),
        ({"metric": "dot"}, "“Measure” is"),
        ({"neighbours": 99}, "“Neighbours” is 99, must be 2 to 23"),
        ({"seed": None}, "None is not a whole number"),
        ({"spread": 99}, "“Spread” is 99"),
        ({"spread": None}, "must be a number"),
    ):
        with pytest.raises(gr.Error, match=said):
            draw(events, **changes)


@pytest.mark.slow
def test_pca_comes_first_while_umap_is_made_ready_and_groups_are_found(shelf: MapShelf) -> None:
    events = MapEvents(shelf)
    assert not shelf.is_ready()
    updates = draw(events, method="UMAP")
    first, last = drawn_views(updates)
    assert (first[0]["method"], first[0]["final"]) == ("pca", False)
    assert "being made ready" in first[0]["notes"][0]
    assert (last[0]["method"], last[0]["final"]) == ("umap", True)
    assert any("made ready" in str(update[2]) for update in updates), "the page says so"
    key = last[1]
    *_, (columns, key, _, _) = (
        u for u in events.colour(key, OWN_MODEL, gr.EventData(None, {"what": "groups"}), PAGE)
        if isinstance(u[0], dict) and "columns" in u[0]
    )  # fmt: skip
    assert [column["kind"] for column in columns["columns"]] == ["group", "group"]
    grown = shelf.get(key)
    assert len(grown.columns) == 2
    assert len(drawn_views(draw(events, method="UMAP"))) == 1, "few points are there at once"
    placed = place_on(shelf, grown, TEXTS[4], lambda *_: None, nothing)
    assert placed.places[24] == pytest.approx(placed.places[4])
    both = drawn(shelf, encoders=BOTH, method="umap")
    later = place_on(shelf, both, f"{TEXTS[4]}\nanother", lambda *_: None, nothing).after
    assert later is not None
    assert later.places[24] == pytest.approx(later.places[4], abs=1e-3)
    assert later.places.shape == (26, 2)
    assert len(grouped(shelf, placed, nothing).columns[0].codes) == 25


@pytest.mark.slow
def test_the_endpoint_returns_the_command_line_s_document(shelf: MapShelf) -> None:
    answer = map_with(shelf)
    for method in ("pca", "umap"):
        document = answer("\n".join(TEXTS), method=method, dimensions=3)
        assert len(document["points"]) == 24
        assert set(document["points"][0]) == {"text", "x", "y", "z", "label", "labels"}
        assert document["method"] == method
        assert document == answer(list(TEXTS), method=method, dimensions=3)
        more = answer(list(TEXTS), method=method, dimensions=3, place=HOSTILE, after=True)
        assert more["points"][:24] == document["points"]
        assert (more["placed"], more["points"][24]["text"]) == (1, HOSTILE)
        assert set(more["after"]["points"][24]) == {"x", "y", "z"}
        assert len(more["changes"]["placed"]["kept_of_each"]) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("one\ntwo",), "at least 3 sentences"),
        ((7,), "must be text or a list of texts"),
        (("a\nb\nc", "tsne"), "Method is"),
        (("a\nb\nc", "pca", 2, 3), "must be 2 to 2"),
        (("a\nb\nc", "pca", 2.5), "2.5 is not a whole number"),
        (("a\nb\nc", "pca", 2, None, None), "must be a number"),
        (("a\nb\nc", "pca", 2, None, 1, "cosine", 0, "", "", ["x"] * 1_001), "at most 1,000"),
        (("a\nb\nc", "pca", 2, None, 1, "cosine", 0, "", "", [7]), "Sentence 1 is a int"),
    ],
)
def test_the_endpoint_refuses_bad_input(
    shelf: MapShelf, arguments: tuple[Any, ...], said: str
) -> None:
    with pytest.raises(gr.Error, match=said):
        map_with(shelf)(*arguments)


def test_the_first_map_on_a_page_is_the_shipped_one_and_starts_getting_ready(
    shelf: MapShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    monkeypatch.setattr(shelf, "get_ready", lambda: started.append(True))
    events = MapEvents(shelf)
    [(view, key, *_)] = list(events.open("", EncoderChoice(), PAGE))
    assert (key, view["colour"], started) == (SHIPPED, "topic", [True])
    assert events.pick(key, OWN_MODEL, gr.EventData(None, {"i": 3}))["facts"][0]["name"] == "topic"
    [skipped] = list(events.open(key, EncoderChoice(), PAGE))
    assert all(isinstance(update, dict) for update in skipped), "it stays as it is"


@pytest.mark.slow
def test_stop_ends_a_map_that_is_laid_out_and_what_was_drawn_stays(shelf: MapShelf) -> None:
    events, stopped = MapEvents(shelf), False
    fields = [OWN, "\n".join(f"{text} {n}" for n in range(400) for text in TEXTS), PRETRAINED]
    layout = ("UMAP", "2-D", 0, 1.0, "cosine", 0)
    default = shelf.encoders.default
    updates = []
    for update in events.draw(*fields, *layout, "", default, WorkingData(), OWN_MODEL, PAGE):
        updates.append(update)
        if "progress" in str(update[2]) and drawn_views(updates) and not stopped:
            stopped = True  # PCA is drawn, and UMAP on its way
            events.stop(PAGE)
    assert stopped, [each[2] for each in updates]
    assert "Stopped" in str(updates[-1][2])
    [(view, key)] = drawn_views(updates)
    assert view["method"] == "pca"
    assert events.pick(key, OWN_MODEL, gr.EventData(None, {"i": 1}))["point"] == 1
    assert len(drawn_views(draw(events, method="UMAP"))) >= 1, "the next one is drawn"


def test_a_file_that_cannot_be_read_is_told_in_the_page_s_words(
    shelf: MapShelf, tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text("kind,mood\n1,2\n3,4\n5,6\n")
    data = shelf.data.take(str(tmp_path / "rows.csv"), "mine")
    with pytest.raises(ValueError, match=r"rows\.csv") as error:
        drawn(shelf, source=DATA, data=data)
    assert "--" not in str(error.value)
    assert str(Path(data.choice.source).parent) not in str(error.value)
    shelf.data.keep_only("mine")
