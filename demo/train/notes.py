"""What is worth knowing beside the controls of a training: a sentence each, of the value chosen.

Numbers in them are from docs/figures/rates.md and docs/figures/forgetting.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.train.ask import rate_in

if TYPE_CHECKING:  # torch is behind it
    from core.strategy.strategy import Strategy

LAYERS = "the layers' rate"
FAR_TOO_LOW, LOW, HIGH = 1 / 8, 1 / 2, 2.5
"""Shares of a strategy's own rate; what was tried is about three apart."""

BALANCE_NOTES = {
    "sum": "Losses are added: the task whose loss is largest pulls hardest",
    "uncertainty": "Learns each task's weight: one that stays noisy comes to count less",
    "dwa": "The task whose loss falls slowest gets the most weight",
}


@dataclass(frozen=True, kw_only=True)
class Controls:
    """What stands in the fields, as they hold it, and what is drawn.

    Attributes:
        strategy: What trains.
        moves: Whether any of the encoder trains.
        tasks: The tasks ticked.
        epochs: How many.
        batch: Sentences in a step.
        encoder_rate: As typed.
        head_rate: As typed.
        balance: Its name.
        seed: As given.
    """

    strategy: "Strategy"
    moves: bool
    tasks: Sequence[str]
    epochs: float | None
    batch: float | None
    encoder_rate: str | None
    head_rate: str | None
    balance: str
    seed: float | None


def notes(at: Controls) -> dict[str, str]:
    """Say a sentence about each control: tasks, epochs, batch, the rates, balance, seed."""
    return {
        "tasks": "One task has the encoder to itself"
        if len(at.tasks) == 1
        else "Several tasks share the encoder: each pulls at it",
        "epochs": epochs_note(at.strategy, at.epochs or 0, moves=at.moves),
        "batch": batch_note(at.batch or 0),
        "encoder_rate": encoder_note(at.strategy, at.encoder_rate, moves=at.moves),
        "head_rate": head_note(at.strategy, at.head_rate),
        "balance": "One task alone has nothing to balance"
        if len(at.tasks) == 1
        else BALANCE_NOTES.get(at.balance, "How several losses become one"),
        "seed": "Draws rows, order, first heads and dropout: another shows how much is luck"
        if not at.seed
        else "What differs from seed 0, all else the same, is luck",
    }


def epochs_note(strategy: "Strategy", epochs: float, *, moves: bool) -> str:
    """Say what so many passes over the rows do."""
    if not moves:
        return "Passes over the rows; nearly free here, as the encoder runs each sentence once"
    if epochs <= 1:
        return "One pass is enough to see something move, seldom to learn what there is"
    if epochs > strategy.epochs:
        return "So many passes usually learn the rows by heart; the best epoch's weights are kept"
    return "Passes over the rows; the weights of the best on the validation rows are kept"


def batch_note(batch: float) -> str:
    """Say what a batch of that size does."""
    if batch <= 8:
        return "Small batches make many and noisy steps, and cost more time for each sentence"
    if batch >= 48:
        return "Large batches make few and smooth steps: on few rows often too few to learn from"
    return "Half the batch is twice the steps, each of them noisier"


def encoder_note(strategy: "Strategy", typed: str | None, *, moves: bool) -> str:
    """Say what that learning rate does to the layers."""
    if not moves:
        return "No layer trains, so that this rate moves nothing"
    own = strategy.encoder_rate
    given = _rate(typed)
    if not given:
        return f"Empty is the strategy's own, {own:g}; a third of it usually forgets less"
    share = given / own
    if share >= HIGH:
        return (
            "A learning rate this high usually forgets more than it teaches: three times the "
            "strategy's own brought 2 points at best and cost 5 at worst in our sweep"
        )
    if share <= FAR_TOO_LOW:
        return "A learning rate this low hardly moves the layers: little learned, little forgotten"
    if share <= LOW:
        return f"Below the strategy's own, {own:g}: usually forgets less and needs more epochs"
    return f"About the strategy's own, {own:g}, chosen for the score first, then to forget less"


def head_note(strategy: "Strategy", typed: str | None) -> str:
    """Say what that learning rate does to the heads."""
    own, given = strategy.head_rate, _rate(typed)
    if not given:
        return f"Empty is {own:g}: heads begin at random and bear larger steps than the layers"
    share = given / own
    if share >= 8:
        return "A learning rate this high usually makes the heads jump about instead of settling"
    if share >= HIGH:
        return f"Above the usual {own:g}: heads bear larger steps than layers, but settle later"
    if share <= FAR_TOO_LOW:
        return (
            "A learning rate this low leaves heads unfinished: alone, at 0.001, they were 4 to 7 "
            "points behind after 30 epochs in our sweep"
        )
    if share <= LOW:
        return f"Below the usual {own:g}: heads need more epochs"
    return "Heads begin at random: they bear larger steps than the layers"


def _rate(typed: str | None) -> float:
    try:
        return rate_in(LAYERS, typed)
    except ValueError:  # which the estimate says
        return 0.0
