import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import DataChoice
from core.data.corpus import load_corpus
from core.data.dataset import Dataset, moved_spans, read_dataset
from core.sentences import clean
from core.task import ENTITIES, SHIPPED_TASKS, Example, Span

CSV = """id,text,topic,mood,where,group
1,It rains in Lima.,news,bad,test,a
2, She won! ,sports,good,train,b
3,,sports,good,train,b
4,The vote is on,news,,Dev,
"""


def read(path: Path, content: str = CSV, **settings: object) -> Dataset:
    path.write_text(content, encoding="utf-8")
    return read_dataset(DataChoice(source=str(path), **settings))  # type: ignore[arg-type]


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    return tmp_path / "f.csv"


def test_a_file_becomes_examples_and_tasks(csv: Path) -> None:
    data = read(csv, label_columns=("topic", "feeling=mood"), split_column="where")
    assert [task.name for task in data.tasks] == ["topic", "feeling"]
    assert data.examples == (
        Example(text="It rains in Lima.", labels={"topic": "news", "feeling": "bad"}),
        Example(text="She won!", labels={"topic": "sports", "feeling": "good"}),
        Example(text="", labels={"topic": "sports", "feeling": "good"}),
        Example(text="The vote is on", labels={"topic": "news"}),
    )
    assert (data.name, data.unit, data.places) == ("f.csv", "line", (2, 3, 4, 5))
    assert data.splits == ("test", "train", "train", "validation")
    assert (data.text_column, data.label_columns["feeling"]) == ("text", "mood")
    assert data.columns == ("id", "text", "topic", "mood", "where", "group")
    assert data.facets == {}


def test_labels_are_sorted_but_a_shipped_task_keeps_its_order(csv: Path) -> None:
    data = read(csv, label_columns=("topic", "sentiment=mood"), renames=("good=positive",))
    assert [task.labels for task in data.tasks] == [("news", "sports"), ("bad", "positive")]
    renames = ("good=positive", "bad=negative", "news=sports", "topic:sports=news")
    data = read(csv, label_columns=("topic", "sentiment=mood"), renames=renames)
    assert [task.labels for task in data.tasks] == [("news", "sports"), ("positive", "negative")]


def test_numbers_and_truth_values_are_labels(tmp_path: Path) -> None:
    lines = [{"text": f"row {n}", "grade": n % 3, "spam": n % 2 == 0} for n in range(12)]
    data = read(tmp_path / "f.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    assert {task.name: task.labels for task in data.tasks} == {
        "grade": ("0", "1", "2"),
        "spam": ("false", "true"),
    }


ENTITY_ROWS = [
    {"text": "  Lima wakes.", "entities": [{"start": 2, "end": 6, "label": "LOC"}]},
    {"text": "Nobody here.", "entities": []},
    {"text": "Ann and\tBo", "entities": [[8, 10, "PER"], [0, 3, "PER"]]},
    {"text": "Not labelled.", "entities": None},
]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet", ".py.csv"])
def test_entities_are_read_from_every_kind_of_file(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"f{suffix}"
    as_objects = [
        {
            "text": row["text"],
            "entities": row["entities"]
            and [dict(zip(("start", "end", "label"), s, strict=True)) if isinstance(s, list) else s
                 for s in row["entities"]],
        }
        for row in ENTITY_ROWS
    ]  # fmt: skip
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(as_objects), path)
        data = read_dataset(DataChoice(source=str(path)))
    elif suffix == ".jsonl":
        data = read(path, "".join(json.dumps(row) + "\n" for row in ENTITY_ROWS))
    else:
        between = "\t" if suffix == ".tsv" else ","
        dump = str if suffix == ".py.csv" else json.dumps  # as pandas writes lists into CSV
        cells = [
            (row["text"], "" if row["entities"] is None else dump(row["entities"]))
            for row in as_objects
        ]
        quoted = [between.join('"' + c.replace('"', '""') + '"' for c in pair) for pair in cells]
        data = read(path, f"text{between}entities\n" + "\n".join(quoted))
    assert [(task.name, task.kind, task.labels) for task in data.tasks] == [
        ("entities", "token", ("PER", "LOC"))
    ]
    assert [example.labels.get("entities") for example in data.examples] == [
        (Span(0, 4, "LOC"),),
        (),
        (Span(0, 3, "PER"), Span(8, 10, "PER")),
        None,
    ]


CHARACTERS = st.text(st.sampled_from("ab \t\n\x07\u200b\u2028é😀"), max_size=12)


@given(CHARACTERS, CHARACTERS, CHARACTERS)
def test_spans_keep_their_surface_when_a_text_is_cleaned(
    before: str, inside: str, after: str
) -> None:
    inside = f"x{inside}y"
    text = before + inside + after
    (span,) = moved_spans(text, (Span(len(before), len(before) + len(inside), "X"),))
    assert clean(text)[span.start : span.end] == clean(inside)


def test_only_the_tasks_asked_for_are_read(csv: Path) -> None:
    data = read(csv, label_columns=("topic", "mood"), tasks=("mood",))
    assert [task.name for task in data.tasks] == ["mood"]
    assert set(data.label_columns) == {"mood"}
    content = "text,topic,mood\na,x,m;n\nb,y,m\nc,x,n\n"
    assert len(read(csv, content, tasks=("topic",)).tasks) == 1, "others may hold what they like"


def test_guesses_and_changes_are_noted(csv: Path) -> None:
    content = 'text;label\n"a";x\n"b";NA\n"c";y\n"d";"y "\n'
    data = read(csv, content)
    said = " / ".join(data.notes)
    assert "columns are separated by ;" in said
    assert "the text is read from column 'text'" in said
    assert "column 'label': 1 cells hold 'NA', which is no label" in said
    assert "'y ' is read as 'y'" in said


def test_rows_without_a_text_are_kept_until_usable_ones_are_asked_for(csv: Path) -> None:
    data = read(csv, label_columns=("topic",), split_column="where")
    usable = data.usable()
    assert (usable.places, usable.splits) == ((2, 3, 5), ("test", "train", "validation"))
    assert usable.tasks == data.tasks
    assert usable.usable() is usable
    with pytest.raises(ValueError, match=r"f\.csv: column 'text' has no text in any row"):
        read(csv, "text,label\n,a\n,b\n", text_column="text").usable()


def test_the_fingerprint_is_of_texts_labels_splits_and_groups(csv: Path) -> None:
    named = {"label_columns": ("topic", "mood")}
    base = read(csv, **named).fingerprint
    assert len(base) == 64
    assert read(csv, CSV.replace("1,It", "9,It"), **named).fingerprint == base
    others = [
        read(csv, CSV.replace("She won", "She lost"), **named),
        read(csv, CSV.replace("4,The vote is on,news,,", "4,The vote is on,news,bad,"), **named),
        read(csv, **named, split_column="where"),
        read(csv, **named, group_column="group"),
        read(csv, **named, renames=("bad=poor",)),
        read(csv, label_columns=("topic",)),
    ]
    assert len({base, *(data.fingerprint for data in others)}) == 7


def test_the_corpus_is_its_train_and_validation_rows() -> None:
    data = read_dataset(DataChoice(source="corpus"))
    rows = [row for row in load_corpus() if row.split != "test"]
    assert data.tasks == SHIPPED_TASKS
    assert data.examples == tuple(row.example for row in rows)
    assert data.facets == {"register": tuple(row.register for row in rows)}
    assert (set(data.splits), data.notes, data.unit) == ({""}, (), "row")
    assert load_corpus()[data.places[-1] - 1] == rows[-1], "a place counts all rows of the corpus"
    split = read_dataset(DataChoice(source="corpus", split_column="split"))
    assert split.splits == tuple(row.split for row in rows)
    registers = read_dataset(DataChoice(source="corpus", label_columns=("register",)))
    assert len(registers.tasks[0].labels) >= 8


def test_a_sample_is_stratified_and_drawn_by_its_seed() -> None:
    whole = read_dataset(DataChoice(source="corpus"))
    some = read_dataset(DataChoice(source="corpus", rows=300))
    assert len(some.examples) == len(some.splits) == len(some.facets["register"]) == 300
    shares = [
        Counter(example.labels["topic"] for example in data.examples) for data in (whole, some)
    ]
    for label, count in shares[0].items():
        assert shares[1][label] == pytest.approx(count * 300 / len(whole.examples), abs=6)
    again = read_dataset(DataChoice(source="corpus", rows=300))
    other = read_dataset(DataChoice(source="corpus", rows=300, seed=1))
    assert some.fingerprint == again.fingerprint != other.fingerprint


def test_a_sample_of_more_than_there_is_takes_all_and_says_so(csv: Path) -> None:
    data = read(csv, label_columns=("topic",), rows=100)
    assert len(data.examples) == 4
    assert data.notes[-1] == "all 4 rows are taken: there are no 100"


def test_a_sample_drops_from_the_tasks_the_labels_it_has_not(csv: Path) -> None:
    content = "text,label\n" + "".join(f"row {n},{'ab'[n % 2]}\n" for n in range(40)) + "last,c\n"
    assert read(csv, content, rows=4).tasks[0].labels == ("a", "b")


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        (
            CSV,
            {"source": "-"},
            r"standard input holds no labelled data: give a file, or the word co",
        ),
        (
            CSV,
            {"tasks": ("tone",)},
            r"has no task 'tone', which tasks names; it has 'topic', 'mood'$",
        ),
        (
            CSV,
            {"split_column": "mood"},
            r"line 2, 'mood', holds 'bad', must be a split: one of train",
        ),
        (CSV, {"split_column": "group"}, r"line 2, 'group', holds 'a', must be a split"),
        (CSV, {"renames": ("x=y",)}, r"renames a label that is not there"),
        (
            CSV,
            {"renames": ("sports=news",)},
            r"'topic' holds only the label 'news', must hold at lea",
        ),
        (CSV, {"rows": 1}, r"a sample of 1 rows leaves task topic 1 labels of 2: raise rows"),
        ("text,label\na,x\nb,x\n", {}, r"'label' holds only the label 'x', must hold at least two"),
        ("text,label\na,\nb,\n", {}, r"column 'label' holds no label, must hold at least two"),
        (
            "text,label\na,0.1\nb,0.2\nc,3\nd,4\ne,5\nf,6\n",
            {},
            r"'label' holds 6 different numbers",
        ),
        ("text,label\na,x|y\nb,x\nc,y\n", {}, r"'label' holds several labels in one cell \('x\|y'"),
        (
            'text,entities\nLima,"[[0, 4, ""LOC""]]"\nLima,"[[0, 5, ""LOC""]]"\n',
            {},
            r"line 3, 'entities', span 0:5 does not lie in the 4 characters",
        ),
        (
            'text,entities\nLima,"[[0, 4, ""LOC""]]"\nLima,LOC\n',
            {},
            r"line 3, 'entities', holds 'LOC', must hold a list of spans",
        ),
    ],
)
def test_data_that_cannot_be_used_is_refused_in_one_sentence(
    content: str, settings: dict[str, object], message: str, csv: Path
) -> None:
    csv.write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_dataset(DataChoice(**{"source": str(csv), **settings}))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_text_that_is_a_number_is_refused_with_its_line(tmp_path: Path) -> None:
    content = '{"text": "a", "label": "x"}\n{"text": 5, "label": "y"}\n'
    with pytest.raises(ValueError, match=r"line 2, 'text', holds the number 5, must be text"):
        read(tmp_path / "f.jsonl", content)
    with pytest.raises(ValueError, match=r"line 2, 'text', holds a list or an object, must be"):
        read(tmp_path / "f.jsonl", content.replace("5", "[]"))


def test_spans_of_the_corpus_are_its_own() -> None:
    data = read_dataset(DataChoice(source="corpus"))
    assert sum(len(example.labels[ENTITIES.name] or ()) for example in data.examples) > 1_000
