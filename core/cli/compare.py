"""The command `compare`: what to freeze, and which layer to read, on one's own rows."""

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from core.cli import terminal
from core.cli.compare_options import ComparisonOutputs, ComparisonRequest
from core.cli.inputs import load_chosen, on_threads, read_data
from core.config import EncoderChoice
from core.encoder.catalogue import find_spec
from core.system.launch import how_launched
from core.system.workers import warm_up

if TYPE_CHECKING:
    from core.comparison.choice import ComparisonChoice
    from core.comparison.events import ComparisonDone, RunFinished
    from core.data.dataset import Dataset


def compare(context: typer.Context, asked: ComparisonRequest) -> None:
    """Compare freezing strategies on labelled rows: what each buys, costs and forgets.

    Every row is tested by every strategy. With --runs, what has finished is kept at once, and
    --resume goes on from there.
    """
    _check_alone()
    base, names, best = asked.encoder, asked.strategies, asked.files.train_best
    outputs = ComparisonOutputs(asked.files)
    from core.comparison.choice import WORKERS_IMPORT

    warm_up(WORKERS_IMPORT)  # it imports in a process of its own while this one does
    with terminal.waiting("looking around"):
        from core.comparison.choice import ComparisonChoice, default_strategies
        from core.strategy.scenario import parse_strategy

        folder = _runs_folder(asked)
        if best is not None:
            from core.training.checkpoint import check_run_folder

            check_run_folder(Path(best), resume=False, overwrite=asked.overwrite)
    known = find_spec(base.name)
    if known is not None and names is not None:  # refused before anything is read
        for name in names:
            parse_strategy(name, known.layers)
    dataset = read_data(asked.data)
    layers = known.layers if known is not None else load_chosen(base, asked.machine.threads).layers
    tasks = [each.name for each in dataset.tasks]
    choice = ComparisonChoice(
        strategies=default_strategies(layers)
        if names is None
        else tuple(parse_strategy(name, layers, tasks) for name in names),
        advice=asked.advice,
        **vars(asked.settings),
    )
    command = shlex.join(["python", "-m", "core", *context.obj])
    following = _Following(dataset, outputs, asked.runs, context.obj)
    if asked.overwrite and folder is not None:
        _make_room(folder)
    done = following.compare(base, choice, folder, command)
    if not done.runs:
        terminal.say(done.document["notes"][-1])  # the budget was too short for any
    elif best is not None:
        following.train_best(base, choice, done, Path(best), command, overwrite=asked.overwrite)
    if asked.as_json:
        terminal.print_json(done.document)
    else:
        from core.cli.blocks import show_report
        from core.report.comparison import comparison_report

        show_report(comparison_report(done.document))
        for written in outputs.names:
            terminal.say(f"written: {written}")


def _check_alone() -> None:
    """Refuse to be one of several processes, each of which would compare everything.

    Raises:
        ValueError: If a launcher started more than one.
    """
    count = how_launched().count
    if count > 1:
        raise ValueError(
            f"a launcher started {count} processes, and compare starts its own: run python -m core "
            f"compare by itself, with --jobs {count} for as many runs side by side"
        )


def _runs_folder(asked: ComparisonRequest) -> Path | None:
    """Check the folder of runs before anything is read; nothing of it is removed yet.

    Raises:
        ValueError: If it may not be used.
    """
    from core.comparison.store import INDEX, check_free, read_index
    from core.system.files import locked

    runs, resume, overwrite = asked.runs, asked.resume, asked.overwrite
    if resume and overwrite:
        raise ValueError("there are --resume and --overwrite: give either")
    if runs is None:
        if resume or (overwrite and asked.files.train_best is None):
            given = "--resume" if resume else "--overwrite"
            raise ValueError(f"{given} is about the folder of --runs: give that too")
        return None
    folder = Path(runs).expanduser().resolve()
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--runs {runs} is a file, must be a folder")
    held = (folder / INDEX).exists()
    if not held and resume:
        raise ValueError(f"--runs {runs} holds no comparison: there is nothing to resume")
    if held and not resume:
        with locked(folder):  # else one that is running would be called one that may go on
            pass
    if held and not (resume or overwrite):
        raise ValueError(
            f"--runs {runs} holds a comparison: give --resume to go on with it, or --overwrite "
            "to start anew"
        )
    if held and overwrite:
        read_index(folder)
    elif folder.is_dir() and not held:
        check_free(folder)
    return folder


def _make_room(folder: Path) -> None:
    """Remove the comparison that is to be replaced: only now, when nothing typed is wrong."""
    from core.comparison.store import INDEX, remove_comparison

    if (folder / INDEX).exists():
        remove_comparison(folder)


class _Following:
    """How a comparison is followed: where it writes, what was typed, what is left if it stops."""

    def __init__(
        self, dataset: "Dataset", outputs: ComparisonOutputs, runs: str | None, typed: Sequence[str]
    ) -> None:
        self.dataset, self.outputs, self.runs, self.typed = dataset, outputs, runs, typed
        self.finished: list[RunFinished] = []

    def compare(
        self, base: EncoderChoice, choice: "ComparisonChoice", folder: Path | None, command: str
    ) -> "ComparisonDone":
        """Compare, show what happens, and write what was asked for."""
        with terminal.waiting("starting"):
            from core.cli.compare_live import ComparisonDisplay
            from core.comparison.comparison import compare as run_comparison
            from core.comparison.events import ComparisonDone, RunFinished
            from core.system.stopping import Stopping

        with self._stopped(), Stopping() as stopping, ComparisonDisplay() as display:
            events = run_comparison(
                self.dataset, base, choice, folder=folder, cancelled=stopping, command=command
            )
            with contextlib.closing(events):
                for event in events:
                    display.show(event)
                    if isinstance(event, RunFinished):
                        self.finished.append(event)
                    elif isinstance(event, ComparisonDone):
                        self.outputs.write(event.document, event.dataset, event.runs)
                        return event
        raise RuntimeError("the comparison ended without a report")

    def train_best(
        self,
        base: EncoderChoice,
        choice: "ComparisonChoice",
        done: "ComparisonDone",
        folder: Path,
        command: str,
        *,
        overwrite: bool,
    ) -> None:
        """Train the advised strategy on all rows, and write its model."""
        from core.cli.train_tables import TrainingDisplay
        from core.comparison.best import BestRun
        from core.encoder.encoder import CancelledError
        from core.system.stopping import Stopping
        from core.training.checkpoint import run_folder
        from core.training.events import PlanEvent, event_document

        best = BestRun(done.dataset, base, choice, done.document, done.runs)
        terminal.say(f"training {best.strategy} on all {len(done.dataset.examples):,} rows")
        try:
            with (
                on_threads(choice.threads),
                run_folder(folder, resume=False, overwrite=overwrite) as full,
                Stopping() as stopping,
            ):
                with TrainingDisplay() as display:
                    for event in best.train(stopping):
                        if not isinstance(event, PlanEvent):
                            display.show(event_document(event))
                best.save(full, command=command, overwrite=overwrite)
        except (KeyboardInterrupt, CancelledError) as error:
            terminal.say(f"stopped: nothing is written to {folder}")
            raise KeyboardInterrupt from error
        terminal.say(f"the model is in {folder}; python -m demo --model {folder} works with it")

    @contextlib.contextmanager
    def _stopped(self) -> Iterator[None]:
        """Say what a comparison that does not come to its end leaves behind, and how to go on."""
        from core.encoder.encoder import CancelledError

        try:
            yield
        except (KeyboardInterrupt, CancelledError) as error:
            kept = [each for each in self.typed if each not in ("--overwrite", "--resume")]
            again = shlex.join(["python", "-m", "core", *kept, "--resume"])
            if self.runs is None:
                terminal.say("stopped: with --runs DIR, finished runs are kept to go on from")
            elif not self.finished:
                terminal.say(f"stopped: no further run was finished; go on with: {again}")
            else:
                done = self.finished[-1].done
                terminal.say(f"stopped: {done} runs are kept in {self.runs}; go on with: {again}")
            if self.finished:
                for path in self.outputs.write_report(self.finished[-1].report()):
                    terminal.say(f"what has finished is in {path}")
            raise KeyboardInterrupt from error
