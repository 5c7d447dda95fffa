"""`python -m core predict`, run as a person runs it."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.conftest import Run

ROOT = Path(__file__).resolve().parents[3]
APPLE = "Apple shares fell sharply after Tim Cook warned of weak sales in China."
HOSTILE = "[bold red]x[/] \x1b]0;owned\x07\x1b[2J\x9b31m \u202eevil [/nothing] :smile: <b>b</b>"


def test_the_shipped_model_answers_with_every_task_and_spans_that_slice_the_text(run: Run) -> None:
    code, out, err = run("predict", APPLE, "--json")
    assert (code, err) == (0, "")
    (row,) = json.loads(out)
    assert row["text"] == APPLE
    for task in ("topic", "sentiment"):
        assert row[task]["scores"][row[task]["label"]] == row[task]["confidence"]
        assert sum(row[task]["scores"].values()) == pytest.approx(1)
        assert row[task]["confidence"] == max(row[task]["scores"].values())
    assert row["topic"]["label"] == "business"
    found = {entity["text"]: entity for entity in row["entities"]}
    assert {"Tim Cook", "China"} <= set(found)
    assert (found["Tim Cook"]["label"], found["China"]["label"]) == ("PER", "LOC")
    for entity in row["entities"]:
        assert APPLE[entity["start"] : entity["end"]] == entity["text"]
        assert 0 < entity["confidence"] <= 1


def test_a_person_sees_a_block_a_sentence_with_bars_and_entities(run: Run) -> None:
    code, out, err = run("predict", APPLE, "It rains.")
    assert (code, err) == (0, "")
    assert out.startswith(f"1  {APPLE}\n   topic      business ")
    assert "█" in out
    assert "Tim Cook PER 0." in out
    assert "\n2  It rains.\n" in out


def test_explained_words_add_up_to_the_score_and_are_shown(run: Run) -> None:
    code, out, _ = run("predict", APPLE, "--explain", "--json")
    said = json.loads(out)[0]["topic"]
    assert code == 0
    assert said["exact"] is True
    assert [word["text"] for word in said["words"]][:2] == ["Apple", "shares"]
    assert set(said["words"][0]["contributions"]) == set(said["scores"])
    _, shown, _ = run("predict", APPLE, "--explain")
    assert "towards business: " in shown
    assert "shares +" in shown


def test_what_is_below_the_threshold_is_shown_as_unsure(run: Run, tiny_trained: str) -> None:
    text = "the ferry left late and nobody sang"
    for threshold, unsure in (("1", True), ("0", False)):
        given = ("predict", text, "--model", tiny_trained, "--threshold", threshold)
        _, out, _ = run(*given, "--json")
        assert json.loads(out)[0]["kind"]["unsure"] is unsure
        assert ("unsure" in run(*given)[1]) is unsure


def test_a_long_file_is_predicted_in_chunks_in_its_order(
    run: Run, tiny_trained: str, tmp_path: Path
) -> None:
    texts = [f"ferry {number} late" for number in range(2_500)]
    (tmp_path / "in.txt").write_text("\n".join(texts), encoding="utf-8")
    given = ("predict", "--file", "in.txt", "--model", tiny_trained, "--threads", "1")
    code, out, err = run(*given, "--out", "o.csv", "--json")
    assert code == 0, err
    rows = json.loads(out)
    assert [row["text"] for row in rows] == texts
    with (tmp_path / "o.csv").open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert [row["text"] for row in written] == texts
    assert [row["kind"] for row in written] == [row["kind"]["label"] for row in rows]
    one = json.loads(run("predict", texts[-1], "--model", tiny_trained, "--json")[1])[0]
    assert rows[-1]["kind"]["confidence"] == pytest.approx(one["kind"]["confidence"], abs=1e-5)


def test_predictions_are_written_as_jsonl_and_this_is_said(
    run: Run, tiny_trained: str, tmp_path: Path
) -> None:
    given = ("predict", "the ferry", "the food", "--model", tiny_trained, "--out", "o.jsonl")
    code, out, err = run(*given)
    assert (code, err) == (0, "")
    assert out == f"2 sentences → o.jsonl ({tiny_trained})\n"
    rows = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == ["the ferry", "the food"]
    assert set(rows[0]) == {"text", "kind", "names"}


def test_standard_input_is_read_and_empty_lines_are_told(run: Run, tiny_trained: str) -> None:
    given = ("predict", "--file", "-", "--model", tiny_trained, "--json")
    code, out, err = run(*given, stdin=b"the ferry\n\nthe food\n")
    assert code == 0
    assert [row["text"] for row in json.loads(out)] == ["the ferry", "the food"]
    assert err == "1 empty line was skipped\n"


def test_a_text_too_long_to_be_read_is_told(run: Run, tiny_trained: str) -> None:
    code, out, err = run("predict", "ferry " * 500, "--model", tiny_trained)
    assert code == 0
    assert "only its beginning was read" in out
    assert "1 of 1 sentences is longer than the 32 tokens" in err


def test_a_text_that_the_encoder_cannot_read_is_told(run: Run, tiny_trained: str) -> None:
    code, out, err = run("predict", "x" * 99_999, "the ferry", "--model", tiny_trained)
    assert code == 0
    assert out.count("this says nothing") == 1
    assert "1 of 2 sentences hold no word or sign that" in err
    _, out, _ = run("predict", "\U0001f9ff", "the ferry", "--model", tiny_trained, "--json")
    assert [row.get("unreadable") for row in json.loads(out)] == [True, None]


def test_hostile_text_is_shown_as_text_and_no_formula_is_written(
    run: Run, tiny_trained: str, tmp_path: Path
) -> None:
    (tmp_path / "in.jsonl").write_text(json.dumps({"text": HOSTILE}), encoding="utf-8")
    for options in (("--explain",), ("--json",)):
        given = ("predict", "--file", "in.jsonl", "--model", tiny_trained, *options)
        code, out, err = run(*given)
        assert code == 0
        assert not set(out + err) & set("\x1b\x07\x9b")
    _, out, _ = run("predict", "--file", "in.jsonl", "--model", tiny_trained)
    assert "\u202e" not in out
    assert "[bold red]x[/]" in out
    run("predict", "=1+1", "--model", tiny_trained, "--out", "o.csv")
    assert "\n'=1+1," in (tmp_path / "o.csv").read_text(encoding="utf-8")


BAD = [
    (("A", "--threshold", "2"), "threshold is 2.0, must be 0 to 1"),
    (("A", "--threshold", "nan"), "threshold is nan, must be 0 to 1"),
    (("A", "--threshold", "x"), "invalid value for '--threshold'"),
    (("A", "--out", "o.json"), "must end in one of: .csv, .jsonl"),
    (("A", "--out", "none/o.csv"), "is in a folder that is not there"),
    (("A", "--model", "none"), "none is no model folder: it has no thaw.json"),
    (("A", "--model", "f.csv"), "f.csv is no model folder"),
    (("A", "--model", "newer"), "newer is of format 2, this Thaw reads up to 1"),
    (("A", "--model", "broken"), "broken/thaw.json is not JSON that can be read"),
    (("A", "--threads", "0"), "threads is 0, must be 1 to"),
    (("A", "--device", "toaster"), "device 'toaster' cannot be used here"),
    ((" ",), "is empty: write it, or leave it out"),
    ((), "there is nothing to read: give sentences, or --file F"),
    (("A", "--file", "f.csv"), "there are sentences and --file: give either"),
    (("A", "--column", "text"), "--column names a column of a file"),
    (("--file", "none.txt"), "there is no file none.txt"),
    (("--file", "f.csv", "--column", "x"), "f.csv has no column 'x'"),
    (("--file", "f.csv", "--column", "n", "--out", "f.csv"), "is the file that is read"),
]


@pytest.mark.parametrize(("given", "message"), BAD, ids=lambda value: " ".join(value)[:40])
def test_bad_input_is_one_sentence_and_exit_code_2(
    given: tuple[str, ...], message: str, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "f.csv").write_text("id,n\n1,2\n")
    for name, text in (("newer", '{"thaw_format": 2, "kind": "model"}'), ("broken", "{")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thaw.json").write_text(text)
    before = sorted(tmp_path.rglob("*"))
    code, out, err = run("predict", *given)
    assert (code, out) == (2, "")
    assert message in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith("error: ")
    assert sorted(tmp_path.rglob("*")) == before


def test_bad_input_far_down_a_file_leaves_no_file(
    run: Run, tiny_trained: str, tmp_path: Path
) -> None:
    lines = [json.dumps({"text": f"ferry {n % 50}"}) for n in range(2_100)]
    (tmp_path / "in.jsonl").write_text("\n".join([*lines, "{broken"]))
    given = ("predict", "--file", "in.jsonl", "--model", tiny_trained, "--threads", "1")
    code, out, err = run(*given, "--out", "o.jsonl")
    assert (code, out) == (2, "")
    assert "line 2,101 is not JSON" in err
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def in_a_process(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_a_cold_prediction_imports_nothing_that_it_does_not_need() -> None:
    done = in_a_process(
        "import json, sys\n"
        "from core.__main__ import main\n"
        f"assert main(['predict', {APPLE!r}, '--json']) == 0\n"
        "print(json.dumps([name for name in sys.modules if '.' not in name]))\n"
        "print(json.dumps('torch._dynamo' in sys.modules))\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    *_, modules, compiler = done.stdout.splitlines()
    unwanted = {"transformers", "sentence_transformers", "pandas", "pyarrow", "sklearn", "gradio"}
    assert not unwanted & set(json.loads(modules))
    assert compiler == "false", "torch's compiler takes a second to import"


def test_bad_input_is_answered_without_torch() -> None:
    done = in_a_process(
        "import sys\n"
        "from core.__main__ import main\n"
        "for given in (['--help'], ['A', '--threshold', '2'], ['--file', 'none.txt'], []):\n"
        "    main(['predict', *given])\n"
        "assert not {'torch', 'numpy', 'pyarrow'} & set(sys.modules)\n"
    )
    assert done.returncode == 0, done.stderr
    for flag in ("--explain", "--threshold", "--out", "--model", "--threads", "--json"):
        assert flag in done.stdout
