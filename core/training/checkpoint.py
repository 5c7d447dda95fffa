"""A run on disk while it is going on: one file that is always whole, in a folder that is locked.

The file is safetensors with a JSON document in its header, so that weights, optimiser, draws and
plan are replaced together, in one rename. Nothing in it is ever run.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from core.errors import InputError, setting
from core.model.model_folder import check_target_folder
from core.system.files import LOCK, locked

FORMAT = 1
CHECKPOINT = "checkpoint.safetensors"
UNFINISHED = f".{CHECKPOINT}.part"
"""A checkpoint as it is being written: of one name, so that one that was killed leaves no heap."""

RUN_FILES = frozenset({CHECKPOINT, UNFINISHED, LOCK})
"""What a run that has not ended keeps in its folder."""

_DOCUMENT = "thaw"


def write_checkpoint(
    folder: Path, tensors: Mapping[str, Tensor], document: Mapping[str, Any]
) -> Path:
    """Replace a run's checkpoint, whole or not at all.

    Args:
        folder: The run's folder; it is there.
        tensors: Weights, optimiser states, draws, by name.
        document: Everything else; JSON.

    Returns:
        Where it was written.

    Raises:
        RuntimeError: If it cannot be written, as on a full disk; the old one is intact.
    """
    path = folder / CHECKPOINT
    building = folder / UNFINISHED  # its run alone writes here: the folder is locked
    text = json.dumps({"thaw_format": FORMAT, **document}, ensure_ascii=False)
    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(ready, building, metadata={_DOCUMENT: text})
        with building.open("rb") as file:
            os.fsync(file.fileno())
        building.chmod(0o644)
        building.replace(path)
    except (OSError, SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        kept = "the one before it is intact" if path.exists() else "none is there yet"
        raise RuntimeError(f"{path} cannot be written ({reason}): {kept}") from error
    finally:
        building.unlink(missing_ok=True)
    return path


def read_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a run's checkpoint.

    Returns:
        The tensors by name, and the document.

    Raises:
        ValueError: If there is none, it is none of Thaw's, or its format is newer.
    """
    return _read(folder, tensors=True)


def _read(folder: Path, *, tensors: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    path = folder / CHECKPOINT
    if not path.is_file():
        raise ValueError(f"{folder} holds no checkpoint: there is nothing to resume")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            names = list(file.keys()) if tensors else []
            found = {name: file.get_tensor(name) for name in names}
        document = json.loads(metadata.get(_DOCUMENT, "null"))
    except (OSError, SafetensorError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read as a checkpoint: {error}") from error
    version = document.get("thaw_format") if isinstance(document, dict) else None
    if not isinstance(version, int) or version < 1:
        raise ValueError(f"{path} names no thaw_format: it is no checkpoint of Thaw's")
    if version > FORMAT:
        raise ValueError(
            f"{path} is of format {version}, this Thaw reads up to {FORMAT}: use a newer Thaw"
        )
    return found, document


def read_document(folder: Path) -> dict[str, Any]:
    """Read what a run's checkpoint says, without its tensors. Raises as `read_checkpoint`."""
    return _read(folder, tensors=False)[1]


def remove_checkpoint(folder: Path) -> None:
    """Remove a run's checkpoint, as when the run has ended."""
    for name in (CHECKPOINT, UNFINISHED):
        (folder / name).unlink(missing_ok=True)


def has_checkpoint(folder: Path) -> bool:
    """Tell whether a run that has not ended left its checkpoint here."""
    return (folder / CHECKPOINT).is_file()


def check_run_folder(folder: Path, *, resume: bool, overwrite: bool) -> Path:
    """Refuse a folder that a run may not have, before there is anything to write.

    Args:
        folder: Where.
        resume: Whether to go on from the checkpoint that is there.
        overwrite: Whether to start anew over what a run left there, a model or a checkpoint.

    Returns:
        The folder, with links followed.

    Raises:
        ValueError: If another run holds it, if it holds a model or a run and neither `resume`
            nor `overwrite` says what to do, or if there is nothing to resume.
    """
    if resume and overwrite:
        raise InputError(f"there are {setting('resume')} and {setting('overwrite')}: give either")
    # A run that overwrites a model has its checkpoints beside it: it was told so when it began.
    begun = False
    with contextlib.suppress(OSError, RuntimeError):  # what is wrong with the name is told below
        begun = has_checkpoint(folder.expanduser())
    full = check_target_folder(folder, overwrite=overwrite or begun, beside=RUN_FILES)
    if begun:
        with locked(full):  # else a run that is being written would be called one that may go on
            pass
    if begun and not (resume or overwrite):
        raise InputError(
            f"{folder} holds a run that has not ended: give {setting('resume')} to go on with it, "
            f"or {setting('overwrite')} to start anew"
        )
    if resume and not begun:
        raise ValueError(f"{folder} holds no checkpoint: there is nothing to resume")
    return full


@contextlib.contextmanager
def run_folder(folder: Path, *, resume: bool, overwrite: bool) -> Iterator[Path]:
    """Hold a folder for one run, which writes its checkpoints and at last its model there.

    Args:
        folder: Where.
        resume: Whether to go on from the checkpoint that is there.
        overwrite: Whether to start anew over what a run left there, a model or a checkpoint.

    Yields:
        The folder, made and locked.

    Raises:
        ValueError: As `check_run_folder` does.
    """
    full = check_run_folder(folder, resume=resume, overwrite=overwrite)
    new = not full.exists()
    with locked(full):
        try:
            if overwrite:
                remove_checkpoint(full)
            yield full
        finally:  # a run that ended before its first checkpoint leaves no folder behind
            if new and full.is_dir() and _is_bare(full):  # and still ours: nobody else began there
                shutil.rmtree(full, ignore_errors=True)


def _is_bare(folder: Path) -> bool:
    return {path.name for path in folder.iterdir()} <= {LOCK, UNFINISHED}
