"""A model on disk: its heads, and of its encoder only the tensors that training changed.

A folder holds `thaw.json` (format, base encoder, tasks, heads, calibration, how it came about),
`heads.safetensors`, `encoder.safetensors` where the encoder was trained, and `README.md`, its
card. Nothing in it is ever run. A folder that was exported holds its whole encoder as
sentence-transformers lays it out, and `heads.json` in the place of `thaw.json`.
"""

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.config import ASSETS, EncoderChoice
from core.encoder import load_encoder
from core.heads import HeadShape
from core.model import Calibration, MultiTaskModel
from core.task import Task

FORMAT = 1
SHIPPED = ASSETS / "model"
MANIFEST, HEADS, ENCODER, CARD = (
    "thaw.json",
    "heads.safetensors",
    "encoder.safetensors",
    "README.md",
)
EXPORTED = "heads.json"
"""The manifest of an exported folder, which has its encoder beside it."""

CHANGE, STEP = "@change", "@step"
"""What a matrix kept as a change is called: its name and these."""

MAX_MANIFEST_BYTES = 10_000_000


@dataclass(frozen=True, kw_only=True)
class Saved:
    """What `thaw.json` says beside the model itself.

    Attributes:
        about: How the model came about: data, strategy, seed, versions, figures.
        card: The model card, Markdown.
    """

    about: Mapping[str, Any] = field(default_factory=dict)
    card: str = ""


def save_model(
    model: MultiTaskModel,
    folder: Path,
    changed: Mapping[str, Tensor],
    saved: Saved,
    *,
    overwrite: bool = False,
    base: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a model folder, whole or not at all.

    Args:
        model: What to write.
        folder: Where; it must not exist, unless `overwrite`.
        changed: The encoder's tensors that training changed, by name.
        saved: What to say beside the model.
        overwrite: Whether a model folder that is there is replaced.
        base: The same tensors before training. Where given, matrices are kept as 8-bit changes
            of them, which is a quarter of the size and not quite exact.

    Raises:
        ValueError: If the folder is there already, or is something else than a model's.
    """
    folder = check_target_folder(folder, overwrite=overwrite)
    document = {
        "thaw_format": FORMAT,
        "kind": "model",
        "encoder": {
            "name": model.encoder.name,
            "pooling": model.encoder.pooling,
            "normalized": model.encoder.normalized,
            "layers": model.encoder.layers,
            "hidden": model.encoder.hidden,
            "fingerprint": saved.about.get("base_fingerprint", model.encoder.fingerprint()),
        },
        "heads": [head_document(model, name) for name in model.heads],
        "about": dict(saved.about),
    }
    with replaced_folder(folder) as building:
        text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)
        (building / MANIFEST).write_text(text + "\n", encoding="utf-8")
        save_tensors(model.heads.state_dict(), building / HEADS)
        if changed:
            save_tensors(changed if base is None else eight_bit(changed, base), building / ENCODER)
        (building / CARD).write_text(saved.card, encoding="utf-8")


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
        shutil.rmtree(before, ignore_errors=True)


def check_target_folder(folder: Path, *, overwrite: bool) -> Path:
    """Refuse to write a model over something else, or where it cannot be written.

    Returns:
        The folder, with links followed.

    Raises:
        ValueError: If the folder is a file, holds a model and `overwrite` is False, holds
            something that is no model, or lies where nothing can be written.
    """
    try:
        full = folder.expanduser().resolve()
        there = next(each for each in (full, *full.parents) if each.exists())
    except (OSError, RuntimeError) as error:  # a name too long, a link to itself
        raise ValueError(f"{str(folder)[:200]} cannot be written: {error}") from error
    if not there.is_dir():
        raise ValueError(f"{there} is a file, must be a folder that is not there yet")
    if not os.access(full.parent if there == full else there, os.W_OK):
        raise ValueError(f"{folder} is in a folder that you may not write to")
    if there != full:
        return full
    if full.is_mount() or full == Path.cwd():
        raise ValueError(f"{folder} cannot be replaced as a whole: give a folder inside it")
    if not any(full.iterdir()):
        return full
    if not any((full / name).is_file() for name in (MANIFEST, EXPORTED)):
        raise ValueError(f"{folder} holds something that is no model: give another folder")
    if not overwrite:
        raise ValueError(f"{folder} holds a model already: give --overwrite, or another folder")
    return full


def load_model(
    folder: str | Path | None = None, *, threads: int | None = None, device: str | None = None
) -> MultiTaskModel:
    """Load a model folder on top of its base encoder, ready to predict.

    Args:
        folder: What `save_model` wrote, or `core.model_export.export_model`; None is the model
            that ships with Thaw.
        threads: torch threads to encode with; None lets a self-test choose.
        device: A torch device, or None for the best there is.

    Raises:
        ValueError: If it is no model folder, is of a newer format, does not fit its base, or its
            base cannot be had.
        RuntimeError: If a download breaks midway.
    """
    path = SHIPPED if folder is None else Path(folder)
    document = read_manifest(path)
    base, exported = document["encoder"], document["kind"] == "export"
    name = str(path.resolve()) if exported else base["name"]
    choice = EncoderChoice(
        name=name, pooling=base["pooling"], normalize=base["normalized"], device=device
    )
    encoder = load_encoder(choice, threads=threads)
    if encoder.fingerprint() != base["fingerprint"]:
        here = "the one beside it" if exported else f"the {name} that is here"
        raise ValueError(f"{path} was trained on another encoder than {here}: their weights differ")
    try:
        shapes = [_shape(head) for head in document["heads"]]
        model = MultiTaskModel(encoder, shapes)
        model.heads.load_state_dict(_load(path / HEADS))
        if not exported and (path / ENCODER).is_file():
            load_changed(model, _load(path / ENCODER))
        model.calibration = {
            head["task"]["name"]: Calibration(**head["calibration"]) for head in document["heads"]
        }
    except (KeyError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[-1].strip()[:200]
        raise ValueError(f"{path} is not a model folder that fits together: {reason}") from error
    model.name = "the shipped model" if folder is None else str(path)
    encoder.ready()
    return model.requires_grad_(False).to(encoder.device).eval()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check a model folder's `thaw.json`, or an exported one's `heads.json`.

    Raises:
        ValueError: If there is none, it is not one, or its format is newer than this Thaw's.
    """
    kind, path = "model", folder / MANIFEST
    if not path.is_file() and (folder / EXPORTED).is_file():
        kind, path = "export", folder / EXPORTED
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ValueError(f"{path} is larger than any model's: it cannot be one")
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{folder} is no model folder: it has no {MANIFEST}") from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON that can be read") from error
    version = document.get("thaw_format") if isinstance(document, dict) else None
    if not isinstance(version, int) or version < 1:
        raise ValueError(f"{path} names no thaw_format: it is no model of Thaw's")
    if version > FORMAT:
        raise ValueError(
            f"{folder} is of format {version}, this Thaw reads up to {FORMAT}: use a newer Thaw"
        )
    if document.get("kind") != kind or not isinstance(document.get("heads"), list):
        raise ValueError(f"{folder} is a {str(document.get('kind'))[:30]}, must be a {kind}")
    return document


def load_changed(model: MultiTaskModel, changed: Mapping[str, Tensor]) -> None:
    """Put trained tensors into a model's encoder.

    Raises:
        RuntimeError: If one has a name or shape that the encoder has not.
    """
    own = dict(model.encoder.backbone.named_parameters())
    for key, tensor in changed.items():
        name = key.removesuffix(CHANGE)
        if key.endswith(STEP):
            continue
        if name not in own or own[name].shape != tensor.shape:
            raise RuntimeError(f"the encoder has no {name} of shape {tuple(tensor.shape)}")
        with torch.no_grad():
            if key.endswith(CHANGE):
                own[name].add_(tensor.to(torch.float32) * changed[name + STEP])
            else:
                own[name].copy_(tensor)


def eight_bit(changed: Mapping[str, Tensor], base: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Write matrices as what changed in them, in 8 bits, with a step for each row.

    A change is small beside the weight, so its rounding is far below the weight's own scale.

    Args:
        changed: Trained tensors by name; those of one dimension are kept as they are.
        base: The same tensors before.

    Returns:
        For each matrix its change in steps, (rows, columns), and the steps, (rows, 1).
    """
    kept: dict[str, Tensor] = {}
    for name, tensor in changed.items():
        if tensor.ndim < 2:
            kept[name] = tensor
            continue
        change = (tensor - base[name]).flatten(1)  # (rows, columns)
        step = change.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 127  # (rows, 1)
        kept[name + CHANGE] = (change / step).round().to(torch.int8).view_as(tensor)
        kept[name + STEP] = step
    return kept


def head_document(model: MultiTaskModel, name: str) -> dict[str, Any]:
    """Describe a head as a manifest does, so that it can be built again.

    Args:
        model: The model.
        name: Its task's name.
    """
    shape, calibration = model.task_heads[name].shape, model.calibration[name]
    return {
        "task": {"name": name, "kind": shape.task.kind, "labels": list(shape.task.labels)},
        "read": shape.read,
        "pooling": shape.pooling,
        "hidden_units": shape.hidden_units,
        "dropout": shape.dropout,
        "spelling": shape.spelling,
        "calibration": vars(calibration).copy(),
    }


def _shape(head: Mapping[str, Any]) -> HeadShape:
    task = head["task"]
    return HeadShape(
        task=Task(name=task["name"], kind=task["kind"], labels=tuple(map(str, task["labels"]))),
        read=head["read"],
        pooling=head["pooling"],
        hidden_units=head["hidden_units"],
        dropout=head["dropout"],
        spelling=head["spelling"],
    )


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors as safetensors, readable by everybody, and wait until they are on disk."""
    ready = {name: each.detach().cpu().contiguous() for name, each in tensors.items()}
    save_file(ready, path, metadata={"format": "pt"})  # transformers 4 asks for it
    path.chmod(0o644)  # safetensors makes it its owner's alone, and an image runs as another user
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _load(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path} cannot be read as safetensors: {error}") from error
