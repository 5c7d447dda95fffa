"""Trainings that one process runs, or several together: a launcher runs this module in each.

accelerate launch --multi_gpu --num_processes 2 -m tests.trained_together FAMILY OUT
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from core.config import TrainingChoice
from core.frozen.processes import Processes, join
from core.model.model import MultiTaskModel
from core.strategy.scenario import parse_strategy
from core.training.events import EvaluationEvent, StepEvent
from tests.tiny_models import LAYERS
from tests.tiny_tasks import EXAMPLES, tiny_model, train

SLOW: dict[str, Any] = {"encoder_rate": 1e-4, "head_rate": 1e-4}
"""At higher rates rounding grows by itself."""

CASES: dict[str, dict[str, Any]] = {
    "full": {"balance": "dwa", "epochs": 4},
    "full@mix": {"accumulate": 2, "smoothing": 0.1},
    "lower:2": {
        "balance": "uncertainty",
        "class_weights": "balanced",
        "head_rate": 1e-3,
        "head_penalty": 0.3,
    },
    "heads": {"epochs": 4},
    "gradual": {"epochs": 4, "prefix_megabytes": 0.0},
    "lora": {"balance": "kind=2+mood=0.5"},
    "layerwise-lr": {"clip": 0.1},
    "lp-ft@2": {"epochs": 4},
}
"""By strategy, what else is set: of `lower:2` a rate at which a penalty counted twice is seen."""

STOPPED = "gradual"
"""The strategy that is also trained with dropout, stopped and resumed."""


def choice_of(case: str, **more: Any) -> TrainingChoice:  # noqa: ANN401 (any of TrainingChoice's)
    """Set a case; of 16 rows in fives the last batch has one, none for a second process."""
    usual = {"epochs": 2, "batch": 5, "threads": 1, "dropout": False, "patience": 9}
    return TrainingChoice(**{**usual, **SLOW, **CASES[case], **more})


def trained(
    family: Path,
    case: str,
    processes: Processes,
    *,
    stop: int | None = None,
    choice: TrainingChoice | None = None,
    **more: Any,  # noqa: ANN401 (any of train's)
) -> tuple[MultiTaskModel, list[dict[str, Any]]]:
    """Train one case, up to a step or to its end.

    Returns:
        The model, and what each step and evaluation said.
    """
    scenario = parse_strategy(case, LAYERS, ["kind", "mood", "names"])
    model = tiny_model(lambda _: family, read=scenario.read, spelling=True)
    if not processes.is_main:  # as if it had drawn otherwise: it has to take the main one's
        with torch.no_grad():
            model.task_heads["kind"].score.bias.add_(1.0)
    choice = choice_of(case) if choice is None else choice
    said: list[dict[str, Any]] = []
    events = train(model, scenario, EXAMPLES, EXAMPLES[:7], choice, processes=processes, **more)
    for event in events:
        if isinstance(event, StepEvent):
            said.append({"loss": dict(event.loss), "gradient": dict(event.gradient)})
            if event.step == stop:
                break
        elif isinstance(event, EvaluationEvent):
            said.append({"loss": dict(event.loss), "best": event.best})
    events.close()
    return model, said


def main(family: Path, out: Path) -> None:
    """Train every case, and one of them with dropout: straight, and stopped and resumed."""
    with join("cpu") as (processes, _):
        for case in CASES:
            _keep(out, f"{case}.{processes.rank}", *trained(family, case, processes))
        choice = choice_of(STOPPED, dropout=True, checkpoint_every=3)
        kept = out / "stopped"
        kept.mkdir(exist_ok=True)
        for name, more in (
            ("straight", {}),
            ("begun", {"folder": kept, "stop": 6}),
            ("resumed", {"folder": kept, "resume": True}),
        ):
            found = trained(family, STOPPED, processes, choice=choice, **more)
            _keep(out, f"{name}.{processes.rank}", *found)


def _keep(out: Path, name: str, model: MultiTaskModel, said: list[dict[str, Any]]) -> None:
    (out / f"{name}.json").write_text(json.dumps(said), encoding="utf-8")
    tensors = {key: each.detach().clone() for key, each in model.state_dict().items()}
    save_file(tensors, out / f"{name}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
