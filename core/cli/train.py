"""The command `train`: from labelled rows to a model folder."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from core.cli import terminal
from core.cli.inputs import Counted, load_chosen, on_threads, read_data
from core.cli.train_options import NO_VALIDATION, TrainRequest, command_line
from core.config import DataChoice
from core.encoder.catalogue import find_spec
from core.system.launch import launched_precision, one_process_note

if TYPE_CHECKING:
    from core.data.dataset import Dataset
    from core.encoder.encoder import Encoder
    from core.frozen.processes import Processes
    from core.system.stopping import Stopping
    from core.training.run import Run


def train(context: typer.Context, asked: TrainRequest) -> None:
    """Train heads, and layers where the strategy says so, on labelled rows.

    Ctrl-C writes a checkpoint, from which --resume goes on as if it had never stopped. Under
    `accelerate launch --multi_gpu --num_processes N` the processes share each step's rows, on GPUs
    or on processors.
    """
    typed = tuple(each for each in context.obj if each != "--resume")
    base = replace(asked.encoder, name=_lasting_name(asked.encoder.name))
    asked = replace(asked, precision=asked.precision or launched_precision())
    with terminal.waiting("looking around"):
        folder = asked.folder()
    _check_apart(folder, asked.out, [asked.data.source, asked.validation, base.name])
    known = find_spec(base.name)
    if known is not None:  # refused before anything is read, where the layers are known
        asked.scenario(known.layers, None)
    dataset = read_data(asked.data)
    given = _read_validation(asked.data, dataset, asked.validation)
    with terminal.waiting("looking around"):
        from core.frozen.processes import join
    with join(asked.machine.device) as (processes, place):
        threads = asked.machine.threads
        own_threads = None if threads is None else processes.threads(threads)
        loaded = load_chosen(replace(base, device=place), own_threads)
        _train(asked, typed, folder, (dataset, given), loaded, processes)


def _train(
    asked: TrainRequest,
    typed: Sequence[str],
    folder: Path,
    rows: "tuple[Dataset, Dataset | None]",
    encoder: "Encoder",
    processes: "Processes",
) -> None:
    """Train, in this process or in several that share the work, and write the model."""
    from core.cli.train_tables import show_trained
    from core.system.stopping import Stopping
    from core.training.checkpoint import run_folder
    from core.training.losses import parse_balance
    from core.training.run import begin_run

    dataset, validation = rows
    tasks = [each.name for each in dataset.tasks]
    parse_balance(asked.training.balance, tasks)
    scenario = asked.scenario(encoder.layers, tasks)
    choice = asked.settled(scenario, encoder)
    choice, done_before = asked.going_on(folder, scenario, choice, processes.count)
    held = run_folder(Path(asked.out), resume=asked.resume, overwrite=asked.overwrite)
    with (
        _what_is_left(folder, asked.out, typed),
        on_threads(processes.threads(choice.threads or 1)),
        held if processes.is_main else contextlib.nullcontext(),
        Stopping() as stopping,
    ):
        many = Counted(expected=len(dataset.examples))
        with terminal.Bar(many, doing="profiling", did="profiled") as bar:
            run = begin_run(
                dataset,
                encoder,
                scenario,
                choice,
                validation=validation,
                hold=asked.holds,
                progress=bar.update,
                cancelled=stopping,
                processes=processes,
            )
        note = one_process_note()
        for each in run.notes if note is None else [*run.notes, note]:
            terminal.say(each)
        command = command_line(typed)
        following = _Following(
            folder=folder,
            command=command,
            stopping=stopping,
            resume=asked.resume,
            done_before=done_before,
        )
        done = following.train(run, asked.as_json)
        over = asked.overwrite or asked.resume
        processes.from_main(lambda: run.save(folder, command=command, overwrite=over))
    for each in done["notes"]:
        terminal.say(each)
    if asked.as_json:
        terminal.print_json({**done, "model": str(folder)})
    else:
        show_trained(done, asked.out)


@contextlib.contextmanager
def _what_is_left(folder: Path, out: str, typed: Sequence[str]) -> Iterator[None]:
    """Say what a run that does not come to its end leaves behind, and how to go on."""
    from core.encoder.encoder import CancelledError
    from core.training.checkpoint import has_checkpoint, read_document
    from core.training.events import DivergedError

    again = command_line([*(each for each in typed if each != "--overwrite"), "--resume"])
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
        from core.cli.train_tables import TrainingDisplay, prefix_line
        from core.training.events import PlanEvent, event_document
        from core.training.plan import plan_document

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
                        terminal.say(prefix_line(document))
                    terminal.print_json(document)
                else:
                    display.show(document)
        return done
