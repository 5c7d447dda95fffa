"""The card of a trained model: what it is, what it learned from, how good it is, how to use it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.measures.scores import FURTHER, score_in
from core.model.model import MultiTaskModel

_MARKS = re.compile(r"([\\`*_{}\[\]<>()#+!|~$&^-])")
MAX_LABELS = 40
"""A table of more labels than this is no longer read; thaw.json has them all."""

FIGURE_HEADS = ("task", "rows", "score", *(score.title for score in FURTHER))


def model_card(model: MultiTaskModel, about: Mapping[str, Any]) -> str:
    """Write a model's card.

    Args:
        model: What it describes.
        about: What `core.training.run.Run.about` says of how it came about.

    Returns:
        Markdown, in which no text from people is markup.
    """
    sections = (_head(model, about), task_lines(model), _data(about), _figures(about), _use(model),
                limit_lines(), _making(about))  # fmt: skip
    return "\n".join(line for section in sections for line in section)


def plain(text: str) -> str:
    """Escape a text from people, so that Markdown shows it as it is."""
    return _MARKS.sub(r"\\\1", " ".join(str(text).split()))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out a table; the cells are Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(line)} |" for line in lines] + [""]


def _head(model: MultiTaskModel, about: Mapping[str, Any]) -> Iterator[str]:
    plan = about["plan"]
    trained, every = plan["trainable_parameters"], plan["total_parameters"]
    yield f"# {', '.join(plain(task.name) for task in model.tasks)}: a model trained with Thaw"
    yield ""
    settings = "".join(
        f", --{name.replace('_', '-')} {number:g}"
        for name, number in about.get("settings", {}).items()
    )
    yield (
        f"The encoder {plain(model.encoder.name)} with a head for each task, trained by the "
        f"strategy `{about['strategy']}{settings}`: {trained:,} of {every:,} weights were "
        "trained. Only those that changed are kept here; the others are the encoder's own."
    )
    yield ""


def task_lines(model: MultiTaskModel) -> Iterator[str]:
    """Say what a model predicts, as a section of its card."""
    yield "## What it predicts"
    yield ""
    rows = []
    for name, head in model.task_heads.items():
        labels = ", ".join(plain(label) for label in head.task.labels[:MAX_LABELS])
        hidden = len(head.task.labels) - MAX_LABELS
        labels += f" and {hidden:,} more" if hidden > 0 else ""
        where = "a mix of all layers" if head.mix else f"layer {head.shape.read}"
        threshold = f"{model.calibration[name].threshold:.2f}"
        rows.append([plain(name), head.task.of_kind.says, labels, where, threshold])
    yield from table(["task", "kind", "labels", "reads", "unsure below"], rows)


def _data(about: Mapping[str, Any]) -> Iterator[str]:
    data = about["data"]
    yield "## What it learned from"
    yield ""
    yield (
        f"{data['training_rows']:,} rows of {plain(data['name'])} (fingerprint "
        f"`{data['fingerprint'][:16]}`); {data['validation_rows']:,} rows chose the epoch and "
        "fitted the temperature."
        if data["validation_rows"]
        else f"{data['training_rows']:,} rows of {plain(data['name'])} (fingerprint "
        f"`{data['fingerprint'][:16]}`); none were held out."
    )
    yield ""
    for note in about["notes"]:
        yield f"- {plain(note)}"
    if about["notes"]:
        yield ""


def _figures(about: Mapping[str, Any]) -> Iterator[str]:
    yield "## How good it is"
    yield ""
    if "cross_validated" in about:
        yield from _cross_validated(about["cross_validated"])
        return
    if about["figures"] is None:
        yield "Nothing was held out, so nobody knows: run `python -m core evaluate` on other rows."
        yield ""
        return
    rows = [[plain(name), *figure_cells(scores)] for name, scores in about["figures"].items()]
    yield from table(FIGURE_HEADS, rows)
    yield (
        "On the validation rows, which also chose the epoch: on new text it is rather less. "
        "Accuracy has its 95 % interval; of spans it is strict F1."
    )
    yield ""
    for name, scores in about["figures"].items():
        if scores.get("per_label") and len(scores["per_label"]) <= MAX_LABELS:
            counted = "spans" if "entities" in scores else "rows"
            yield from table(
                [plain(name), "precision", "recall", "F1", counted],
                [
                    [plain(label), *(f"{each[m]:.3f}" for m in ("precision", "recall", "f1")),
                     f"{each['rows']:,}"]
                    for label, each in scores["per_label"].items()
                ],
            )  # fmt: skip


def _cross_validated(figures: Mapping[str, Any]) -> Iterator[str]:
    """Give what a comparison found of the strategy this model was trained by, on all rows."""
    rows = []
    for name, scores in figures.items():
        main, shown = score_in(scores), "–"
        if (own := scores[main.key]) is not None:
            shown = f"{main.short} {own['mean']:.3f} ({own['low']:.3f} to {own['high']:.3f})"
        further = [scores.get(each.key) for each in FURTHER]
        means = [f"{each['mean']:.3f}" if each else "–" for each in further]
        rows.append([plain(name), f"{scores['rows']:,}", shown, *means])
    yield from table(FIGURE_HEADS, rows)
    yield (
        "Expected: the same strategy, trained on part of these rows, reached this on rows held "
        "out, with 95 % intervals. The model here learned from all of them, so that no row is "
        "left to test it on."
    )
    yield ""


def figure_cells(scores: Mapping[str, Any]) -> list[str]:
    """Write what stands under `FIGURE_HEADS` behind a task's name."""
    main = score_in(scores)
    if scores[main.key] is None:
        return ["0", "–", *("–" for _ in FURTHER)]
    shown, found = f"{main.short} {scores[main.key]:.3f}", scores.get(f"{main.key}_interval")
    if found is not None:
        shown += f" ({found['low']:.3f} to {found['high']:.3f})"
    further = [scores.get(each.key) for each in FURTHER]
    return [f"{scores['rows']:,}", shown, *("–" if n is None else f"{n:.3f}" for n in further)]


def _use(model: MultiTaskModel) -> Iterator[str]:
    yield "## How to use it"
    yield ""
    yield from (
        "With Thaw, from its folder, where DIR is this one:",
        "",
        '    python -m core predict "A sentence." --model DIR --json',
        "",
        "or in Python:",
        "",
        "    from core.model.model_folder import load_model",
        "    from core.model.prediction import predict",
        '    print(predict(load_model("DIR"), ["A sentence."]))',
        "",
        f"It needs the encoder {plain(model.encoder.name)} with the very weights it was trained "
        "on; others are refused.",
        "",
    )


def limit_lines() -> Iterator[str]:
    """Say what no model knows, as a section of its card."""
    yield "## Limits"
    yield ""
    yield (
        "It knows the labels above and no other: a text that is none of them gets one all the "
        "same. Text unlike what it learned from, in kind or in language, is predicted worse than "
        "the figures say. It carries the mistakes and leanings of whoever labelled the rows: "
        "decide nothing about a person by it alone."
    )
    yield ""


def _making(about: Mapping[str, Any]) -> Iterator[str]:
    yield "## How it was made"
    yield ""
    if about["command"]:
        yield f"    {' '.join(about['command'].split())}"
        yield ""
    packages = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    yield (
        f"Seed {about['seed']}, {about['steps']:,} steps in {about['seconds']:.0f} s, the weights "
        f"of epoch {about['epoch']} kept; {plain(packages)}."
    )
    yield ""
