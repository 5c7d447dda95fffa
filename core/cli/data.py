"""The commands that look at labelled data before anything is trained on it: `check`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli import terminal
from core.cli.options import (
    AsJson,
    Data,
    EncoderName,
    GroupColumn,
    LabelColumns,
    Renames,
    Rows,
    SplitColumn,
    TaskNames,
    TextColumn,
    data_choice,
)
from core.config import DataChoice


def check(
    data: Data,
    text_column: TextColumn = None,
    label_column: LabelColumns = None,
    task: TaskNames = None,
    renames: Renames = None,
    split_column: SplitColumn = None,
    group_column: GroupColumn = None,
    rows: Rows = None,
    cleaned: Annotated[
        str | None,
        typer.Option(
            "--cleaned",
            metavar="F",
            help="Write a copy of the whole file without empty and exactly repeated rows: "
            ".csv, .tsv, .jsonl or .parquet.",
        ),
    ] = None,
    encoder: EncoderName = "minilm",
    as_json: AsJson = False,
) -> None:
    """Look labelled data over: what would spoil a training, and what to do about it."""
    choice = data_choice(
        data, text_column, label_column, task, renames, split_column, group_column, rows
    )
    target = None if cleaned is None else _target(cleaned, choice)
    with terminal.waiting(f"reading {data}"):
        from core.doctor.doctor import check_document, read_for_examination
        from core.doctor.findings import find_reader

        reader = find_reader(encoder)
        dataset = read_for_examination(choice)
    for note in dataset.notes:
        terminal.say(note)
    with terminal.waiting("looking it over"):
        document = check_document(dataset, reader)
    if target is not None:
        document["cleaned"] = _write_cleaned(choice, target, str(cleaned))
    if as_json:
        terminal.print_json(document)
    else:
        from core.cli.data_terminal import show_check

        show_check(document)


def _target(cleaned: str, choice: DataChoice) -> Path:
    from core.data.dataset import CORPUS
    from core.tables.cleaned import check_copy_target

    if choice.source == CORPUS:
        raise ValueError("--cleaned writes a copy of a file, and the corpus is none: drop it")
    return check_copy_target(Path(cleaned), choice.source)


def _write_cleaned(choice: DataChoice, target: Path, name: str) -> dict[str, Any]:
    """Write the copy, and say what came of it; a sample is no reason to drop the other rows."""
    from core.data.dataset import read_dataset
    from core.doctor.doctor import cleaned
    from core.doctor.findings import counted
    from core.tables.cleaned import write_copy

    with terminal.waiting(f"writing {name}"):
        whole = read_dataset(replace(choice, rows=None))
        kept = [whole.places[index] for index in cleaned(whole)]
        if not kept:
            raise ValueError(f"{choice.source} has no text in any row: there is nothing to write")
        written = write_copy(choice.source, kept, target)
    if written.formulas:
        terminal.say(
            f"{name}: {counted(written.formulas, 'cell')} with the start of a spreadsheet's "
            "formula, kept for training: open it in a spreadsheet only if you trust it"
        )
    left_out = len(whole.examples) - written.rows
    return {"file": name, "rows": written.rows, "left_out": left_out}
