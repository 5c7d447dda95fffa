"""A model on disk: its heads, and of its encoder only the tensors that training changed.

A folder holds `thaw.json` (format, base encoder, tasks, heads, calibration, how it came about),
`heads.safetensors`, `encoder.safetensors` where the encoder was trained, and `README.md`, its
card. Nothing in it is ever run. A folder that was exported holds its whole encoder as
sentence-transformers lays it out, and `heads.json` in the place of `thaw.json`.
"""

import json
import os
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.config import ASSETS, EncoderChoice
from core.encoder.encoder import Encoder, load_encoder
from core.encoder.loading import Unfilled
from core.errors import InputError, setting
from core.model.heads import HeadShape
from core.model.manifest import EXPORTED as EXPORTED
from core.model.manifest import FORMAT as FORMAT
from core.model.manifest import MANIFEST, parse_base, parse_heads
from core.model.manifest import head_document as head_document
from core.model.manifest import read_manifest as read_manifest
from core.model.model import MultiTaskModel
from core.system.files import replaced_folder

SHIPPED = ASSETS / "model"
HEADS, ENCODER, CARD = "heads.safetensors", "encoder.safetensors", "README.md"
CHANGE, STEP = "@change", "@step"
"""What a matrix kept as a change is called: its name and these."""


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
    beside: Collection[str] = (),
    base: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a model folder, whole or not at all.

    Args:
        model: What to write.
        folder: Where; it must not exist, unless `overwrite`.
        changed: The encoder's tensors that training changed, by name.
        saved: What to say beside the model.
        overwrite: Whether a model folder that is there is replaced.
        beside: Names of files that may lie there and go, as those of a run do.
        base: The same tensors before training. Where given, matrices are kept as 8-bit changes
            of them, which is a quarter of the size and not quite exact.

    Raises:
        ValueError: If the folder is there already, or is something else than a model's.
    """
    folder = check_target_folder(folder, overwrite=overwrite, beside=beside)
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


def check_target_folder(folder: Path, *, overwrite: bool, beside: Collection[str] = ()) -> Path:
    """Refuse to write a model over something else, or where it cannot be written.

    Args:
        folder: Where a model is to go.
        overwrite: Whether a model that is there may be replaced.
        beside: Names of files that may lie there anyway, as those of a run do.

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
    _try_to_write(full.parent if there == full else there, folder)
    if there != full:
        return full
    if full.is_mount() or full == Path.cwd():
        raise ValueError(f"{folder} cannot be replaced as a whole: give a folder inside it")
    if all(path.name in beside for path in full.iterdir()):
        return full
    if not any((full / name).is_file() for name in (MANIFEST, EXPORTED)):
        raise ValueError(f"{folder} holds something that is no model: give another folder")
    if not overwrite:
        raise InputError(
            f"{folder} holds a model already: give {setting('overwrite')}, or another folder"
        )
    return full


def _try_to_write(parent: Path, folder: Path) -> None:
    """Make a folder beside the one that is to be written: to ask whether one may is not enough."""
    probe = parent / f".{folder.name[:100]}-{secrets.token_hex(4)}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise ValueError(f"{folder} cannot be written: {error.strerror} in {parent}") from error


def load_model(
    folder: str | Path | None = None, *, threads: int | None = None, device: str | None = None
) -> MultiTaskModel:
    """Load a model folder on top of its base encoder, ready to predict.

    Args:
        folder: What `save_model` wrote, or `core.export.model.export_model`; None is the model
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
    exported = document["kind"] == "export"
    try:
        base, heads = parse_base(document), parse_heads(document)
        name = str(path.resolve()) if exported else base.name
        choice = EncoderChoice(
            name=name, pooling=base.pooling, normalize=base.normalized, device=device
        )
    except ValueError as error:
        raise ValueError(f"{path} is no model that can be used: {str(error)[:300]}") from error
    encoder = load_encoder(choice, threads=threads)
    if encoder.fingerprint() != base.fingerprint:
        here = "the one beside it" if exported else f"the {name} that is here"
        raise ValueError(f"{path} was trained on another encoder than {here}: their weights differ")
    model = _put_together(path, encoder, [shape for shape, _ in heads], changed=not exported)
    model.calibration = {shape.task.name: calibration for shape, calibration in heads}
    model.name = "the shipped model" if folder is None else str(path)
    encoder.ready()
    return model.requires_grad_(False).to(encoder.device).eval()


def _put_together(
    path: Path, encoder: Encoder, shapes: Sequence[HeadShape], *, changed: bool
) -> MultiTaskModel:
    """Put a folder's weights on its encoder: the heads', and those that training changed."""
    try:
        model = _with_heads(encoder, shapes, _load(path / HEADS))
        if changed and (path / ENCODER).is_file():
            load_changed(model, _load(path / ENCODER))
    except (KeyError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[-1].strip()[:300]
        raise ValueError(f"{path} is not a model folder that fits together: {reason}") from error
    return model


def _with_heads(
    encoder: Encoder, shapes: Sequence[HeadShape], weights: Mapping[str, Tensor]
) -> MultiTaskModel:
    """Build a model around weights that are there: no more room than they take is ever asked for.

    Raises:
        ValueError: If a head reads a layer that is not there, or a weight is not finite.
        RuntimeError: If the weights do not fit the heads.
    """
    with torch.device("meta"), Unfilled():
        model = MultiTaskModel(encoder, shapes)
    ready = {name: _finite(name, each).to(encoder.device) for name, each in weights.items()}
    model.heads.load_state_dict(ready, assign=True)
    return model


def load_changed(model: MultiTaskModel, changed: Mapping[str, Tensor]) -> None:
    """Put trained tensors into a model's encoder.

    Raises:
        ValueError: If one is not finite.
        RuntimeError: If one has a name or shape that the encoder has not.
    """
    own = dict(model.encoder.backbone.named_parameters())
    for key, tensor in changed.items():
        name = key.removesuffix(CHANGE)
        if key.endswith(STEP) and key.removesuffix(STEP) + CHANGE in changed:
            continue
        if name not in own or own[name].shape != tensor.shape:
            raise RuntimeError(f"the encoder has no {name[:80]} of shape {tuple(tensor.shape)}")
        weight = own[name].detach()
        if key.endswith(CHANGE):
            step = changed[name + STEP]
            if step.shape != (len(weight), *[1] * (weight.ndim - 1)):
                raise RuntimeError(f"{name} has steps of shape {tuple(step.shape)}")
            tensor = weight.cpu() + tensor.to(torch.float32) * _finite(name, step)
        weight.copy_(_finite(name, tensor))


def _finite(name: str, tensor: Tensor) -> Tensor:
    """Return a tensor as fp32.

    Raises:
        ValueError: If it holds something else than finite numbers.
    """
    if not tensor.is_floating_point() or not bool(torch.isfinite(tensor.float()).all()):
        raise ValueError(f"{name[:80]} holds something else than finite numbers")
    return tensor.to(torch.float32)


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
        kept[name + STEP] = step.view(-1, *[1] * (tensor.ndim - 1))
    return kept


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
