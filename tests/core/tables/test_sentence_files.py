import io
import itertools
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.tables.sentence_files import given_sentences, open_sentences
from core.tables.stream import Sentences

THREE = ["A cat.", "It rains, often.", 'She said "no".']


def write(path: Path, texts: list[str | None]) -> Path:
    """Write texts beside a column of numbers, in the format that the name asks for."""
    rows = [{"n": n, "text": text} for n, text in enumerate(texts)]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    quoted = [(text or "").replace('"', '""') for text in texts]
    content = {
        ".txt": "".join(f"{text or ''}\n" for text in texts),
        ".csv": "n,text\n" + "".join(f'{n},"{text}"\n' for n, text in enumerate(quoted)),
        ".tsv": "n\ttext\n" + "".join(f'{n}\t"{text}"\n' for n, text in enumerate(quoted)),
        ".jsonl": "".join(json.dumps(row) + "\n" for row in rows),
    }
    path.write_text(content[path.suffix], encoding="utf-8")
    return path


def read(path: Path, column: str | None = None) -> list[str]:
    with open_sentences(str(path), column) as sentences:
        return list(sentences)


def stdin(monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setattr(
        "sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content.encode())))
    )


SUFFIXES = [".txt", ".csv", ".tsv", ".jsonl", ".parquet"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_kind_of_file_gives_the_same_sentences(suffix: str, tmp_path: Path) -> None:
    with open_sentences(str(write(tmp_path / f"f{suffix}", [*THREE]))) as sentences:
        assert list(sentences) == THREE
        assert (sentences.read, sentences.skipped, sentences.expected) == (3, 0, 3)
        if suffix != ".txt":
            assert "'text'" in sentences.notes[0], "a guessed column is said"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_empty_lines_and_cells_are_skipped_and_counted(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"f{suffix}", ["a", "", None if suffix == ".parquet" else "  ", "b"])
    with open_sentences(str(path)) as sentences:
        assert list(sentences) == ["a", "b"]
        assert sentences.skipped == 2


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_without_any_sentence_is_refused(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no sentence: 2 empty (line|row)s were read"):
        read(write(tmp_path / f"f{suffix}", ["", ""]))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_sentence_that_is_too_long_is_refused_with_its_place(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"f{suffix}", ["ok", "x" * 100_001])
    line = 3 if suffix in (".csv", ".tsv") else 2
    with pytest.raises(ValueError, match=rf"(line|row) {line} has 100,001 characters, must be"):
        read(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_sentence_of_the_longest_length_is_read(suffix: str, tmp_path: Path) -> None:
    assert read(write(tmp_path / f"f{suffix}", ["x" * 100_000])) == ["x" * 100_000]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_long_file_is_read_as_it_is_asked_for(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"f{suffix}", [f"Sentence {n} of a long file." for n in range(30_000)])
    with open_sentences(str(path)) as sentences:
        some = list(itertools.islice(sentences, 3_000))
        assert some[-1] == "Sentence 2999 of a long file."
        assert sentences.expected == pytest.approx(30_000, rel=0.15)


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("f.csv", b"\xef\xbb\xbftext,n\nhi,1\n", ["hi"]),
        ("f.csv", "text;n\r\nhä;1\r\n".encode("utf-16"), ["hä"]),
        ("f.csv", b'text\n"two\nlines"\n', ["two lines"]),
        ("f.csv", b"text,n\na,1,,\nb\n\n", ["a", "b"]),
        ("f.csv", b"n,text\n1,5\n", ["5"]),
        ("f.jsonl", b'"a"\n\n"b"\n', ["a", "b"]),
        ("f.jsonl", b'\n{"x": 1, "text": "a"}\n{"y": 1}\n{"text": null}\n', ["a"]),
        ("f.ndjson", b'{"text": "a\\ud83d\\u0007b"}\n', ["ab"]),
        ("f", b"a\nb", ["a", "b"]),
        ("F.TXT", b"a\rb\r", ["a", "b"]),
    ],
)
def test_what_programs_write_is_read(
    name: str, content: bytes, texts: list[str], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    assert read(tmp_path / name) == texts


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("f.txt", b"", r"f\.txt is empty"),
        ("f.txt", b"caf\xe9\n", r"line 1 has the byte 0xE9"),
        ("f.md", b"a", r"ends in \.md, must be \.txt"),
        ("f.csv", b"id,n\n1,2\n", r"it has 'id', 'n'"),
        ("f.csv", b'text\n\n"open\nb\n', r"line 3 is not CSV: a quote opens there"),
        ("f.csv", b'text\n"' + b"x\n" * 99_999, r"line 2 is not CSV: a quote opens there"),
        ("f.csv", b'text\n"a"b\n', r"line 2 is not CSV: a quote closes before"),
        ("f.csv", b"text,n\na, b,1\n", r"line 2 has 3 cells and the header has 2: put quotes"),
        ("f.csv", b"," * 20_000, r"has 20,001 columns, must be at most 10,000"),
        ("f.csv", b"column," * 1_000_000, r"line 1 has more than 1,000,000 characters"),
        ("f.jsonl", b'"a"\n{"text":\n', r"line 2 is not JSON: Expecting value at character 10"),
        ("f.jsonl", b'{"text":"a"}\n{"text":3}\n', r"line 2, 'text' holds no text, must be text"),
        ("f.jsonl", b"[1]\n", r"line 1 holds a list, must be text"),
        ("f.jsonl", b"[" * 90_000, r"line 1 is not JSON: a number is too long, or lists lie"),
        ("f.jsonl", b"9" * 9_000, r"line 1 is not JSON: a number is too long"),
        ("f.parquet", b"PAR1 and no more", r"cannot be read as Parquet"),
    ],
)
def test_a_broken_file_is_refused_in_one_sentence(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value).replace(str(tmp_path), "")) < 250


@pytest.mark.parametrize(
    ("column", "kind"),
    [([["a"]], "list<.*string>"), ([{"x": "a"}], "struct<"), ([1], "int64")],
)
def test_a_parquet_column_that_is_not_text_is_refused(
    column: list[Any], kind: str, tmp_path: Path
) -> None:
    pq.write_table(pa.table({"text": column}), tmp_path / "f.parquet")
    with pytest.raises(ValueError, match=rf"column 'text' holds {kind}.*, must be text"):
        read(tmp_path / "f.parquet")


def test_a_dictionary_column_of_parquet_is_text(tmp_path: Path) -> None:
    column = pa.array(["a", "b", "a"]).dictionary_encode()
    pq.write_table(pa.table({"text": column}), tmp_path / "f.parquet")
    assert read(tmp_path / "f.parquet") == ["a", "b", "a"]


def test_parquet_that_breaks_further_down_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "f.parquet", [f"sentence {n}" for n in range(20_000)])
    content = bytearray(path.read_bytes())
    middle = slice(len(content) // 2, len(content) // 2 + 9_000)  # the text's own pages
    content[middle] = b"\xff" * 9_000
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read beyond row"):
        read(path)


def test_parquet_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    broken = pa.array([b"ok", b"caf\xe9"]).cast(pa.string(), safe=False)
    pq.write_table(pa.table({"text": broken}), tmp_path / "f.parquet")
    with pytest.raises(ValueError, match=r"cannot be read beyond row 0: .*utf-8"):
        read(tmp_path / "f.parquet")


def test_a_column_can_be_named_and_a_line_has_none(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("a,b\n1,2\n")
    assert read(tmp_path / "f.csv", "b") == ["2"]
    (tmp_path / "f.txt").write_text("a\n")
    with pytest.raises(ValueError, match="one sentence a line and no columns"):
        read(tmp_path / "f.txt", "b")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a folder, must be a file"):
        open_sentences(str(tmp_path))
    with pytest.raises(ValueError, match="there is no file"):
        open_sentences(str(tmp_path / "none.txt"))
    with pytest.raises(ValueError, match="cannot be opened: File name too long"):
        open_sentences("x" * 5_000)


@pytest.mark.parametrize(
    ("content", "column"),
    [
        ("A cat.\nIt rains.\n", None),
        ("n,text\n1,A cat.\n2,It rains.\n", "text"),
        ("n\ttext\n1\tA cat.\n2\tIt rains.\n", "text"),
        ('{"text": "A cat."}\n{"text": "It rains."}\n', "text"),
    ],
)
def test_standard_input_holds_lines_or_a_table_where_a_column_is_named(
    content: str, column: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin(monkeypatch, content)
    with open_sentences("-", column) as sentences:
        assert list(sentences) == ["A cat.", "It rains."]
        assert sentences.expected is None


def test_typed_sentences_may_not_be_empty_or_broken() -> None:
    assert list(given_sentences(["a", " b\n"])) == ["a", "b"]
    with pytest.raises(ValueError, match="sentence 2 is empty"):
        given_sentences(["a", " \x07"])
    with pytest.raises(ValueError, match="sentence 1 holds bytes that are not UTF-8"):
        given_sentences(["caf\udce9"])
    with pytest.raises(ValueError, match="the query is empty"):
        given_sentences([""], "the query")


def test_how_many_there_will_be_is_unknown_before_anything_is_read() -> None:
    assert Sentences("f", iter([(1, "a")])).expected is None
