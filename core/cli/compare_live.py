"""How a comparison reads in a terminal while it goes on: its plan, its course."""

import time
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from core.cli.model_tables import main_in_words
from core.cli.terminal import clock, errors, plain_table, readable, say
from core.comparison.events import (
    ComparisonEvent,
    ComparisonPlan,
    ComparisonStage,
    RunFailed,
    RunFinished,
    RunProgress,
    RunStarted,
    RunStopped,
)
from core.comparison.store import RunRecord
from core.measures.scores import main_figure

AMBER = "#f2a83c"
_SECONDS_BETWEEN_PICTURES = 0.1
_BAR_CELLS = 24


class ComparisonDisplay:
    """A comparison as it happens, on standard error: live on a terminal, else a line a run.

    Use it as a context.
    """

    def __init__(self) -> None:
        self._console = errors()
        self._live: Live | None = None
        self._plan: ComparisonPlan | None = None
        self._going: dict[tuple[str, str, int], RunProgress | None] = {}
        self._done: dict[tuple[str, str], list[RunRecord]] = {}
        self._finished = 0
        self._left: float | None = None
        self._drawn = 0.0

    def __enter__(self) -> "ComparisonDisplay":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, event: ComparisonEvent) -> None:
        """Show what has happened."""
        if isinstance(event, ComparisonStage):
            if self._console.is_terminal:
                self._line(f"{event.what} …")
        elif isinstance(event, ComparisonPlan):
            self._begin(event)
        elif isinstance(event, RunStarted):
            self._going[event.part, event.strategy, event.seed] = None
        elif isinstance(event, RunProgress):
            self._going[event.part, event.strategy, event.seed] = event
        elif isinstance(event, RunFinished):
            record = event.record
            self._going.pop((event.part, record.strategy, record.seed), None)
            self._done.setdefault((event.part, record.strategy), []).append(record)
            self._finished, self._left = event.done, event.seconds_left
            self._line(_run_line(record, event.part))
        elif isinstance(event, RunFailed):
            self._going.pop((event.part, event.strategy, event.seed), None)
            told = f"{event.strategy}, seed {event.seed}, did not end: {event.reason}"
            self._line(_with(event.part, told))
        elif isinstance(event, RunStopped):
            self._going.pop(("", event.strategy, event.seed), None)
            self._line(
                f"{event.strategy}, seed {event.seed}: stopped, it can no longer change the advice"
            )
        self._draw()

    def _begin(self, plan: ComparisonPlan) -> None:
        self._plan = plan
        done = sum(run.done for run in plan.runs)
        self._finished = done
        for note in dict.fromkeys(plan.notes):
            self._line(note)
        for line in plan_lines(plan):
            self._line(line)
        if self._console.is_terminal:
            self._live = Live(console=self._console, transient=True, auto_refresh=False)
            self._live.start()

    def _draw(self) -> None:
        if self._live is None or self._plan is None:
            return
        if time.monotonic() - self._drawn < _SECONDS_BETWEEN_PICTURES:
            return
        self._drawn = time.monotonic()
        self._live.update(self._view(self._plan), refresh=True)

    def _view(self, plan: ComparisonPlan) -> RenderableType:
        table = plain_table(show_header=True)
        for name in ("strategy", "runs", "validation", "seconds"):
            table.add_column(name, no_wrap=True, justify="left" if name == "strategy" else "right")
        for part, name in dict.fromkeys((run.part, run.strategy) for run in plan.runs):
            runs = [run for run in plan.runs if (run.part, run.strategy) == (part, name)]
            own = self._done.get((part, name), [])
            before = sum(run.done for run in runs)
            seconds = sum(each.seconds for each in own) / len(own) if own else None
            table.add_row(
                Text(readable(_with(part, name))),
                f"{before + len(own)} of {len(runs)}",
                "" if not own else _validated(own),
                "" if seconds is None else f"{seconds:.1f}",
            )
        bar = ProgressBar(
            total=len(plan.runs),
            completed=self._finished,
            width=_BAR_CELLS,
            complete_style=AMBER,
            finished_style=AMBER,
        )
        left = plan.seconds if self._left is None else self._left
        told = Text(f"{self._finished} of {len(plan.runs)} runs, about {clock(left)} left")
        now = [
            Text(readable(_with(part, f"{name}, seed {seed}: {_step(step)}")))
            for (part, name, seed), step in self._going.items()
        ]
        return Group(table, bar, told, *now)

    def _line(self, line: str) -> None:
        if self._live is not None:
            self._live.console.print(Text(readable(line)), soft_wrap=True)
        else:
            say(line)


def _step(event: RunProgress | None) -> str:
    if event is None:
        return "begins"
    losses = ", ".join(f"{name} {x:.3f}" for name, x in event.loss.items())
    return f"step {event.step:,} of {event.steps:,}, loss: {losses}"


def plan_lines(plan: ComparisonPlan) -> Sequence[str]:
    """Say what will run, and what it will take."""
    done = sum(run.done for run in plan.runs)
    before = f", {done} of them done before" if done else ""
    side = f", {plan.jobs} side by side" if plan.jobs > 1 else ""
    tested = "three folds" if plan.folds else "the test rows"
    threads = "1 thread" if plan.threads == 1 else f"{plan.threads} threads"
    return [
        f"{len(plan.runs)} runs on {plan.rows:,} rows, tested on {tested}{before}{side}, "
        f"{threads} each: about {clock(plan.seconds)} at most"
    ]


def _run_line(record: RunRecord, part: str) -> str:
    scores = ", ".join(f"{name} {main_in_words(each)}" for name, each in record.scores.items())
    told = f"{record.strategy}, seed {record.seed}: {scores} ({record.seconds:.1f} s)"
    return _with(part, told)


def _with(part: str, told: str) -> str:
    """Say which further table something is for."""
    return f"{part}: {told}" if part else told


def _validated(records: Sequence[RunRecord]) -> str:
    """Give the mean score on validation rows so far; tested rows are told at the end."""
    found = [main_figure(each) for record in records for each in (record.validation or {}).values()]
    some = [each for each in found if each is not None]
    return f"{sum(some) / len(some):.3f}" if some else "–"
