"""The tables of the runs by which learning rates are chosen."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from scipy.stats import t as student_t

from tests.benchmarks.rates_sweep import (
    COMMON_RATE,
    EPOCHS,
    EPOCHS_OF_GRADUAL,
    EPOCHS_OF_HEADS,
    FIRST,
    HEAD_RATE,
    JUDGED,
    LAYERS,
    MANY,
    PENALISED_EPOCHS,
    PENALISED_RATE,
    ROWS,
    TRIED_ON,
    Setup,
    epochs_of,
    is_heads,
    penalised,
    references,
)

INTRO = """\
# Learning rates

Made by `python tests/benchmarks/rates_bench.py`, each run in `docs/figures/rates.jsonl`. A run
learns from {rows} training rows of the corpus, 15 % of them held out to stop by, for {epochs}
epochs ({gradual} of gradual unfreezing) with the strategy's own patience, and is judged on
{judged} other rows (the corpus' validation rows; its test rows take no part). Its score is the
mean of topic accuracy, sentiment accuracy and strict entity F1. What is shown is the mean over
seeds, which draw rows, heads and order, with its 95 % interval (Student's t) where there are
three or more; where there are fewer, differences of two or three hundredths may be chance.
Where the encoder trains its matrix products ran in bfloat16, to save time, unless it says fp32,
and the heads' rate is {head_rate} unless it says otherwise; heads alone are in fp32.
"""


def interval(values: Sequence[float]) -> str:
    """Write a mean, of three values or more with its 95 % interval by Student's t."""
    mean = statistics.mean(values)
    if len(values) < 3:  # two say next to nothing of how far they scatter
        return f"{mean:.3f}"
    half = student_t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return f"{mean:.3f} ({mean - half:.3f} to {mean + half:.3f})"


def tables(runs: Sequence[dict[str, Any]]) -> str:
    """Lay out what is done."""
    some: dict[Setup, float] = {Setup(**run["setup"]): run["score"] for run in runs}
    tuned = [s for s in some if s.encoder_rate is not None]
    heads = [s for s in some if s.encoder_rate is None]
    plain = [s for s in tuned if s.rows == ROWS and s.bf16]
    usual = [s for s in plain if s.epochs in epochs_of(s.strategy) and s.batch == 32]
    parts = [
        INTRO.format(
            rows=ROWS,
            judged=JUDGED,
            head_rate=f"{HEAD_RATE:g}",
            epochs=EPOCHS,
            gradual=EPOCHS_OF_GRADUAL,
        )
    ]
    parts += ["## The encoder's rate", ""]
    parts += _table(
        [s for s in usual if s.head_rate == HEAD_RATE], some, "strategy", "encoder_rate"
    )
    parts += ["", "## At one rate for all, and each at its own", "", *_common(usual, some)]
    there = [s for s in plain if (s.strategy, s.encoder_rate) == TRIED_ON]
    named = f"`{TRIED_ON[0]}` at {TRIED_ON[1]:g}"
    parts += ["", f"## The heads' rate beside an encoder that trains: {named}", ""]
    parts += _table([s for s in there if s in usual], some, "strategy", "head_rate")
    parts += ["", f"## More epochs and smaller batches: {named}, a row for each batch", ""]
    parts += _table([s for s in there if s.head_rate == HEAD_RATE], some, "batch", "epochs")
    parts += [
        "",
        "## Heads alone, never stopped early, and logistic regression on the same states",
        "",
    ]
    for epochs in (*EPOCHS_OF_HEADS, 0):
        own = [s for s in heads if s.epochs == epochs]
        if own:
            said = f"{epochs} epochs" if epochs else "logistic regression"
            parts += [f"{said}:", "", *_table(own, some, "strategy", "head_rate"), ""]
    parts += _penalties(runs)
    many = [s for s in tuned if s.rows == MANY]
    if many:
        parts += [f"## {MANY:,} rows", "", *_table(many, some, "strategy", "encoder_rate")]
    exact = [s for s in tuned if not s.bf16]
    if exact:
        parts += ["", "## In fp32", "", *_table(exact, some, "strategy", "encoder_rate")]
    parts += ["", "## By task, at the best rate of each strategy", ""]
    return "\n".join([*parts, *_by_task(runs)]) + "\n"


def _table(setups: Sequence[Setup], scores: dict[Setup, float], row: str, column: str) -> list[str]:
    """Lay out scores, means over seeds: a row and a column for each value of two fields."""
    rows = sorted({getattr(s, row) for s in setups}, key=lambda each: (_order(each), each))
    columns = sorted({getattr(s, column) for s in setups})
    lines = ["| | " + " | ".join(f"{each:g}" for each in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for each in rows:
        cells = []
        for other in columns:
            own = [s for s in setups if (getattr(s, row), getattr(s, column)) == (each, other)]
            cells.append(interval([scores[s] for s in own]) if own else "")
        lines.append(f"| `{each}` | " + " | ".join(cells) + " |")
    return lines


def _penalties(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Lay out how heads alone do by their penalty, beside logistic regression, task by task."""
    cells: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in runs:
        setup = Setup(**run["setup"])
        if setup in penalised():
            cells.setdefault((setup.strategy, f"{setup.head_penalty:g}"), []).append(run)
        elif setup in references():
            layer = setup.strategy.partition("@")[2]
            name = "heads" if int(layer) == LAYERS else f"heads@{layer}"
            cells.setdefault((name, "logistic regression"), []).append(run)
    lines = ["## Heads alone by their L2 penalty", ""]
    lines += [f"{PENALISED_EPOCHS} epochs at {PENALISED_RATE:g}, never stopped early:", ""]
    lines += ["| | penalty | seeds | topic | sentiment | entities | score |", "|---" * 7 + "|"]
    for (name, penalty), own in sorted(cells.items()):
        found = [interval([run["scores"][task] for run in own])
                 for task in ("topic", "sentiment", "entities")]  # fmt: skip
        found.append(interval([run["score"] for run in own]))
        lines.append(f"| `{name}` | {penalty} | {len(own)} | " + " | ".join(found) + " |")
    return [*lines, ""]


def _common(setups: Sequence[Setup], scores: dict[Setup, float]) -> list[str]:
    """Lay out, with the first seed, how the strategies rank at one rate and at their own best."""
    own = [s for s in setups if s.seed == 0 and s.head_rate == HEAD_RATE]
    lines = [f"| first seed | at {COMMON_RATE:g} | at its best | best rate |", "|---|---|---|---|"]
    for name in FIRST:
        tried = {s.rate: scores[s] for s in own if s.strategy == name}
        if COMMON_RATE in tried:
            best = max(tried, key=lambda rate: tried[rate])
            cells = f"{tried[COMMON_RATE]:.3f} | {tried[best]:.3f} | {best:g}"
            lines.append(f"| `{name}` | {cells} |")
    return lines


def _order(name: str | int) -> int:
    names = list(FIRST)
    return names.index(name) if name in names else len(names)


def _is_usual(setup: Setup, name: str) -> bool:
    heads = is_heads(name)
    usual = setup.rows == ROWS and setup.epochs == epochs_of(name)[0] and setup.batch == 32
    return (
        setup.strategy == name
        and usual
        and (heads or setup.bf16)
        and (heads or setup.head_rate == HEAD_RATE)
    )


def _by_task(runs: Sequence[dict[str, Any]]) -> list[str]:
    lines = ["| | rate | seeds | topic | sentiment | entities | score | CPU seconds to train |"]
    lines.append("|---" * 8 + "|")
    for name in FIRST:
        own = [run for run in runs if _is_usual(Setup(**run["setup"]), name)]
        by_rate: dict[float, list[dict[str, Any]]] = {}
        for run in own:
            by_rate.setdefault(Setup(**run["setup"]).rate, []).append(run)
        if not by_rate:
            continue
        seeds = max(len(each) for each in by_rate.values())
        rate, best = max(
            ((rate, each) for rate, each in by_rate.items() if len(each) == seeds),
            key=lambda pair: statistics.mean(run["score"] for run in pair[1]),
        )
        cells = [interval([run["scores"][task] for run in best])
                 for task in ("topic", "sentiment", "entities")]  # fmt: skip
        cells.append(interval([run["score"] for run in best]))
        cells.append(f"{statistics.mean(run['training_cpu_seconds'] for run in best):.0f}")
        lines.append(f"| `{name}` | {rate:g} | {seeds} | " + " | ".join(cells) + " |")
    return lines
