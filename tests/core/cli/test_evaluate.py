"""`python -m core evaluate`, run as a person runs it."""

import json
from pathlib import Path

import pytest

from tests.core.conftest import Run, labelled_rows, write_rows, write_spans

ONE = ("--threads", "1")


def predicted(run: Run, model: str, texts: list[str]) -> list[str]:
    rows = json.loads(run("predict", *texts, "--model", model, "--json", *ONE)[1])
    return [row["kind"]["label"] for row in rows]


def test_the_figures_are_those_of_the_predictions_counted_by_hand(
    run: Run, tiny_trained: str, tmp_path: Path
) -> None:
    texts = [f"{row[0]} once more" for row in labelled_rows(12)]
    said = predicted(run, tiny_trained, texts)
    labels = ["food", "travel", "work"]
    wrong = {label: labels[(place + 1) % 3] for place, label in enumerate(labels)}
    true = [*said[:9], *(wrong[label] for label in said[9:])]  # nine right, three not
    assert len(set(true)) > 1
    data = write_rows(tmp_path / "rows.csv", zip(texts, true, strict=True), ("text", "kind"))
    code, out, err = run("evaluate", "--data", data, "--model", tiny_trained, "--json", *ONE)
    assert code == 0, err
    document = json.loads(out)
    assert document["rows"] == 12
    scores = document["tasks"]["kind"]
    assert scores["accuracy"] == pytest.approx(9 / 12)
    # Wilson 1927 by hand for 9 of 12: 0.4677 to 0.9111.
    assert scores["accuracy_interval"]["low"] == pytest.approx(0.4677, abs=1e-4)
    assert scores["accuracy_interval"]["high"] == pytest.approx(0.9111, abs=1e-4)
    assert scores["labels"] == labels
    by_hand = [
        [sum((t, p) == (row, column) for t, p in zip(true, said, strict=True)) for column in labels]
        for row in labels
    ]
    assert scores["confusion"] == by_hand
    assert scores["per_label"]["food"]["rows"] == true.count("food")
    assert set(scores["per_label"]["food"]) == {"precision", "recall", "f1", "rows"}


def test_a_token_task_is_scored_by_strict_spans(
    run: Run, tiny_trained: str, tmp_path: Path
) -> None:
    data = write_spans(tmp_path / "rows.jsonl", labelled_rows(30))
    code, out, _ = run("evaluate", "--data", data, "--model", tiny_trained, "--json", *ONE)
    assert code == 0
    scores = json.loads(out)["tasks"]["names"]
    assert {"precision", "recall", "f1", "rows"} <= set(scores)
    assert (scores["rows"], scores["entities"]) == (30, 30)


def test_a_person_sees_scores_by_label_and_the_confusion(
    run: Run, tiny_trained: str, tmp_path: Path
) -> None:
    data = write_spans(tmp_path / "rows.jsonl", labelled_rows(30))
    code, out, _ = run("evaluate", "--data", data, "--model", tiny_trained, *ONE)
    assert code == 0
    assert "on 30 rows of rows.jsonl" in out
    assert "kind  accuracy " in out
    assert "precision  recall" in out
    assert "true, by predicted" in out
    assert "names  strict F1 " in out


def test_rows_that_the_model_learned_from_are_told(
    run: Run, tiny_trained: str, tmp_path: Path
) -> None:
    command = ("evaluate", "--model", tiny_trained, "--json", *ONE)
    _, _, err = run(*command, "--data", str(Path(tiny_trained).parent / "rows.jsonl"))
    assert "has learned from these very rows" in err
    other = write_spans(tmp_path / "rows.jsonl", labelled_rows(30))
    assert "has learned from" not in run(*command, "--data", other)[2]


def test_of_a_split_column_the_test_rows_alone_are_scored(
    run: Run, tiny_trained: str, tmp_path: Path
) -> None:
    parts = ["train"] * 20 + ["test"] * 10
    rows = [(*row[:2], part) for row, part in zip(labelled_rows(30), parts, strict=True)]
    data = write_rows(tmp_path / "rows.csv", rows, ("text", "kind", "part"))
    command = ("evaluate", "--data", data, "--model", tiny_trained, "--json", *ONE)
    code, out, err = run(*command, "--split-column", "part")
    assert code == 0
    assert "the 10 test rows of 30 are scored" in err
    assert json.loads(out)["rows"] == 10


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--data", "none.csv"), "there is no file none.csv"),
        (("--data", "odd.csv"), "kind has the labels 'sport' in the data, the model has: food,"),
        (("--data", "other.csv"), "has the tasks colour, must have labelled rows for one of"),
        (("--data", "other.csv", "--model", "none"), "none is no model folder"),
        (("--data", "other.csv", "--threads", "0"), "threads is 0"),
        ((), "missing option '--data'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    given: tuple[str, ...], message: str, run: Run, tiny_trained: str, tmp_path: Path
) -> None:
    rows = [(row[0], "sport" if n % 2 else "food") for n, row in enumerate(labelled_rows(12))]
    write_rows(tmp_path / "odd.csv", rows, ("text", "kind"))
    write_rows(tmp_path / "other.csv", rows, ("text", "colour"))
    model = () if "--model" in given else ("--model", tiny_trained)
    code, out, err = run("evaluate", *given, *model)
    assert (code, out) == (2, "")
    assert message in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith("error: ")


def test_labels_are_renamed_to_the_models(run: Run, tiny_trained: str, tmp_path: Path) -> None:
    rows = [(text, {"food": "meals"}.get(kind, kind)) for text, kind, *_ in labelled_rows(12)]
    data = write_rows(tmp_path / "rows.csv", rows, ("text", "what"))
    command = ("evaluate", "--data", data, "--model", tiny_trained, "--json", *ONE)
    options = ("--label-column", "kind=what", "--map", "meals=food")
    code, out, err = run(*command, *options)
    assert code == 0, err
    assert json.loads(out)["tasks"]["kind"]["rows"] == 12
