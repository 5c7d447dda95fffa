"""A comparison on disk: every finished run at once, so that it can go on and be extended.

A folder holds `comparison.json` (format, and what makes it this comparison), and for each run a
folder with its model (only the tensors it changed), `run.json` and `held_out.json`. Nothing in it
is ever run.
"""

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from core.advice.held_out import HeldOut, held_out_from
from core.errors import InputError, setting
from core.model.manifest import MANIFEST
from core.system.files import LOCK, locked, write_json

FORMAT = 1
INDEX = "comparison.json"
RUN, HELD_OUT = "run.json", "held_out.json"
RUNS, FURTHER, REPORT = "runs", "further", "report.json"
_OURS = frozenset({INDEX, LOCK, RUNS, FURTHER, REPORT})


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What one finished run cost, and how it went.

    Attributes:
        strategy: Its name, as a person types it.
        settings: What is set of the strategy beside its name.
        seed: The run's.
        fold: Which fold it tested; None with a test split of the person's own.
        repetition: Which deal of the folds.
        read: By task, the layer its head reads.
        rates: The full learning rates, `encoder` and `head`.
        epochs: Epochs trained.
        best_epoch: The epoch whose weights were kept.
        converged: Whether validation stopped improving before the last epoch; None where
            nothing validates.
        training_rows: Rows it learned from.
        steps: Updates made.
        trainable_parameters: Weights that train.
        seconds: What it costs on its own: the frozen prefix, the profile if `@auto`, the steps.
        wall_seconds: What was spent on it, evaluation and measuring included.
        seconds_per_step: The mean of an update.
        prefix_seconds: Of `seconds`, the frozen prefix.
        profile_seconds: Of `seconds`, the layer profile.
        peak_memory_bytes: Of its process, the shared prefix apart; None where it was not measured.
        inference_sentences_per_second: When predicting; None where it was not measured.
        drift: How far the embedding is from the pretrained one; None where it was not measured.
        forgetting: What the probe lost; None where it was not measured.
        scores: By task, the figures on the tested rows.
        validation: By task, the figures on the validation rows; None without any.
        curves: Losses by step and scores by epoch, to be drawn.
        temperature: By task, as fitted on the validation rows.
        tested_calibration: By task, temperature and threshold as fitted on the tested rows.
        threads: torch threads it ran on.
        notes: What a person should know, each one sentence.
    """

    strategy: str
    settings: Mapping[str, float]
    seed: int
    fold: int | None
    repetition: int
    read: Mapping[str, int | str]
    rates: Mapping[str, float]
    epochs: int
    best_epoch: int
    converged: bool | None
    training_rows: int
    steps: int
    trainable_parameters: int
    seconds: float
    wall_seconds: float
    seconds_per_step: float
    prefix_seconds: float
    profile_seconds: float
    peak_memory_bytes: int | None
    inference_sentences_per_second: float | None
    drift: Mapping[str, Any] | None
    forgetting: Mapping[str, Any] | None
    scores: Mapping[str, Any]
    validation: Mapping[str, Any] | None
    curves: Mapping[str, Any]
    temperature: Mapping[str, float]
    tested_calibration: Mapping[str, Any]
    threads: int
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Describe it as JSON; `run_record_from` reads it back."""
        return {**asdict(self), "notes": list(self.notes)}


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """A run that has ended.

    Attributes:
        record: What it cost and how it went.
        held_out: What it predicted for the rows it was tested on.
        folder: Where its model is; None where nothing is kept.
    """

    record: RunRecord
    held_out: HeldOut
    folder: Path | None = field(default=None, compare=False)

    @property
    def key(self) -> tuple[str, int]:
        """Strategy and seed: what no two runs of a comparison share."""
        return self.record.strategy, self.record.seed


_KINDS: dict[str, tuple[type, ...]] = {
    "strategy": (str,),
    "settings": (dict,),
    "read": (dict,),
    "rates": (dict,),
    "scores": (dict,),
    "curves": (dict,),
    "temperature": (dict,),
    "tested_calibration": (dict,),
    "notes": (list,),
    "fold": (int, type(None)),
    "converged": (bool, type(None)),
    "peak_memory_bytes": (int, type(None)),
    "inference_sentences_per_second": (float, int, type(None)),
    "drift": (dict, type(None)),
    "forgetting": (dict, type(None)),
    "validation": (dict, type(None)),
}


def run_record_from(document: object) -> RunRecord:
    """Read a record back from its JSON.

    Raises:
        ValueError: If it is of another shape, naming what is wrong.
    """
    if not isinstance(document, dict):
        raise ValueError("a run's record must be an object")
    found: dict[str, Any] = {}
    for each in fields(RunRecord):
        value = document.get(each.name)
        if each.name not in document or not isinstance(value, _KINDS.get(each.name, (int, float))):
            raise ValueError(f"a run's record has no {each.name} that can be read")
        found[each.name] = value
    return RunRecord(**{**found, "notes": tuple(map(str, found["notes"]))})


class ComparisonFolder:
    """The folder of one comparison, held for this process alone. Use it as a context.

    Args:
        folder: Where; it is made if it is not there.
        identity: What makes it this comparison: data, encoder, choices, versions. JSON.

    Raises:
        ValueError: If another process holds it, or it holds another comparison or something else.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.path = folder
        self._identity = dict(identity)
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "ComparisonFolder":
        begun = (self.path / INDEX).exists()
        if not begun and self.path.is_dir():
            check_free(self.path)
        self._stack.enter_context(locked(self.path))
        try:
            if begun:
                check_same(self.path, self._identity)
            else:
                document = {"thaw_format": FORMAT, "kind": "comparison", **self._identity}
                write_json(self.path / INDEX, document)
            for left in (
                *self.path.glob(f"{RUNS}/*/.*"),
                *self.path.glob(f"{FURTHER}/*/*/.*"),
            ):  # a run that was killed as it was written
                shutil.rmtree(left, ignore_errors=True)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def run_folder(
        self, strategy: str, settings: Mapping[str, float], seed: int, variant: str = ""
    ) -> Path:
        """Name the folder of a run; a variant's lie apart."""
        top = self.path / FURTHER / run_name(variant, {}) if variant else self.path / RUNS
        return top / run_name(strategy, settings) / f"seed-{seed}"

    def finished(self, variant: str = "") -> list[FinishedRun]:
        """Read all runs that have ended. Raises as `read_run`."""
        return read_runs(self.path, variant)


def check_free(folder: Path) -> None:
    """Refuse a folder that holds something else than a comparison.

    Raises:
        ValueError: Saying so.
    """
    if any(path.name not in _OURS for path in folder.iterdir()):
        raise ValueError(f"{folder} holds something that is no comparison: give another folder")


def read_index(folder: Path) -> dict[str, Any]:
    """Read what a comparison's folder says of itself.

    Raises:
        ValueError: If it is none, or of a newer format.
    """
    path = folder / INDEX
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"{folder} holds no comparison: it has no {INDEX}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    version = document.get("thaw_format") if isinstance(document, dict) else None
    if not isinstance(version, int) or version < 1 or document.get("kind") != "comparison":
        raise ValueError(f"{path} is no comparison of Thaw's")
    if version > FORMAT:
        raise ValueError(
            f"{path} is of format {version}, this Thaw reads up to {FORMAT}: use a newer Thaw"
        )
    return document


def check_same(folder: Path, identity: Mapping[str, Any]) -> None:
    """Refuse to go on with a comparison of other data, or made otherwise.

    Raises:
        ValueError: Naming what differs.
    """
    before = read_index(folder)
    for name, now in identity.items():
        was = before.get(name)
        if was != now and isinstance(was, dict) and isinstance(now, dict):
            inner = next((key for key in (*now, *was) if was.get(key) != now.get(key)), None)
            if inner is None:  # one of them names something that is set to nothing
                continue
            name, was, now = f"{name} {inner}", was.get(inner), now.get(inner)
        if was != now:
            raise InputError(
                f"{folder} holds a comparison with another {name} ({_short(was)}, now "
                f"{_short(now)}), whose runs cannot stand beside these: give another folder, or "
                f"{setting('overwrite')} to start anew"
            )


def _short(value: object) -> str:
    return str(value)[:60]


def run_name(strategy: str, settings: Mapping[str, float]) -> str:
    """Name a strategy's folder: legible, and safe on every system, whatever a task is called."""
    told = json.dumps([strategy, dict(sorted(settings.items()))])
    legible = re.sub(r"[^a-zA-Z0-9@+-]+", "-", strategy)[:40].strip("-")
    return f"{legible}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"


def keep_run(building: Path, folder: Path, run: FinishedRun) -> None:
    """Put a run whose model is written into its place, whole or not at all.

    Args:
        building: Where its model was written, beside its place.
        folder: Its place.
        run: What is told of it.
    """
    building.mkdir(parents=True, exist_ok=True)
    write_json(building / HELD_OUT, run.held_out.document())
    write_json(building / RUN, {"thaw_format": FORMAT, **run.record.document()})
    if folder.exists():
        shutil.rmtree(folder)
    building.replace(folder)


def read_runs(folder: Path, variant: str = "") -> list[FinishedRun]:
    """Read all runs of a comparison's folder that have ended, in the order of their names.

    Args:
        folder: The comparison's.
        variant: Of which further table; empty for the comparison itself.

    Raises:
        ValueError: If one cannot be read.
    """
    top = folder / FURTHER / run_name(variant, {}) if variant else folder / RUNS
    return [read_run(path.parent) for path in sorted(top.glob(f"*/seed-*/{RUN}"))]


def read_run(folder: Path) -> FinishedRun:
    """Read one finished run.

    Raises:
        ValueError: If it cannot be read, or is of a newer format.
    """
    try:
        document = json.loads((folder / RUN).read_text(encoding="utf-8"))
        if isinstance(document, dict) and document.get("thaw_format") != FORMAT:
            raise ValueError(f"it is of format {document.get('thaw_format')}, must be {FORMAT}")
        record = run_record_from(document)
        held_out = held_out_from(json.loads((folder / HELD_OUT).read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error)[:200]
        raise ValueError(
            f"{folder} holds a run that cannot be read ({reason}): remove that folder, and it is "
            "run again"
        ) from error
    if (held_out.strategy, held_out.seed) != (record.strategy, record.seed):
        raise ValueError(f"{folder} holds the record of one run and the predictions of another")
    return FinishedRun(
        record=record,
        held_out=held_out,
        folder=folder if (folder / MANIFEST).is_file() else None,
    )


def forget_models(folder: Path, runs: Sequence[FinishedRun]) -> int:
    """Remove the weights of some runs and keep what is told of them; return the bytes freed."""
    freed = 0
    for run in runs:
        if run.folder is None or not run.folder.is_relative_to(folder):
            continue
        for path in run.folder.iterdir():
            if path.name not in (RUN, HELD_OUT):
                freed += path.stat().st_size
                path.unlink()
    return freed


def remove_comparison(folder: Path) -> None:
    """Remove a comparison's folder, all its runs included.

    Raises:
        ValueError: If it holds no comparison, or another process writes there.
    """
    read_index(folder)
    with locked(folder):
        for name in _OURS - {LOCK}:
            path = folder / name
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
