"""The command `compare`: what to freeze, and which layer to read, on one's own rows."""

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from core.cli import terminal
from core.cli.compare_options import (
    Balances,
    Budget,
    Code,
    CostName,
    Engine,
    Epochs,
    Html,
    Jobs,
    Margin,
    Out,
    Overwrite,
    PerClass,
    Predictions,
    Rates,
    Resume,
    RunsFolder,
    ScoreName,
    Seeds,
    SingleTask,
    StrategyNames,
    TrainBest,
    budget_seconds,
)
from core.cli.inputs import load_chosen, on_threads, read_data
from core.cli.options import (
    AsJson,
    Data,
    Device,
    EncoderName,
    GroupColumn,
    LabelColumns,
    Normalize,
    Pooling,
    Renames,
    Rows,
    SplitColumn,
    TaskNames,
    TextColumn,
    Threads,
    data_choice,
)
from core.config import AdviceChoice, EncoderChoice
from core.encoder.catalogue import find_spec
from core.system.launch import how_launched
from core.system.workers import warm_up

if TYPE_CHECKING:
    from core.comparison.choice import ComparisonChoice
    from core.comparison.events import ComparisonDone, RunFinished
    from core.data.dataset import Dataset

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.system.files import check_target, replaced_whole

if TYPE_CHECKING:
    from core.comparison.store import FinishedRun
    from core.data.dataset import Dataset


def compare(
    context: typer.Context,
    data: Data,
    strategies: StrategyNames = None,
    text_column: TextColumn = None,
    label_column: LabelColumns = None,
    task: TaskNames = None,
    renames: Renames = None,
    split_column: SplitColumn = None,
    group_column: GroupColumn = None,
    rows: Rows = None,
    seeds: Seeds = 3,
    epochs: Epochs = None,
    budget: Budget = None,
    rates: Rates = 1,
    margin: Margin = 3.0,
    score: ScoreName = "accuracy",
    cost: CostName = "seconds",
    jobs: Jobs = None,
    engine: Engine = "local",
    out: Out = None,
    html: Html = None,
    code: Code = None,
    predictions: Predictions = None,
    train_best: TrainBest = None,
    single_task: SingleTask = False,
    balances: Balances = False,
    per_class: PerClass = False,
    runs: RunsFolder = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    encoder: EncoderName = "minilm",
    pooling: Pooling = None,
    normalize: Normalize = None,
    threads: Threads = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Compare freezing strategies on labelled rows: what each buys, costs and forgets.

    Every row is tested by every strategy. With --runs, what has finished is kept at once, and
    --resume goes on from there.
    """
    _check_alone()
    seconds = budget_seconds(budget)
    base = EncoderChoice(name=encoder, pooling=pooling, normalize=normalize, device=device)
    chosen = data_choice(
        data, text_column, label_column, task, renames, split_column, group_column, rows
    )
    wanted = AdviceChoice(margin=margin, score=score, cost=cost)
    outputs = ComparisonOutputs(out, html, predictions, code)
    from core.comparison.choice import WORKERS_IMPORT

    warm_up(WORKERS_IMPORT)  # it imports in a process of its own while this one does
    with terminal.waiting("looking around"):
        from core.comparison.choice import ComparisonChoice, default_strategies
        from core.strategy.scenario import parse_strategy

        folder = _runs_folder(
            runs, resume=resume, overwrite=overwrite, other=train_best is not None
        )
        if train_best is not None:
            from core.training.checkpoint import check_run_folder

            check_run_folder(Path(train_best), resume=False, overwrite=overwrite)
    known = find_spec(base.name)
    names = None if strategies is None else _names(strategies)
    if known is not None and names is not None:  # refused before anything is read
        for name in names:
            parse_strategy(name, known.layers)
    dataset = read_data(chosen)
    layers = known.layers if known is not None else load_chosen(base, threads).layers
    tasks = [each.name for each in dataset.tasks]
    choice = ComparisonChoice(
        strategies=default_strategies(layers)
        if names is None
        else tuple(parse_strategy(name, layers, tasks) for name in names),
        seeds=seeds,
        epochs=epochs,
        budget_seconds=seconds,
        rates=rates,
        advice=wanted,
        jobs=jobs,
        threads=threads,
        engine=engine,
        single_task=single_task,
        balances=balances,
        per_class=per_class,
    )
    command = shlex.join(["python", "-m", "core", *context.obj])
    following = _Following(dataset, outputs, runs, context.obj)
    if overwrite and folder is not None:
        _make_room(folder)
    done = following.compare(base, choice, folder, command)
    if not done.runs:
        terminal.say(done.document["notes"][-1])  # the budget was too short for any
    elif train_best is not None:
        following.train_best(base, choice, done, Path(train_best), command, overwrite=overwrite)
    if as_json:
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


def _names(typed: str) -> list[str]:
    names = [name.strip() for name in typed.split(",")]
    if not all(names):
        raise ValueError(f"--strategies is {typed[:80]!r}, must be names with commas between them")
    return names


def _runs_folder(runs: str | None, *, resume: bool, overwrite: bool, other: bool) -> Path | None:
    """Check the folder of runs before anything is read; nothing of it is removed yet.

    Args:
        runs: As typed.
        resume: Whether a comparison that is there goes on.
        overwrite: Whether it is replaced.
        other: Whether there is another folder that may be overwritten.

    Raises:
        ValueError: If it may not be used.
    """
    from core.comparison.store import INDEX, check_free, read_index
    from core.system.files import locked

    if resume and overwrite:
        raise ValueError("there are --resume and --overwrite: give either")
    if runs is None:
        if resume or (overwrite and not other):
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


class ComparisonOutputs:
    """The files that a comparison is asked for, each None where it is not.

    Args:
        out: Where the report goes, as typed: `.json`.
        html: Where its page goes: `.html` or `.htm`.
        predictions: Where the held-out predictions go.
        code: The folder where scripts go.

    Raises:
        ValueError: If one cannot be written, or its suffix is of no format.
    """

    def __init__(
        self, out: str | None, html: str | None, predictions: str | None, code: str | None
    ) -> None:
        from core.comparison.files import PREDICTIONS_SUFFIXES

        self.out = _checked(out, "out", (".json",))
        self.html = _checked(html, "html", (".html", ".htm"))
        self.predictions = _checked(predictions, "predictions", PREDICTIONS_SUFFIXES)
        self.code = None if code is None else Path(code).expanduser().resolve()
        if self.code is not None and self.code.exists() and not self.code.is_dir():
            raise ValueError(f"--code {code} is a file, must be a folder for the scripts")
        self.scripts: list[Path] = []

    @property
    def names(self) -> list[str]:
        """All files, once they are written."""
        files = (self.out, self.html, self.predictions, *self.scripts)
        return [str(each) for each in files if each is not None]

    def write(
        self, document: Mapping[str, Any], dataset: "Dataset", runs: Sequence["FinishedRun"]
    ) -> None:
        """Write what was asked for.

        Args:
            document: The report.
            dataset: The rows it is about.
            runs: All runs that it is of; where there is none, there is nothing to write as code.
        """
        from core.comparison.files import write_predictions

        self.write_report(document)
        if self.code is not None and runs:
            from core.export.code import write_scripts

            self.scripts = write_scripts(document, self.code)
        if self.predictions is not None:
            write_predictions(self.predictions, dataset, runs)

    def write_report(self, document: Mapping[str, Any]) -> list[Path]:
        """Write the report alone, as JSON and as a page where they were asked for.

        Args:
            document: The report, or one of what has finished so far.

        Returns:
            What was written.
        """
        if self.out is not None:
            text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)
            with replaced_whole(self.out) as file:
                file.write(f"{text}\n".encode())
        if self.html is not None:
            from core.report.comparison import comparison_report
            from core.report.page import report_html

            text = report_html(comparison_report(document))
            with replaced_whole(self.html) as file:
                file.write(text.encode(errors="replace"))
        return [each for each in (self.out, self.html) if each is not None]


def _checked(name: str | None, field: str, suffixes: tuple[str, ...]) -> Path | None:
    return None if name is None else check_target(Path(name), suffixes=suffixes, field=field)


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
