"""Model folders that visitors bring back: taken in pieces, unpacked within bounds, checked."""

import base64
import binascii
import secrets
import shutil
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.encoder.catalogue import find_spec
from demo.shelves.shelf import Bounds, OwnFolder, Shelf

MOST_BYTES = 120_000_000
"""Of a zip file, and of what is in it: the largest catalogue encoder's changes are not taken."""

MOST_FILES = 8
MOST_AT_ONCE = 4
MOST_KEPT = 12
IDLE_SECONDS = 60.0
PREFIX = "thaw-models-"

NAMES = ("thaw.json", "heads.safetensors", "encoder.safetensors", "README.md")
"""What a model folder holds; anything else is refused before it is written."""


@dataclass(eq=False, kw_only=True)
class _Upload:
    path: Path
    size: int


class ModelUploads:
    """Takes zip files in pieces, and keeps the folders that came of them.

    Args:
        local: Whether a model may lie on any encoder; else on one of the catalogue alone.
        idle_seconds: How long a file is waited for whose next piece does not come.
    """

    def __init__(self, *, local: bool, idle_seconds: float = IDLE_SECONDS) -> None:
        self.local = local
        self._uploads: Shelf[str, _Upload] = Shelf(
            Bounds(seconds=idle_seconds), dropped=lambda _, each: each.path.unlink(missing_ok=True)
        )
        self._kept: Shelf[str, Path] = Shelf(
            Bounds(most=MOST_KEPT), dropped=lambda _, folder: _remove(folder)
        )
        self._lock = threading.RLock()
        self._folder = OwnFolder(PREFIX)

    def put(self, upload: str, size: int, piece: str) -> tuple[str, bool]:
        """Take the next piece of a file.

        Args:
            upload: What was answered to the piece before; empty for the first.
            size: Bytes of the whole file.
            piece: Base64.

        Returns:
            The upload's name, and whether it is whole.

        Raises:
            ValueError: If it is too large, there are too many, or it is none of ours.
        """
        try:
            data = base64.b64decode(piece, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError("a piece of the file is broken: open it again") from error
        with self._lock:
            self._uploads.tidy()
            if not upload:
                upload = self._begin(size)
            found = self._uploads.find(upload)
            if found is None:
                raise ValueError("this file is not being opened any more: open it again")
            with found.path.open("ab") as file:
                file.write(data)
            there = found.path.stat().st_size
            if there > found.size:
                self._uploads.drop(lambda name: name == upload)
                raise ValueError("the file is longer than was said: open it again")
            return upload, there == found.size

    def open(self, upload: str) -> Path:
        """Unpack a file that is whole, and check what is in it.

        Returns:
            The model folder.

        Raises:
            ValueError: If it is no zip of a model folder, or holds anything else.
        """
        found = self._uploads.take(upload)
        if found is None:
            raise ValueError("this file is not being opened any more: open it again")
        folder = found.path.with_suffix("")
        try:
            unpack(found.path, folder)
            self._check(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            found.path.unlink(missing_ok=True)
        self._kept.put(upload, folder)
        return folder

    def _check(self, folder: Path) -> None:
        from core.model.manifest import parse_base, read_manifest

        document = read_manifest(folder)
        if document["kind"] != "model":
            raise ValueError("this is an export for other programs: open the model folder's zip")
        name = parse_base(document).name
        if not self.local and find_spec(name) is None:
            raise ValueError(
                f"the model lies on {name[:60]!r}, must lie on an encoder of the catalogue on a "
                "page that others can open: run Thaw on your own machine"
            )

    def _begin(self, size: int) -> str:
        if not 0 < size <= MOST_BYTES:
            raise ValueError(
                f"the file has {size / 1e6:,.0f} MB, must have at most {MOST_BYTES / 1e6:,.0f}"
            )
        if len(self._uploads.items()) >= MOST_AT_ONCE:
            raise ValueError("others are opening models just now: try again in a minute")
        name = secrets.token_urlsafe(16)
        self._uploads.put(name, _Upload(path=self._folder.path / f"{name}.zip", size=size))
        return name


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack the zip of a model folder; nothing else is ever written.

    Raises:
        ValueError: If it is no zip, holds anything but a model folder's files, or too much.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            infos = [info for info in file.infolist() if not info.is_dir()]
            if len(infos) > MOST_FILES or sum(info.file_size for info in infos) > MOST_BYTES:
                raise ValueError(f"the zip holds more than a model folder of {MOST_FILES} files")
            for info in infos:
                if PurePosixPath(info.filename).name not in NAMES or info.flag_bits & 1:
                    allowed = ", ".join(NAMES)
                    raise ValueError(
                        f"the zip holds {info.filename[:80]!r}, must hold nothing but: {allowed}"
                    )
            folder.mkdir()
            for info in infos:
                with file.open(info) as source:
                    data = source.read(info.file_size + 1)
                if len(data) != info.file_size:
                    raise ValueError("the zip is broken: its sizes are not what it says")
                (folder / PurePosixPath(info.filename).name).write_bytes(data)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError) as error:
        raise ValueError("this is no zip of a model folder: download one from a run") from error
