"""The command `train`: from labelled rows to a model folder."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from core.dataset import Dataset
    from core.runs import Run

NO_VALIDATION = "none"


def train(
    context: typer.Context,
    data: Data,
    strategy: Annotated[
        str,
        typer.Option(
            "--strategy",
            metavar="NAME",
            help="What trains: frozen, heads, lower:K (0 to K frozen), full, gradual, lp-ft, "
            "bitfit, lora, layerwise-lr, freeze:0-2+5 or freeze-head:TASK; @K, @auto or @mix "
            "behind it says which layer the heads read, else the last.",
        ),
    ],
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="The model folder to write, a new one.")
    ],
    text_column: TextColumn = None,
    label_column: LabelColumns = None,
    task: TaskNames = None,
    renames: Renames = None,
    split_column: SplitColumn = None,
    group_column: GroupColumn = None,
    rows: Rows = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            metavar="N",
            help="The most epochs; else the strategy's own: 30 for heads, else fewer.",
        ),
    ] = None,
    seed: Seed = 0,
    lr: Annotated[
        float | None,
        typer.Option("--lr", metavar="X", help="Learning rate of layers; else the strategy's."),
    ] = None,
    head_lr: Annotated[
        float | None,
        typer.Option("--head-lr", metavar="X", help="Learning rate of heads; else the strategy's."),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", metavar="N", help="Sentences in a step.")] = 32,
    patience: Annotated[
        int,
        typer.Option("--patience", metavar="N", help="Epochs without a better score to stop at."),
    ] = 3,
    validation: Annotated[
        str | None,
        typer.Option(
            "--validation",
            metavar="F|none",
            help="Rows to validate on, or none; else the split column's, or 15 % held out.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the model that --out holds.")
    ] = False,
    encoder: EncoderName = "minilm",
    pooling: Pooling = None,
    normalize: Normalize = None,
    threads: Threads = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Train heads, and layers where the strategy says so, on labelled rows."""
    for option, rate in (("--lr", lr), ("--head-lr", head_lr)):
        if rate is not None and not 0 < rate <= 1:
            raise ValueError(f"{option} is {rate}, must be above 0 and at most 1")
    choice = TrainingChoice(
        epochs=1 if epochs is None else epochs,
        seed=seed,
        encoder_rate=lr,
        head_rate=head_lr,
        batch=batch,
        patience=patience,
    )
    base = EncoderChoice(
        name=_lasting_name(encoder), pooling=pooling, normalize=normalize, device=device
    )
    chosen = data_choice(
        data, text_column, label_column, task, renames, split_column, group_column, rows, seed
    )
    with terminal.waiting("looking around"):
        from core.model_folder import check_target_folder

        folder = check_target_folder(Path(out), overwrite=overwrite)
    _check_apart(folder, out, [data, validation, base.name])
    _check_strategy(strategy, base.name)
    dataset = read_data(chosen)
    own = _read_validation(chosen, dataset, validation)
    loaded = load_chosen(base, threads)
    stopped = f"stopped: nothing is written to {out}, which is written when the training has ended"
    from core.machine import usable_cores
    from core.model_terminal import said_if_stopped, show_trained
    from core.runs import begin_run
    from core.scenario import parse_strategy

    choice = replace(choice, threads=threads or usable_cores())
    scenario = parse_strategy(strategy, loaded.layers, [each.name for each in dataset.tasks])
    if epochs is None:
        choice = replace(choice, epochs=scenario.strategy.epochs)
    with on_threads(choice.threads), said_if_stopped(stopped):
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
            )
        for note in run.notes:
            terminal.say(note)
        done = _follow(run, as_json)
        run.save(
            folder, command=shlex.join(["python", "-m", "core", *context.obj]), overwrite=overwrite
        )
    if as_json:
        terminal.print_json({**done, "model": str(folder)})
    else:
        show_trained(done, out)


def _lasting_name(encoder: str) -> str:
    """Name an encoder so that its model finds it from any folder."""
    folder = Path(encoder).expanduser()
    if find_spec(encoder) is None and folder.is_dir():
        return str(folder.resolve())
    return encoder


def _check_strategy(strategy: str, encoder: str) -> None:
    """Refuse a strategy before anything is read, where the encoder's layers are known."""
    from core.scenario import parse_strategy

    spec = find_spec(encoder)
    if spec is not None:
        parse_strategy(strategy, spec.layers)


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


def _follow(run: "Run", as_json: bool) -> dict[str, Any]:
    """Train, and print or show what happens; the end is the caller's to tell."""
    from core.model_terminal import TrainingDisplay
    from core.runs import event_document
    from core.training_events import DivergedError

    done: dict[str, Any] = {}
    with TrainingDisplay() as display:
        try:
            for event in run.train():
                document = event_document(event)
                if document["event"] == "plan":
                    document |= _plan_facts(run)
                if document["event"] == "done":
                    done = document
                elif as_json:
                    terminal.print_json(document)
                else:
                    display.show(document)
        except DivergedError as error:
            raise RuntimeError(f"{error}; nothing is written") from error
    return done


def _plan_facts(run: "Run") -> dict[str, Any]:
    return {
        "encoder": run.model.encoder.name,
        "data": run.dataset.name,
        "fingerprint": run.dataset.fingerprint,
        "seed": run.choice.seed,
        "epochs": run.choice.epochs,
        "threads": run.choice.threads,
        "notes": run.notes,
    }
