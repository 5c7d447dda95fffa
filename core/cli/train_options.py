"""The options of `train` that set how it trains, and what they ask for together."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.config import CLASS_WEIGHTS, PRECISIONS, SCHEDULES, TrainingChoice
from core.strategy.strategies import OFFERED
from core.system.launch import how_launched

if TYPE_CHECKING:
    from core.encoder.encoder import Encoder
    from core.strategy.scenario import Scenario

HELP = "help"
"""What `--strategy` takes to tell of all of them."""

FLAGS = {
    "epochs": "--epochs",
    "seed": "--seed",
    "encoder_rate": "--lr",
    "head_rate": "--head-lr",
    "batch": "--batch",
    "patience": "--patience",
    "schedule": "--schedule",
    "accumulate": "--accumulate",
    "balance": "--balance",
    "class_weights": "--class-weights",
    "smoothing": "--smoothing",
    "dropout": "--no-dropout",
    "bf16": "--precision",
    "threads": "--threads",
    "lr_decay": "--lr-decay",
    "unfreeze_every": "--unfreeze-every",
}
"""By the name of a setting, the option that sets it."""


def _tell_strategies(given: str) -> str:
    """Print what every strategy does, where that is what `--strategy` asks for, and end."""
    if given == HELP:
        from core.cli.train_tables import show_strategies

        show_strategies()
        raise typer.Exit
    return given


StrategyName = Annotated[
    str,
    typer.Option(
        "--strategy",
        metavar="NAME",
        is_eager=True,
        callback=_tell_strategies,
        help=f"What trains: {', '.join(name for name, _ in OFFERED)}; @K, @auto or @mix behind it "
        f"says which layer the heads read, else the last. --strategy {HELP} says what each does.",
    ),
]
Out = Annotated[
    str,
    typer.Option(
        "--out", metavar="DIR", help="The model folder to write; until then, the checkpoints'."
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        metavar="N",
        help=f"The most epochs; else the strategy's own (--strategy {HELP} says them).",
    ),
]
EncoderRate = Annotated[
    float | None,
    typer.Option("--lr", metavar="X", help="Learning rate of layers; else the strategy's."),
]
HeadRate = Annotated[
    float | None,
    typer.Option("--head-lr", metavar="X", help="Learning rate of heads; else the strategy's."),
]
RateDecay = Annotated[
    float | None,
    typer.Option(
        "--lr-decay",
        metavar="X",
        help="With layerwise-lr: each layer's share of the rate of the one above it; else 0.8.",
    ),
]
UnfreezeEvery = Annotated[
    int | None,
    typer.Option(
        "--unfreeze-every",
        metavar="EPOCHS",
        help="With gradual: epochs from one layer's thaw to the next one's; else all have thawed "
        "after two thirds of the epochs.",
    ),
]
Batch = Annotated[int, typer.Option("--batch", metavar="N", help="Sentences in a step.")]
Accumulate = Annotated[
    int,
    typer.Option(
        "--accumulate", metavar="N", help="Parts that a step runs in, one by one, to save memory."
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        "--patience",
        metavar="N",
        help="Epochs without a better score to stop at; else the strategy's own.",
    ),
]
Schedule = Annotated[
    str,
    typer.Option("--schedule", metavar="|".join(SCHEDULES), help="How the rates fall."),
]
BalanceName = Annotated[
    str,
    typer.Option(
        "--balance",
        metavar="NAME",
        help="How the tasks' losses become one: sum, uncertainty, dwa, or weights such as "
        "topic=2+entities=1.",
    ),
]
ClassWeights = Annotated[
    str,
    typer.Option(
        "--class-weights",
        metavar="|".join(CLASS_WEIGHTS),
        help="Whether rows of rare labels count more.",
    ),
]
Smoothing = Annotated[
    float,
    typer.Option(
        "--smoothing", metavar="X", help="Share of each label that is spread over all of them."
    ),
]
NoDropout = Annotated[
    bool, typer.Option("--no-dropout", help="Train without dropout, layers and heads alike.")
]
TrainPrecision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="|".join(PRECISIONS),
        help="exact is fp32, the default; fast is bfloat16, where the machine has instructions "
        "for it.",
    ),
]
CheckpointEvery = Annotated[
    int,
    typer.Option(
        "--checkpoint-every",
        metavar="STEPS",
        help="Steps from one checkpoint to the next, beside each epoch's end.",
    ),
]
PrefixMemory = Annotated[
    float,
    typer.Option(
        "--prefix-memory",
        metavar="MB",
        help="What the states of frozen layers may take in memory; past it they go to files.",
    ),
]
Validation = Annotated[
    str | None,
    typer.Option(
        "--validation",
        metavar="F|none",
        help="Rows to validate on, or none; else the split column's, or 15 % held out.",
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on from the checkpoint in --out: the same command.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the model or the run that --out holds.")
]


def check_numbers(
    rates: Mapping[str, float | None], counts: Mapping[str, int], memory: float
) -> None:
    """Refuse numbers that make no sense, by the option that gave them.

    Raises:
        ValueError: If a rate is not above 0 and at most 1, or a count is below 1.
    """
    for option, rate in rates.items():
        if rate is not None and not 0 < rate <= 1:
            raise ValueError(f"{option} is {rate}, must be above 0 and at most 1")
    for option, count in counts.items():
        if not count > 0:
            raise ValueError(f"{option} is {count}, must be at least 1")
    if not memory >= 0:
        raise ValueError(f"--prefix-memory is {memory}, must be 0 or more")


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
        ValueError: If an option differs.
    """
    found = {"strategy": before.get("strategy")}
    for name in ("choice", "settings"):
        part = before.get(name)
        found |= part if isinstance(part, dict) else {}
    now: dict[str, Any] = {"strategy": strategy, **vars(choice), **settings}
    names: Sequence[str] = ["strategy", *FLAGS]
    for name in names:
        if found.get(name) != now.get(name) and (name in found or name in settings):
            option = FLAGS.get(name, "--strategy")
            was, given = (_as_typed(name, each) for each in (found.get(name), now.get(name)))
            raise ValueError(
                f"the run in {out} has {option} {was}, not {given}: give the same "
                "command to resume it, or --overwrite to start anew"
            )


def _as_typed(name: str, value: object) -> object:
    """Say a setting as its option is typed."""
    if name == "bf16":
        return PRECISIONS[bool(value)]
    return ("off" if value else "on") if name == "dropout" else value


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """What is asked of `train`, beside the data and the encoder.

    Attributes:
        out: The run's folder, as typed.
        strategy: Its name, as typed.
        settings: What is set of the strategy beside its name; None where nothing is.
        choice: How to train.
        own: What of it the strategy decides.
        precision: One of `core.config.PRECISIONS`.
        hold: Whether any rows validate.
        resume: Whether to go on from the checkpoint in the folder.
        overwrite: Whether to start anew over what is there.
        typed: What was typed, without `--resume`.
        as_json: Whether to print events.
    """

    out: str
    strategy: str
    settings: dict[str, Any]
    choice: TrainingChoice
    own: frozenset[str]
    precision: str
    hold: bool
    resume: bool
    overwrite: bool
    typed: tuple[str, ...]
    as_json: bool

    def folder(self) -> Path:
        """Check the run's folder, in the main process, and give it with links followed."""
        from core.training.checkpoint import check_run_folder

        if how_launched().rank > 0:
            return Path(self.out).expanduser().resolve()
        return check_run_folder(Path(self.out), resume=self.resume, overwrite=self.overwrite)

    def scenario(self, layers: int, tasks: Sequence[str] | None) -> "Scenario":
        """Read the strategy's name."""
        from core.strategy.scenario import parse_strategy, tuned

        return tuned(parse_strategy(self.strategy, layers, tasks), **self.settings)

    def settled(self, scenario: "Scenario", encoder: "Encoder") -> TrainingChoice:
        """Fill in what the strategy and the machine decide."""
        from core.encoder.precision import trains_in_bf16

        own = {name: getattr(scenario.strategy, name) for name in self.own}
        bf16 = self.precision == "fast"
        if bf16 and not trains_in_bf16(encoder.device):
            raise ValueError(
                f"--precision is fast, and this machine's {encoder.device.type} has no bfloat16 "
                "instructions, so that it would be slower: give --precision exact"
            )
        return replace(self.choice, bf16=bf16, **own)

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
