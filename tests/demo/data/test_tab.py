"""The Data tab's callbacks and views, on data with planted faults."""

import csv
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from core.config import FOLDS, DataChoice, EncoderChoice
from core.data.dataset import read_dataset
from core.task import Task
from demo.data.events import DataEvents
from demo.data.form import choice_from, renames_of, with_rename
from demo.data.rows import SHOWN_CHARACTERS, read_query
from demo.data.views import MOST_BARS, look_over
from demo.frame import work
from demo.frame.spoken import as_page_says, as_script_says
from demo.shelves.working_data import CORPUS_DATA, DataShelf, WorkingData
from demo.sidebar.sidebar import data_line

REQUEST = gr.Request(session_hash="one page")
ENCODER = EncoderChoice()
HOSTILE = "<img src=x onerror=alert(1)>"

TEXTS = [
    *("The soup came hot and quickly.", "Our waiter forgot half of what we had ordered."),
    *("A lovely terrace above the old harbour.", "Never again will I book this hotel."),
    *("The mattress was softer than at home.", "Somebody had smoked in the room before us."),
    *("They found my lost scarf within an hour.", "Parking costs more than the dinner did."),
    *("Breakfast is served until noon on Sundays.", "The lift broke twice during our stay."),
    *("I slept like a stone for three nights.", "Wi-Fi dropped whenever it started to rain."),
]


def planted() -> list[list[str]]:
    """Rows with an exact repeat, a conflict, a leak, an empty text, a formula and markup."""
    rows = [[text, "bad" if n % 2 else "good", "train"] for n, text in enumerate(TEXTS)]
    rows[8][2] = rows[9][2] = "test"
    rows.append(rows[0][:])  # repeated
    rows.append([rows[2][0], "bad", "train"])  # contradicted
    rows.append([rows[4][0], "good", "test"])  # leaked
    rows.append(["", "good", "train"])
    rows.append(["=1+1 is what the bill said", HOSTILE, "train"])
    return rows


def as_csv(rows: list[list[str]], header: tuple[str, ...] = ("review", "mood", "split")) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([header, *rows])
    return out.getvalue()


@pytest.fixture(scope="module")
def shelf() -> DataShelf:
    return DataShelf()  # shared, so that the corpus is looked over once


@pytest.fixture
def events(shelf: DataShelf) -> Iterator[DataEvents]:
    events = DataEvents(shelf)
    yield events
    events.close(REQUEST)


def upload(
    events: DataEvents, folder: Path, content: str | bytes, name: str = "hotel.csv"
) -> tuple[Any, ...]:
    """Upload a file as a page does, and return the last updates."""
    path = folder / "upload" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = list(events.upload(str(path), CORPUS_DATA, CORPUS_DATA, ENCODER, REQUEST))
    return found[-1]


def told(**fields: Any) -> gr.EventData:  # noqa: ANN401
    return gr.EventData(None, fields)


def is_skip(update: object) -> bool:
    return isinstance(update, dict) and update.get("__type__") == "update"


def test_the_tab_opens_on_the_corpus_and_only_once(events: DataEvents) -> None:
    last = list(events.open(False, CORPUS_DATA, CORPUS_DATA, ENCODER, REQUEST))[-1]
    _, shown, view, rows, *_ = last
    assert shown.is_corpus
    assert view["inUse"]
    assert view["answer"]["lead"].startswith("The corpus: ")
    assert view["cross"]["outer"]["name"] == "topic"
    assert [bars["title"] for bars in view["bars"]][-1] == "register"
    assert rows["total"] == rows["matching"] > 2_000
    assert any("label" in piece for row in rows["rows"] for piece in row["pieces"])
    again = list(events.open(True, CORPUS_DATA, CORPUS_DATA, ENCODER, REQUEST))
    assert all(is_skip(update) for update in again[-1])


def test_the_corpus_is_searched_and_filtered_by_label_and_register(events: DataEvents) -> None:
    dataset = look_over(events.shelf, CORPUS_DATA, "minilm").dataset
    sports = dataset.tasks[0].labels.index("sports")
    asked = told(search="THE", labels={"0": sports}, facets={"register": "review"}, size=100)
    view = events.rows(CORPUS_DATA, ENCODER, asked)
    expected = [
        n
        for n, e in enumerate(dataset.examples)
        if e.labels["topic"] == "sports"
        and dataset.facets["register"][n] == "review"
        and "the" in e.text.lower()
    ]
    assert view["matching"] == len(expected) > 0
    assert [row["place"] for row in view["rows"]] == [dataset.places[n] for n in expected][:100]
    per = dataset.tasks[2].labels.index("PER")
    named = events.rows(CORPUS_DATA, ENCODER, told(labels={"2": per}))
    assert all(any(p.get("label") == "PER" for p in row["pieces"]) for row in named["rows"])
    bare = events.rows(CORPUS_DATA, ENCODER, told(labels={"2": -1}))
    assert all(row["labels"][2] == 0 for row in bare["rows"])


def test_pages_and_sorting_reach_every_row_once(events: DataEvents, tmp_path: Path) -> None:
    shown, *_ = upload(events, tmp_path, as_csv(planted()))
    seen: list[int] = []
    for page in range(2):
        seen += [r["place"] for r in events.rows(shown, ENCODER, told(page=page))["rows"]]
    assert sorted(seen) == list(range(2, 19))
    last = events.rows(shown, ENCODER, told(page=99))
    assert last["page"] == last["pages"] - 1
    longest = events.rows(shown, ENCODER, told(sort="length", down=True))["rows"][0]
    assert longest["pieces"][0]["text"] == max(TEXTS, key=len)
    by_label = events.rows(shown, ENCODER, told(sort=0, size=25))["rows"]
    labels = [row["labels"][0] for row in by_label]
    assert labels == sorted(labels)


def test_the_doctor_names_what_was_planted_and_its_rows_are_shown(
    events: DataEvents, tmp_path: Path
) -> None:
    shown, view, *_ = upload(events, tmp_path, as_csv(planted()))
    kinds = [finding["kind"] for finding in view["findings"]]
    assert {"duplicate", "conflict", "leakage", "empty"} <= set(kinds)
    assert view["findings"][0]["severity"] == "error"
    duplicate = events.rows(shown, ENCODER, told(finding=kinds.index("duplicate")))
    places = [row["place"] for row in duplicate["rows"]]
    assert [2, 14] in [places[k : k + 2] for k in range(len(places))], "side by side"
    leak = events.rows(shown, ENCODER, told(finding=kinds.index("leakage")))
    assert [row["place"] for row in leak["rows"]] == [6, 16]
    assert [row["split"] for row in leak["rows"]] == ["train", "test"]
    assert not any("--" in finding["message"] for finding in view["findings"])


def test_a_guess_is_corrected_and_a_wrong_choice_leaves_all_as_it_was(
    events: DataEvents, tmp_path: Path
) -> None:
    shown, view, *_ = upload(events, tmp_path, as_csv(planted()))
    assert view["columns"]["text"] == "review"
    assert view["columns"]["split"] == ""
    assert view["splits"]["own"] is False
    assert len(view["splits"]["rows"]) == FOLDS
    form = {
        "text": "review",
        "labels": [{"column": "mood", "task": "feeling"}],
        "group": "",
        "split": "split",
    }
    changed, view, *_ = list(events.change(shown, CORPUS_DATA, ENCODER, told(**form), REQUEST))[-1]
    assert changed.id == shown.id
    assert view["columns"]["tasks"] == {"mood": "feeling"}
    assert view["splits"]["names"] == ["train", "test"]
    form["split"] = "mood"
    with pytest.raises(gr.Error, match="must be a split"):
        list(events.change(changed, CORPUS_DATA, ENCODER, told(**form), REQUEST))
    assert events.rows(changed, ENCODER, told())["tasks"][0]["name"] == "feeling"


def test_labels_are_renamed_joined_and_taken_back(events: DataEvents, tmp_path: Path) -> None:
    shown, *_ = upload(events, tmp_path, as_csv(planted()))

    def change(data: WorkingData, **form: Any) -> tuple[Any, ...]:  # noqa: ANN401
        return list(events.change(data, CORPUS_DATA, ENCODER, told(**form), REQUEST))[-1]

    joined, view, *_ = change(shown, task="mood", before=HOSTILE, after="bad")
    assert view["columns"]["labels"][0]["labels"] == ["bad", "good"]
    both, view, *_ = change(joined, task="mood", before="bad", after="poor")
    assert view["columns"]["labels"][0]["labels"] == ["good", "poor"]
    assert {r["before"] for r in view["columns"]["renames"]} == {"bad", HOSTILE}
    back, *_ = change(both, undo=0)
    back, view, *_ = change(back, undo=0)
    assert back == shown
    assert HOSTILE in view["columns"]["labels"][0]["labels"]


def test_labels_with_signs_of_their_own_are_renamed() -> None:
    task = Task(name="mood", kind="sentence", labels=("a", "a=b", "c:d"))
    choice = with_rename(
        {"task": "mood", "before": "a=b", "after": "x=y"}, DataChoice(source="f.csv"), [task]
    )
    assert renames_of(choice, [task]) == {"mood": [("a=b", "x=y")]}


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"labels": []}, "no column is chosen"),
        ({"labels": [{"column": "a", "task": " "}]}, "has no name"),
        ({"labels": [{"column": 3, "task": "a"}]}, "must be text"),
        ({"labels": ["a"]}, "must be text"),
        ({"labels": [{"column": "a", "task": "x" * 2000}]}, "at most 1,000"),
        ({"labels": [{"column": "a", "task": "x=y"}]}, "must be without"),
    ],
)
def test_a_form_that_no_browser_sends_is_refused(form: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choice_from(form, DataChoice(source="f.csv"))


@pytest.mark.parametrize(
    "query",
    [
        {"size": 7},
        {"page": "x"},
        {"labels": {"x": 1}},
        {"labels": {"9": 0}},
        {"labels": {"0": 99}},
        {"labels": [1]},
        {"facets": {"no": "x"}},
        {"finding": 999},
        {"finding": -1},
        {"sort": 50},
        {"sort": "text; drop"},
        {"search": "x" * 201},
    ],
)
def test_a_query_that_no_browser_sends_is_told(events: DataEvents, query: dict[str, Any]) -> None:
    with pytest.raises(gr.Error):
        events.rows(CORPUS_DATA, ENCODER, told(**query))


def test_columns_that_cannot_be_guessed_are_asked_for(events: DataEvents, tmp_path: Path) -> None:
    rows = [[text, str(n % 3)] for n, text in enumerate(TEXTS)]
    shown, view, table, *_ = upload(events, tmp_path, as_csv(rows, ("said", "id")))
    assert "“hotel.csv”: no column beside 'said', the text, looks like labels" in view["refused"]
    assert "--" not in view["refused"]
    assert view["columns"]["names"] == ["said", "id"]
    assert table == {"rows": []}
    form = {"text": "said", "labels": [{"column": "id", "task": "who"}]}
    _, view, *_ = list(events.change(shown, CORPUS_DATA, ENCODER, told(**form), REQUEST))[-1]
    assert view["columns"]["tasks"] == {"id": "who"}


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"text,mood\nfine,good\nbad\x00,bad\n", "nul.csv", "line 3 has a NUL byte"),
        (b"PK\x03\x04" + b"\0" * 50, "sheet.csv", "compressed (zip)"),
        (b'text,mood\nfine,good\n"never closed,bad\n', "quote.csv", "line 3 is not CSV"),
        (b"text\nfine\n", "one.csv", "the text, looks like labels (it has 'text')"),
        (b"", "empty.csv", "is empty"),
        (b"no parquet", "x.parquet", "cannot be read as Parquet"),
        ("text,mood\n" + "x" * 100_001 + ",good\n", "long.csv", "100,001 characters"),
    ],
)
def test_a_bad_file_is_one_sentence_and_what_was_shown_stays(
    events: DataEvents, tmp_path: Path, content: str | bytes, name: str, message: str
) -> None:
    shown, view, rows, status, _ = upload(events, tmp_path, content, name)
    assert all(is_skip(update) for update in (shown, view, rows))
    assert message in status.replace("&#x27;", "'")
    assert "keeps what it showed before" in status
    assert "--" not in status
    assert str(tmp_path) not in status
    assert "thaw-data" not in status


def test_using_data_names_it_and_says_what_that_changes(events: DataEvents, tmp_path: Path) -> None:
    shown, view, *_ = upload(events, tmp_path, as_csv(planted()), "<b>hotel.csv")
    assert not view["inUse"]
    working, line, view, status = events.use(shown, ENCODER, REQUEST)
    assert working == shown
    assert view["inUse"]
    assert "&lt;b&gt;hotel" in line
    assert "17 lines: mood" in line
    assert "uses it now" in status
    updates = list(events.back(ENCODER, REQUEST))[-1]
    assert updates[0] == CORPUS_DATA
    assert updates[1] == data_line(CORPUS_DATA)
    with pytest.raises(gr.Error, match="not kept here any more"):
        events.rows(shown, ENCODER, told())


def test_a_file_that_was_replaced_or_left_is_removed(events: DataEvents, tmp_path: Path) -> None:
    first, *_ = upload(events, tmp_path, as_csv(planted()))
    second, *_ = upload(events, tmp_path, as_csv(planted()))
    assert not Path(first.choice.source).exists()
    assert Path(second.choice.source).exists()
    events.close(REQUEST)
    assert not Path(second.choice.source).exists()


def test_the_cleaned_copy_leaves_out_what_it_says_and_disarms_formulas(
    events: DataEvents, tmp_path: Path
) -> None:
    shown, *_ = upload(events, tmp_path, as_csv(planted()))
    written = json.loads(events.save(shown, ENCODER, told(what="cleaned", kind="csv")))
    assert written["name"] == "hotel-cleaned.csv"
    rows = list(csv.DictReader(io.StringIO(written["text"].removeprefix("\ufeff"))))
    texts = [row["review"] for row in rows]
    assert "" not in texts
    assert texts.count(TEXTS[0]) == 1, "the repeat is gone"
    assert texts.count(TEXTS[2]) == 2, "a contradiction is for people to settle"
    assert texts[-1].startswith("'=1+1")
    lines = json.loads(events.save(shown, ENCODER, told(what="cleaned", kind="jsonl")))["text"]
    assert len(lines.splitlines()) == len(rows)
    assert json.loads(lines.splitlines()[-1])["review"].startswith("=1+1")
    assert [p.name for p in Path(shown.choice.source).parent.iterdir()] == ["hotel.csv"]


def test_findings_are_downloaded_as_the_command_lines_document(
    events: DataEvents, tmp_path: Path
) -> None:
    shown, *_ = upload(events, tmp_path, as_csv(planted()))
    document = json.loads(
        json.loads(events.save(shown, ENCODER, told(what="findings", kind="json")))["text"]
    )
    assert document["rows"] == 17
    assert {"kind", "severity", "message", "rows"} <= set(document["findings"][0])
    table = json.loads(events.save(shown, ENCODER, told(what="findings", kind="csv")))["text"]
    assert table.count("\r\n") == 1 + len(document["findings"])
    with pytest.raises(gr.Error, match="must be one of"):
        events.save(shown, ENCODER, told(what="findings", kind="exe"))
    with pytest.raises(gr.Error, match="ships with Thaw"):
        events.save(CORPUS_DATA, ENCODER, told(what="cleaned", kind="csv"))


def test_long_texts_and_many_labels_stay_small_on_the_page(
    events: DataEvents, tmp_path: Path
) -> None:
    rows = [[f"Sentence number {n} of many. " + "x" * 5_000, f"label {n % 300}"]
            for n in range(700)]  # fmt: skip
    content = as_csv(rows, ("text", "label"))
    shown, view, table, *_ = upload(events, tmp_path, content)
    assert len(view["bars"][0]["bars"]) == MOST_BARS
    assert view["bars"][0]["more"]["labels"] == 300 - MOST_BARS
    assert view["cross"] is None
    assert table["rows"][0]["more"] > 4_000
    assert all(len(p["text"]) <= SHOWN_CHARACTERS for r in table["rows"] for p in r["pieces"])
    assert len(json.dumps(view)) + len(json.dumps(table)) < 120_000
    assert shown.name == "hotel.csv"


def test_spans_are_cut_where_python_counts_characters(events: DataEvents, tmp_path: Path) -> None:
    text = "😀 Lima wakes"
    spans = json.dumps([{"start": 2, "end": 6, "label": "LOC"}])
    lines = [json.dumps({"text": f"{text} {n}", "entities": json.loads(spans)}) for n in range(9)]
    _, _, table, *_ = upload(events, tmp_path, "\n".join(lines), "e.jsonl")
    pieces = table["rows"][0]["pieces"]
    assert [piece["text"] for piece in pieces] == ["😀 ", "Lima", " wakes 0"]
    assert pieces[1]["label"] == "LOC"


def test_a_sentence_of_core_is_said_in_the_pages_words_and_in_a_scripts(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("text,a\nx,1\n")
    with pytest.raises(ValueError, match="no column beside 'text'") as guessed:
        read_dataset(DataChoice(source=str(path)))
    with pytest.raises(ValueError, match="has no column 'b'") as named:
        read_dataset(DataChoice(source=str(path), text_column="b"))
    said = as_page_says(str(guessed.value), str(path))
    assert said.endswith("looks like labels (“Labels” names one; it has 'text', 'a')")
    assert as_page_says(str(named.value), str(path)) == (
        "“f.csv” has no column 'b', which “Text” names; it has 'text', 'a'"
    )
    assert as_script_says(str(named.value), str(path)) == (
        "“f.csv” has no column 'b', which text_column names; it has 'text', 'a'"
    )


def test_an_unset_query_asks_for_all() -> None:
    assert read_query({}).search == ""
    assert read_query({"search": None, "labels": None}).labels == {}


def test_stop_leaves_what_was_shown_and_removes_the_file(
    events: DataEvents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = threading.Event()
    monkeypatch.setattr(work, "SILENT_SECONDS", 0.01)
    monkeypatch.setattr(events, "_looked", lambda *_, **__: held.wait(10))
    path = tmp_path / "hotel.csv"
    path.write_text(as_csv(planted()))
    steps = events.upload(str(path), CORPUS_DATA, CORPUS_DATA, ENCODER, REQUEST)
    assert "Reading hotel.csv" in next(steps)[3]
    kept = next(file.path for file in events.shelf._files.things())
    events.stop(REQUEST)
    last = list(steps)[-1]
    held.set()
    assert is_skip(last[0])
    assert "Stopped" in last[3]
    assert not kept.exists()
