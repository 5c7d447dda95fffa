"""How predictions, layer profiles, scores and a training read in a terminal."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from core.terminal import errors, output, plain_table, readable, say

SHOWN_SCORES = 3
SHOWN_WORDS = 4
SHOWN_CLASSES = 12
"""A confusion matrix of more labels than this is no longer read by eye."""

BAR_CELLS = 20
LABEL_CHARACTERS = 30

_EIGHTHS = " ▏▎▍▌▋▊▉"
_SECONDS_BETWEEN_LINES = 10.0


def show_predictions(rows: Sequence[Mapping[str, Any]], first: int) -> None:
    """Show what a model says of some sentences, a block each.

    Args:
        rows: As `core.documents.predict_document` gives them.
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
        metric = "f1" if "f1" in layers[0] else "accuracy"
        table = plain_table(show_header=True)
        table.add_column(Text(readable(name), style="cyan"), justify="right", no_wrap=True)
        heading = "strict F1" if metric == "f1" else "accuracy"
        table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("95 %", no_wrap=True)
        if metric == "accuracy":
            table.add_column("macro-F1", justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
        for each in layers:
            told = each[metric]
            best = each["layer"] == document["best"][name]
            cells = [str(each["layer"]) if each["layer"] else "0, embeddings"]
            cells += [f"{told['mean']:.3f}", f"{told['low']:.3f} to {told['high']:.3f}"]
            if metric == "accuracy":
                cells.append(f"{each['macro_f1']['mean']:.3f}")
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
        console.print(_verdict(name, scores), soft_wrap=True)
        if "per_label" in scores:
            console.print(_per_label(scores))
            if len(scores["labels"]) <= SHOWN_CLASSES:
                console.print()
                console.print(_confusion(scores))


def _verdict(name: str, scores: Mapping[str, Any]) -> Text:
    told = Text(readable(name), style="bold cyan")
    told.append("  ")
    return told.append(score_in_words(scores), style="")


def score_in_words(scores: Mapping[str, Any]) -> str:
    """Say a task's scores in a line."""
    rows = f"{scores['rows']:,} rows"
    if "f1" in scores:
        within = _interval(scores.get("f1_interval"))
        return (
            f"strict F1 {scores['f1']:.3f}{within}, precision {scores['precision']:.3f}, "
            f"recall {scores['recall']:.3f}, {scores['entities']:,} spans in {rows}"
        )
    if scores["accuracy"] is None:
        return "no labelled row"
    within = _interval(scores["accuracy_interval"])
    return f"accuracy {scores['accuracy']:.3f}{within}, macro-F1 {scores['macro_f1']:.3f}, {rows}"


def _interval(found: Mapping[str, float] | None) -> str:
    return f" ({found['low']:.3f} to {found['high']:.3f})" if found else ""


def _per_label(scores: Mapping[str, Any]) -> Table:
    table = plain_table(show_header=True)
    table.add_column("label", no_wrap=True)
    for heading in ("precision", "recall", "F1", "rows"):
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


class TrainingDisplay:
    """A training as it happens, on standard error: live on a terminal, else a line an epoch.

    Use it as a context.
    """

    def __init__(self) -> None:
        self._console = errors()
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._steps = 0
        self._last = time.monotonic()

    def __enter__(self) -> "TrainingDisplay":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, event: Mapping[str, Any]) -> None:
        """Show an event, as `core.runs.event_document` describes it."""
        if event["event"] == "plan":
            self._begin(event)
        elif event["event"] == "step":
            self._step(event)
        elif event["event"] == "evaluation":
            self._line(_epoch_line(event))

    def _begin(self, plan: Mapping[str, Any]) -> None:
        self._steps = plan["steps"]
        for line in plan_lines(plan):
            self._line(line)
        if self._console.is_terminal and self._steps:
            self._progress = Progress(
                TextColumn("training"),
                BarColumn(),
                TextColumn("{task.fields[said]}"),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._task = self._progress.add_task("", total=self._steps, said="")
            self._progress.start()

    def _step(self, step: Mapping[str, Any]) -> None:
        losses = ", ".join(f"{readable(name)} {x:.3f}" for name, x in step["loss"].items())
        said = f"step {step['step']:,} of {self._steps:,}, epoch {step['epoch']}, loss: {losses}"
        if self._progress is not None:
            self._progress.update(self._task, completed=step["step"], said=said)
        elif time.monotonic() - self._last > _SECONDS_BETWEEN_LINES:
            self._line(said)

    def _line(self, line: str) -> None:
        self._last = time.monotonic()
        if self._progress is not None:
            self._progress.console.print(Text(readable(line)), soft_wrap=True)
        else:
            say(line)


def plan_lines(plan: Mapping[str, Any]) -> Iterator[str]:
    """Say what is about to be trained."""
    trained, every = plan["trainable_parameters"], plan["total_parameters"]
    share = f"{trained / every:.1%}" if trained / every >= 0.001 or not trained else "under 0.1%"
    yield (
        f"{plan['strategy']}: {trained:,} of {every:,} weights train ({share}), on "
        f"{plan['rows']:,} rows, {plan['validation_rows']:,} held out, {plan['steps']:,} steps "
        "at most"
    )
    read = ", ".join(
        f"{name} reads {'a mix of all layers' if layer == 'mix' else f'layer {layer}'}"
        for name, layer in plan["read"].items()
    )
    yield read


def _epoch_line(event: Mapping[str, Any]) -> str:
    scores = ", ".join(f"{name} {_main(each)}" for name, each in event["metrics"].items())
    return f"epoch {event['epoch']}: {scores}{', the best so far' if event['best'] else ''}"


def _main(scores: Mapping[str, Any]) -> str:
    score = scores["f1"] if "f1" in scores else scores["accuracy"]
    return "–" if score is None else f"{score:.3f}"


def show_trained(done: Mapping[str, Any], folder: str) -> None:
    """Show how a training ended, and where the model is."""
    console = output()
    rest = f"the weights of epoch {done['epoch']}" if done["epoch"] else "nothing was trained"
    console.print(Text(f"{done['steps']:,} steps in {done['seconds']:.1f} s, {rest}"))
    for name, scores in (done["metrics"] or {}).items():
        console.print(_verdict(name, scores), soft_wrap=True)
    console.print(Text(readable(f"the model is in {folder}")), soft_wrap=True)


@contextlib.contextmanager
def said_if_stopped(what: str) -> Iterator[None]:
    """Say what Ctrl-C has ended, and pass it on."""
    try:
        yield
    except KeyboardInterrupt:
        say(what)
        raise
