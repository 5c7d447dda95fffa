"""`/compare` for scripts: strategies compared on an uploaded file or the corpus, as it goes on."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.events import api

from core.config import MOST_RATES, AdviceChoice, ComparisonSettings, EncoderChoice
from demo.endpoints.check import columns_given, known_encoder, names_given, text_given, uploaded
from demo.frame.spoken import as_script_says
from demo.frame.toasts import as_toast
from demo.freeze.form import (
    MOST_EPOCHS,
    MOST_ROWS,
    MOST_SEEDS,
    command_line,
    whole_given,
)
from demo.shelves.comparison import DONE, FAILED, WAITING, Asked, Comparison
from demo.shelves.comparisons import TICK_SECONDS
from demo.shelves.shelves import Shelves
from demo.shelves.working_data import CORPUS, WorkingData
from demo.strategies.cards import MOST_CHOSEN

if TYPE_CHECKING:  # torch is behind them
    from core.comparison.choice import ComparisonChoice
    from core.data.dataset import Dataset

MOST_SECONDS = 3_600.0
"""A comparison is stopped that has taken longer: others wait for their turn."""

USUAL, WANTED = ComparisonSettings(), AdviceChoice()


def compare_with(shelves: Shelves) -> Callable[..., AsyncIterator[dict[str, Any]]]:
    """Make the function that `/compare` calls.

    Args:
        shelves: Where data, encoders and comparisons are.
    """

    async def compare(
        file: gr.FileData | str,
        strategies: list[str] | None = None,
        text_column: str = "",
        label_columns: list[str] | None = None,
        tasks: list[str] | None = None,
        renames: list[str] | None = None,
        split_column: str = "",
        group_column: str = "",
        rows: int | None = 300,
        seeds: int = USUAL.seeds,
        epochs: int | None = None,
        budget_seconds: float | None = None,
        margin: float = WANTED.margin,
        score: str = WANTED.score,
        cost: str = WANTED.cost,
        encoder: str = "",
        rates: int = USUAL.rates,
        single_task: bool = False,
        balances: bool = False,
        per_class: bool = False,
    ) -> AsyncIterator[dict[str, Any]]:
        """Compare freezing strategies, as `python -m core compare --json` does.

        Streams {event: "waiting"|"stage"|"plan"|"progress"|"run", …} as it goes on, and at last
        the report: {strategies, runs, floor, advice, …}.

        Args:
            file: An uploaded CSV, TSV, JSONL, Parquet or CoNLL file, or the word corpus.
            strategies: Names such as heads, lower:2@auto or full; none is the default set.
            text_column: Which column holds the sentences; empty guesses.
            label_columns: Which hold labels, each as NAME or TASK=NAME; none guesses.
            tasks: Which of the tasks to keep; none keeps all.
            renames: Labels to rename, each as FROM=TO or TASK:FROM=TO.
            split_column: Which column says train, validation or test.
            group_column: Which column says what belongs together.
            rows: A stratified sample of so many, at most 2,000; null takes all up to that.
            seeds: How many; three test every row once.
            epochs: Exactly so many; null trains until the validation rows stop improving.
            budget_seconds: No run goes on after it; null for the whole grid, which is stopped
                where it takes more than an hour.
            margin: How many points worse than the best is still good enough.
            score: accuracy or macro-f1.
            cost: seconds, memory, parameters, forgetting or inference.
            encoder: A name of the catalogue; empty for the page's default.
            rates: Learning rates that each run tries; its own validation rows choose.
            single_task: Whether each task is trained alone too.
            balances: Whether the losses are balanced in other ways too.
            per_class: Whether it is done with 8, 16, 32 … rows of each class too.
        """
        with as_toast(as_script_says):
            name = text_given("encoder", encoder)
            base = EncoderChoice(
                name=known_encoder(shelves.encoders, name)
                if name
                else shelves.encoders.default.name
            )
            columns = columns_given(
                (label_columns, tasks, renames), (text_column, split_column, group_column)
            )
            wanted = names_given("strategies", strategies)
            if len(wanted) > MOST_CHOSEN:
                raise ValueError(f"{len(wanted)} strategies, must be at most {MOST_CHOSEN} here")
            settings = {
                "seeds": whole_given("seeds", seeds, 1, MOST_SEEDS),
                "epochs": None if epochs is None else whole_given("epochs", epochs, 1, MOST_EPOCHS),
                "budget_seconds": None if budget_seconds is None else float(budget_seconds),
                "advice": AdviceChoice(margin=float(margin), score=score, cost=cost),
                "rates": whole_given("rates", rates, 1, MOST_RATES),
                "single_task": single_task is True,
                "balances": balances is True,
                "per_class": per_class is True,
            }
            most = MOST_ROWS if rows is None else whole_given("rows", rows, 1, MOST_ROWS)
            caller = secrets.token_hex(8)
            data = WorkingData()
            if file != CORPUS:
                data = shelves.data.take(str(uploaded(file)), caller)
            asked = Asked(
                dataset=lambda: _read(shelves, data.reading(columns), most),
                encoder=base,
                choice=lambda dataset: _choose(shelves, base, wanted, settings, dataset),
                name=data.name,
                same=caller,
                command=command_line(
                    data.reading(replace(columns, rows=most)), base, wanted, settings
                ),
            )
            comparison = shelves.comparisons.start(asked, caller)
        try:
            async for document in _follow(shelves, comparison):
                yield document
            with as_toast(as_script_says):
                if comparison.state != DONE or comparison.report is None:
                    why = as_script_says(comparison.why, data.choice.source)
                    raise ValueError(why if comparison.state == FAILED else "it was stopped")
            yield comparison.report
        finally:
            with contextlib.suppress(ValueError):  # it was put away for room already
                shelves.comparisons.delete(comparison.id, caller)
            shelves.data.keep_only(caller)

    return compare


async def _follow(shelves: Shelves, comparison: Comparison) -> AsyncIterator[dict[str, Any]]:
    """Tell how far a comparison is, until it has ended."""
    version, passed, last, begun = -1, 0, None, time.monotonic()
    while True:
        if comparison.state == WAITING:
            begun = time.monotonic()
        with as_toast(as_script_says):
            if time.monotonic() - begun > MOST_SECONDS:
                raise ValueError(
                    f"it has taken {MOST_SECONDS / 60:g} minutes, the most there is here: give "
                    "budget_seconds, or take fewer rows, seeds or strategies"
                )
        if comparison.version != version:
            version = comparison.version
            place = shelves.comparisons.place(comparison)
            news = comparison.finished[passed:] or [comparison.told or {}]
            passed = len(comparison.finished)
            for document in [{"event": "waiting", "before": place}] if place else news:
                if document and document is not last:
                    yield document
                last = document
        if not comparison.going:
            return
        await asyncio.sleep(TICK_SECONDS)


def _read(shelves: Shelves, data: WorkingData, most: int) -> "Dataset":
    from core.data.dataset import read_dataset

    dataset = shelves.data.read(data, read_dataset)
    if len(dataset.usable().examples) <= most:
        return dataset
    return shelves.data.read(data.reading(replace(data.choice, rows=most)), read_dataset)


def _choose(
    shelves: Shelves,
    encoder: EncoderChoice,
    names: tuple[str, ...],
    settings: dict[str, Any],
    dataset: "Dataset",
) -> "ComparisonChoice":
    from core.comparison.choice import ComparisonChoice, default_strategies
    from core.strategy.scenario import parse_strategy

    layers = shelves.encoders.get(encoder).layers
    tasks = [task.name for task in dataset.tasks]
    chosen = tuple(parse_strategy(name, layers, tasks) for name in names)
    return ComparisonChoice(strategies=chosen or default_strategies(layers), **settings)


def build_compare_endpoint(shelves: Shelves) -> None:
    """Add `/compare` to the page; call inside `gr.Blocks`, before a listener takes its name."""
    api(compare_with(shelves), api_name="compare", concurrency_limit=4)
