"""What a checkpoint says beside its weights: which run it is of, and how far that run is."""

import contextlib
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.config import TrainingChoice
from core.encoder.encoder import Encoder
from core.errors import InputError, setting
from core.model.model import MultiTaskModel
from core.strategy.scenario import Scenario
from core.task import Example

_WITHOUT_EFFECT = frozenset({"checkpoint_every", "prefix_megabytes"})
"""Choices that no weight depends on: a run may go on with others."""


@dataclass(kw_only=True)
class RunProgress:
    """How far a run is.

    Attributes:
        step: Steps done.
        epoch: Epochs done.
        place: Steps done of the epoch after those.
        kept_epoch: Epochs done when the weights were kept; 0 where they never were.
        kept_score: Of the validation rows then; minus infinity where none was judged.
        since_best: Epochs since then.
        epoch_loss: By task, the sum of the losses of the present epoch's steps, in nats.
        order: The state that the order of rows is drawn from, before the present epoch was dealt.
        changes: What was changed of the run, and when.
    """

    step: int = 0
    epoch: int = 0
    place: int = 0
    kept_epoch: int = 0
    kept_score: float = -math.inf
    since_best: int = 0
    epoch_loss: dict[str, float]
    order: list[Any]
    changes: list[dict[str, Any]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Give all of it as JSON holds it."""
        score = self.kept_score if math.isfinite(self.kept_score) else None
        return {**asdict(self), "kept_score": score}

    def load(self, document: Mapping[str, Any]) -> None:
        """Go on from what `document` gave; the changes are to be made again one by one.

        Raises:
            KeyError: If something is missing.
            TypeError: If something is of another type.
        """
        score = document["kept_score"]
        self.kept_score = -math.inf if score is None else float(score)
        for name in ("step", "epoch", "place", "kept_epoch", "since_best"):
            setattr(self, name, int(document[name]))
        self.epoch_loss = {name: float(document["epoch_loss"][name]) for name in self.epoch_loss}
        self.order = document["order"]


def run_identity(
    model: MultiTaskModel,
    scenario: Scenario,
    choice: TrainingChoice,
    examples: Sequence[Example],
    validation: Sequence[Example],
    processes: int,
) -> dict[str, Any]:
    """Say what makes a run the one that it is: nothing of it may differ when it goes on.

    Args:
        model: As it is before the first step.
        scenario: What trains.
        choice: What was chosen for it.
        examples: What it learns from.
        validation: Its held-out rows.
        processes: How many train together.
    """
    return {
        "strategy": scenario.name,
        "settings": dict(scenario.strategy.settings),
        "choice": {n: each for n, each in asdict(choice).items() if n not in _WITHOUT_EFFECT},
        "rows": len(examples),
        "processes": processes,
        "read": {name: head.shape.read for name, head in model.task_heads.items()},
        "data": _data_hash([*examples, *validation], model.encoder),
    }


def _data_hash(examples: Sequence[Example], encoder: Encoder) -> str:
    """Tell these rows, on this encoder as it is now, from any others."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(json.dumps([example.text, dict(example.labels)]).encode())
    digest.update(encoder.fingerprint().encode())
    return digest.hexdigest()


def check_identity(folder: Path, mine: Mapping[str, Any], other: Mapping[str, Any]) -> None:
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
            raise InputError(
                f"{folder} holds a checkpoint of another run: its {name} differs; give the same "
                f"command to resume it, or {setting('overwrite')} to start anew"
            )


@contextlib.contextmanager
def broken_if_lacking(folder: Path) -> Iterator[None]:
    """Run a block that reads a checkpoint, and call it broken if something is not as it should be.

    Raises:
        ValueError: In one sentence, whatever the block did not find.
    """
    try:
        yield
    except (KeyError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0][:150] if str(error) else type(error).__name__
        raise ValueError(f"{folder} holds a checkpoint that is broken: {reason}") from error
