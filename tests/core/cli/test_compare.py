"""`python -m core compare`, run as a person runs it."""

import ast
import html
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from core.__main__ import main
from core.cli.compare_live import ComparisonDisplay
from core.comparison.events import ComparisonEvent, ComparisonPlan
from tests.core.conftest import Run, labelled_rows, write_spans

ROOT = Path(__file__).resolve().parents[3]
FEW = ("--epochs", "2", "--threads", "1")
"""A second thread costs such small work more than it does, and more still on a busy machine."""

HOSTILE, HOSTILE_LABEL = "<img src=x onerror=alert(1)>", "<script>alert('work')</script>"
THREE = ("--strategies", "heads,heads@auto,lower:1@2")


@pytest.fixture(scope="module")
def finished(tiny: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a comparison that has finished: three strategies, three seeds."""
    folder = tmp_path_factory.mktemp("compared")
    data = folder / "rows.jsonl"
    rows = [(text, HOSTILE_LABEL if kind == "work" else kind, mood, spans)
            for text, kind, mood, spans in labelled_rows(36)]  # fmt: skip
    write_spans(data, [(f"{row[0]} {HOSTILE}", *row[1:]) for row in rows])
    files = {"--out": "report.json", "--html": "report.html", "--predictions": "held.csv"}
    given = [part for option, name in files.items() for part in (option, str(folder / name))]
    code = main(
        [
            "compare",
            *("--data", str(data), "--encoder", tiny, "--runs", str(folder / "runs")),
            *("--train-best", str(folder / "best"), "--code", str(folder / "code")),
            *given,
            *THREE,
            *FEW,
        ]
    )
    assert code == 0
    return folder


@pytest.fixture(scope="module")
def report(finished: Path) -> dict[str, Any]:
    """Give the report of that comparison."""
    found: dict[str, Any] = json.loads((finished / "report.json").read_text(encoding="utf-8"))
    return found


# What it says


def test_the_report_has_what_scripts_rely_on(report: dict[str, Any]) -> None:
    assert (report["thaw_format"], report["rows"], report["seeds"]) == (1, 36, 3)
    assert (report["folds"], report["epochs"]) == (3, 2)
    assert [each["name"] for each in report["strategies"]] == ["heads", "heads@auto", "lower:1@2"]
    assert len(report["runs"]) == 9
    for each in report["strategies"]:
        assert set(each["tasks"]) == {"kind", "names"}
        assert set(each["mean"]) == {"mean", "low", "high"}
        assert {"accuracy", "macro_f1", "versus_heads"} <= set(each["tasks"]["kind"])
        assert {"f1", "versus_heads"} <= set(each["tasks"]["names"])
        assert each["seconds"] > 0
        assert each["wall_seconds"] > 0
        assert each["trainable_parameters"] > 0
    for run in report["runs"]:
        assert {"strategy", "seed", "fold", "repetition", "read", "seconds", "steps"} <= set(run)
        assert set(run["tasks"]) == {"kind", "names"}
    assert report["floor"]["kind"]["lexical"].keys() == {"mean", "low", "high"}
    assert report["floor"]["names"]["majority"] is None


def test_a_difference_to_heads_is_null_for_heads_alone(report: dict[str, Any]) -> None:
    heads, *others = report["strategies"]
    assert heads["tasks"]["kind"]["versus_heads"] is None
    assert all(each["tasks"]["kind"]["versus_heads"] for each in others)


def test_every_row_is_tested_once_by_every_strategy(finished: Path) -> None:
    from core.comparison.store import read_runs

    tested: dict[str, list[int]] = {}
    for run in read_runs(finished / "runs"):
        tested.setdefault(run.record.strategy, []).extend(run.held_out.rows)
    assert set(tested) == {"heads", "heads@auto", "lower:1@2"}
    assert all(sorted(rows) == list(range(36)) for rows in tested.values())


def test_strategies_of_a_seed_begin_with_the_same_heads_and_rows(report: dict[str, Any]) -> None:
    by_seed: dict[int, set[tuple[int, int]]] = {}
    for run in report["runs"]:
        by_seed.setdefault(run["seed"], set()).add((run["fold"], run["steps"]))
    assert all(len(each) == 1 for each in by_seed.values())


def test_exactly_as_many_epochs_run_as_were_asked_for(report: dict[str, Any]) -> None:
    assert {run["epochs"] for run in report["runs"]} == {2}


def test_the_accuracy_is_the_share_of_all_rows_predicted_right(
    finished: Path, report: dict[str, Any]
) -> None:
    from core.comparison.store import read_runs

    for each in report["strategies"]:
        own = [r for r in read_runs(finished / "runs") if r.record.strategy == each["name"]]
        wrong = [wrong for run in own for wrong in run.held_out.tasks["kind"].wrong]
        assert each["tasks"]["kind"]["accuracy"]["mean"] == pytest.approx(1 - sum(wrong) / 36)  # type: ignore[arg-type]


def test_a_kept_run_is_a_model_that_predicts_what_the_run_did(finished: Path) -> None:
    from core.comparison.store import read_runs
    from core.config import DataChoice
    from core.data.dataset import read_dataset
    from core.model.model_folder import load_model
    from core.model.prediction import predict

    dataset = read_dataset(DataChoice(source=str(finished / "rows.jsonl")))
    for run in read_runs(finished / "runs")[::4]:
        assert run.folder is not None
        model = load_model(run.folder, threads=1)
        found = predict(model, [dataset.examples[row].text for row in run.held_out.rows])
        said = run.held_out.tasks["kind"].predicted
        assert tuple(each.labels["kind"].label for each in found) == said


@pytest.mark.parametrize("columns", ["80", "220"])
def test_the_terminal_says_what_the_report_says(
    report: dict[str, Any],
    columns: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from core.cli.blocks import show_report
    from core.report.comparison import comparison_report

    monkeypatch.setenv("COLUMNS", columns)
    further = [{"name": "heads", "mean": {"mean": 0.25, "low": 0.1, "high": 0.5}, "versus": None}]
    given = {"rows_per_class": 8, "rows": 20.0, "strategies": further}
    show_report(comparison_report({**report, "per_class": [given]}))
    told = capsys.readouterr().out
    assert "25.0 (10.0–50.0)" in told, "a table that was asked for"
    for said in (
        "floor: counting words",
        "commonest label",
        "sentences/s",
        "With 8 rows of each class",
    ):
        assert said in told
    for name, each in report["advice"]["tasks"].items():
        assert f"{name}: {each['text']}" in told
    assert ("versus best" in told) == (columns == "220")


def test_the_page_of_the_report_needs_nothing_else(finished: Path) -> None:
    page = (finished / "report.html").read_text(encoding="utf-8")
    page = re.sub("<script>.*?</script>", "", page, flags=re.DOTALL)  # Plotly names addresses
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", page)
    for name in ("heads@auto", "lower:1@2", "floor: counting words", "python -m core compare"):
        assert name in page


def test_the_advice_is_there_as_code_in_the_page_and_in_files(
    finished: Path, report: dict[str, Any]
) -> None:
    page = (finished / "report.html").read_text(encoding="utf-8")
    for name in ("train_transformers.py", "train_sentence_transformers.py"):
        text = (finished / "code" / name).read_text(encoding="utf-8")
        assert text in html.unescape(page)
        assert quote(text) in page
        found = {
            node.targets[0].id: ast.literal_eval(node.value)
            for node in ast.parse(text).body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id.isupper()
        }
        assert found["STRATEGY"] == report["advice"]["strategy"]
        assert HOSTILE_LABEL in found["TASKS"]["kind"]
        assert found["COLUMN"]["kind"] == "kind"


def test_what_people_wrote_is_only_text_in_the_page(finished: Path) -> None:
    page = (finished / "report.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;" in page, "the label is there"
    assert HOSTILE not in page
    assert HOSTILE_LABEL not in page
    assert page.count("<script") == 3, "the figures, Plotly, and what has it draw"


def test_a_budget_too_short_for_any_run_is_no_failure_and_says_what_to_do(
    run: Run, tiny: str, tmp_path: Path
) -> None:
    write_spans(tmp_path / "rows.jsonl", labelled_rows(36))
    files = "--out r.json --html r.html --predictions p.csv --code scripts --train-best model"
    code, out, err = run(
        "compare",
        *("--data", "rows.jsonl", "--encoder", tiny, "--strategies", "heads,full"),
        *("--budget", "0.1s", "--threads", "1", "--runs", "runs", "--json", *files.split()),
    )
    assert code == 0
    assert "the budget of 0.1 seconds ended before the first run did: raise it" in err
    document = json.loads(out)
    assert (document["strategies"], document["advice"], document["over_budget"]) == ([], None, True)
    assert json.loads((tmp_path / "r.json").read_text("utf-8")) == document
    assert "raise it" in (tmp_path / "r.html").read_text("utf-8")
    assert not (tmp_path / "scripts").exists()
    assert not (tmp_path / "model").exists()


def test_predictions_are_a_line_for_each_run_and_row(finished: Path) -> None:
    lines = (finished / "held.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("strategy,seed,fold,line,text,kind,kind_predicted,kind_wrong")
    assert len(lines) == 1 + 3 * 36


def test_the_best_is_trained_on_all_rows_with_the_cross_validated_figures(
    finished: Path, report: dict[str, Any]
) -> None:
    about = json.loads((finished / "best" / "thaw.json").read_text(encoding="utf-8"))["about"]
    assert about["strategy"] == report["advice"]["strategy"]
    assert about["data"]["training_rows"] == 36
    own = next(each for each in report["strategies"] if each["name"] == about["strategy"])
    expected = about["cross_validated"]["kind"]
    assert expected["accuracy"] == own["tasks"]["kind"]["accuracy"]
    assert expected["rows"] == 36
    epochs = sorted(own["best_epochs"])
    assert about["epoch"] == epochs[1], "the median of the folds' best"
    card = (finished / "best" / "README.md").read_text(encoding="utf-8")
    assert "rows held out" in card


def test_the_best_is_calibrated_on_what_all_folds_held_out(
    finished: Path, report: dict[str, Any]
) -> None:
    import torch

    from core.comparison.store import read_runs
    from core.model.evaluation import calibrate
    from core.model.model_folder import load_model

    runs = [run.held_out.tasks["kind"] for run in read_runs(finished / "runs")
            if run.record.strategy == report["advice"]["strategy"]]  # fmt: skip
    task = runs[0].task
    scores = torch.tensor([row for run in runs for row in run.scores or ()])
    labels = torch.tensor([task.labels.index(str(each)) for run in runs for each in run.actual])
    assert len(scores) == 36
    model = load_model(finished / "best", threads=1)
    expected = calibrate(task, scores, labels)
    assert expected.temperature != pytest.approx(1, abs=1e-3), "needs something to calibrate"
    assert model.calibration["kind"].temperature == pytest.approx(expected.temperature)


# Going on


def test_nothing_finished_runs_again_and_a_seed_and_a_strategy_can_be_added(
    run: Run, finished: Path, tiny: str, tmp_path: Path
) -> None:
    shutil.copytree(finished / "runs", tmp_path / "runs")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("run.json")}
    code, out, err = run(
        *("compare", "--data", str(finished / "rows.jsonl"), "--encoder", tiny, *FEW),
        *("--strategies", "heads,lower:1@2,full", "--seeds", "4", "--runs", "runs"),
        *("--resume", "--json"),
    )
    assert code == 0, err
    document = json.loads(out)
    assert len(document["runs"]) == 12
    assert "6 of them done before" in err
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert len(list((tmp_path / "runs").rglob("run.json"))) == 9 + 6


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (("--epochs", "3"), "another epochs"),
        (("--rows", "30"), "another data"),
        (("--pooling", "cls"), "another encoder pooling"),
    ],
)
def test_another_comparison_is_not_mixed_into_a_folder(
    run: Run, finished: Path, tiny: str, changed: tuple[str, ...], named: str
) -> None:
    code, _, err = run(
        *("compare", "--data", str(finished / "rows.jsonl"), "--encoder", tiny, *FEW, *THREE),
        *("--runs", str(finished / "runs"), "--resume", *changed),
    )
    assert code == 2
    assert named in err


def test_a_folder_that_holds_a_comparison_is_not_touched_unasked(
    run: Run, finished: Path, tiny: str
) -> None:
    code, _, err = run(
        *("compare", "--data", str(finished / "rows.jsonl"), "--encoder", tiny, *FEW, *THREE),
        *("--runs", str(finished / "runs")),
    )
    assert code == 2
    assert "--resume" in err
    assert "--overwrite" in err


def test_a_comparison_that_is_to_be_replaced_stays_until_all_that_was_typed_is_right(
    run: Run, finished: Path, tiny: str, tmp_path: Path
) -> None:
    kept = Path(shutil.copytree(finished / "runs", tmp_path / "runs"))
    before = sorted(path.relative_to(kept) for path in kept.rglob("*"))
    data = str(finished / "rows.jsonl")
    for wrong in (
        ("--data", "nowhere.csv", "--encoder", tiny),
        ("--data", data, "--encoder", tiny, "--strategies", "lower:9"),
        ("--data", data, "--encoder", tiny, "--train-best", str(finished / "rows.jsonl")),
    ):
        code, _, _ = run("compare", *wrong, *FEW, "--runs", "runs", "--overwrite")
        assert code == 2
        assert sorted(path.relative_to(kept) for path in kept.rglob("*")) == before


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_the_middle_it_goes_on_and_repeats_no_finished_run(
    run: Run, tiny: str, tmp_path: Path, how: signal.Signals
) -> None:
    write_spans(tmp_path / "rows.jsonl", labelled_rows(36))
    command = (
        *("compare", "--data", "rows.jsonl", "--encoder", tiny, *FEW),
        *("--strategies", "heads,lower:1@2", "--runs", "runs", "--seeds", "5"),
        *("--html", "report.html"),
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "core", *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(list(tmp_path.glob("runs/runs/*/seed-*/run.json"))) < 2:
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.02)
    process.send_signal(how)
    _, told = process.communicate()
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("run.json")}
    assert 2 <= len(before) < 10, "needs a comparison that was stopped midway"
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert "--resume" in told
        assert "what has finished is in" in told
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert "lower:1@2" in page
        return
    code, out, err = run(*command, "--resume", "--json")
    assert code == 0, err
    assert len(json.loads(out)["runs"]) == 10
    assert {p: p.stat().st_mtime_ns for p in before} == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits another one")
def test_frozen_states_that_do_not_fit_on_the_disk_are_no_bad_input(
    run: Run, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_spans(tmp_path / "rows.jsonl", labelled_rows(36))
    before, show = set(multiprocessing.active_children()), ComparisonDisplay.show

    def fill_the_disk(display: ComparisonDisplay, event: ComparisonEvent) -> None:
        show(display, event)
        if isinstance(event, ComparisonPlan):
            import resource

            for worker in set(multiprocessing.active_children()) - before:
                assert worker.pid is not None
                resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (1_000, 1_000))

    monkeypatch.setattr(ComparisonDisplay, "show", fill_the_disk)
    code, _, err = run(
        *("compare", "--data", "rows.jsonl", "--encoder", tiny, *FEW, "--strategies", "heads,full")
    )
    assert "MB of states do not fit into" in err.splitlines()[-1]
    assert code == 1


# Bad input


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--strategies", "heads,,full"), "--strategies"),
        (("--strategies", "heads,heads"), "twice"),
        (("--strategies", "lower:9"), "lower:9"),
        (("--seeds", "0"), "seeds is 0"),
        (("--margin", "nan"), "margin"),
        (("--budget", "soon"), "60s"),
        (("--score", "f2"), "macro-f1"),
        (("--cost", "love"), "inference"),
        (("--jobs", "99"), "jobs is 99"),
        (("--resume",), "--runs"),
        (("--out", "report.txt"), ".json"),
        (("--html", "report.pdf"), ".html"),
        (("--runs", "rows.jsonl"), "is a file"),
        (("--runs", "."), "no comparison"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(
    run: Run, tiny: str, tmp_path: Path, arguments: tuple[str, ...], named: str
) -> None:
    write_spans(tmp_path / "rows.jsonl", labelled_rows(18))
    code, out, err = run("compare", "--data", "rows.jsonl", "--encoder", tiny, *FEW, *arguments)
    assert (code, out) == (2, "")
    assert named in err.splitlines()[-1]


def test_one_of_several_processes_of_a_launcher_is_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    code, out, err = run("compare", "--data", "corpus", "--runs", "runs")
    assert (code, out) == (2, "")
    assert "a launcher started 2 processes" in err
    assert "--jobs 2" in err
