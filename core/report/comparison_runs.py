"""Each strategy of a comparison by itself: where its heads read, its runs, its labels."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.measures.metrics import f1_score
from core.measures.scores import main_figure, main_score
from core.report.blocks import Block, Chart, Column, Row, Section, Sentence, Table
from core.report.cells import NOTHING, number, share, signed, words
from core.report.run_figures import loss_figure, score_figure
from core.task import kind_named

CURVE_POINTS = 60
"""A loss is drawn by so many of its steps at most."""

MOST_LABELS = 40
"""Of a task with more labels, so many are scored one by one."""

Document = Mapping[str, Any]


def runs_of(document: Document, strategy: str) -> list[Document]:
    """List a strategy's runs."""
    return [run for run in document["runs"] if run["strategy"] == strategy]


def layers_read(runs: Sequence[Document]) -> str:
    """Say which layer each task's head reads, run by run where runs differ: `6`, `topic 5, 6`."""
    by_task: dict[str, list[str]] = {}
    for run in runs:
        for task, layer in run["read"].items():
            by_task.setdefault(task, []).append(str(layer))
    every = {layer for found in by_task.values() for layer in found}
    if len(every) == 1:
        return every.pop()
    return "; ".join(
        f"{task} {', '.join(found if len(set(found)) > 1 else found[:1])}"
        for task, found in by_task.items()
    )


def read_in_words(runs: Sequence[Document]) -> str:
    """Say where heads read, as the end of a sentence."""
    read = layers_read(runs)
    if " " in read:
        return f"layers, run by run: {read}"
    return f"layer {read}" if read.isdigit() else f"a {read} of all layers"


def strategy_section(document: Document, strategy: Document) -> Section:
    """Tell of one strategy: where its heads read, how each label does, how each run went.

    Args:
        document: What `core.comparison.report.comparison_document` gave.
        strategy: One of its strategies.
    """
    name, runs = strategy["name"], runs_of(document, strategy["name"])
    others = [each for each in document["strategies"] if each is not strategy]
    rival = next((each for each in others if each["name"] == "heads"), None) or min(
        others, key=lambda each: each["seconds"], default=None
    )
    told = (
        f"Heads read {read_in_words(runs)}. {len(runs)} run{'s' * (len(runs) != 1)}, "
        f"{strategy['seconds_per_step']:.3f} s a step."
    )
    blocks: list[Block] = [Sentence(text=told, about=name, long=True)]
    if runs:
        blocks += _curves(document, runs[0])
        blocks += _labels(document, runs, rival)
        blocks.append(_runs(document, runs))
    return Section(name="strategy", title=name, blocks=tuple(blocks), about=name)


def _curves(document: Document, run: Document) -> Iterator[Block]:
    """Draw how a run learned: its loss by step, and its score by epoch where there were several."""
    tasks = {
        task: main_score(kind_named(about["kind"]), document["score"]).title
        for task, about in document["tasks"].items()
    }
    losses, epochs = run["curves"].get("loss", []), run["curves"].get("epochs", [])
    size = -(-len(losses) // CURVE_POINTS) or 1
    training = [(point["step"], point["loss"]) for point in losses[size - 1 :: size]]
    validation = [(epoch["step"], epoch["loss"]) for epoch in epochs]
    scores = [(epoch["epoch"], epoch["scores"]) for epoch in epochs]
    drawn = []
    if len(training) > 1:
        drawn.append(loss_figure(list(tasks), training, validation))
    if len(scores) > 1:
        drawn.append(score_figure(tasks, scores, unit="epoch"))
    name = run["strategy"]
    if drawn:
        yield Sentence(text=f"How it learned, with seed {run['seed']}:", about=name, long=True)
    for figure in drawn:
        yield Chart(figure=figure, about=name, long=True)


def _labels(
    document: Document, runs: Sequence[Document], rival: Document | None
) -> Iterator[Table]:
    """Score each label over all runs of a strategy, beside another strategy."""
    own = _counted(runs)
    other = {} if rival is None else _counted(runs_of(document, rival["name"]))
    for task, found in own.items():
        columns = [Column(heading="label", words=True), Column(heading="F1", unit="percent")]
        if rival is not None:
            columns.append(Column(heading=f"versus {rival['name']}", unit="points"))
        columns.append(Column(heading="rows"))
        rows = []
        for label, (f1, true) in list(found.items())[:MOST_LABELS]:
            before = other.get(task, {}).get(label, (None, 0))[0]
            gap = NOTHING
            if f1 is not None and before is not None:
                gap = words(signed(100 * (f1 - before), 1, plus=True))
            beside = [] if rival is None else [gap]
            rows.append(Row(cells=(words(label), share(f1), *beside, number(true))))
        if rows:
            yield Table(
                title=f"{task}, label by label",
                columns=tuple(columns),
                rows=tuple(rows),
                about=runs[0]["strategy"],
                long=True,
            )


def _counted(runs: Sequence[Document]) -> dict[str, dict[str, tuple[float | None, int]]]:
    """Give each label's F1 and rows, of what all runs counted together."""
    found: dict[str, dict[str, tuple[float | None, int]]] = {}
    for task in runs[0]["tasks"] if runs else ():
        counted = [_counts(run["tasks"][task]) for run in runs]
        common = [label for label in counted[0] if all(label in each for each in counted)]
        for label in common:
            right, true, said = (sum(each[label][k] for each in counted) for k in range(3))
            f1 = f1_score(right, said, true) if true + said else None
            found.setdefault(task, {})[label] = (f1, true)
    return found


def _counts(scores: Document) -> dict[str, tuple[int, int, int]]:
    """Count, label by label, what a run got right, what there was, and what it said."""
    if "confusion" not in scores:
        return {
            label: (round(each["recall"] * each["rows"]), each["rows"], each["predicted"])
            for label, each in scores.get("per_label", {}).items()
        }
    matrix = scores["confusion"]
    return {
        label: (matrix[k][k], sum(matrix[k]), sum(row[k] for row in matrix))
        for k, label in enumerate(scores["labels"])
    }


def _runs(document: Document, runs: Sequence[Document]) -> Table:
    tasks = list(document["tasks"])
    heads = ["run", *tasks, "best epoch", "steps", "seconds"]
    rows = []
    for run in runs:
        scored = [run["tasks"].get(task) for task in tasks]  # a run of old may lack one
        cells = (
            words(f"seed {run['seed']}"),
            *(share(each and main_figure(each)) for each in scored),
            words(f"{run['best_epoch']} of {run['epochs']}"),
            number(run["steps"]),
            number(run["seconds"], 1),
        )
        rows.append(Row(cells=cells))
    return Table(
        title="Runs",
        columns=tuple(Column(heading=head, words=head == "run") for head in heads),
        rows=tuple(rows),
        about=runs[0]["strategy"],
        long=True,
    )
