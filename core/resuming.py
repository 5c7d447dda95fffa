"""What a checkpoint is told by: which run it is of."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from core.encoder import Encoder
from core.task import Example


def data_hash(examples: Sequence[Example], encoder: Encoder) -> str:
    """Tell these rows, on this encoder as it is now, from any others."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(json.dumps([example.text, dict(example.labels)]).encode())
    digest.update(encoder.fingerprint().encode())
    return digest.hexdigest()


def check_same_run(folder: Path, mine: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    """Refuse the checkpoint of another run.

    Args:
        folder: Where it lies.
        mine: What makes this run the one that it is.
        other: The same of the run that wrote the checkpoint.

    Raises:
        ValueError: Naming the first thing that differs.
    """
    for name, value in json.loads(json.dumps(mine)).items():  # as the checkpoint went through JSON
        if value != other.get(name):
            raise ValueError(
                f"{folder} holds a checkpoint of another run: its {name} differs; give the same "
                "command to resume it, or --overwrite to start anew"
            )


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Take the tensors whose names begin with a prefix, without it."""
    return {n.removeprefix(prefix): each for n, each in tensors.items() if n.startswith(prefix)}
