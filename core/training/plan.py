"""What is about to be trained, in full: each part's state and rate, and what it will cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.strategy.strategy import Part
from core.strategy.thaw_plan import ThawPlan
from core.training.events import PlanEvent, event_document
from core.training.run import Run

FROZEN, TRAINED, PARTLY, UNUSED = "frozen", "trains", "partly", "unused"
"""The states of a part. Of one that trains partly some weights do, as its biases or adapters."""


def plan_document(run: Run, event: PlanEvent) -> dict[str, Any]:
    """Describe a plan as the command line prints it.

    Args:
        run: What is about to be trained.
        event: Its plan.

    Returns:
        What `event_document` gives, and beside it what the strategy does, where the data came from,
        and of each part its state, its full learning rate and the epoch it thaws in.
    """
    document = event_document(event)
    strategy, choice = run.scenario.strategy, run.choice
    parts = zip(document["parts"], run.thaw.parts, strict=True)
    document["parts"] = [{**each, **_part_facts(run, part, each)} for each, part in parts]
    return document | {
        "does": strategy.does,
        "settings": dict(strategy.settings),
        "encoder": run.model.encoder.name,
        "data": run.dataset.name,
        "fingerprint": run.dataset.fingerprint,
        "seed": choice.seed,
        "epochs": choice.epochs,
        "batch": choice.batch,
        "balance": choice.balance,
        "threads": choice.threads,
        "notes": run.notes,
    }


def model_facts(run: Run) -> dict[str, Any]:
    """Say what a drawing of a run's model and its steering take beside its plan.

    Returns:
        `{tasks, layers, pooling, encoder_rate, head_rate}`, the full learning rates.
    """
    strategy, choice = run.scenario.strategy, run.choice
    return {
        "tasks": [
            {"name": task.name, "kind": task.kind, "labels": list(task.labels)}
            for task in run.model.tasks
        ],
        "layers": run.model.encoder.layers,
        "pooling": run.model.encoder.pooling,
        "encoder_rate": choice.encoder_rate or strategy.encoder_rate,
        "head_rate": choice.head_rate or strategy.head_rate,
    }


@dataclass(frozen=True, kw_only=True)
class PartState:
    """What becomes of a part in a training.

    Attributes:
        state: One of the states above.
        from_epoch: The first epoch, from 1, that it trains in; None for none.
        share: The largest share of its full learning rate; 0 where it does not train.
    """

    state: str
    from_epoch: int | None = None
    share: float = 0.0


def part_state(plan: ThawPlan, part: Part, sizes: tuple[int, int]) -> PartState:
    """Tell what becomes of a part.

    Args:
        plan: What trains; layers above those that a head reads are not used.
        part: Which part.
        sizes: How many of its weights ever train, and how many it has.
    """
    if part.layer is not None and part.layer > plan.top:
        return PartState(state=UNUSED)
    shares = plan.shares[part][: plan.epochs]
    first = next((epoch for epoch, share in enumerate(shares, 1) if share > 0), None)
    trained, every = sizes
    if first is None or not trained:
        return PartState(state=FROZEN)
    whole = trained == every
    return PartState(state=TRAINED if whole else PARTLY, from_epoch=first, share=max(shares))


def _part_facts(run: Run, part: Part, counted: Mapping[str, Any]) -> dict[str, Any]:
    """Give a part's state, its full learning rate, and the first epoch that it trains in."""
    strategy, choice = run.scenario.strategy, run.choice
    sizes = counted["trainable"], counted["parameters"]
    found = part_state(run.thaw, part, sizes)
    full = (
        choice.head_rate or strategy.head_rate
        if part.layer is None
        else choice.encoder_rate or strategy.encoder_rate
    )
    rate = None if found.from_epoch is None else full * found.share
    return {"state": found.state, "rate": rate, "from_epoch": found.from_epoch}
