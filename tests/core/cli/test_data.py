"""`python -m core check`, run as a person runs it."""

import csv
import io
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.__main__ import main
from core.data.corpus import CorpusRow, load_corpus

ROOT = Path(__file__).resolve().parents[3]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in an empty folder; get its exit code, standard output and error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run_here(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()  # what fixtures printed
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run_here


def some_of_each_class() -> list[CorpusRow]:
    """Take four sentences of each topic and mood: 72 that are well, however the corpus grows."""
    chosen: defaultdict[tuple[str, str], list[CorpusRow]] = defaultdict(list)
    for row in load_corpus():
        if len(row.text.split()) > 4:
            chosen[row.topic, row.sentiment].append(row)
    return [row for rows in chosen.values() for row in rows[:4]]


SENTENCES = some_of_each_class()


def write_planted(path: Path) -> None:
    """Write 72 lines that are well after the header, and in lines 74 to 77 one defect each."""
    header = ["id", "text", "topic", "mood", "part"]
    rows = [[n, row.text, row.topic, row.sentiment, "train"] for n, row in enumerate(SENTENCES)]
    for number in range(0, len(rows), 3):
        rows[number][-1] = "test"
    rows.append([100, *rows[1][1:]])  # line 3 again
    other = "negative" if rows[4][3] == "positive" else "positive"
    rows.append([101, str(rows[4][1]).upper(), rows[4][2], other, "train"])  # line 6, in conflict
    rows.append([102, "", "news", "neutral", "train"])
    rows.append([103, f"{rows[3][1]}!", *rows[3][2:4], "train"])  # line 5, which is in test
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture
def planted(tmp_path: Path) -> str:
    write_planted(tmp_path / "planted.csv")
    assert len(SENTENCES) == 72
    return "planted.csv"


COLUMNS = ("--label-column", "topic", "--label-column", "mood", "--split-column", "part")


def document_of(out: str) -> Any:  # noqa: ANN401 (any JSON)
    assert out.count("\n") == 1, "one document and nothing else"
    return json.loads(out)


def test_each_planted_defect_is_found_in_its_rows_and_nothing_else(run: Run, planted: str) -> None:
    code, out, _ = run("check", "--data", planted, *COLUMNS, "--json")
    assert code == 0, "findings are no failure"
    document = document_of(out)
    assert document["rows"] == 76
    found = {finding["kind"]: finding["rows"] for finding in document["findings"]}
    assert found == {
        "duplicate": [3, 74],
        "conflict": [6, 75],
        "empty": [76],
        "leakage": [5, 77],
        "near_duplicate": [5, 77],
    }
    assert document["findings"][0]["kind"] == "leakage", "the gravest first"
    for finding in document["findings"]:
        assert finding["severity"] in ("error", "warning", "note")
        assert finding["message"]


def test_the_cleaned_copy_has_every_column_and_is_clean(run: Run, planted: str) -> None:
    code, out, _ = run("check", "--data", planted, *COLUMNS, "--cleaned", "better.csv", "--json")
    assert code == 0
    assert document_of(out)["cleaned"] == {"file": "better.csv", "rows": 74, "left_out": 2}
    before, after = (
        list(csv.reader(io.StringIO(Path(name).read_text(encoding="utf-8"))))
        for name in (planted, "better.csv")
    )
    assert after == [row for place, row in enumerate(before, 1) if place not in (74, 76)]
    _, out, _ = run("check", "--data", "better.csv", *COLUMNS, "--json")
    kinds = {finding["kind"] for finding in document_of(out)["findings"]}
    assert kinds == {"conflict", "leakage", "near_duplicate"}


def test_a_sample_is_checked_and_the_whole_file_copied(run: Run, planted: str) -> None:
    options = ("--rows", "40", "--cleaned", "better.jsonl", "--json")
    code, out, _ = run("check", "--data", planted, *COLUMNS, *options)
    assert code == 0
    assert document_of(out)["rows"] == 40
    assert len(Path("better.jsonl").read_text(encoding="utf-8").splitlines()) == 74


def test_formulas_in_the_copy_are_kept_and_told(run: Run, tmp_path: Path) -> None:
    some = [row for row in SENTENCES if '"' not in row.text]
    lines = [f'"{row.text}",{row.sentiment}' for row in some]
    (tmp_path / "in.csv").write_text("\n".join(["text,mood", *lines, '"=1+1 is two, always",-']))
    code, _, err = run("check", "--data", "in.csv", "--cleaned", "out.csv")
    assert code == 0
    assert "out.csv: 2 cells with the start of a spreadsheet's formula" in err
    assert '"=1+1 is two, always",-' in (tmp_path / "out.csv").read_text(encoding="utf-8")


def test_what_is_found_is_told_in_words(run: Run, planted: str) -> None:
    code, out, err = run("check", "--data", planted, *COLUMNS, "--cleaned", "better.csv")
    assert code == 0
    told = " ".join(out.split())
    assert "planted.csv: 76 lines" in told
    assert "warning duplicate lines 3 = 74" in told
    assert "error leakage lines 5 = 77" in told
    assert "74 lines → better.csv (2 lines left out)" in told
    assert "1 error, 3 warnings, 1 note" in told
    assert "'text'" in err, "what was guessed goes to standard error"
    assert all(len(line) <= 80 for line in out.splitlines())


def test_the_corpus_is_well(run: Run) -> None:
    code, out, _ = run("check", "--data", "corpus")
    assert code == 0
    assert "nothing was found" in out
    code, out, _ = run("check", "--data", "corpus", "--json")
    assert document_of(out)["findings"] == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "missing option '--data'"),
        (("--data", "none.csv"), "there is no file none.csv"),
        (("--data", "planted.csv", "--encoder", "minlim"), "there is no encoder 'minlim'"),
        (("--data", "planted.csv", "--cleaned", "planted.csv"), "is the file that is read"),
        (("--data", "planted.csv", "--cleaned", "a.txt"), "--cleaned a.txt ends in .txt"),
        (("--data", "planted.csv", "--cleaned", "no/a.csv"), "a folder that is not there"),
        (("--data", "corpus", "--cleaned", "a.csv"), "the corpus is none"),
        (("--data", "planted.csv", "--rows", "0"), "rows is 0, must be at least 1"),
        (("--data", "planted.csv", "--label-column", "nope"), "'nope'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    given: tuple[str, ...], message: str, run: Run, planted: str, tmp_path: Path
) -> None:
    before = (tmp_path / planted).read_bytes()
    code, out, err = run("check", *given)
    assert (code, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
    assert [path.name for path in tmp_path.iterdir()] == [planted], "nothing is written"
    assert (tmp_path / planted).read_bytes() == before


def test_text_from_people_moves_no_cursor_and_is_no_markup(run: Run, tmp_path: Path) -> None:
    rows = [[f"{row.text}", ["[red]good", "\x1b[31mbad"][n % 2]] for n, row in enumerate(SENTENCES)]
    rows.append([rows[0][0], rows[1][1]])
    with (tmp_path / "odd.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text", "[bold]x\x1b[2J"], *rows])
    code, out, err = run("check", "--data", "odd.csv")
    assert code == 0
    assert "\x1b" not in out + err
    assert "[red]good" in out


def test_checking_needs_no_torch() -> None:
    code = (
        "import sys; from core.__main__ import main; main(['check', '--data', 'corpus']); "
        "print(sorted({'torch', 'transformers', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
