"""A model as one file to take away: Thaw's own folder, or one that others read, zipped."""

import base64
import threading
import zipfile
from pathlib import Path
from typing import Any

PIECE_BYTES = 3_000_000
"""What one answer carries; a multiple of three, so that pieces of base64 join."""

OURS, THEIRS = "model", "export"
"""The folder as `train` writes it, or as `export` does for sentence-transformers."""

_WRITING = threading.Lock()


def zip_piece(model: Path, kind: str, at: int) -> dict[str, Any]:
    """Give a piece of a model as a zip file, which is written beside it the first time.

    Args:
        model: What `core.model.model_folder.save_model` wrote.
        kind: `OURS` or `THEIRS`.
        at: From which byte.

    Returns:
        `{piece, size}`: base64, and the bytes in all.

    Raises:
        ValueError: If there is no such kind, or the folder is gone.
    """
    if kind not in (OURS, THEIRS):
        raise ValueError(f"kind is {kind[:40]!r}, must be {OURS} or {THEIRS}")
    if not model.is_dir():
        raise ValueError("the model is not kept any more: train again")
    archive = model.with_name(f"{kind}.zip")
    with _WRITING:
        if not archive.is_file():
            _write(model if kind == OURS else _exported(model), archive)
    with archive.open("rb") as file:
        file.seek(at)
        piece = file.read(PIECE_BYTES)
    return {"piece": base64.b64encode(piece).decode(), "size": archive.stat().st_size}


def _exported(model: Path) -> Path:
    from core.config import ExportChoice
    from core.export.model import export_model
    from core.model.model_folder import load_model, read_manifest

    folder = model.with_name("for-others")
    if not folder.is_dir():
        about = read_manifest(model)["about"]
        export_model(load_model(model), folder, about, ExportChoice(), sources=[model])
    return folder


def _write(folder: Path, archive: Path) -> None:
    building = archive.with_suffix(".part")
    with zipfile.ZipFile(building, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, Path("model") / path.relative_to(folder))
    building.replace(archive)
