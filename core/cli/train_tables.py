"""How a training reads in a terminal: its plan, its course, its end, and all the strategies."""

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from core.cli.model_tables import main_in_words, verdict
from core.cli.options import flag_of
from core.cli.terminal import clock, errors, output, plain_table, readable, say
from core.strategy.strategies import OFFERED

ICE, AMBER = "#5fb4e8", "#f2a83c"
"""What is frozen, and what trains, as on the page."""

STATES = {  # state → glyph, glyph where there is only ASCII, colour, what the legend says
    "frozen": ("░", "-", ICE, "frozen"),
    "trains": ("█", "#", AMBER, "trains"),
    "partly": ("▒", "+", AMBER, "trains in part"),
    "unused": ("·", ".", "dim", "not used"),
}

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_PICTURES = 0.1
_BAR_CELLS = 40


def show_strategies() -> None:
    """Show what every strategy does, when to use it, and its own rates and epochs."""
    console = output()
    table = plain_table(show_header=True)
    table.add_column("--strategy", style="cyan", no_wrap=True)
    table.add_column("what it does, and when to use it", overflow="fold")
    table.add_column("rates: layers, heads", no_wrap=True)
    table.add_column("epochs", no_wrap=True, justify="right")
    for name, kind in OFFERED:
        told = Text(kind.does)
        told.append(f" {kind.when}", style="dim")
        layers = f"{kind.encoder_rate:g}" if kind.trains_encoder else "–"
        heads = f"{kind.head_rate:g}" if kind.trains_heads else "–"
        epochs = str(kind.epochs) if kind.trains_heads else "–"
        table.add_row(name, told, f"{layers}, {heads}", epochs)
    console.print(table)
    console.print(
        "\nLayers are numbered from 1; 0 is the embeddings. Behind each name may stand where the "
        "heads read: @K the output of layer K, @auto each task's best layer by its profile, @mix "
        "a learned mix of all; else the last layer. What lies above is not run.",
    )


class TrainingDisplay:
    """A training as it happens, on standard error: live on a terminal, else a line an epoch.

    Use it as a context.
    """

    def __init__(self) -> None:
        self._console = errors()
        self._live: Live | None = None
        self._steps = 0
        self._last = time.monotonic()
        self._drawn = 0.0

    def __enter__(self) -> "TrainingDisplay":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, event: Mapping[str, Any]) -> None:
        """Show an event, as `core.training.run.event_document` describes it."""
        if event["event"] == "plan":
            self._begin(event)
        elif event["event"] == "step":
            self._step(event)
        elif event["event"] == "evaluation":
            self._line(_epoch_line(event))

    def _begin(self, plan: Mapping[str, Any]) -> None:
        self._steps = plan["steps"]
        for told in plan_view(plan, self._console):
            self._console.print(told, soft_wrap=isinstance(told, Text))
        if self._console.is_terminal and self._steps:
            self._live = Live(console=self._console, transient=True, auto_refresh=False)
            self._live.start()

    def _step(self, step: Mapping[str, Any]) -> None:
        if self._live is not None:
            if time.monotonic() - self._drawn > _SECONDS_BETWEEN_PICTURES:
                self._drawn = time.monotonic()
                self._live.update(_live_view(step, self._steps), refresh=True)
        elif time.monotonic() - self._last > _SECONDS_BETWEEN_LINES:
            self._line(step_line(step, self._steps))

    def _line(self, line: str) -> None:
        self._last = time.monotonic()
        if self._live is not None:
            self._live.console.print(Text(readable(line)), soft_wrap=True)
        else:
            say(line)


def step_line(step: Mapping[str, Any], steps: int) -> str:
    """Say how far a training is, in a line."""
    return (
        f"step {step['step']:,} of {steps:,}, epoch {step['epoch']}, loss: {_losses(step)}; "
        f"{_speed(step)}"
    )


def _live_view(step: Mapping[str, Any], steps: int) -> RenderableType:
    done = ProgressBar(
        total=steps,
        completed=step["step"],
        width=_BAR_CELLS,
        complete_style=AMBER,
        finished_style=AMBER,
    )
    facts = plain_table(show_header=False)
    facts.add_column(style="cyan", no_wrap=True)
    facts.add_column(no_wrap=True, overflow="ellipsis")
    facts.add_row("training", done)
    facts.add_row("step", f"{step['step']:,} of {steps:,}, epoch {step['epoch']}")
    facts.add_row("loss", Text(_losses(step)))
    facts.add_row("rates", Text(_rates(step["rates"])))
    facts.add_row("speed", _speed(step))
    return Group(facts)


def _losses(step: Mapping[str, Any]) -> str:
    return ", ".join(f"{readable(name)} {x:.3f}" for name, x in step["loss"].items())


def _rates(rates: Mapping[str, float]) -> str:
    """Name the rate of each part that trains now, parts of one rate together."""
    names: dict[float, list[str]] = {}
    for part, rate in rates.items():
        names.setdefault(rate, []).append(readable(part))
    told = []
    for rate, parts in names.items():
        many = parts[0] if len(parts) == 1 else f"{parts[0]} to {parts[-1]}"
        told.append(f"{many} {rate:.1e}")
    return ", ".join(told)


def _speed(step: Mapping[str, Any]) -> str:
    return f"{step['tokens_per_second']:,.0f} tokens/s, {clock(step['seconds_left'])} left"


def plan_view(plan: Mapping[str, Any], console: Console) -> Iterator[RenderableType]:
    """Show what is about to be trained: the strategy, a strip of the parts, a table, the cost."""
    name = Text(readable(plan["strategy"]), style="bold")
    yield name.append(f": {plan['does']}{_settings(plan['settings'])}", style="not bold")
    yield _strip(plan["parts"], console)
    yield _parts_table(plan["parts"], console)
    for line in plan_lines(plan):
        yield Text(readable(line))


def _settings(settings: Mapping[str, float]) -> str:
    told = ", ".join(f"{flag_of(name)} {x:g}" for name, x in settings.items())
    return f" ({told})" if told else ""


def _glyph(state: str, console: Console) -> str:
    fancy, plain, _, _ = STATES[state]
    return fancy if console.encoding.lower().startswith("utf") else plain


def _strip(parts: Sequence[Mapping[str, Any]], console: Console) -> Text:
    """Draw the parts side by side, each with the glyph and the colour of its state."""
    strip = Text(" ")
    for part in parts:
        head = part["part"].startswith("head ")
        short = "emb" if part["part"] == "embeddings" else part["part"].partition(" ")[2]
        glyph = _glyph(part["state"], console)
        strip.append("  " if head else " ")
        strip.append(f"{glyph}{glyph}{readable(short)}", style=STATES[part["state"]][2])
    strip.append("   ")
    for state in STATES:
        if any(part["state"] == state for part in parts):
            _, _, colour, said = STATES[state]
            strip.append(f" {_glyph(state, console)} {said}", style=colour)
    return strip


def _parts_table(parts: Sequence[Mapping[str, Any]], console: Console) -> Table:
    """Lay out each part's weights and rate; neighbours that are alike share a line."""
    table = plain_table(show_header=True)
    table.add_column("part", no_wrap=True, overflow="ellipsis")
    table.add_column("state", no_wrap=True)
    table.add_column("weights that train", justify="right", no_wrap=True)
    table.add_column("of", justify="right", no_wrap=True)
    table.add_column("rate", justify="right", no_wrap=True)
    for _, group in groupby(parts, key=_sameness):
        some = list(group)
        first, last = some[0], some[-1]
        name = readable(first["part"])
        if len(some) > 1:
            name = f"layers {name.removeprefix('layer ')} to {last['part'].removeprefix('layer ')}"
        _, _, colour, said = STATES[first["state"]]
        when = f" from epoch {first['from_epoch']}" if (first["from_epoch"] or 1) > 1 else ""
        table.add_row(
            Text(name),
            Text(f"{_glyph(first['state'], console)} {said}{when}", style=colour),
            f"{sum(each['trainable'] for each in some if each['from_epoch']):,}",
            f"{sum(each['parameters'] for each in some):,}",
            "" if first["rate"] is None else f"{first['rate']:.2g}",
        )
    return table


def _sameness(part: Mapping[str, Any]) -> tuple[Any, ...]:
    own = "layer" if part["part"].startswith("layer ") else part["part"]
    return own, part["state"], part["rate"], part["from_epoch"]


def plan_lines(plan: Mapping[str, Any]) -> Iterator[str]:
    """Say what is about to be trained, in words."""
    trained, every = plan["trainable_parameters"], plan["total_parameters"]
    share = f"{trained / every:.1%}" if trained / every >= 0.001 or not trained else "under 0.1%"
    yield (
        f"{trained:,} of {every:,} weights train ({share}), on {plan['rows']:,} rows, "
        f"{plan['validation_rows']:,} held out, {plan['steps']:,} steps at most"
    )
    if not plan["steps"]:
        yield "nothing is updated: this is an evaluation of the model as it is"
    yield ", ".join(
        f"{name} reads {'a mix of all layers' if layer == 'mix' else f'layer {layer}'}"
        for name, layer in plan["read"].items()
    )
    late = [p["part"] for p in plan["parts"] if p["trainable"] and not p["from_epoch"]]
    if late:
        yield f"frozen still when the last epoch ends: {', '.join(late)}"
    if plan["done_before"]:
        yield f"going on after step {plan['done_before']:,}"
    if plan["prefix"]["layer"] is not None:
        yield prefix_line(plan)


def prefix_line(plan: Mapping[str, Any]) -> str:
    """Say how far the network runs only once for each sentence, and where its states lie."""
    prefix = plan["prefix"]
    frozen = ("the embeddings run", "layer 1 runs", f"layers 1 to {prefix['layer']} run")[
        min(prefix["layer"], 2)
    ]
    size = f"{prefix['bytes'] / 1e6:,.1f} MB"
    if plan["processes"] > 1:
        kept = f"{size} in temporary files that all {plan['processes']} processes read"
    elif prefix["in_files"]:
        kept = f"their {size} are more than --prefix-memory allows, so they lie in temporary files"
    else:
        kept = f"{size} in memory"
    return f"what is frozen is computed once: {frozen} one time for each sentence, {kept}"


def _epoch_line(event: Mapping[str, Any]) -> str:
    scores = ", ".join(f"{name} {main_in_words(each)}" for name, each in event["metrics"].items())
    losses = ", ".join(f"{name} {x:.3f}" for name, x in event["loss"].items())
    best = ", the best so far" if event["best"] else ""
    return f"epoch {event['epoch']}: {scores}{best} (loss: {losses})"


def show_trained(done: Mapping[str, Any], folder: str) -> None:
    """Show how a training ended, and where the model is."""
    console = output()
    rest = f"the weights of epoch {done['epoch']}" if done["epoch"] else "nothing was trained"
    console.print(Text(f"{done['steps']:,} steps in {done['seconds']:.1f} s, {rest}"))
    for name, scores in (done["metrics"] or {}).items():
        console.print(verdict(name, scores), soft_wrap=True)
    console.print(Text(readable(f"the model is in {folder}")), soft_wrap=True)
