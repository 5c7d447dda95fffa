"""`python -m core layers`, run as a person runs it."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.core.conftest import Run, labelled_rows, write_rows, write_spans

ONE = ("--threads", "1")


@pytest.fixture
def data(tmp_path: Path) -> str:
    return write_spans(tmp_path / "rows.jsonl", labelled_rows(45))


def test_every_layer_of_every_task_has_its_scores_with_intervals(
    run: Run, tiny: str, data: str
) -> None:
    code, out, err = run("layers", "--data", data, "--encoder", tiny, "--json", *ONE)
    assert code == 0, err
    document = json.loads(out)
    assert set(document["tasks"]) == {"kind", "names"}
    for name, metrics in (("kind", {"accuracy", "macro_f1"}), ("names", {"f1"})):
        layers = document["tasks"][name]
        assert [each["layer"] for each in layers] == [0, 1, 2, 3]
        main = "f1" if name == "names" else "accuracy"
        for each in layers:
            assert set(each) == {"layer", *metrics}
            assert each[main]["low"] <= each[main]["mean"] <= each[main]["high"]
        means = [each[main]["mean"] for each in layers]
        assert document["best"][name] == means.index(max(means)), "of equal ones the lower"
    assert document["rows"] == 45


def test_the_seed_deals_the_folds_and_nothing_else_is_left_to_chance(
    run: Run, tiny: str, tmp_path: Path
) -> None:
    words = ("ferry", "boats", "fog", "meal", "chip", "shares", "verse", "hall")
    rows = [f"{a} and {b}," + ("good", "bad")[hash_of(a + b)] for a in words for b in words]
    (tmp_path / "chance.csv").write_text("\n".join(["text,mood", *rows]), encoding="utf-8")
    command = ("layers", "--data", str(tmp_path / "chance.csv"), "--encoder", tiny, "--json", *ONE)
    first, again, other = (run(*command, "--seed", seed)[1] for seed in ("1", "1", "2"))
    assert json.loads(first)["tasks"] == json.loads(again)["tasks"]
    assert json.loads(first)["tasks"] != json.loads(other)["tasks"]


def hash_of(text: str) -> int:
    """Give 0 or 1, which nothing can read off a text."""
    return hashlib.sha256(text.encode()).digest()[0] % 2


def test_a_person_sees_bars_by_layer_the_best_marked_and_a_sentence(
    run: Run, tiny: str, data: str
) -> None:
    code, out, _ = run("layers", "--data", data, "--encoder", tiny, *ONE)
    assert code == 0
    assert "0, embeddings" in out
    assert out.count(" best\n") + out.count(" best  \n") + out.count(" best ") >= 2
    assert "kind is read best at " in out
    assert "names is read best at " in out
    assert max(map(len, out.splitlines()[:-2])) <= 80


def test_a_label_too_rare_to_be_tested_is_left_out_and_this_is_said(
    run: Run, tiny: str, tmp_path: Path
) -> None:
    rows = [*labelled_rows(30), ("the fog sang alone", "odd", "good", "")]
    data = write_rows(tmp_path / "rows.csv", rows, ("text", "kind"))
    command = ("layers", "--data", data, "--encoder", tiny, "--json", *ONE)
    code, out, err = run(*command, "--label-column", "kind")
    assert code == 0, err
    assert "'odd' has 1 rows that are not near-duplicates" in err
    assert len(json.loads(out)["notes"]) == 1


def test_rows_without_text_are_left_out_and_told(run: Run, tiny: str, tmp_path: Path) -> None:
    rows = [*labelled_rows(30), ("", "food", "good", "")]
    data = write_rows(tmp_path / "rows.csv", rows, ("text", "kind"))
    command = ("layers", "--data", data, "--encoder", tiny, "--label-column", "kind", "--json")
    code, out, err = run(*command, *ONE)
    assert code == 0
    assert "1 row without text was left out" in err
    assert json.loads(out)["rows"] == 30


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--data", "none.csv"), "there is no file none.csv"),
        (("--data", "few.csv", "--label-column", "kind"), "task kind cannot be tested"),
        (("--data", "few.csv", "--label-column", "x"), "has no column 'x'"),
        (("--data", "few.csv", "--label-column", "kind", "--task", "x"), "has no task 'x'"),
        (("--data", "few.csv", "--seed", "x"), "invalid value for '--seed'"),
        (("--data", "few.csv", "--label-column", "kind", "--encoder", "x"), "no encoder 'x'"),
        ((), "missing option '--data'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    given: tuple[str, ...], message: str, run: Run, tmp_path: Path
) -> None:
    write_rows(tmp_path / "few.csv", labelled_rows(4), ("text", "kind"))
    code, out, err = run("layers", *given)
    assert (code, out) == (2, "")
    assert message in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith("error: ")
