"""What a comparison's report comes to in words, the same in the terminal, on the page, in files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BALANCE_NAMES = {"uncertainty": "uncertainty weighting", "dwa": "dynamic weight averaging"}


@dataclass(frozen=True, kw_only=True)
class FurtherTable:
    """The same strategies with one thing changed, beside the comparison itself.

    Attributes:
        title: What is changed, such as `topic alone`.
        against: What the differences are to, such as `all tasks together`.
        meaning: How the sign of a difference reads, a sentence.
        lines: A strategy each, `{name, mean, tasks, versus}`.
    """

    title: str
    against: str
    meaning: str
    lines: Sequence[Mapping[str, Any]]


def further_tables_in_words(document: Mapping[str, Any]) -> list[FurtherTable]:
    """List the tables that were asked for beside a comparison: single tasks, balances, fewer rows.

    Args:
        document: What `core.comparison.report.comparison_document` gave.
    """
    tables = [
        FurtherTable(
            title=f"{task} alone",
            against="all tasks together",
            meaning="Above zero the task does better alone, so sharing the encoder hurts it; "
            "below zero sharing helps.",
            lines=lines,
        )
        for task, lines in document.get("single_task", {}).items()
    ]
    tables += [
        FurtherTable(
            title=f"losses balanced by {BALANCE_NAMES.get(name, name)}",
            against="their plain sum",
            meaning="Above zero it does better than adding the tasks' losses up.",
            lines=lines,
        )
        for name, lines in document.get("balances", {}).items()
    ]
    tables += [
        FurtherTable(
            title=f"{each['rows_per_class']} rows of each class",
            against="all rows",
            meaning=f"Trained on {each['rows']:,.0f} rows a run; below zero is what fewer rows "
            "cost.",
            lines=each["strategies"],
        )
        for each in document.get("per_class", ())
    ]
    return tables


def retention_in_words(strategy: Mapping[str, Any]) -> str:
    """Say how far an encoder has drifted and what it has forgotten, which are two things.

    Args:
        strategy: One of the report's.

    Returns:
        A sentence; empty where it was not measured.
    """
    lost, probe = strategy.get("forgetting"), (strategy.get("drift") or {}).get("probe")
    if not lost or not probe or probe.get("cka") is None:
        return ""
    if lost["mean"] == lost["low"] == lost["high"] == 0:
        return "The encoder is frozen: it neither drifts nor forgets, exactly."
    drifted = (
        f"The encoder has drifted to a CKA of {probe['cka']:.3f} (1 is as pretrained), with "
        f"{probe['neighbours_kept']:.1f} of 10 nearest neighbours kept"
    )
    mean, low, high = (_signed(lost[end]) for end in ("mean", "low", "high"))
    told = f"{mean} of the probe's Spearman correlation lost ({low} to {high})"
    if lost["low"] > 0:
        return f"{drifted}, and has forgotten: {told}."
    return f"{drifted}, and no forgetting is shown: {told}."


def worth_a_look(task: str, found: Mapping[str, Any]) -> str:
    """Say of how many rows the labels are worth a second look.

    Args:
        task: Of which task.
        found: What the report's `second_look` says of it.
    """
    count = len(found["rows"])
    rows = "1 row" if count == 1 else f"{count:,} rows"
    its = "its label" if count == 1 else "their labels"
    return f"every strategy gets {rows} of {task} wrong, worth a second look at {its}"


def _signed(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")
