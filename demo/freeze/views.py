"""What the Freeze tab draws of a comparison: plain values for comparison.js."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from core.report.blocks import Cell, Code, Column, Report, Table
from core.report.drawing import Figure
from core.strategy.scenario import parse_strategy
from demo.frame.spoken import as_page_says
from demo.frame.views import View, shorten
from demo.shelves.comparison import DONE, FAILED, RUNNING, STOPPED, WAITING, Comparison
from demo.strategies.cards import letters
from demo.strategies.words import title_of

MOST_ROWS = 60
MOST_BLOCKS = 40
"""Of a longer table, or section, the first ones travel to the browser."""

OF_THE_ADVICE = ("name", "advised", "made", "trained", "trainable")

Document = Mapping[str, Any]


def result_view(
    document: Document, *, name: str, made: str, kept: Collection[tuple[str, int]] = ()
) -> View:
    """Lay out a report: what is told of it, and what can be done with its runs.

    Args:
        document: What `core.comparison.report.comparison_document` gave.
        name: Which comparison it is, for the page to ask for its runs.
        made: When and on which machine, in words.
        kept: The runs, strategy and seed, that can be opened as the working model.
    """
    from core.report.comparison import comparison_report

    advice = document["advice"]
    return {
        "name": name,
        "usable": bool(kept),
        "made": made,
        "tasks": list(document["tasks"]),
        "advised": None if advice is None else advice["strategy"],
        "strategies": [_strategy(document, each, kept) for each in document["strategies"]],
        "sections": sections_view(comparison_report(document)),
        "command": document["command"],
    }


def advice_view(view: View) -> View:
    """Take the advice out of what `result_view` laid out, which is drawn apart."""
    runs = [
        {"name": each["name"], "runs": [{"kept": run["kept"]} for run in each["runs"]]}
        for each in view["strategies"]
    ]
    sections = [each for each in view["sections"] if each["name"] in ("advice", "code")]
    own = {key: view[key] for key in OF_THE_ADVICE if key in view}
    return own | {"strategies": runs, "sections": sections}


def sections_view(report: Report) -> list[View]:
    """Give a report's sections as plain values: `{name, title, about, blocks: [{kind, …}]}`.

    What is empty is left out; texts of people's are cut to what is drawn.
    """
    return [
        {
            "name": section.name,
            "title": section.title,
            "about": section.about,
            "blocks": [
                {"kind": type(block).__name__, **_plain(block)}
                for block in section.blocks[:MOST_BLOCKS]
            ],
        }
        for section in report.sections
    ]


def _plain(value: Any) -> Any:  # noqa: ANN401 (a part of a block)
    if isinstance(value, Figure):
        return value.document()
    if isinstance(value, tuple):
        return [_plain(each) for each in value[:MOST_ROWS]]
    if not is_dataclass(value):
        return value
    plain = {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Cell | Column | Table):
        plain = {
            key: shorten(each) if isinstance(each, str) else each for key, each in plain.items()
        }
    kept = {key: each for key, each in plain.items() if each or isinstance(value, Code)}
    return {key: each for key, each in kept.items() if key not in ("long", "part", "room")}


def going_view(comparison: Comparison, place: int) -> View:
    """Lay out how far a comparison is: its stage, its runs, what is left.

    Args:
        comparison: Which.
        place: How many go before it.
    """
    done = sum(run["state"] == "done" for run in comparison.planned)
    why = as_page_says(comparison.why)
    said = {
        WAITING: f"Waiting: {place} before you." if place else "Starting…",
        RUNNING: f"{comparison.stage[:1].upper()}{comparison.stage[1:]}…"
        if comparison.stage
        else f"{done} of {len(comparison.planned)} runs done.",
        STOPPED: f"Stopped {comparison.stage}: the runs are as they were."
        if comparison.stage and 0 < done == len(comparison.planned)
        else f"Stopped with {done} of {len(comparison.planned)} runs done; they are kept, and "
        "“Compare them” goes on from there.",
        DONE: f"{comparison.best} is trained on all rows: “Use the model of all rows” opens it."
        if comparison.best
        else f"{done} runs are done. More seeds, or another strategy, go on from what is there.",
        FAILED: f"{why[:1].upper()}{why[1:].rstrip('.')}.",
    }[comparison.state]
    return {
        "state": comparison.state,
        "going": comparison.going,
        "said": said,
        "seconds": comparison.seconds,
        "left": comparison.left if comparison.going else None,
        "progress": comparison.progress,
        "runs": _runs_by_strategy(comparison.planned),
    }


def _runs_by_strategy(planned: Sequence[Mapping[str, Any]]) -> list[View]:
    found: dict[tuple[str, str], list[str]] = {}
    for run in sorted(planned, key=lambda run: int(run["seed"])):
        found.setdefault((run["part"], run["strategy"]), []).append(run["state"])
    order = {run["part"]: place for place, run in reversed([*enumerate(planned)])}
    return [
        {"strategy": strategy, "part": part, "states": states}
        for (part, strategy), states in sorted(found.items(), key=lambda each: order[each[0][0]])
    ]


def _strategy(document: Document, each: Document, kept: Collection[tuple[str, int]]) -> View:
    """Say what of a strategy is the page's own: its drawing, and which of its runs can be used."""
    layers = int(document["encoder"]["layers"])
    scenario = parse_strategy(each["name"], layers)
    runs = [run for run in document["runs"] if run["strategy"] == each["name"]]
    reads = [layer for run in runs for layer in run["read"].values()]
    top = max((k if isinstance(k, int) else layers for k in reads), default=layers)
    return {
        "name": each["name"],
        "title": title_of(scenario),
        "parts": letters(scenario, layers, list(document["tasks"]), top),
        "runs": [
            {"seed": run["seed"], "kept": (each["name"], run["seed"]) in kept} for run in runs
        ],
    }
