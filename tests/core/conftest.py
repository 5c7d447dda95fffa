"""Fixtures for tests of the command line, and of what it trains."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from core.__main__ import main

Run = Callable[..., tuple[int, str, str]]

KINDS = {
    "travel": ("the ferry left late", "boats were delayed by fog", "it left behind the fog"),
    "food": ("a man is eating food", "a woman is eating a meal", "naïve sushi chefs"),
    "work": ("it cut its forecast", "shares fell nine per cent", "the chip maker cut shares"),
}
PEOPLE = ("a woman", "nobody", "the band", "a man")


def labelled_rows(count: int = 60) -> list[tuple[str, str, str, str]]:
    """Give rows of text, kind, mood and spans (as JSON) that a tiny random encoder can learn."""
    rows = []
    for number in range(count):
        kind = list(KINDS)[number % 3]
        start = KINDS[kind][number // 3 % 3]
        who = PEOPLE[number // 9 % 4]
        mood = "good" if who in PEOPLE[:2] else "bad"
        text = f"{start} and {who} {'sang' if number % 2 else 'works'} {number}"
        at = text.index(f"and {who}") + 4
        rows.append((text, kind, mood, json.dumps([[at, at + len(who), "WHO"]])))
    return rows


def write_rows(
    path: Path, rows: Iterable[Iterable[str]], header: tuple[str, ...] = ("text", "kind", "mood")
) -> str:
    """Write rows as CSV, as far as the header goes, and return the file's name."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *(list(row)[: len(header)] for row in rows)])
    return path.name


def write_spans(path: Path, rows: Iterable[tuple[str, str, str, str]]) -> str:
    """Write rows with their spans as JSONL, and return the file's name."""
    lines = []
    for text, kind, _, spans in rows:
        names = [{"start": s, "end": e, "label": label} for s, e, label in json.loads(spans)]
        lines.append(json.dumps({"text": text, "kind": kind, "names": names}))
    path.write_text("\n".join(lines), encoding="utf-8")
    return path.name


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in an empty folder; get its exit code, standard output and error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run_here(*arguments: str, stdin: bytes | None = None) -> tuple[int, str, str]:
        if stdin is not None:
            typed = io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin)))
            monkeypatch.setattr("sys.stdin", typed)
        capsys.readouterr()  # what fixtures printed
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run_here


@pytest.fixture(scope="session")
def tiny(family_folder: Callable[[str], Path]) -> str:
    """Return the folder of a tiny encoder of three layers."""
    return str(family_folder("minilm"))


@pytest.fixture(scope="session")
def tiny_trained(tiny: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a model folder, trained once on a tiny encoder: two sentence tasks and a token one."""
    folder = tmp_path_factory.mktemp("trained")
    data = folder / "rows.jsonl"
    write_spans(data, labelled_rows(90))
    arguments = ["train", "--data", str(data), "--strategy", "heads@2", "--encoder", tiny]
    assert (
        main([*arguments, "--out", str(folder / "model"), "--epochs", "8", "--threads", "1"]) == 0
    )
    return str(folder / "model")
