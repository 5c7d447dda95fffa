"""The command `check`, which looks labelled data over before anything is trained on it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from rich.padding import Padding
from rich.text import Text

from core.cli import terminal
from core.cli.options import AsJson, NamedEncoder
from core.cli.terminal import output, plain_table, readable
from core.config import DataChoice
from core.option import Option

if TYPE_CHECKING:
    from core.data.dataset import Dataset


def check(
    data: DataChoice,
    cleaned: Annotated[
        str | None,
        Option(
            "--cleaned",
            "F",
            "Write a copy of the whole file without empty and exactly repeated rows: .csv, .tsv, "
            ".jsonl or .parquet.",
        ),
    ] = None,
    *,
    encoder: NamedEncoder,
    as_json: AsJson = False,
) -> None:
    """Look labelled data over: what would spoil a training, and what to do about it."""
    target = None if cleaned is None else _target(cleaned, data)
    with terminal.waiting(f"reading {data.source}"):
        from core.doctor.doctor import check_document, read_for_examination
        from core.doctor.findings import find_reader

        reader = find_reader(encoder.name)
        dataset = read_for_examination(data)
    for note in dataset.notes:
        terminal.say(note)
    with terminal.waiting("looking it over"):
        document = check_document(dataset, reader)
    if target is not None:
        from core.data.dataset import read_dataset

        whole = dataset if data.rows is None else read_dataset(replace(data, rows=None))
        document["cleaned"] = _write_cleaned(whole, data.source, target, str(cleaned))
    if as_json:
        terminal.print_json(document)
    else:
        show_check(document)


def _target(cleaned: str, choice: DataChoice) -> Path:
    from core.data.dataset import CORPUS
    from core.tables.cleaned import check_copy_target

    if choice.source == CORPUS:
        raise ValueError("--cleaned writes a copy of a file, and the corpus is none: drop it")
    return check_copy_target(Path(cleaned), choice.source)


def _write_cleaned(whole: "Dataset", source: str, target: Path, name: str) -> dict[str, Any]:
    """Write the copy, and say what came of it; a sample is no reason to drop the other rows."""
    from core.doctor.doctor import cleaned
    from core.doctor.findings import counted
    from core.tables.cleaned import write_copy

    with terminal.waiting(f"writing {name}"):
        kept = [whole.places[index] for index in cleaned(whole)]
        if not kept:
            raise ValueError(f"{source} has no text in any row: there is nothing to write")
        written = write_copy(source, kept, target)
    if written.formulas:
        terminal.say(
            f"{name}: {counted(written.formulas, 'cell')} with the start of a spreadsheet's "
            "formula, kept for training: open it in a spreadsheet only if you trust it"
        )
    left_out = len(whole.examples) - written.rows
    return {"file": name, "rows": written.rows, "left_out": left_out}


SHOWN_LABELS = 12


SHOWN_PLACES = 8


_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def show_check(document: Mapping[str, Any]) -> None:
    """Show what the data is, and what was found in it, the gravest first."""
    console = output()
    unit, rows = document["unit"], document["rows"]
    head = f"{document['data']}: {_many(rows, unit)}, texts from {document['text_column']!r}"
    splits = document["splits"] or {}
    if splits:
        head += ", " + ", ".join(f"{count:,} {split}" for split, count in splits.items())
    console.print(Text(readable(head)), soft_wrap=True)
    console.print()
    tasks = plain_table(show_header=True)
    tasks.add_column("task", style="cyan", no_wrap=True)
    tasks.add_column("labelled", justify="right", no_wrap=True)
    tasks.add_column("labels")
    for name, task in document["tasks"].items():
        tasks.add_row(Text(readable(name)), f"{task['rows']:,}", Text(_labels(task["labels"])))
    console.print(tasks)
    for finding in document["findings"]:
        console.print()
        for line in _finding(finding, unit):
            console.print(line)
    console.print()
    console.print(_verdict(document["findings"]))
    copy = document.get("cleaned")
    if copy is not None:
        name = readable(copy["file"])
        left_out = _many(copy["left_out"], unit)
        console.print(
            Text(f"{_many(copy['rows'], unit)} → {name} ({left_out} left out)"), soft_wrap=True
        )


def _labels(counts: Mapping[str, int]) -> str:
    most = sorted(counts.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{readable(label)[:40]} {rows:,}" for label, rows in most[:SHOWN_LABELS])
    hidden = len(most) - SHOWN_LABELS
    return f"{shown} and {hidden:,} more" if hidden > 0 else shown


def _finding(finding: Mapping[str, Any], unit: str) -> Iterator[Text | Padding]:
    severity = finding["severity"]
    head = Text(severity, style=_STYLES[severity])
    head.append(f"  {finding['kind'].replace('_', ' ')}", style="bold")
    places = _places(finding["rows"], finding["groups"])
    if places:
        head.append(f"  {unit if len(finding['rows']) == 1 else unit + 's'} {places}", style="dim")
    yield head
    yield Padding(Text(readable(finding["message"])), (0, 0, 0, 2))


def _places(rows: Sequence[int], groups: Sequence[Sequence[int]]) -> str:
    """Name the first few rows; those that belong together with = between them."""
    if not groups:
        shown = ", ".join(str(row) for row in rows[:SHOWN_PLACES])
        hidden = len(rows) - SHOWN_PLACES
        return f"{shown} and {hidden:,} more" if hidden > 0 else shown
    some = groups[: SHOWN_PLACES // 2]
    shown = ", ".join(
        " = ".join(str(row) for row in group[: SHOWN_PLACES // 2])
        + (" = …" if len(group) > SHOWN_PLACES // 2 else "")
        for group in some
    )
    hidden = len(groups) - len(some)
    return f"{shown} and {hidden:,} more such" if hidden > 0 else shown


def _verdict(findings: Sequence[Mapping[str, Any]]) -> str:
    counts = dict.fromkeys(_STYLES, 0)
    for finding in findings:
        counts[finding["severity"]] += 1
    if not findings:
        return "nothing was found that stands in the way of training"
    return ", ".join(_many(count, severity) for severity, count in counts.items() if count)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what if count == 1 else what + 's'}"
