import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.config import MapSettings
from core.encoder.encoder import CancelledError, Encoder
from core.maps.document import Named, map_document
from core.maps.fields import quality_in_words
from core.report.map_page import map_page
from tests.core.conftest import Run, labelled_rows, write_rows, write_spans
from tests.tiny_tasks import save_tuned

HOSTILE = "</script><img src=x onerror=alert(1)> & \u2028 ${alert(1)}"


@pytest.fixture(scope="module")
def tiny_tuned(
    family_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Return the folder of a model whose encoder was tuned."""
    folder = tmp_path_factory.mktemp("tuned") / "model"
    save_tuned(family_folder, folder)
    return str(folder)


@pytest.fixture
def rows(tmp_path: Path) -> str:
    return write_rows(tmp_path / "rows.csv", labelled_rows(30))


def document_in(page: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="document">(.*?)</script>', page, re.S)
    assert found is not None
    return json.loads(found[1])


@pytest.mark.parametrize("method", ["pca", "umap"])
@pytest.mark.parametrize("dimensions", ["2", "3"])
def test_json_is_one_document_of_points_and_quality(
    run: Run, rows: str, tiny: str, method: str, dimensions: str
) -> None:
    code, out, _ = run(
        *("map", "--data", rows, "--encoder", tiny, "--json", "--method", method),
        *("--dimensions", dimensions, "--colour", "mood", "--threads", "1"),
    )
    assert code == 0
    document = json.loads(out)
    assert (document["method"], document["dimensions"]) == (method, int(dimensions))
    assert document["neighbours"] == (15 if method == "umap" else None)
    assert len(document["points"]) == 30
    point = document["points"][0]
    assert set(point) == {"text", "x", "y", "label", "labels"} | (
        {"z"} if dimensions == "3" else set()
    )
    assert point["label"] == point["labels"]["mood"] == "good"
    assert document["labels"] == ["bad", "good"]
    for name in ("trustworthiness", "continuity"):
        assert document[name] == document["quality"][name]["mean"]
        assert document[name] <= 1


def test_the_page_holds_all_of_it_and_asks_the_network_for_nothing(
    run: Run, rows: str, tiny: str, tmp_path: Path
) -> None:
    code, out, _ = run(
        "map", "--data", rows, "--encoder", tiny, "--out", "m.html", "--method", "pca"
    )
    assert code == 0
    assert "30 sentences on a map: m.html" in out
    assert "Trustworthiness" in out
    page = (tmp_path / "m.html").read_text("utf-8")
    assert len(document_in(page)["points"]) == 30  # type: ignore[arg-type]
    assert not re.search(r"""(src|href)\s*=\s*["']""", page)
    assert "default-src 'none'" in page


def test_no_text_can_leave_its_place_in_the_page(tiny_encoder: Encoder) -> None:
    texts = [HOSTILE, "a man is eating food", "the ferry left late", "nobody works"]
    named = Named(texts=texts, columns={"kind": [HOSTILE, "a", "b", None]}, colour="kind")
    page = map_page(map_document(tiny_encoder, named, MapSettings(method="pca")))
    assert "<img" not in page
    assert page.count("</script>") == 3
    assert document_in(page)["points"][0]["text"] == HOSTILE  # type: ignore[index]


def test_a_map_is_the_same_each_time(run: Run, rows: str, tiny: str) -> None:
    asked = ("map", "--data", rows, "--encoder", tiny, "--json", "--threads", "1")
    assert run(*asked)[1] == run(*asked)[1]


def test_plain_sentences_are_mapped_and_coloured_by_their_clusters(
    run: Run, tiny: str, tmp_path: Path
) -> None:
    (tmp_path / "s.txt").write_text("\n".join(text for text, *_ in labelled_rows(40)))
    asked = ("map", "--file", "s.txt", "--encoder", tiny, "--json", "--method", "pca")
    plain = json.loads(run(*asked)[1])
    assert {point["label"] for point in plain["points"]} == {None}
    found = json.loads(run(*asked, "--colour", "cluster")[1])
    assert {p["label"] for p in found["points"]} <= {None, *(f"cluster {k}" for k in range(1, 9))}


def test_a_column_of_a_file_colours_it(run: Run, rows: str, tiny: str) -> None:
    code, out, _ = run(
        *("map", "--file", rows, "--column", "text", "--colour", "kind", "--encoder", tiny),
        *("--json", "--method", "pca"),
    )
    assert code == 0
    assert json.loads(out)["labels"] == ["food", "travel", "work"]


def test_a_trained_model_maps_with_its_own_encoder(
    run: Run, rows: str, tiny: str, tiny_trained: str
) -> None:
    asked = ("map", "--data", rows, "--json", "--method", "pca")
    own = json.loads(run(*asked, "--model", tiny_trained)[1])
    assert own["points"] == json.loads(run(*asked, "--encoder", tiny)[1])["points"]  # heads only


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--out", "m.html"), "there is nothing to map: give --file F or --data F"),
        (("--file", "a.txt", "--data", "rows.csv", "--json"), "there is both --file and --data"),
        (("--data", "rows.csv"), "there is no place for the map: give --out map.html, or --json"),
        (("--data", "rows.csv", "--out", "m.png"), "must end in one of: .html, .htm"),
        (
            ("--data", "rows.csv", "--json", "--colour", "nope"),
            "no column 'nope' to colour by",
        ),
        (("--file", "-", "--json", "--colour", "x"), "standard input has no columns to colour by"),
        (
            ("--data", "rows.csv", "--json", "--neighbours", "30"),
            "neighbours is 30, must be",
        ),
        (("--data", "rows.csv", "--json", "--method", "tsne"), "method is 'tsne', must be one of"),
        (
            ("--data", "rows.csv", "--json", "--dimensions", "4"),
            "dimensions is 4, must be one of",
        ),
        (("--data", "rows.csv", "--json", "--metric", "dot"), "metric is 'dot', must be one of"),
        (("--data", "rows.csv", "--json", "--spread", "0"), "spread is 0.0, must be 0.1 to 10"),
        (("--file", "two.txt", "--json"), "a map needs at least 3 sentences"),
        (("--data", "rows.csv", "--json", "--place", "none.txt"), "none.txt has no sentence"),
        (("--data", "rows.csv", "--json", "--place", "many.txt"), "the most that can be placed"),
        (("--data", "rows.csv", "--json", "--place", "nowhere.txt"), "nowhere.txt"),
        (("--file", "-", "--json", "--place", "-"), "standard input can be read once"),
        (("--data", "rows.csv", "--out", "p.html", "--place", "p.html"), "is the file that is"),
        (("--data", "rows.csv", "--json", "--after", "nowhere"), "nowhere"),
    ],
)
@pytest.mark.usefixtures("rows")
def test_bad_input_is_one_sentence_and_exit_2(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "two.txt").write_text("one\ntwo\n")
    (tmp_path / "none.txt").write_text("\n \n")
    (tmp_path / "many.txt").write_text("\n".join(map(str, range(1_001))))
    code, out, err = run("map", *arguments)
    assert (code, out) == (2, "")
    assert said in err.replace("\n", " ")
    assert not (tmp_path / "m.html").exists()


PLACED = [
    "<img src=x onerror=alert(1)> & <b>",
    "a man is eating food and nobody works",
    "הרכבת איחרה",
    "word " * 600,
]


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_placed_sentences_stand_last_and_change_nothing_of_the_map(
    tiny_encoder: Encoder, method: str
) -> None:
    texts = [text for text, *_ in labelled_rows(24)]
    plain = Named(texts=texts, columns={"half": ["a", "b"] * 12}, colour="half")
    known = map_document(tiny_encoder, plain, MapSettings(method=method))
    found = map_document(
        tiny_encoder, replace(plain, placed=[*PLACED, texts[7]]), MapSettings(method=method)
    )
    assert found["points"][:24] == known["points"]
    assert (found["trustworthiness"], found["changes"]) == (known["trustworthiness"], None)
    assert (known["placed"], found["placed"], found["truncated"]) == (0, 5, 1)
    last = found["points"][24:]
    assert [point["text"] for point in last] == [*PLACED, texts[7]]
    assert {(point["label"], point["labels"]["half"]) for point in last} == {(None, None)}
    assert [last[4][axis] for axis in "xy"] == pytest.approx(
        [known["points"][7][axis] for axis in "xy"], abs=1e-3
    )


def test_before_and_after_are_one_document_and_one_page(
    run: Run, rows: str, tiny: str, tiny_tuned: str, tmp_path: Path
) -> None:
    (tmp_path / "more.txt").write_text("\n".join(PLACED), encoding="utf-8")
    code, out, err = run(
        *("map", "--data", rows, "--encoder", tiny, "--after", tiny_tuned, "--place", "more.txt"),
        *("--method", "pca", "--json", "--out", "m.html", "--threads", "1"),
    )
    assert code == 0
    assert err.count("1 of 34 sentences is longer than the") == 1, "once for both encoders"
    document = json.loads(out)
    after, moved = document["after"], document["changes"]
    assert len(document["points"]) == len(after["points"]) == 34
    assert after["points"] != [{a: p[a] for a in "xy"} for p in document["points"]]
    assert after["trustworthiness"] == after["quality"]["trustworthiness"]["mean"]
    assert len(moved["kept_of_each"]) == 30
    assert len(moved["placed"]["kept_of_each"]) == 4
    pairs = [*moved["placed"]["apart"], *moved["placed"]["together"]]
    assert pairs
    assert all(pair["b"] >= 30 for pair in pairs)
    assert all(pair["b"] < 30 for way in ("apart", "together") for pair in moved[way])
    page = (tmp_path / "m.html").read_text("utf-8")
    assert "<img" not in page
    assert document_in(page)["after"] == after
    assert "Before: Trustworthiness" in str(document_in(page)["told"])


def test_a_model_that_was_never_tuned_moves_nothing(
    run: Run, rows: str, tiny: str, tiny_trained: str
) -> None:
    asked = ("map", "--data", rows, "--encoder", tiny, "--method", "pca", "--json")
    document = json.loads(run(*asked, "--after", tiny_trained)[1])
    for before, after in zip(document["points"], document["after"]["points"], strict=True):
        assert [after[a] for a in "xy"] == pytest.approx([before[a] for a in "xy"], abs=1e-4)
    assert document["changes"]["kept"] == 1
    assert document["changes"]["placed"] is None


def test_equal_sentences_are_no_map(run: Run, tiny: str, tmp_path: Path) -> None:
    (tmp_path / "same.txt").write_text("the ferry left\n" * 8)
    code, _, err = run("map", "--file", "same.txt", "--encoder", tiny, "--json")
    assert code == 2
    assert "all 8 sentences have the same embedding" in err


def test_data_without_a_sentence_task_has_nothing_to_colour(
    run: Run, tiny: str, tmp_path: Path
) -> None:
    data = tmp_path / "spans.jsonl"
    write_spans(data, labelled_rows(12))
    asked = ("map", "--data", "spans.jsonl", "--encoder", tiny, "--json", "--method", "pca")
    document = json.loads(run(*asked, "--task", "names")[1])
    assert (document["colour"], document["labels"]) == (None, [])


def test_the_words_say_what_was_measured(tiny_encoder: Encoder) -> None:
    texts = [text for text, *_ in labelled_rows(20)]
    document = map_document(tiny_encoder, Named(texts=texts), MapSettings(method="pca"))
    assert "9 nearest of each point" in quality_in_words(document)
    document["quality"] |= {"measured": 1000, "points": 4000}
    assert "measured on 1,000 of 4,000 points" in quality_in_words(document)


def test_it_stops_when_asked_to(tiny_encoder: Encoder) -> None:
    texts = [text for text, *_ in labelled_rows(20)]
    for patience in (0, 2):  # while it encodes, and while it lays out
        calls = iter(range(10**6))
        with pytest.raises(CancelledError):
            map_document(
                tiny_encoder,
                Named(texts=texts),
                MapSettings(),
                cancelled=lambda calls=calls, most=patience: next(calls) >= most,
            )
