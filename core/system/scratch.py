"""Temporary folders that do not outlive their process for long, even one that was killed."""

import os
import shutil
import tempfile
from pathlib import Path


def own_prefix(name: str) -> str:
    """Return what the name of a temporary folder of this process begins with.

    What processes that ended without tidying up left under the same name goes first: one that is
    killed removes nothing, and nobody else does.

    Args:
        name: What such folders are called; the process's number comes after it.
    """
    remove_left_behind(Path(tempfile.gettempdir()), name)
    return f"{name}{os.getpid()}-"


def remove_left_behind(parent: Path, name: str) -> None:
    """Remove the folders so called of processes that have ended.

    Args:
        parent: The folder they lie in.
        name: As for `own_prefix`.
    """
    if os.name != "posix":  # elsewhere asking whether a process lives may end it
        return
    for left in parent.glob(f"{name}*-*"):
        process = left.name.removeprefix(name).partition("-")[0]
        if process.isdecimal() and not _lives(int(process)):
            shutil.rmtree(left, ignore_errors=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it is somebody else's, or no process's number
        return True
    return True
