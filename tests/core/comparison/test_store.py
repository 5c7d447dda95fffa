"""A comparison on disk: whole runs or none, one process at a time, nothing mixed, nothing lost."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.comparison.store import (
    HELD_OUT,
    INDEX,
    RUN,
    ComparisonFolder,
    FinishedRun,
    forget_models,
    keep_run,
    read_run,
    read_runs,
    remove_comparison,
    run_name,
)
from core.model.manifest import MANIFEST
from core.system.files import write_json
from tests.made_runs import record_of, run_of

IDENTITY: Mapping[str, Any] = {"data": "abc", "epochs": None, "training": {"batch": 32}}


def made(strategy: str = "heads", seed: int = 0) -> FinishedRun:
    run = run_of(strategy, [True, False, True], seed=seed)
    return FinishedRun(record=record_of(strategy, seed=seed, notes=("ü\u2028",)), held_out=run)


def keep(folder: ComparisonFolder, run: FinishedRun, model: Mapping[str, str]) -> Path:
    """Keep a run with the files of its model, as a worker does."""
    place = folder.run_folder(run.record.strategy, run.record.settings, run.record.seed)
    building = place.with_name(f".{place.name}")
    building.mkdir(parents=True)
    for name, text in model.items():
        (building / name).write_text(text)
    keep_run(building, place, run)
    return place


def test_a_run_that_was_kept_is_read_as_it_was(tmp_path: Path) -> None:
    runs = [made("heads", 0), made("heads", 1), made("freeze-head:kind", 0)]
    with ComparisonFolder(tmp_path, IDENTITY) as folder:
        places = [keep(folder, run, {MANIFEST: "{}"}) for run in runs]
        found = {run.folder: run for run in folder.finished()}
        assert found == dict(zip(places, runs, strict=True))
        assert folder.finished("balance dwa") == [], "further tables lie apart"


def test_a_run_that_is_done_again_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    with ComparisonFolder(tmp_path, IDENTITY) as folder:
        place = keep(folder, made(), {MANIFEST: "{}", "old": ""})
        other = replace(made(), record=record_of("heads", steps=9))
        assert keep(folder, other, {MANIFEST: "{}"}) == place
        (found,) = folder.finished()
    assert found.record.steps == 9
    assert sorted(path.name for path in place.iterdir()) == sorted([MANIFEST, RUN, HELD_OUT])


def test_a_run_is_on_the_disk_before_it_is_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, synced = os.fsync, set[int]()

    def noted(file: int) -> None:
        real(file)
        if not read_runs(tmp_path):
            synced.add(os.fstat(file).st_ino)

    monkeypatch.setattr(os, "fsync", noted)
    with ComparisonFolder(tmp_path, IDENTITY) as folder:
        place = keep(folder, made(), {})
    kept = [tmp_path / INDEX, place / RUN, place / HELD_OUT]
    assert {path.stat().st_ino for path in kept} <= synced


@pytest.mark.parametrize("variant", ["", "balance dwa"])
def test_a_run_that_was_killed_as_it_was_written_is_none_and_is_cleared_away(
    variant: str, tmp_path: Path
) -> None:
    with ComparisonFolder(tmp_path, IDENTITY) as folder:
        place = folder.run_folder("heads", {}, 0, variant)
        keep_run(place.with_name(f".{place.name}"), place, made())
    left = place.rename(place.with_name(f".{place.name}"))
    assert read_runs(tmp_path, variant) == []
    with ComparisonFolder(tmp_path, IDENTITY):
        assert not left.exists()


def test_a_comparison_is_one_process_s_alone(tmp_path: Path) -> None:
    place = tmp_path / "runs"
    with ComparisonFolder(place, IDENTITY) as folder:
        keep(folder, made(), {})
        with (
            pytest.raises(ValueError, match="being written by another run"),
            ComparisonFolder(place, IDENTITY),
        ):
            pass
        with pytest.raises(ValueError, match="being written by another run"):
            remove_comparison(place)
        assert len(folder.finished()) == 1
    remove_comparison(place)
    assert not place.exists()


def test_one_that_is_refused_lets_go_of_the_folder(tmp_path: Path) -> None:
    with ComparisonFolder(tmp_path, IDENTITY):
        pass
    refused = ComparisonFolder(tmp_path, {**IDENTITY, "data": "xyz"})
    with pytest.raises(ValueError, match="another data"), refused:
        pass
    with ComparisonFolder(tmp_path, IDENTITY):
        pass


@pytest.mark.parametrize(
    ("training", "same"),
    [
        ({"batch": 32, "clip": None}, True),
        ({"batch": 32, "clip": 1.0}, False),
        ({"batch": 16}, False),
        ({}, False),
    ],
)
def test_a_choice_that_is_new_and_set_to_nothing_makes_no_other_comparison(
    training: dict[str, Any], same: bool, tmp_path: Path
) -> None:
    with ComparisonFolder(tmp_path, IDENTITY):
        pass
    again = ComparisonFolder(tmp_path, {**IDENTITY, "training": training})
    if same:
        with again:
            return
    with pytest.raises(ValueError, match=r"another training (batch|clip)"), again:
        pass


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ValueError, match="no comparison"), ComparisonFolder(tmp_path, IDENTITY):
        pass
    with pytest.raises(ValueError, match="no comparison"):
        remove_comparison(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_strategies_that_differ_in_name_or_settings_have_folders_of_their_own() -> None:
    told: list[tuple[str, dict[str, float]]] = [
        ("lower:1", {}),
        ("lower:1", {"share": 0.5}),
        ("lower:1", {"share": 0.25}),
        ("lower-1", {}),
        ("freeze-head:a/b", {}),
        ("freeze-head:a.b", {}),
        ("freeze-head:" + "é" * 300, {}),
        ("freeze-head:../../..", {}),
    ]
    names = [run_name(*each) for each in told]
    assert len(set(names)) == len(told)
    for name in names:
        assert name.replace("-", "").replace("@", "").replace("+", "").isalnum()
        assert name.isascii()
        assert len(name) < 60


def changed(path: Path, **fields: object) -> None:
    """Write other fields into a JSON file; None removes one."""
    document = json.loads(path.read_text(encoding="utf-8")) | fields
    for name in [name for name, each in fields.items() if each is None]:
        del document[name]
    path.write_text(json.dumps(document), encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "fields", "said"),
    [
        (RUN, {"thaw_format": 2}, "of format 2"),
        (RUN, {"seconds": "soon"}, "has no seconds that can be read"),
        (RUN, {"strategy": None}, "has no strategy that can be read"),
        (RUN, {"seed": 5}, "the record of one run and the predictions of another"),
        (HELD_OUT, {"rows": None}, "cannot be read"),
    ],
)
def test_a_run_that_is_broken_or_newer_is_refused_by_its_folder(
    file: str, fields: dict[str, object], said: str, tmp_path: Path
) -> None:
    with ComparisonFolder(tmp_path, IDENTITY) as folder:
        place = keep(folder, made(), {})
        changed(place / file, **fields)
        with pytest.raises(ValueError, match=said) as refused:
            folder.finished()
    assert str(place) in str(refused.value)


def test_a_comparison_of_a_newer_format_is_refused_in_words(tmp_path: Path) -> None:
    with ComparisonFolder(tmp_path, IDENTITY):
        pass
    changed(tmp_path / INDEX, thaw_format=2)
    with pytest.raises(ValueError, match="use a newer Thaw"), ComparisonFolder(tmp_path, IDENTITY):
        pass


def test_weights_that_are_forgotten_leave_the_figures(tmp_path: Path) -> None:
    with ComparisonFolder(tmp_path / "own", IDENTITY) as folder:
        place = keep(folder, made(), {MANIFEST: "{}", "weights": "12345"})
    with ComparisonFolder(tmp_path / "other", IDENTITY) as folder:
        other = keep(folder, made(), {MANIFEST: "{}"})
    runs = [read_run(place), read_run(other)]
    assert forget_models(tmp_path / "own", runs) == 2 + 5, "bytes"
    found = read_run(place)
    assert (found, found.folder) == (runs[0], None)
    assert read_run(other).folder == other, "it is of another comparison"


@contextmanager
def full_disk(most: int) -> Iterator[None]:
    """Let no file grow past some bytes."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_report_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_json(path, {"runs": 3})
    with full_disk(100), pytest.raises(OSError, match=r"large|space|quota"):
        write_json(path, {"runs": list(range(1000))})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"runs": float("nan")})
    assert json.loads(path.read_text()) == {"runs": 3}
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
