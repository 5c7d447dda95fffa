"""The options of `compare`: how each is typed, and what its help says."""

import re
from typing import Annotated

import typer

from core.config import COSTS, SCORES, AdviceChoice

StrategyNames = Annotated[
    str | None,
    typer.Option(
        "--strategies",
        metavar="A,B,C",
        help="What is compared, as train --strategy names it; else heads, heads@auto, a third of "
        "the layers frozen read at the last and at the best, two thirds frozen, and full.",
    ),
]
Seeds = Annotated[
    int,
    typer.Option(
        "--seeds", metavar="N", help="How many; three test every row once by every strategy."
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        metavar="N",
        help="Exactly so many for all; else each trains until its validation rows stop improving.",
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(
        "--budget",
        metavar="60s|5m|1h",
        help="A deadline: cheap strategies first, seeds only where they can change the answer.",
    ),
]
Rates = Annotated[
    int,
    typer.Option(
        "--rates",
        metavar="N",
        help="Learning rates that each run tries; its validation rows choose.",
    ),
]
Margin = Annotated[
    float,
    typer.Option(
        "--margin",
        metavar="POINTS",
        help=f"How much worse than the best is good enough; else {AdviceChoice().margin:g}.",
    ),
]
ScoreName = Annotated[
    str,
    typer.Option("--score", metavar="|".join(SCORES), help="What counts of a sentence task."),
]
CostName = Annotated[
    str, typer.Option("--cost", metavar="|".join(COSTS), help="What a cheaper one is cheaper in.")
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", metavar="N", help="Runs side by side; else by the cores there are."),
]
Engine = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="local|ray",
        help="Where runs are done: in processes here, or on a Ray cluster (ray start --head).",
    ),
]
Out = Annotated[
    str | None, typer.Option("--out", metavar="F.json", help="Write the report as JSON too.")
]
Html = Annotated[
    str | None,
    typer.Option(
        "--html", metavar="F.html", help="Write the report as one page that needs nothing else."
    ),
]
Code = Annotated[
    str | None,
    typer.Option(
        "--code",
        metavar="DIR",
        help="Write the advised strategy as scripts of plain transformers and of plain "
        "sentence-transformers, which need no Thaw.",
    ),
]
Predictions = Annotated[
    str | None,
    typer.Option(
        "--predictions",
        metavar="F",
        help="Write what every run predicted for its held-out rows: .csv or .jsonl.",
    ),
]
RunsFolder = Annotated[
    str | None,
    typer.Option(
        "--runs",
        metavar="DIR",
        help="Keep every finished run there at once, to go on with or to open.",
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with the comparison in --runs; more seeds and strategies may be asked for.",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace what --runs and --train-best hold.")
]

SingleTask = Annotated[
    bool, typer.Option("--single-task", help="Also train each task alone: does sharing help?")
]
Balances = Annotated[
    bool, typer.Option("--balances", help="Also balance the tasks' losses in other ways.")
]
PerClass = Annotated[
    bool,
    typer.Option("--per-class", help="Also train on 8, 16, 32 … rows of each class only."),
]
TrainBest = Annotated[
    str | None,
    typer.Option(
        "--train-best",
        metavar="DIR",
        help="Train the advised strategy on all rows, and write that model's folder.",
    ),
]

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def budget_seconds(typed: str | None) -> float | None:
    """Read a budget as typed: seconds, or minutes or hours by their letter.

    Raises:
        ValueError: If it is none.
    """
    if typed is None:
        return None
    found = re.fullmatch(r"(\d{1,7}(?:\.\d{1,3})?)\s*([smh]?)", typed.strip().lower(), re.ASCII)
    if found is None or not float(found[1]) > 0:
        raise ValueError(f"--budget is {typed[:40]!r}, must be such as 60s, 5m or 1h")
    return float(found[1]) * _UNITS[found[2]]
