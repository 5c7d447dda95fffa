"""The strategy that is advised, trained on all rows: a model to take away.

Nothing is held out, so what the folds have shown is used: the median of their best epochs, the
temperature of their held-out predictions, and their figures as the expected ones.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from core.comparison.choice import ComparisonChoice
from core.comparison.shared import failed
from core.comparison.store import FinishedRun, read_runs
from core.comparison.work import SECONDS_BETWEEN_STEPS, Step
from core.config import EncoderChoice
from core.data.dataset import Dataset
from core.data.dealing import DealtRows
from core.encoder.encoder import load_encoder
from core.model.evaluation import calibrate
from core.model.model import Calibration
from core.strategy.scenario import Scenario
from core.strategy.thaw_plan import ThawPlan
from core.system.machine import usable_cores
from core.task import IGNORED, Task
from core.training.events import Event, PlanEvent, StepEvent
from core.training.run import Run, resolve_read


class BestRun:
    """The training of one compared strategy on all rows.

    Args:
        dataset: The rows as they were compared on.
        encoder: What is trained on top of.
        choice: What was compared.
        document: The comparison's report.
        runs: All its runs.

    Attributes:
        strategy: Which strategy: the advised one, or of a single one that one.

    Raises:
        ValueError: If the report is of no run.
    """

    def __init__(
        self,
        dataset: Dataset,
        encoder: EncoderChoice,
        choice: ComparisonChoice,
        document: Mapping[str, Any],
        runs: Sequence[FinishedRun],
    ) -> None:
        advice = document["advice"]
        self.strategy: str = document["best"] if advice is None else advice["strategy"]
        self.runs = [run for run in runs if run.record.strategy == self.strategy]
        if not self.runs:
            raise ValueError("there is no finished run to train the best strategy by")
        self.scenario: Scenario = next(s for s in choice.strategies if s.name == self.strategy)
        self.dataset, self.encoder, self.choice = dataset, encoder, choice
        self.document = document
        self._run: Run | None = None

    @property
    def epochs(self) -> int:
        """The median of the folds' best epochs; nothing trains in none."""
        return max(1, round(statistics.median(run.record.best_epoch for run in self.runs)))

    def train(self, cancelled: Callable[[], bool] | None = None) -> Iterator[Event]:
        """Train on all rows, telling what happens.

        Raises:
            DivergedError: If the loss is no longer a number.
            CancelledError: If `cancelled` answered True.
        """
        threads = self.choice.threads or usable_cores()  # torch counts those it may not use too
        encoder = load_encoder(self.encoder, threads=threads)
        examples, tasks = self.dataset.examples, self.dataset.tasks
        read = resolve_read(encoder, self.scenario, examples, tasks, cancelled=cancelled)
        note = (
            f"trained on all rows, nothing held out: {self.epochs} epochs, the median of the best "
            f"of {len(self.runs)} runs of a comparison, whose held-out rows gave the figures"
        )
        rates = [run.record.rates for run in self.runs]
        choice = replace(
            self.choice.training,
            epochs=self.epochs,
            patience=self.epochs,
            seed=0,
            threads=threads,
            encoder_rate=statistics.median(each["encoder"] for each in rates),
            head_rate=statistics.median(each["head"] for each in rates),
        )
        dealt = DealtRows(training=examples, validation=(), notes=(note,))
        plan = ThawPlan(
            scenario=self.scenario, read=read, layers=encoder.layers, epochs=self.epochs
        )
        self._run = Run(self.dataset, dealt, encoder, plan, choice)
        yield from self._run.train(cancelled)
        self._run.model.calibration = {task.name: self._calibration(task) for task in tasks}

    def save(self, folder: Path, *, command: str = "", overwrite: bool = False) -> None:
        """Write the model folder, with the cross-validated figures as its expected ones.

        Raises:
            ValueError: If the training has not ended, or the folder may not be written.
            RuntimeError: If writing fails midway; what was there is intact.
        """
        if self._run is None:
            raise ValueError("the best strategy has not been trained on all rows yet: train it")
        self._run.save(
            folder, command=command, overwrite=overwrite, cross_validated=self._figures()
        )

    def _figures(self) -> dict[str, Any]:
        """Give what the comparison found of the strategy, task by task."""
        own = next(s for s in self.document["strategies"] if s["name"] == self.strategy)
        rows = {
            task.name: len(
                {
                    row
                    for run in self.runs
                    for row, actual in zip(
                        run.held_out.rows, run.held_out.tasks[task.name].actual, strict=True
                    )
                    if actual is not None
                }
            )
            for task in self.dataset.tasks
        }
        return {name: {"rows": rows[name], **figures} for name, figures in own["tasks"].items()}

    def _calibration(self, task: Task) -> Calibration:
        """Fit a sentence task on all folds' held-out scores; of tokens take the folds' median."""
        if not task.of_kind.one_label:
            found = [run.record.tested_calibration[task.name] for run in self.runs]
            return Calibration(
                temperature=statistics.median(each["temperature"] for each in found),
                threshold=statistics.median(each["threshold"] for each in found),
            )
        number = {label: place for place, label in enumerate(task.labels)}
        scores, labels = [], []
        for run in self.runs:
            said = run.held_out.tasks[task.name]
            scores += [list(row) for row in said.scores or ()]
            labels += [
                number[actual] if isinstance(actual, str) else IGNORED for actual in said.actual
            ]
        return calibrate(task, torch.tensor(scores), torch.tensor(labels))


@dataclass(frozen=True, kw_only=True)
class BestJob:
    """The training of a comparison's advised strategy on all rows, in a process of its own.

    Attributes:
        dataset: The rows as they were compared on.
        encoder: What is trained on top of.
        choice: What was compared.
        document: The comparison's report.
        comparison: The comparison's folder.
        folder: Where the model goes; what is there is replaced.
        scratch: For temporary files; who started the process removes it.
        command: What a person would type for the same.
    """

    dataset: Dataset
    encoder: EncoderChoice
    choice: ComparisonChoice
    document: Mapping[str, Any]
    comparison: Path
    folder: Path
    scratch: Path
    command: str = ""


def do_best(pipe: Connection, job: BestJob) -> None:
    """Do a `BestJob`: send how far it is through a pipe, and at last the strategy's name."""
    tempfile.tempdir = str(job.scratch)  # a process that is killed removes nothing itself
    try:
        told = {(run["strategy"], run["seed"]) for run in job.document["runs"]}
        runs = [run for run in read_runs(job.comparison) if run.key in told]
        best = BestRun(job.dataset, job.encoder, job.choice, job.document, runs)
        steps, sent = 0, 0.0
        for event in best.train():
            if isinstance(event, PlanEvent):
                steps = event.steps
            elif (
                isinstance(event, StepEvent) and time.perf_counter() - sent > SECONDS_BETWEEN_STEPS
            ):
                sent = time.perf_counter()
                pipe.send(Step(step=event.step, steps=steps, epoch=event.epoch, loss=event.loss))
        best.save(job.folder, command=job.command, overwrite=True)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:  # told to whoever asked, who decides
        pipe.send(failed(error))
    else:
        pipe.send(best.strategy)
