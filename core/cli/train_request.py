"""What is asked of the command `train`: read, checked against a checkpoint, and typed again."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.train_options import check_same_run
from core.config import TrainingChoice
from core.system.launch import how_launched

if TYPE_CHECKING:
    from core.encoder.encoder import Encoder
    from core.strategy.scenario import Scenario


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
        from core.training.run_folder import check_run_folder

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
