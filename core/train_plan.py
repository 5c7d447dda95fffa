"""What is about to be trained, in full: each part's state and rate, and what it will cost."""

from collections.abc import Mapping
from typing import Any

from core.freezing import Moment, Part
from core.runs import Run
from core.thawing import model_parts
from core.training_events import PlanEvent, event_document

FROZEN, TRAINED, PARTLY, UNUSED = "frozen", "trains", "partly", "unused"
"""The states of a part. Of one that trains partly some weights do, as its biases or adapters."""


def plan_document(run: Run, event: PlanEvent) -> dict[str, Any]:
    """Describe a plan as the command line prints it.

    Args:
        run: What is about to be trained.
        event: Its plan.

    Returns:
        What `core.runs.event_document` gives, and beside it what the strategy does, where the data
        came from, and of each part its state, its full learning rate and the epoch it thaws in.
    """
    document = event_document(event)
    strategy, choice = run.scenario.strategy, run.choice
    parts = zip(document["parts"], model_parts(run.model), strict=True)
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


def _part_facts(run: Run, part: Part, counted: Mapping[str, Any]) -> dict[str, Any]:
    """Give a part's state, its full learning rate, and the first epoch that it trains in."""
    strategy, choice, top = run.scenario.strategy, run.choice, run.model.highest_read
    shares = [
        strategy.rate(part, Moment(epoch=epoch, epochs=choice.epochs, top=top))
        for epoch in range(choice.epochs)
    ]
    first = next((epoch for epoch, share in enumerate(shares, 1) if share > 0), None)
    if part.layer is not None and part.layer > top:
        return {"state": UNUSED, "rate": None, "from_epoch": None}
    if first is None or not counted["trainable"]:
        return {"state": FROZEN, "rate": None, "from_epoch": None}
    full = (
        choice.head_rate or strategy.head_rate
        if part.layer is None
        else choice.encoder_rate or strategy.encoder_rate
    )
    whole = counted["trainable"] == counted["parameters"]
    return {
        "state": TRAINED if whole else PARTLY,
        "rate": full * max(shares),
        "from_epoch": first,
    }
