"""What a model folder's manifest says of its base and its heads, taken apart strictly.

A manifest may come from anybody: each value is of its kind and in its range, or is refused.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.model.heads import HeadShape
from core.model.model import Calibration, MultiTaskModel
from core.task import Task

FORMAT = 1
MANIFEST = "thaw.json"
EXPORTED = "heads.json"
"""The manifest of an exported folder, which has its encoder beside it."""

MAX_BYTES = 10_000_000
MAX_HEADS = 100
MAX_LABELS = 10_000
MAX_NUMBER = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Base:
    """The encoder that a model stands on.

    Attributes:
        name: What it was asked for as.
        pooling: One of `POOLINGS`.
        normalized: Whether its embeddings get length one.
        fingerprint: What `Encoder.fingerprint` says of its weights.
    """

    name: str
    pooling: str
    normalized: bool
    fingerprint: str


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check a model folder's `thaw.json`, or an exported one's `heads.json`.

    Raises:
        ValueError: If there is none, it is not one, or its format is newer than this Thaw's.
    """
    kind, path = "model", folder / MANIFEST
    if not path.is_file() and (folder / EXPORTED).is_file():
        kind, path = "export", folder / EXPORTED
    try:
        too_large = path.stat().st_size > MAX_BYTES
        written = b"" if too_large else path.read_bytes()
    except OSError as error:
        raise ValueError(f"{folder} is no model folder: it has no {MANIFEST}") from error
    if too_large:
        raise ValueError(f"{path} is larger than any model's: it cannot be one")
    try:
        document = json.loads(written)
    except (ValueError, RecursionError) as error:  # what is no JSON, UTF-8, or number
        raise ValueError(f"{path} is not JSON that can be read") from error
    if not isinstance(document, dict):
        raise ValueError(f"{path} holds no JSON object: it is no model of Thaw's")
    version = document.get("thaw_format")
    if type(version) is not int or version < 1:
        raise ValueError(f"{path} names no thaw_format: it is no model of Thaw's")
    if version > FORMAT:
        newer = str(version)[:9]
        raise ValueError(
            f"{folder} is of format {newer}, this Thaw reads up to {FORMAT}: use a newer Thaw"
        )
    if document.get("kind") == "onnx":
        raise ValueError(
            f"{folder} is an ONNX export, which Thaw does not read: give the model it was made from"
        )
    if document.get("kind") != kind or not isinstance(document.get("heads"), list):
        wanted = "an export" if kind == "export" else "a model"
        raise ValueError(f"{folder} is a {str(document.get('kind'))[:30]}, must be {wanted}")
    return document


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


def parse_base(document: Mapping[str, Any]) -> Base:
    """Read which encoder a manifest stands on.

    Raises:
        ValueError: If it does not say so.
    """
    encoder = _taken(document, "encoder", dict)
    return Base(
        name=_taken(encoder, "name", str),
        pooling=_taken(encoder, "pooling", str),
        normalized=_taken(encoder, "normalized", bool),
        fingerprint=_taken(encoder, "fingerprint", str),
    )


def parse_heads(document: Mapping[str, Any]) -> list[tuple[HeadShape, Calibration]]:
    """Read a manifest's heads and how their scores become probabilities.

    Raises:
        ValueError: If a value is missing, of another kind or out of range.
    """
    heads = _taken(document, "heads", list)
    if not 1 <= len(heads) <= MAX_HEADS:
        raise ValueError(f"it has {len(heads)} heads, must have 1 to {MAX_HEADS}")
    return [_parse_head(head) for head in heads]


def _parse_head(head: object) -> tuple[HeadShape, Calibration]:
    if not isinstance(head, dict):
        raise ValueError(f"a head is {_shown(head)}, must be an object")
    task, calibration = _taken(head, "task", dict), _taken(head, "calibration", dict)
    error = calibration.get("error")
    shape = HeadShape(
        task=Task(
            name=_taken(task, "name", str),
            kind=_taken(task, "kind", str),
            labels=_parse_labels(_taken(task, "labels", list)),
        ),
        read=_taken(head, "read", int, str),
        pooling=_taken(head, "pooling", str),
        hidden_units=_taken(head, "hidden_units", int, type(None)),
        dropout=_number(head, "dropout"),
        spelling=_taken(head, "spelling", bool),
    )
    return shape, Calibration(
        temperature=_number(calibration, "temperature"),
        threshold=_number(calibration, "threshold"),
        error=None if error is None else _number(calibration, "error"),
    )


def _parse_labels(labels: Sequence[object]) -> tuple[str, ...]:
    if len(labels) > MAX_LABELS:
        raise ValueError(f"a task has {len(labels)} labels, must have at most {MAX_LABELS}")
    found = tuple(label for label in labels if isinstance(label, str))
    if len(found) != len(labels):
        wrong = next(label for label in labels if not isinstance(label, str))
        raise ValueError(f"a label is {_shown(wrong)}, must be text")
    return found


def _taken(given: Mapping[str, Any], name: str, *kinds: type) -> Any:  # noqa: ANN401 (one of the kinds)
    """Take a value that is exactly of one of some kinds: true is no number."""
    value = given.get(name)
    if type(value) not in kinds:
        allowed = " or ".join(_KINDS[kind] for kind in kinds)
        raise ValueError(f"{name} is {_shown(value)}, must be {allowed}")
    if isinstance(value, int) and abs(value) > MAX_NUMBER:
        raise ValueError(f"{name} is beyond {MAX_NUMBER:,}: it can be of no use")
    return value


def _number(given: Mapping[str, Any], name: str) -> float:
    value = _taken(given, name, int, float)
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value}, must be a finite number")
    return float(value)


def _shown(value: object) -> str:
    """Say what was given, in a few characters whatever it is."""
    if isinstance(value, str | bool | float):
        return repr(value)[:40]
    return "missing" if value is None else _KINDS.get(type(value), type(value).__name__)


_KINDS: dict[type, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
    type(None): "null",
}
