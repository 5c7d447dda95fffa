"""Files and folders put in place whole or not at all, and locked while one process writes."""

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO

from core.errors import InputError, setting

_FORMULA_STARTS = tuple("=+-@\t\r＝＋－＠")  # the wide ones count as signs in some countries


def check_target(path: Path, *, suffixes: Sequence[str], field: str = "out") -> Path:
    """Refuse a file that cannot be written to, before anything is computed.

    Args:
        path: The file.
        suffixes: What its name may end in.
        field: The setting that names it.

    Returns:
        The path, with links followed, so that a linked file is replaced and not its link.

    Raises:
        ValueError: If its suffix is none of `suffixes`, it is a folder, or its folder is missing
            or cannot be written to.
    """
    named = f"{setting(field)} {path}"
    if path.suffix.lower() not in suffixes:
        given = f"ends in {path.suffix}" if path.suffix else "has no suffix"
        raise InputError(f"{named} {given}, must end in one of: {', '.join(suffixes)}")
    try:
        path = path.resolve()
        if path.exists() and not path.is_file():
            raise InputError(f"{named} is a folder or a device, must be a file")
        if not path.parent.is_dir():
            raise InputError(f"{named} is in a folder that is not there: make it first")
    except (OSError, RuntimeError) as error:  # a name too long, a link to itself
        raise InputError(f"{named[:200]} cannot be written: {error}") from error
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{named} is in a folder that you may not write to: give another")
    return path


@contextlib.contextmanager
def replaced_whole(path: Path) -> Iterator[BinaryIO]:
    """Write a file beside its place, and move it there when the block ends well.

    Whatever ends the block otherwise, Ctrl-C included, leaves the old file as it was and no
    new one.
    """
    part = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def spreadsheet_safe(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


@contextlib.contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Build a folder beside its place, and move it there when the block ends well.

    Whatever ends the block otherwise, Ctrl-C included, leaves the old folder as it was and no
    new one.

    Args:
        folder: What `check_target_folder` returned.

    Yields:
        The folder to write into.
    """
    building = folder.with_name(f".{folder.name[:100]}-{secrets.token_hex(4)}")
    before = building.with_name(f"{building.name}-before")
    building.mkdir(parents=True)
    try:
        yield building
        if folder.exists():  # moved aside, so that at no time both are gone
            folder.replace(before)
        try:
            building.replace(folder)
        except BaseException:
            if before.exists():
                before.replace(folder)
            raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
        if folder.exists():
            shutil.rmtree(before, ignore_errors=True)


LOCK = ".lock"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run's folder for this process alone; the system lets go when the process dies.

    Args:
        folder: Made if it is not there.

    Raises:
        ValueError: If another process holds it, or it cannot be made.
    """
    path = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise ValueError(f"{folder} cannot be written: {error.strerror}") from error
    with file:
        if not _take(file):
            raise ValueError(f"{folder} is being written by another run: wait for it, or stop it")
        yield


def _take(file: IO[str]) -> bool:
    """Lock an open file without waiting; closing it lets go."""
    try:
        import fcntl
    except ImportError:  # Windows
        return _take_on_windows(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _take_on_windows(file: IO[str]) -> bool:
    import msvcrt

    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return False
    return True


def write_json(path: Path, document: Any) -> None:  # noqa: ANN401 (any JSON)
    """Replace a JSON file, whole or not at all."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())  # else a machine that goes down may keep its name alone
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
