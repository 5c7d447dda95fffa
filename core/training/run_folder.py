"""The folder of a run: one run's alone while it is written, and never overwritten unasked."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from core.model.model_folder import check_target_folder
from core.system.files import LOCK, locked
from core.training.checkpoint import RUN_FILES, UNFINISHED, has_checkpoint, remove_checkpoint


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
        raise ValueError("there are --resume and --overwrite: give either")
    # A run that overwrites a model has its checkpoints beside it: it was told so when it began.
    begun = False
    with contextlib.suppress(OSError, RuntimeError):  # what is wrong with the name is told below
        begun = has_checkpoint(folder.expanduser())
    full = check_target_folder(folder, overwrite=overwrite or begun, beside=RUN_FILES)
    if begun:
        with locked(full):  # else a run that is being written would be called one that may go on
            pass
    if begun and not (resume or overwrite):
        raise ValueError(
            f"{folder} holds a run that has not ended: give --resume to go on with it, or "
            "--overwrite to start anew"
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
