"""The command `train`: from labelled rows to a model folder."""

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from core import terminal
from core.catalogue import find_spec
from core.command_input import Counted, load_chosen, on_threads, read_data
from core.config import DataChoice, EncoderChoice, TrainingChoice
from core.options import (
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
    Seed,
    SplitColumn,
    TaskNames,
    TextColumn,
    Threads,
    data_choice,
)
from core.train_options import (
    Accumulate,
    BalanceName,
    Batch,
    CheckpointEvery,
    ClassWeights,
    EncoderRate,
    Epochs,
    HeadRate,
    Out,
    Overwrite,
    Patience,
    PrefixMemory,
    RateDecay,
    Resume,
    Schedule,
    Smoothing,
    StrategyName,
    UnfreezeEvery,
    Validation,
    check_numbers,
    check_same_run,
)

if TYPE_CHECKING:
    from core.dataset import Dataset
    from core.runs import Run
    from core.scenario import Scenario
    from core.stopping import Stopping

NO_VALIDATION = "none"


def train(
    context: typer.Context,
    data: Data,
    strategy: StrategyName,
    out: Out,
    text_column: TextColumn = None,
    label_column: LabelColumns = None,
    task: TaskNames = None,
    renames: Renames = None,
    split_column: SplitColumn = None,
    group_column: GroupColumn = None,
    rows: Rows = None,
    epochs: Epochs = None,
    seed: Seed = 0,
    lr: EncoderRate = None,
    head_lr: HeadRate = None,
    lr_decay: RateDecay = None,
    unfreeze_every: UnfreezeEvery = None,
    batch: Batch = 32,
    accumulate: Accumulate = 1,
    balance: BalanceName = "sum",
    class_weights: ClassWeights = "none",
    smoothing: Smoothing = 0.0,
    schedule: Schedule = "linear",
    patience: Patience = None,
    validation: Validation = None,
    checkpoint_every: CheckpointEvery = 50,
    prefix_memory: PrefixMemory = 1_000.0,
    resume: Resume = False,
    overwrite: Overwrite = False,
    encoder: EncoderName = "minilm",
    pooling: Pooling = None,
    normalize: Normalize = None,
    threads: Threads = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Train heads, and layers where the strategy says so, on labelled rows.

    Ctrl-C writes a checkpoint, from which --resume goes on as if it had never stopped.
    """
    counts = {"--accumulate": accumulate, "--checkpoint-every": checkpoint_every}
    check_numbers({"--lr": lr, "--head-lr": head_lr}, counts, prefix_memory)
    choice = TrainingChoice(
        epochs=1 if epochs is None else epochs,
        seed=seed,
        encoder_rate=lr,
        head_rate=head_lr,
        batch=batch,
        accumulate=accumulate,
        balance=balance,
        class_weights=class_weights,
        smoothing=smoothing,
        schedule=schedule,
        patience=1 if patience is None else patience,
        checkpoint_every=checkpoint_every,
        prefix_megabytes=prefix_memory,
        threads=threads,
    )
    base = EncoderChoice(
        name=_lasting_name(encoder), pooling=pooling, normalize=normalize, device=device
    )
    chosen = data_choice(
        data, text_column, label_column, task, renames, split_column, group_column, rows, seed
    )
    settings = {"lr_decay": lr_decay, "unfreeze_every": unfreeze_every}
    with terminal.waiting("looking around"):
        from core.run_folder import check_run_folder

        folder = check_run_folder(Path(out), resume=resume, overwrite=overwrite)
    _check_apart(folder, out, [data, validation, base.name])
    known = find_spec(base.name)
    if known is not None:  # refused before anything is read, where the layers are known
        _scenario(strategy, settings, known.layers, None)
    dataset = read_data(chosen)
    own = _read_validation(chosen, dataset, validation)
    loaded = load_chosen(base, threads)
    from core.losses import parse_balance
    from core.run_folder import run_folder
    from core.runs import begin_run
    from core.stopping import Stopping
    from core.train_terminal import show_trained

    tasks = [each.name for each in dataset.tasks]
    parse_balance(balance, tasks)
    scenario = _scenario(strategy, settings, loaded.layers, tasks)
    if epochs is None:
        choice = replace(choice, epochs=scenario.strategy.epochs)
    if patience is None:
        choice = replace(choice, patience=scenario.strategy.patience)
    choice, done_before = _going_on(folder, out, scenario, choice, resume=resume)
    typed = [each for each in context.obj if each != "--resume"]
    with (
        _what_is_left(folder, out, typed),
        on_threads(choice.threads),
        run_folder(Path(out), resume=resume, overwrite=overwrite),
        Stopping() as stopping,
    ):
        many = Counted(expected=len(dataset.examples))
        with terminal.Bar(many, doing="profiling", did="profiled") as bar:
            run = begin_run(
                dataset,
                loaded,
                scenario,
                choice,
                validation=own,
                hold=validation != NO_VALIDATION,
                progress=bar.update,
                cancelled=stopping,
            )
        for note in run.notes:
            terminal.say(note)
        command = _command(typed)
        following = _Following(
            folder=folder,
            command=command,
            stopping=stopping,
            resume=resume,
            done_before=done_before,
        )
        done = following.train(run, as_json)
        run.save(folder, command=command, overwrite=overwrite or resume)
    if as_json:
        terminal.print_json({**done, "model": str(folder)})
    else:
        show_trained(done, out)


def _command(typed: Sequence[str]) -> str:
    return shlex.join(["python", "-m", "core", *typed])


def _scenario(
    strategy: str, settings: dict[str, Any], layers: int, tasks: Sequence[str] | None
) -> "Scenario":
    from core.scenario import parse_strategy, tuned

    return tuned(parse_strategy(strategy, layers, tasks), **settings)


def _going_on(
    folder: Path, out: str, scenario: "Scenario", choice: TrainingChoice, *, resume: bool
) -> tuple[TrainingChoice, int]:
    """Settle the thread count, the checkpoint's own if there is one; give the steps done there."""
    from core.checkpoint import read_document
    from core.machine import usable_cores

    if not resume:
        return replace(choice, threads=choice.threads or usable_cores()), 0
    document = read_document(folder)
    try:
        before, step = document["run"], int(document["step"])
        threads = int(before["choice"]["threads"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{out} holds a checkpoint that is broken: give --overwrite") from error
    choice = replace(choice, threads=choice.threads or threads)
    check_same_run(before, scenario.name, scenario.strategy.settings, choice, out)
    return choice, step


@contextlib.contextmanager
def _what_is_left(folder: Path, out: str, typed: Sequence[str]) -> Iterator[None]:
    """Say what a run that does not come to its end leaves behind, and how to go on."""
    from core.checkpoint import has_checkpoint, read_document
    from core.encoder import CancelledError
    from core.training_events import DivergedError

    again = _command([*(each for each in typed if each != "--overwrite"), "--resume"])
    try:
        yield
    except (KeyboardInterrupt, CancelledError) as error:
        if has_checkpoint(folder):
            step = read_document(folder).get("step")
            terminal.say(f"stopped: {out} holds the run up to step {step}; go on with: {again}")
        else:
            terminal.say(f"stopped: nothing is written to {out}")
        raise KeyboardInterrupt from error
    except DivergedError as error:
        if not has_checkpoint(folder):
            raise RuntimeError(f"{error}; nothing is written") from error
        step = read_document(folder).get("step")
        raise RuntimeError(
            f"{error}; its last good state, of step {step}, is kept in {out}: give a lower --lr or "
            "--head-lr with --overwrite"
        ) from error
    except RuntimeError as error:
        if not has_checkpoint(folder):
            raise
        raise RuntimeError(f"{error}; once that is mended, go on with: {again}") from error


def _lasting_name(encoder: str) -> str:
    """Name an encoder so that its model finds it from any folder."""
    folder = Path(encoder).expanduser()
    if find_spec(encoder) is None and folder.is_dir():
        return str(folder.resolve())
    return encoder


def _check_apart(folder: Path, out: str, read: Sequence[str | None]) -> None:
    """Refuse to replace a folder that holds what is read."""
    for name in read:
        if name is not None and Path(name).expanduser().resolve().is_relative_to(folder):
            raise ValueError(f"--out {out} would replace {name}, which is read: give another")


def _read_validation(choice: DataChoice, dataset: "Dataset", given: str | None) -> "Dataset | None":
    """Read the rows to validate on, from the same columns as those to learn from."""
    if given is None or given == NO_VALIDATION:
        return None
    columns = tuple(f"{task}={column}" for task, column in dataset.label_columns.items())
    own = replace(
        choice,
        source=given,
        text_column=dataset.text_column,
        label_columns=columns,
        rows=None,
        split_column=None,
    )
    return read_data(own)


@dataclass(frozen=True, kw_only=True)
class _Following:
    """How a run is followed: where it writes, what was typed, what stops it, how far it was.

    Attributes:
        folder: Where its checkpoints go.
        command: What was typed.
        stopping: Whether Ctrl-C has come.
        resume: Whether it goes on from the checkpoint there.
        done_before: The steps that the checkpoint has.
    """

    folder: Path
    command: str
    stopping: "Stopping"
    resume: bool
    done_before: int

    def train(self, run: "Run", as_json: bool) -> dict[str, Any]:
        """Train, and print or show what happens; the end is the caller's to tell."""
        from core.train_plan import plan_document
        from core.train_terminal import TrainingDisplay, prefix_line
        from core.training_events import PlanEvent, event_document

        events = run.train(
            self.stopping, folder=self.folder, resume=self.resume, command=self.command
        )
        done: dict[str, Any] = {}
        with TrainingDisplay() as display:
            for event in events:
                if isinstance(event, PlanEvent):
                    document = plan_document(run, event) | {"done_before": self.done_before}
                else:
                    document = event_document(event)
                if document["event"] == "done":
                    done = document
                elif as_json:
                    if document["event"] == "plan" and document["prefix"]["in_files"]:
                        terminal.say(prefix_line(document["prefix"]))
                    terminal.print_json(document)
                else:
                    display.show(document)
        return done
