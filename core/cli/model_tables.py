"""How predictions, layer profiles and scores read in a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.cli.terminal import output, plain_table, readable
from core.measures.scores import FURTHER, main_figure, score_in

SHOWN_SCORES = 3
SHOWN_WORDS = 4
SHOWN_CLASSES = 12
"""A confusion matrix of more labels than this is no longer read by eye."""

BAR_CELLS = 20
LABEL_CHARACTERS = 30

_EIGHTHS = " ▏▎▍▌▋▊▉"


def show_predictions(rows: Sequence[Mapping[str, Any]], first: int) -> None:
    """Show what a model says of some sentences, a block each.

    Args:
        rows: As `core.model.documents.predict_document` gives them.
        first: The number of the first.
    """
    console = output()
    for number, row in enumerate(rows, first):
        head = Text(f"{number:,}  ", style="cyan")
        head.append(readable(row["text"]), style="bold")
        console.print(head, soft_wrap=True)
        for name, said in row.items():
            if isinstance(said, dict):
                console.print(_scores(console, name, said))
                if "words" in said:
                    console.print(_words(said), soft_wrap=True)
            elif isinstance(said, list):
                console.print(_entities(name, said), soft_wrap=True)
        if row.get("truncated"):
            console.print(Text("   only its beginning was read", style="dim"))
        if row.get("unreadable"):
            told = "   the encoder knows no word or sign of it: this says nothing"
            console.print(Text(told, style="yellow"))
        console.print()


def show_predicted(sentences: int, name: str, model: str) -> None:
    """Show what `predict` wrote, and where."""
    many = "1 sentence" if sentences == 1 else f"{sentences:,} sentences"
    output().print(Text(readable(f"{many} → {name} ({model})")), soft_wrap=True)


def _scores(console: Console, name: str, said: Mapping[str, Any]) -> Table:
    """Lay out the likeliest labels with their bars; an unsure one is dim and says so."""
    table = plain_table(show_header=False)
    table.add_column(min_width=12, no_wrap=True)
    table.add_column(min_width=14, no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    ranked = sorted(said["scores"].items(), key=lambda pair: -pair[1])[:SHOWN_SCORES]
    for place, (label, score) in enumerate(ranked):
        best = place == 0
        style = ("yellow" if said["unsure"] else "bold green") if best else "dim"
        note = Text("unsure", style="yellow") if best and said["unsure"] else Text("")
        table.add_row(
            Text(f"   {readable(name)}" if best else "", style="cyan"),
            Text(short(label), style=style),
            Text(f"{score:.2f}", style=style),
            Text(bar(console, score), style=style),
            note,
        )
    return table


def _words(said: Mapping[str, Any]) -> Text:
    """Name the words that pushed the likeliest label up and down most."""
    told = Text("      ", style="dim")
    if not said["exact"]:
        return told.append(f"no words can be told: {readable(said['reason'])}")
    label = said["label"]
    adds = [(word["contributions"][label], word["text"]) for word in said["words"]]
    ranked = sorted(adds, key=lambda pair: -pair[0])
    up = [pair for pair in ranked if pair[0] > 0][:SHOWN_WORDS]
    down = [pair for pair in reversed(ranked) if pair[0] < 0][:SHOWN_WORDS]
    told.append(f"towards {short(label)}: {_signed(up)}")
    return told.append(f"; against: {_signed(down)}")


def _signed(words: Sequence[tuple[float, str]]) -> str:
    return ", ".join(f"{readable(text)} {add:+.2f}" for add, text in words) or "none"


def _entities(name: str, found: Sequence[Mapping[str, Any]]) -> Text:
    told = Text(f"   {readable(name):<9}", style="cyan")
    if not found:
        return told.append("  none", style="dim")
    for place, each in enumerate(found):
        told.append("  " if place == 0 else " · ", style="dim")
        told.append(readable(each["text"]), style="yellow" if each["unsure"] else "bold green")
        unsure = " unsure" if each["unsure"] else ""
        told.append(f" {short(each['label'])} {each['confidence']:.2f}{unsure}", style="dim")
    return told


def short(label: str) -> str:
    """Cut a label to what a column holds."""
    shown = readable(label)
    return shown if len(shown) <= LABEL_CHARACTERS else f"{shown[: LABEL_CHARACTERS - 1]}…"


def bar(console: Console, share: float) -> str:
    """Draw a share of 1 as a bar of at most `BAR_CELLS` characters."""
    if not console.encoding.lower().startswith("utf"):
        return "#" * round(share * BAR_CELLS)
    eighths = round(share * BAR_CELLS * 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def show_layers(document: Mapping[str, Any]) -> None:
    """Show the score of every layer for every task, the best marked, and say it in words."""
    console = output()
    for name, layers in document["tasks"].items():
        main = score_in(layers[0])
        further = [score for score in FURTHER if score.key in layers[0]]
        table = plain_table(show_header=True)
        table.add_column(Text(readable(name), style="cyan"), justify="right", no_wrap=True)
        table.add_column(main.title, justify="right", no_wrap=True)
        table.add_column("95 %", no_wrap=True)
        for score in further:
            table.add_column(score.title, justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
        for each in layers:
            told = each[main.key]
            best = each["layer"] == document["best"][name]
            cells = [str(each["layer"]) if each["layer"] else "0, embeddings"]
            cells += [f"{told['mean']:.3f}", f"{told['low']:.3f} to {told['high']:.3f}"]
            cells += [f"{each[score.key]['mean']:.3f}" for score in further]
            drawn = bar(console, told["mean"]) + (" best" if best else "")
            style = "bold green" if best else ""
            table.add_row(*(Text(cell, style=style) for cell in (*cells, drawn)))
        console.print(table)
        console.print()
    for sentence in document["text"].values():
        console.print(Text(readable(sentence)), soft_wrap=True)


def show_evaluation(document: Mapping[str, Any]) -> None:
    """Show how good a model is on labelled rows, task by task and label by label."""
    console = output()
    head = f"{document['model']} on {document['rows']:,} rows of {document['data']}"
    console.print(Text(readable(head)), soft_wrap=True)
    for name, scores in document["tasks"].items():
        console.print()
        console.print(verdict(name, scores), soft_wrap=True)
        if "per_label" in scores:
            console.print(_per_label(scores))
            if len(scores.get("labels", ())) in range(1, SHOWN_CLASSES + 1):
                console.print()
                console.print(_confusion(scores))


def verdict(name: str, scores: Mapping[str, Any]) -> Text:
    """Say a task's scores in a line that begins with its name."""
    told = Text(readable(name), style="bold cyan")
    told.append("  ")
    return told.append(score_in_words(scores), style="")


def score_in_words(scores: Mapping[str, Any]) -> str:
    """Say a task's scores in a line."""
    main = score_in(scores)
    if scores[main.key] is None:
        return "no labelled row"
    beside = [(score.title, score.key) for score in FURTHER]
    beside += [(name, name) for name in ("precision", "recall")]
    told = [f"{main.title} {scores[main.key]:.3f}{_interval(scores.get(f'{main.key}_interval'))}"]
    told += [f"{title} {scores[key]:.3f}" for title, key in beside if key in scores]
    spans = f"{scores['entities']:,} spans in " if "entities" in scores else ""
    return ", ".join([*told, f"{spans}{scores['rows']:,} rows"])


def main_in_words(scores: Mapping[str, Any]) -> str:
    """Write a task's main score alone."""
    score = main_figure(scores)
    return "–" if score is None else f"{score:.3f}"


def _interval(found: Mapping[str, float] | None) -> str:
    return f" ({found['low']:.3f} to {found['high']:.3f})" if found else ""


def _per_label(scores: Mapping[str, Any]) -> Table:
    table = plain_table(show_header=True)
    table.add_column("label", no_wrap=True)
    for heading in ("precision", "recall", "F1", "spans" if "entities" in scores else "rows"):
        table.add_column(heading, justify="right", no_wrap=True)
    for label, each in scores["per_label"].items():
        figures = [f"{each[metric]:.3f}" for metric in ("precision", "recall", "f1")]
        table.add_row(Text(short(label)), *figures, f"{each['rows']:,}")
    return table


def _confusion(scores: Mapping[str, Any]) -> Table:
    """Lay out the confusion: true labels down, predicted ones across, by number."""
    table = plain_table(show_header=True)
    table.add_column("true, by predicted", no_wrap=True)
    for number in range(1, len(scores["labels"]) + 1):
        table.add_column(Text(str(number), style="cyan"), justify="right", no_wrap=True)
    for place, (label, row) in enumerate(zip(scores["labels"], scores["confusion"], strict=True)):
        cells = [
            Text(f"{count:,}", style="bold green" if column == place else "" if count else "dim")
            for column, count in enumerate(row)
        ]
        head = Text(f"{place + 1} ", style="cyan")
        table.add_row(head.append(short(label), style="default"), *cells)
    return table
