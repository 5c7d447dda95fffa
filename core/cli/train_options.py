"""What is asked of `train`, and how a run that stopped goes on by the same command."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from core.cli.options import JSON, Machine, PooledEncoder
from core.config import (
    EPOCHS,
    PATIENCE,
    PRECISIONS,
    DataChoice,
    TrainingChoice,
)
from core.errors import InputError, setting
from core.option import Option, check_options, options_of
from core.strategy.strategies import OFFERED
from core.system.launch import how_launched

if TYPE_CHECKING:
    from core.encoder.encoder import Encoder
    from core.strategy.scenario import Scenario

HELP = "help"
"""What `--strategy` takes to tell of all of them."""

NO_VALIDATION = "none"


def _tell_strategies(given: str) -> str:
    """Print what every strategy does, where that is what `--strategy` asks for, and end."""
    if given == HELP:
        from core.cli.train_tables import show_strategies

        show_strategies()
        raise typer.Exit
    return given


def check_same_run(
    before: Mapping[str, Any],
    strategy: str,
    settings: Mapping[str, float],
    choice: TrainingChoice,
    out: str,
) -> None:
    """Refuse to go on with a run by another command than it began with, naming the option.

    Args:
        before: What the checkpoint says of its run.
        strategy: The name asked for now.
        settings: What is set of the strategy beside its name.
        choice: Epochs, rates, batch, seed, threads.
        out: The run's folder, as typed.

    Raises:
        InputError: If an option differs.
    """
    found = {"strategy": before.get("strategy")}
    for name in ("choice", "settings"):
        part = before.get(name)
        found |= part if isinstance(part, dict) else {}
    now: dict[str, Any] = {"strategy": strategy, **vars(choice), **settings}
    typed = [name for name, option in options_of(TrainingChoice).items() if option.flag]
    same = [name for name in typed if name not in ("checkpoint_every", "prefix_megabytes")]
    for name in ("strategy", *same, "bf16", "lr_decay", "unfreeze_every"):
        if found.get(name) != now.get(name) and (name in found or name in settings):
            was, given = (_as_typed(name, each) for each in (found.get(name), now.get(name)))
            called = setting("precision" if name == "bf16" else name)
            raise InputError(
                f"the run in {out} has {called} {was}, not {given}: give the same command to "
                f"resume it, or {setting('overwrite')} to start anew"
            )


def _as_typed(name: str, value: object) -> object:
    """Say a setting as its option is typed."""
    if name == "bf16":
        return PRECISIONS[bool(value)]
    return ("off" if value else "on") if name == "dropout" else value


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """What is asked of `train`.

    Attributes:
        data: The rows.
        strategy: Its name, as typed.
        out: The run's folder, as typed.
        epochs: The most; None is the strategy's own.
        training: How to train.
        lr_decay: Of layer-wise rates; None is the strategy's own.
        unfreeze_every: Of gradual unfreezing; None is the strategy's own.
        patience: Epochs without a better score to stop at; None is the strategy's own.
        validation: The rows to validate on, or `none`; None holds some out.
        resume: Whether to go on from the checkpoint in the folder.
        overwrite: Whether to start anew over what is there.
        encoder: Which encoder.
        precision: One of `core.config.PRECISIONS`; None asks the launcher.
        machine: On what.
        as_json: Whether to print events.
    """

    data: DataChoice
    strategy: str = Option(
        "--strategy",
        "NAME",
        f"What trains: {', '.join(name for name, _ in OFFERED)}; @K, @auto or @mix behind it "
        f"says which layer the heads read, else the last. --strategy {HELP} says what each "
        "does.",
        first=_tell_strategies,
    ).field()
    out: str = Option(
        "--out", "DIR", "The model folder to write; until then, the checkpoints'."
    ).field()
    epochs: int | None = EPOCHS.field(None)
    patience: int | None = PATIENCE.field(None)
    training: TrainingChoice
    lr_decay: float | None = Option(
        "--lr-decay",
        "X",
        "With layerwise-lr: each layer's share of the rate of the one above it; else 0.8.",
        after="--head-lr",
    ).field(None)
    unfreeze_every: int | None = Option(
        "--unfreeze-every",
        "EPOCHS",
        "With gradual: epochs from one layer's thaw to the next one's; else all have thawed "
        "after two thirds of the epochs.",
        after="--lr-decay",
    ).field(None)
    validation: str | None = Option(
        "--validation",
        "F|none",
        "Rows to validate on, or none; else the split column's, or 15 % held out.",
        after="--patience",
    ).field(None)
    resume: bool = Option(
        "--resume", help="Go on from the checkpoint in --out: the same command."
    ).field(False)
    overwrite: bool = Option(
        "--overwrite", help="Replace the model or the run that --out holds."
    ).field(False)
    encoder: PooledEncoder
    precision: str | None = Option(
        "--precision",
        help="exact is fp32, the default; fast is bfloat16, where the machine has "
        "instructions for it.",
        choices=PRECISIONS,
    ).field(None)
    machine: Machine
    as_json: bool = JSON.field(False)

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def holds(self) -> bool:
        """Whether any rows validate."""
        return self.validation != NO_VALIDATION

    def folder(self) -> Path:
        """Check the run's folder, in the main process, and give it with links followed."""
        from core.training.checkpoint import check_run_folder

        if how_launched().rank > 0:
            return Path(self.out).expanduser().resolve()
        return check_run_folder(Path(self.out), resume=self.resume, overwrite=self.overwrite)

    def scenario(self, layers: int, tasks: Sequence[str] | None) -> "Scenario":
        """Read the strategy's name."""
        from core.strategy.scenario import parse_strategy, tuned

        named = parse_strategy(self.strategy, layers, tasks)
        return tuned(named, lr_decay=self.lr_decay, unfreeze_every=self.unfreeze_every)

    def settled(self, scenario: "Scenario", encoder: "Encoder") -> TrainingChoice:
        """Fill in what the strategy and the machine decide."""
        from core.encoder.precision import trains_in_bf16

        own = {
            name: getattr(scenario.strategy, name)
            for name in ("epochs", "patience")
            if getattr(self, name) is None
        }
        bf16 = self.precision == "fast"
        if bf16 and not trains_in_bf16(encoder.device):
            raise ValueError(
                f"--precision is fast, and this machine's {encoder.device.type} has no bfloat16 "
                "instructions, so that it would be slower: give --precision exact"
            )
        return replace(self.training, bf16=bf16, **own)

    def going_on(
        self, folder: Path, scenario: "Scenario", choice: TrainingChoice, count: int
    ) -> tuple[TrainingChoice, int]:
        """Settle the thread count, the checkpoint's own if there is one.

        Args:
            folder: The run's.
            scenario: What trains.
            choice: How.
            count: How many processes train together.

        Returns:
            How to train, and the steps that the checkpoint has.

        Raises:
            ValueError: If the checkpoint is of another command, or of more or fewer processes.
        """
        from core.system.machine import usable_cores
        from core.training.checkpoint import read_document

        if not self.resume:
            return replace(choice, threads=choice.threads or usable_cores()), 0
        document = read_document(folder)
        try:
            before, step = document["run"], int(document["step"])
            threads = int(before["choice"]["threads"])
            processes = int(before["processes"])
        except (KeyError, TypeError, ValueError) as error:
            out = self.out
            raise ValueError(
                f"{out} holds a checkpoint that is broken: give --overwrite"
            ) from error
        choice = replace(choice, threads=choice.threads or threads)
        if processes != count:
            raise ValueError(
                f"the run in {self.out} was begun by processes: {processes}, now: {count}; launch "
                "as many to resume it, or give --overwrite to start anew"
            )
        check_same_run(before, scenario.name, scenario.strategy.settings, choice, self.out)
        return choice, step


def command_line(typed: Sequence[str]) -> str:
    """Write what was typed so that it can be typed again, by as many processes."""
    count = how_launched().count
    launcher = f"accelerate launch --multi_gpu --num_processes {count}" if count > 1 else "python"
    return f"{launcher} -m core {shlex.join(typed)}"
