"""The options that commands share: how each is typed, and what its help says."""

from typing import Annotated

import typer

from core.config import METRICS, POOLINGS, PRECISIONS, DataChoice

Texts = Annotated[
    list[str] | None,
    typer.Argument(metavar="TEXT", help="Sentences.", show_default=False),
]
File = Annotated[
    str | None,
    typer.Option(
        "--file",
        metavar="F",
        help="Sentences: TXT (one a line), CSV, TSV, JSONL or Parquet; - is standard input.",
    ),
]
Column = Annotated[
    str | None, typer.Option("--column", metavar="NAME", help="The column of sentences.")
]
EncoderName = Annotated[
    str,
    typer.Option("--encoder", metavar="E", help="A catalogue name, a folder or a hub name."),
]
Pooling = Annotated[
    str | None, typer.Option("--pooling", metavar="P", help=f"One of: {', '.join(POOLINGS)}.")
]
Normalize = Annotated[
    bool | None, typer.Option("--normalize/--no-normalize", help="Give embeddings length one.")
]
Precision = Annotated[
    str, typer.Option("--precision", metavar="|".join(PRECISIONS), help="fp32, or faster.")
]
Threads = Annotated[
    int | None, typer.Option("--threads", metavar="N", help="Threads to encode with.")
]
Device = Annotated[
    str | None, typer.Option("--device", metavar="D", help="cpu, cuda, mps; else the best.")
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="DIR", help="A folder that train or export wrote; else the shipped one."
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Draws all that is left to chance.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and no more.")]
Metric = Annotated[
    str, typer.Option("--metric", metavar="M", help=f"One of: {', '.join(METRICS)}.")
]
Data = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="F",
        help="Labelled sentences: CSV, TSV, JSONL, Parquet or CoNLL, or the word corpus.",
    ),
]
TextColumn = Annotated[
    str | None,
    typer.Option("--text-column", metavar="NAME", help="The column of sentences; else guessed."),
]
LabelColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--label-column",
        metavar="NAME|TASK=NAME",
        help="A column of labels or spans; repeat for more; else guessed.",
    ),
]
TaskNames = Annotated[
    list[str] | None,
    typer.Option("--task", metavar="TASK", help="A task wanted; repeat for more; else all."),
]
Renames = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="[TASK:]FROM=TO", help="Rename the label FROM; repeat for more."),
]
SplitColumn = Annotated[
    str | None,
    typer.Option("--split-column", metavar="NAME", help="The column of train, validation, test."),
]
GroupColumn = Annotated[
    str | None,
    typer.Option("--group-column", metavar="NAME", help="The column of what belongs together."),
]
Rows = Annotated[
    int | None,
    typer.Option("--rows", metavar="N", help="Take a sample of N rows, every label in its share."),
]


_FLAGS = {
    "source": "--data",
    "label_columns": "--label-column",
    "tasks": "--task",
    "renames": "--map",
    "encoder_rate": "--lr",
    "head_rate": "--head-lr",
}
"""What is called otherwise than its setting."""


def flag_of(setting: str) -> str:
    """Call a setting as it is typed."""
    return _FLAGS.get(setting, f"--{setting.replace('_', '-')}")


def data_choice(
    data: str,
    text_column: str | None,
    label_columns: list[str] | None,
    tasks: list[str] | None,
    renames: list[str] | None,
    split_column: str | None,
    group_column: str | None,
    rows: int | None,
    seed: int = 0,
) -> DataChoice:
    """Put what was typed of labelled data into one choice.

    Raises:
        ValueError: If the choice is not allowed.
    """
    return DataChoice(
        source=data,
        text_column=text_column,
        label_columns=tuple(label_columns or ()),
        tasks=tuple(tasks or ()),
        renames=tuple(renames or ()),
        split_column=split_column,
        group_column=group_column,
        rows=rows,
        seed=seed,
    )
