"""How the report of a comparison reads in a terminal: its tables, its advice, what else to know."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from core.cli.terminal import fits, output, plain_table, readable
from core.comparison.words import FurtherTable, further_tables_in_words, worth_a_look
from core.measures.scores import main_figure

SHOWN_ROWS = 5
"""Of the rows that every strategy gets wrong, a task's first few are shown."""


def show_comparison(document: Mapping[str, Any]) -> None:
    """Show the report: the table, the floor, the advice, what else to know, further tables."""
    console = output()
    tables = [_table(document, costs) for costs in (_ALL, _USUAL, _LEAST)]
    console.print(next((each for each in tables if fits(console, each)), tables[-1]))
    console.print()
    costs = _costs_table(document, intervals=True)
    short = _costs_table(document, intervals=False)
    console.print(costs if fits(console, costs) else short)
    console.print()
    for line in report_lines(document):
        console.print(Text(readable(line)), soft_wrap=True)
    for further in further_tables_in_words(document):
        console.print()
        console.print(Text(readable(f"with {further.title}, beside {further.against}")))
        console.print(_further_table(further))
        console.print(Text(readable(further.meaning)), soft_wrap=True)


_ALL = ("versus heads", "versus best", "seconds", "weights")
_USUAL = ("versus heads", "seconds", "weights")
_LEAST = ("seconds",)
"""What is told of a strategy beside its scores, by how much room there is."""


def _table(document: Mapping[str, Any], headings: Sequence[str]) -> Table:
    """Lay out the strategies; where all does not fit, without the tasks' intervals."""
    intervals = headings != _LEAST
    table = plain_table(show_header=True)
    table.add_column("strategy", style="cyan", no_wrap=True)
    table.add_column("mean", justify="right", no_wrap=True)
    for name in document["tasks"]:
        table.add_column(Text(readable(name)), justify="right", no_wrap=True, overflow="ellipsis")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for each in document["strategies"]:
        cells = [
            _figure(main_figure(found, document["score"]), intervals)
            for found in each["tasks"].values()
        ]
        best = each["versus_best"]
        told = {
            "versus heads": _points(each["versus_heads"]),
            "versus best": _points(None if best is None else best["mean"]),
            "seconds": f"{each['seconds']:.1f}",
            "weights": f"{each['trainable_parameters']:,}",
        }
        table.add_row(
            Text(readable(each["name"])),
            _figure(each["mean"], True),
            *cells,
            *(told[heading] for heading in headings),
        )
    for title, kind in (("floor: words", "lexical"), ("floor: majority", "majority")):
        cells = [_floor(document["floor"].get(name), kind, intervals) for name in document["tasks"]]
        table.add_row(Text(title), "", *cells, *([""] * len(headings)), style="dim")
    return table


def _costs_table(document: Mapping[str, Any], *, intervals: bool) -> Table:
    """Lay out what each strategy costs beside its seconds, and what it has forgotten."""
    table = plain_table(show_header=True)
    table.add_column("strategy", style="cyan", no_wrap=True)
    for heading in ("s a step", "MB", "sentences/s", "similarity lost"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("reads layer")
    for each in document["strategies"]:
        memory, speed = each["peak_memory_bytes"], each["inference_sentences_per_second"]
        table.add_row(
            Text(readable(each["name"])),
            f"{each['seconds_per_step']:.3f}",
            "–" if memory is None else f"{memory / 1e6:,.0f}",
            "–" if speed is None else f"{speed:,.0f}",
            _lost(each["forgetting"], intervals),
            Text(readable("; ".join(each["read"]))),
        )
    return table


def _lost(found: Mapping[str, float] | None, interval: bool) -> str:
    if found is None:
        return "–"
    mean, low, high = (f"{found[end]:.3f}" for end in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})" if interval else mean


def _further_table(further: FurtherTable) -> Table:
    table = plain_table(show_header=True)
    table.add_column("strategy", style="cyan", no_wrap=True)
    for heading in ("mean", "difference"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in further.lines:
        figures = _figure(each["mean"], True), _points(each["versus"]) or "–"
        table.add_row(Text(readable(each["name"])), *figures)
    return table


def _figure(found: Mapping[str, float] | None, interval: bool) -> str:
    if found is None:
        return "–"
    if not interval:
        return f"{found['mean']:.3f}"
    return f"{found['mean']:.3f} ({found['low']:.2f}–{found['high']:.2f})"


def _points(found: Mapping[str, float] | None) -> str:
    """Write a difference in points; nothing where there is none, as beside itself."""
    if found is None:
        return ""
    low, high = (100 * found[end] for end in ("low", "high"))
    return f"{100 * found['mean']:+.1f} ({low:+.0f} to {high:+.0f})"


def _floor(found: Mapping[str, Any] | None, kind: str, interval: bool) -> str:
    if found is None or found[kind] is None:
        return "–"
    return _figure(found[kind], interval) if kind == "lexical" else f"{found[kind]:.3f}"


def report_lines(document: Mapping[str, Any]) -> Sequence[str]:
    """Say in words what the table does not: advice, warnings, rows to look at again."""
    lines = []
    if document["advice"] is not None:
        lines.append(document["advice"]["text"])
        if len(document["advice"]["tasks"]) > 1:
            for name, each in document["advice"]["tasks"].items():
                lines.append(f"{name}: {each['text']}")
    for each in document["strategies"]:
        lines += each["notes"]
    for name, reasons in document["failed"].items():
        lines += [f"{name} did not end, {reason}" for reason in reasons]
    for task, found in document["second_look"].items():
        places = ", ".join(f"{place:,}" for place in found["rows"][:SHOWN_ROWS])
        unit = found["unit"] if len(found["rows"]) == 1 else f"{found['unit']}s"
        hidden = len(found["rows"]) - SHOWN_ROWS
        more = f" and {hidden:,} more" if hidden > 0 else ""
        lines.append(f"{worth_a_look(task, found)}: {unit} {places}{more}")
    if document["over_budget"]:
        lines.append("the budget ended it before all runs were done")
    return lines
