"""What is asked to be compared: the Freeze tab's fields, checked, and how long it will take."""

import contextlib
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from core.config import MOST_RATES, AdviceChoice, EncoderChoice
from core.strategy.words import listed
from demo.freeze.profiles import ProfileShelf
from demo.shelves.comparison import Asked
from demo.shelves.working_data import WorkingData

if TYPE_CHECKING:  # torch is behind them
    from core.comparison.choice import ComparisonChoice
    from core.comparison.events import ComparisonPlan
    from core.data.dataset import Dataset

MOST_SEEDS = 12
MOST_EPOCHS = 50
MOST_ROWS = 2_000
"""Of more rows the page compares a stratified sample; the command line takes all."""

UNTIL_IT_STOPS = "until it stops improving"
EPOCHS = (UNTIL_IT_STOPS, "1", "2", "3", "5", "10")
RATES = (("each strategy's own", 1), ("the best of three", 3), ("the best of five", 5))
FURTHER = (
    ("each task alone", "single_task"),
    ("the tasks' losses balanced otherwise", "balances"),
    ("8, 16, 32 … rows of each class", "per_class"),
)
"""What a comparison may be set beside, as people and as `ComparisonChoice` call it."""

BUDGETS = (("no limit", 0), ("1 minute", 60), ("5 minutes", 300), ("30 minutes", 1800))


@dataclass(frozen=True, kw_only=True)
class Form:
    """What the fields say.

    Attributes:
        rows: How many rows, a stratified sample.
        tasks: Which tasks; empty for all.
        seeds: How many.
        epochs: How many, or `UNTIL_IT_STOPS`.
        budget: Seconds; 0 for no limit.
        cost: What a cheaper strategy is cheaper in.
        margin: Points.
        score: What counts of a sentence task.
        rates: How many learning rates each run tries.
        further: Of `FURTHER`, what is compared beside it.
    """

    rows: float
    tasks: Sequence[str]
    seeds: float
    epochs: str
    budget: float
    cost: str
    margin: float
    score: str
    rates: float = 1
    further: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a visitor asks to be compared.

    Attributes:
        strategies: Their names.
        data: The working data.
        encoder: The working encoder.
        form: What the fields say.
    """

    strategies: tuple[str, ...]
    data: WorkingData
    encoder: EncoderChoice
    form: Form


def asked_by(order: Order, profiles: ProfileShelf) -> Asked:
    """Say what an order asks for.

    Args:
        order: What a visitor asks.
        profiles: Where data and encoders come from.

    Raises:
        ValueError: If a field is out of range, or no strategy is chosen.
    """
    form, working, chosen = order.form, order.data, order.strategies
    rows = whole_given("rows", form.rows, 1, MOST_ROWS)
    seeds = whole_given("seeds", form.seeds, 1, MOST_SEEDS)
    rates = whole_given("rates", form.rates, 1, MOST_RATES)
    further = {name: name in form.further for _, name in FURTHER}
    epochs = None
    if form.epochs != UNTIL_IT_STOPS:
        epochs = whole_given("epochs", form.epochs, 1, MOST_EPOCHS)
    budget = float(form.budget)
    if not chosen:
        raise ValueError("no strategy is chosen: add one drawn on the strip, or a card's")
    if not form.tasks:
        raise ValueError("no task is ticked: tick one at least")
    advice = AdviceChoice(margin=float(form.margin), score=form.score, cost=form.cost)
    encoder = replace(order.encoder, precision="exact")
    tasks = tuple(map(str, form.tasks))
    sampled = working.reading(replace(working.choice, rows=rows, tasks=tasks))

    def read() -> "Dataset":
        from core.data.dataset import read_dataset

        dataset = profiles.data.get(working)
        if rows >= len(dataset.usable().examples) and len(tasks) == len(dataset.tasks):
            return dataset
        return profiles.data.read(sampled, read_dataset)

    settings: dict[str, Any] = {
        "seeds": seeds,
        "epochs": epochs,
        "budget_seconds": budget or None,
        "advice": advice,
        "rates": rates,
        **further,
    }

    def choose(dataset: "Dataset") -> "ComparisonChoice":
        from core.comparison.choice import ComparisonChoice
        from core.strategy.scenario import parse_strategy

        layers = profiles.encoders.get(encoder).layers
        names = [task.name for task in dataset.tasks]
        return ComparisonChoice(
            strategies=tuple(parse_strategy(name, layers, names) for name in chosen), **settings
        )

    return Asked(
        dataset=read,
        encoder=encoder,
        choice=choose,
        name="the corpus" if working.is_corpus else working.name,
        same=(sampled, encoder, epochs, rates),
        command=command_line(sampled, encoder, chosen, settings),
    )


def command_line(
    data: WorkingData,
    encoder: EncoderChoice,
    strategies: Sequence[str],
    settings: Mapping[str, Any],
) -> str:
    """Write the command that compares the same: for a report, and to go on without the page.

    Args:
        data: Which rows, read how; a file is named without its folder.
        encoder: What is trained on top of.
        strategies: By name; none is the default set.
        settings: What else a `ComparisonChoice` is given, by name.
    """
    usual, advice, budget = AdviceChoice(), settings["advice"], settings["budget_seconds"]
    options = {
        "strategies": ",".join(strategies) or None,
        "seeds": settings["seeds"],
        "epochs": settings["epochs"],
        "budget": f"{budget:g}s" if budget else None,
        "margin": advice.margin if advice.margin != usual.margin else None,
        "score": advice.score if advice.score != usual.score else None,
        "rates": settings["rates"] if settings["rates"] > 1 else None,
        **{name.replace("_", "-"): settings[name] or None for _, name in FURTHER},
        "cost": advice.cost if advice.cost != usual.cost else None,
    }
    choice = data.choice
    given: list[tuple[str, object]] = [
        ("data", "corpus" if data.is_corpus else data.name),
        ("text-column", choice.text_column),
        *(("label-column", name) for name in choice.label_columns),
        *(("task", name) for name in choice.tasks),
        *(("map", rename) for rename in choice.renames),
        ("split-column", choice.split_column),
        ("group-column", choice.group_column),
        ("rows", choice.rows),
        ("encoder", encoder.name if encoder.name != EncoderChoice().name else None),
        ("pooling", encoder.pooling),
        *options.items(),
    ]
    parts = ["python", "-m", "core", "compare"]
    for name, value in given:
        if value is True:
            parts.append(f"--{name}")
        elif value is not None:
            parts += [f"--{name}", str(value)]
    if encoder.normalize is not None:
        parts.append("--normalize" if encoder.normalize else "--no-normalize")
    return shlex.join(parts)


def planned(asked: Asked, cancelled: Callable[[], bool]) -> "ComparisonPlan":
    """Go as far as the plan, which has the estimate, and no further.

    Args:
        asked: What is compared.
        cancelled: Asked now and then; True stops.

    Raises:
        ValueError: If the rows do not suffice.
        CancelledError: If `cancelled` answered True.
    """
    from core.comparison.comparison import compare
    from core.comparison.events import ComparisonPlan

    dataset = asked.dataset()
    events = compare(dataset, asked.encoder, asked.choice(dataset), cancelled=cancelled)
    with contextlib.closing(events):
        for event in events:
            if isinstance(event, ComparisonPlan):
                return event
    raise RuntimeError("the comparison has no plan")


def estimate_in_words(plan: "ComparisonPlan") -> str:
    """Say how long a plan will take."""
    runs = len(plan.runs)
    told = f"{runs} runs on {plan.rows:,} rows take about {duration(plan.seconds)} on this machine"
    by: dict[str, float] = {}
    for run in plan.runs:
        name = f"{run.strategy} ({run.part})" if run.part else run.strategy
        by[name] = by.get(name, 0.0) + run.seconds / plan.jobs
    each = listed([f"{name} {duration(seconds)}" for name, seconds in by.items()])
    return f"{told}, measured by steps of training: {each}."


def duration(seconds: float) -> str:
    """Write a time as people say it."""
    if seconds >= 90:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def whole_given(name: str, given: object, low: int, high: int) -> int:
    """Take a whole number from a field.

    Raises:
        ValueError: If it is none, or out of range.
    """
    try:
        number = int(str(given).removesuffix(".0"))
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise ValueError(f"{name} is {str(given)[:20]}, must be {low:,} to {high:,}")
    return number
