"""How labelled data, and what the doctor says of it, reads in a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.padding import Padding
from rich.text import Text

from core.cli.terminal import output, plain_table, readable

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
