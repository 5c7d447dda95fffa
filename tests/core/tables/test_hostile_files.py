"""Files made to hurt: each is refused in one sentence or read safely, in bounded memory."""

import gzip
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.config import DataChoice
from core.data.dataset import read_dataset
from core.tables.sentence_files import open_sentences
from core.task import Span

ROOT = Path(__file__).resolve().parents[3]
MAX_MEGABYTES = 500
"""What reading any of these may take beyond the imports; the largest files have 95 MB."""


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"text,label\nA cat.,a\n")
        file.truncate(200_000_000)


def zip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.csv", b"text,label\n" + b"0" * 50_000_000)


def repeated(text: str, rows: int) -> pa.Array:
    """Make a column that is tiny in the file and huge when unpacked."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int32)), [text])


def parquet(**columns: object) -> Callable[[Path], None]:
    return lambda path: pq.write_table(pa.table(columns), path, compression="zstd")


def content(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


class Hostile(NamedTuple):
    name: str
    write: Callable[[Path], object]
    message: str


HOSTILE = [
    Hostile("200-megabytes.csv", sparse, "has 200,000,000 bytes, must be at most 100,000,000"),
    Hostile("zip-bomb.csv", zip_bomb, "is compressed (zip): unpack it"),
    Hostile(
        "gzip.csv",
        lambda path: path.write_bytes(gzip.compress(b"text,label\n" + b"0" * 50_000_000)),
        "is compressed (gzip): unpack it",
    ),
    Hostile("zip-bomb.jsonl", zip_bomb, "is compressed (zip): unpack it"),
    Hostile("zip-bomb.parquet", zip_bomb, "cannot be read as Parquet"),
    Hostile("parquet.csv", parquet(text=["a"]), "is Parquet: give it a name that ends in"),
    Hostile("nul.csv", content(b"text,label\nA \0 cat,a\n"), "line 2 has a NUL byte"),
    Hostile("nul.parquet", content(b"\0" * 1_000), "cannot be read as Parquet"),
    Hostile("latin-1.csv", content(b"text,label\ncaf\xe9,a\n"), "line 2 has the byte 0xE9"),
    Hostile("utf-32.csv", content("text,label".encode("utf-32")), "is in UTF-32, must be UTF-8"),
    Hostile(
        "one-column.csv",
        content(b"text\nA cat.\nA dog.\n"),
        "no column beside 'text', the text, looks",
    ),
    Hostile("a-million-columns.csv", content(b"c," * 1_000_000), "line 1 has more than 1,000,000"),
    Hostile("commas.csv", content(b"," * 900_000), "has 900,001 columns, must be at most 10,000"),
    Hostile(
        "cells.csv",
        content(b",".join(b"c%d" % n for n in range(9_000)) + (b"\n" + b"," * 8_999) * 2_000),
        "holds more than 4,000,000 cells",
    ),
    Hostile("rows.csv", content(b"text,label\n" + b"a,b\n" * 20_000_000), "more than 200,000 rows"),
    Hostile("rows.conll", content(b"a O\n\n" * 15_000_000), "more than 200,000 rows"),
    Hostile("tokens.conll", content(b"a O\n" * 20_000_000), "more than 100,000 tokens"),
    Hostile(
        "no-end.csv", content(b'text,label\n"a,b\n' + b"a,b\n" * 9_000_000), "a quote opens th"
    ),
    Hostile(
        "no-end.tsv", content(b'text\tlabel\n"a\tb\n'), "a quote opens there and does not close"
    ),
    Hostile(
        "deep.jsonl", content(b'{"text": ' + b"[" * 90_000), "lists lie too deep in each other"
    ),
    Hostile(
        "lists.jsonl",
        content((b'{"text": "a", "label": [' + b"[]," * 24_000 + b"[]]}\n") * 900),
        "column 'label' holds lists or objects, must hold one label a cell",
    ),
    Hostile(
        "brackets.csv",
        content(b"text,label\n" + (b'ok,"' + b"[1," * 30_000 + b'"\n') * 900),
        "column 'label' holds a text of 90,000 characters",
    ),
    Hostile(
        "keys.jsonl",
        content(
            b"".join(
                b"{" + b",".join(b'"k%d": 1' % (900 * row + n) for n in range(900)) + b"}\n"
                for row in range(40)
            )
        ),
        "columns, must be at most 10,000",
    ),
    Hostile("wide.parquet", parquet(**{f"c{n}": [1] for n in range(11_000)}), "has 11,000 columns"),
    Hostile(
        "dictionary.parquet",
        parquet(text=repeated("x" * 90_000, 199_000), label=["a", "b"] * 99_500),
        "holds more than 4,000,000 cells or 200,000,000 characters up to row",
    ),
    Hostile(
        "one-long-text.parquet",
        parquet(text=repeated("x" * 20_000_000, 2_000)),
        "holds a text of 20,000,000 bytes after row 0, must be at most 100,000",
    ),
    Hostile(
        "unpacked.parquet",
        lambda path: pq.write_table(
            pa.table({"text": ["x" * 99_000] * 2_100}),
            path,
            compression="zstd",
            use_dictionary=False,
        ),
        "bytes when unpacked, must be at most 200,000,000",
    ),
    Hostile(
        "nested.parquet", parquet(text=[{"a": ["b"]}] * 2, label=["x", "y"]), "no column beside"
    ),
    Hostile("structs.parquet", parquet(text=["a"], label=[{"a": 1}]), "holds lists or objects"),
    Hostile("pickle.parquet", content(b"\x80\x04cposix\nsystem\n."), "cannot be read as Parquet"),
]

READ_ALL = """
import json, sys
from pathlib import Path
import pyarrow.parquet
from core.config import DataChoice
from core.data.dataset import read_dataset

def peak():  # of this process alone: getrusage's counts what it was forked from
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x)
    return int(line.split()[1]) // 1024

before = peak()
for path in json.loads(sys.argv[1]):
    try:
        data = read_dataset(DataChoice(source=path))
        said = f"{len(data.examples)} rows"
    except ValueError as error:
        said = str(error)
    print(json.dumps([Path(path).name, said, peak() - before]), flush=True)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("hostile")
    for hostile in HOSTILE:
        hostile.write(made / hostile.name)
    yield made
    for path in made.iterdir():
        path.unlink()  # half a gigabyte


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from /proc")
def test_every_hostile_file_is_refused_in_a_sentence_and_bounded_memory(folder: Path) -> None:
    paths = [str(folder / hostile.name) for hostile in HOSTILE]
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, json.dumps(paths)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [name for name, *_ in answers] == [hostile.name for hostile in HOSTILE]
    for hostile, (_, said, megabytes) in zip(HOSTILE, answers, strict=True):
        assert hostile.message in said
        assert "\n" not in said
        assert len(said.replace(str(folder), "")) < 250
        assert megabytes < MAX_MEGABYTES, hostile.name


def test_utf_16_is_read(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_bytes("text,label\nhä,a\n雪,b\n".encode("utf-16"))
    data = read_dataset(DataChoice(source=str(tmp_path / "f.csv")))
    assert [example.text for example in data.examples] == ["hä", "雪"]


def test_formulas_and_markup_are_text(tmp_path: Path) -> None:
    rows = '"=HYPERLINK(""http://x"")",<script>alert(1)</script>\n@SUM(1),"<img src=x onerror=y>"\n'
    (tmp_path / "f.csv").write_text("text,label\n" + rows)
    data = read_dataset(DataChoice(source=str(tmp_path / "f.csv")))
    assert [example.text for example in data.examples] == ['=HYPERLINK("http://x")', "@SUM(1)"]
    assert data.tasks[0].labels == ("<img src=x onerror=y>", "<script>alert(1)</script>")


def test_controls_are_taken_out_and_spans_follow(tmp_path: Path) -> None:
    row = {"text": "\u0007\u001b[2J Lima", "entities": [[6, 10, "LOC"]]}
    (tmp_path / "f.jsonl").write_text(json.dumps(row) + "\n")
    (example,) = read_dataset(DataChoice(source=str(tmp_path / "f.jsonl"))).examples
    assert (example.text, example.labels["entities"]) == ("[2J Lima", (Span(4, 8, "LOC"),))


@pytest.mark.parametrize("name", ["zip-bomb.csv", "nul.csv", "no-end.csv", "commas.csv"])
def test_a_list_of_sentences_refuses_them_too(name: str, tmp_path: Path) -> None:
    hostile = next(each for each in HOSTILE if each.name == name)
    hostile.write(tmp_path / name)
    with (
        pytest.raises(ValueError, match=r"compressed|NUL|quote|columns"),
        open_sentences(str(tmp_path / name)) as sentences,
    ):
        list(sentences)
