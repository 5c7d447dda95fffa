"""The comparison: strategies × seeds in worker processes, each finished run kept at once."""

import contextlib
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from core.comparison_choice import ComparisonChoice
from core.comparison_cost import Measured, highest_read
from core.comparison_events import (
    ComparisonDone,
    ComparisonEvent,
    ComparisonPlan,
    ComparisonStage,
    PlannedRun,
    RunFailed,
    RunFinished,
    RunProgress,
    RunStarted,
)
from core.comparison_folds import ComparedData, Deal, compared_data
from core.comparison_report import Circumstances, comparison_document
from core.comparison_runs import REPORT, ComparisonFolder, FinishedRun, write_json
from core.comparison_shared import (
    About,
    Failed,
    FloorJob,
    Known,
    MeasureJob,
    PrefixJob,
    Prepared,
    Profiled,
    ProfileJob,
    Question,
    Setting,
    do_shared,
)
from core.comparison_work import Job, Step, do_runs
from core.config import EncoderChoice, TrainingChoice
from core.dataset import Dataset
from core.encoder import CancelledError
from core.freezing import lowest_read
from core.machine import usable_cores, versions
from core.runs import PACKAGES
from core.scenario import AUTO, Scenario
from core.workers import Worker, WorkerDiedError, wait_for_any

PRELOAD = ("core.comparison_work", "torch._dynamo")
"""What the server of processes imports, so that no worker has to; torch's optimisers import the
second, for more than a second, when the first of them is made."""

LOOK_SECONDS = 0.1
"""How often it is asked whether to stop, while there is nothing else to do."""

CORES_A_JOB = 4
"""Matrix products of a step are small: past so many threads, another run gains more."""

_OF_A_RUN = frozenset({"epochs", "patience", "seed", "encoder_rate", "head_rate", "threads"})
"""Choices that are each strategy's or each seed's own."""

Answer = TypeVar("Answer")


def compare(
    dataset: Dataset,
    encoder: EncoderChoice,
    choice: ComparisonChoice,
    *,
    folder: Path | None = None,
    cancelled: Callable[[], bool] | None = None,
    command: str = "",
) -> Generator[ComparisonEvent, None, None]:
    """Compare strategies over seeds on the same rows and initial heads.

    What has finished is kept at once, where there is a folder: called again with it, nothing that
    is there runs again, and more seeds or strategies are added to it. However it ends, also when
    the generator is closed, no worker is left.

    Args:
        dataset: The data.
        encoder: What is trained on top of.
        choice: What is compared, how often, and what decides.
        folder: Where runs are kept; None keeps none.
        cancelled: Asked ten times a second; True stops all runs at once.
        command: What a person typed, for runs and report to say.

    Yields:
        A plan; runs that begin, go on and end; at last the report.

    Raises:
        ValueError: If the rows do not suffice, or the folder holds another comparison.
        RuntimeError: If no run came to its end.
        CancelledError: If `cancelled` answered True; what had finished is kept.
    """
    began = time.perf_counter()
    data = compared_data(dataset)
    deals = {seed: data.deal(seed) for seed in range(choice.seeds)}
    with contextlib.ExitStack() as stack:
        running = _Comparison(data, deals, encoder, choice, command, began, cancelled, stack)
        yield ComparisonStage(what=f"loading {encoder.name}")
        running.begin(folder)
        yield from running.prepare()
        yield running.plan()
        yield from running.runs()
        yield running.done()


class _Comparison:
    """One comparison while it runs."""

    def __init__(
        self,
        data: ComparedData,
        deals: dict[int, Deal],
        encoder: EncoderChoice,
        choice: ComparisonChoice,
        command: str,
        began: float,
        cancelled: Callable[[], bool] | None,
        stack: contextlib.ExitStack,
    ) -> None:
        self.data, self.deals, self.encoder, self.choice = data, deals, encoder, choice
        self.command, self.began, self.cancelled, self.stack = command, began, cancelled, stack
        self.jobs, self.threads = split_cores(choice)
        scratch = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="thaw-compare-", ignore_cleanup_errors=True)
        )
        self.setting = Setting(
            data=data,
            encoder=encoder,
            threads=self.threads,
            memory_bytes=choice.training.prefix_megabytes * 1e6,
            scratch=scratch,
            command=command,
        )
        self.finished: dict[tuple[str, int], FinishedRun] = {}
        self.failed: dict[tuple[str, int], str] = {}
        self.profiles: dict[tuple[int, ...], Profiled] = {}
        self.kept: ComparisonFolder | None = None
        self.floor: dict[str, dict[str, Any] | None] = {}
        self.over_budget = False
        self.notes: list[str] = [note for deal in deals.values() for note in deal.notes]
        self.running: dict[Worker, tuple[Scenario, int]] = {}
        self.fresh: list[Worker] = []  # idle ones that may go on
        self.measured_strategies: set[str] = set()
        self.spent = self.expected = 0.0
        self.shared = self._worker(do_shared)

    def _worker(self, work: Callable[..., None]) -> Worker:
        worker = Worker(work, self.setting, preload=PRELOAD)
        self.stack.callback(worker.stop)
        return worker

    def _check(self) -> None:
        if self.cancelled is not None and self.cancelled():
            raise CancelledError(f"stopped with {len(self.finished)} runs done")

    def _ask(self, message: Question, kind: type[Answer]) -> Answer:
        """Ask the worker that does what all runs share, and wait for its answer."""
        self.shared.send(message)
        while not wait_for_any([self.shared], LOOK_SECONDS):
            self._check()
        answer = self.shared.receive()
        if isinstance(answer, Failed):
            raise RuntimeError(answer.reason) if answer.fault else ValueError(answer.reason)
        assert isinstance(answer, kind)
        return answer

    def begin(self, folder: Path | None) -> None:
        """Load the encoder once, open the folder, and find what is there already."""
        self.known = self._ask(About(), Known)
        if folder is None:
            return
        kept = ComparisonFolder(folder, self.identity())
        self.kept = self.stack.enter_context(kept)
        wanted = {scenario.name: dict(scenario.strategy.settings) for scenario in self.scenarios}
        for run in kept.finished():
            settings = wanted.get(run.record.strategy)
            if run.record.seed in self.deals and settings == run.record.settings:
                self.finished[run.key] = run

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """What is compared."""
        return self.choice.strategies

    def identity(self) -> dict[str, Any]:
        """Say what all runs must share to stand beside each other."""
        training = asdict(self.choice.training)
        return {
            "data": self.data.dataset.fingerprint,
            "encoder": {
                "name": self.encoder.name,
                "pooling": self.known.pooling,
                "normalized": self.known.normalized,
                "weights": self.known.fingerprint,
            },
            "folds": self.data.folds,
            "epochs": self.choice.epochs,
            "rates": self.choice.rates,
            "training": {n: each for n, each in training.items() if n not in _OF_A_RUN},
            "versions": versions(PACKAGES),
        }

    def prepare(self) -> Iterator[ComparisonEvent]:
        """Find the floor, the layers to read for the first seed, and what steps take."""
        yield ComparisonStage(what="scoring the floor")
        self.floor = self._ask(FloorJob(deals=tuple(self._floor_deals())), dict)
        if any(scenario.read == AUTO for scenario in self.scenarios):
            yield ComparisonStage(what="profiling the layers")
            self._profile(0)
        yield ComparisonStage(what="measuring steps")
        batch = self.choice.training.batch
        self.measured = self._ask(MeasureJob(deal=self.deals[0], batch=batch), Measured)

    def _floor_deals(self) -> Iterator[Deal]:
        """Give the deals of the first repetition: each row is held out once at most."""
        for deal in self.deals.values():
            if deal.repetition == 0 and (deal.fold is not None or deal.seed == 0):
                yield deal

    def _profile(self, seed: int) -> Profiled:
        rows = self.deals[seed].training
        if rows not in self.profiles:
            self.profiles[rows] = self._ask(ProfileJob(rows=rows), Profiled)
        return self.profiles[rows]

    def _read(self, scenario: Scenario, seed: int) -> tuple[dict[str, int | str], float, list[str]]:
        """Find where heads read, what finding it cost, and what to say of it."""
        layers = self.known.layers
        names = [task.name for task in self.data.dataset.tasks]
        if scenario.read != AUTO:
            read = layers if scenario.read is None else scenario.read
            return dict.fromkeys(names, read), 0.0, []
        found = self._profile(seed)
        if found.profile is None:
            note = f"seed {seed}: @{AUTO} finds no layer, so the last is read: {found.reason}"
            return dict.fromkeys(names, layers), found.seconds, [note]
        best = found.profile.best_from(lowest_read(scenario.strategy, layers))
        return {name: best[name] for name in names}, found.seconds, []

    def training_choice(self, scenario: Scenario, seed: int) -> TrainingChoice:
        """Say how a run trains: to convergence, or exactly as many epochs as were asked for."""
        epochs = self.choice.epochs or scenario.strategy.epochs
        return replace(
            self.choice.training,
            epochs=epochs,
            patience=scenario.strategy.patience if self.choice.epochs is None else epochs,
            seed=seed,
            threads=self.threads,
        )

    def estimate(self, scenario: Scenario, seed: int) -> float:
        """Estimate what a run will take, from measured steps."""
        layers = self.known.layers
        if scenario.read == AUTO and self.deals[seed].training not in self.profiles:
            seed = 0  # where it reads there stands for all
        read, _, _ = self._read(scenario, seed)
        choice = self.training_choice(scenario, seed)
        one = self.measured.seconds(
            scenario.strategy, highest_read(read, layers), layers, self.deals[seed], choice
        )
        return one * self.choice.rates

    def plan(self) -> ComparisonPlan:
        """Say what will run, in which order, and what it will take."""
        runs = []
        for scenario, seed in self._order():
            done = (scenario.name, seed) in self.finished
            seconds = 0.0 if done else self.estimate(scenario, seed)
            runs.append(PlannedRun(strategy=scenario.name, seed=seed, seconds=seconds, done=done))
        return ComparisonPlan(
            runs=tuple(runs),
            seconds=sum(run.seconds for run in runs) / self.jobs,
            rows=len(self.data.dataset.examples),
            folds=self.data.folds,
            jobs=self.jobs,
            threads=self.threads,
            floor={name: each for name, each in self.floor.items() if each is not None},
            notes=(*self.data.notes, *self.notes),
        )

    def _order(self) -> list[tuple[Scenario, int]]:
        """List all runs: seed by seed, the cheapest strategy first."""
        cheap_first = sorted(self.scenarios, key=lambda each: self.estimate(each, 0))
        return [(scenario, seed) for seed in self.deals for scenario in cheap_first]

    def runs(self) -> Iterator[ComparisonEvent]:
        """Run what is not there yet, side by side, and tell what happens."""
        waiting = [each for each in self._order() if (each[0].name, each[1]) not in self.finished]
        while waiting or self.running:
            self._check()
            if self._late():
                self.over_budget = True
                return
            while waiting and len(self.running) < self.jobs:
                scenario, seed = waiting.pop(0)
                yield RunStarted(strategy=scenario.name, seed=seed)
                self._start(scenario, seed)
            for worker in wait_for_any(list(self.running), LOOK_SECONDS):
                event = self._hear(worker, waiting)
                if event is not None:
                    yield event

    def _late(self) -> bool:
        budget = self.choice.budget_seconds
        return budget is not None and time.perf_counter() - self.began >= budget

    def _start(self, scenario: Scenario, seed: int) -> None:
        """Send a run to a worker; a strategy's first run has one that did nothing before."""
        read, profile_seconds, notes = self._read(scenario, seed)
        choice, deal = self.training_choice(scenario, seed), self.deals[seed]
        prefix = self._ask(
            PrefixJob(
                scenario=scenario,
                read=read,
                epochs=choice.epochs,
                rows=(*deal.training, *deal.validation),
            ),
            Prepared,
        )
        measure = not any(name == scenario.name for name, _ in self.finished)
        measure = measure and scenario.name not in self.measured_strategies
        self.measured_strategies.add(scenario.name)
        if measure:
            while self.fresh:
                self.fresh.pop().stop()
        worker = self.fresh.pop() if self.fresh else self._worker(do_runs)
        self.running[worker] = (scenario, seed)
        folder = None
        if self.kept is not None:
            folder = self.kept.run_folder(scenario.name, scenario.strategy.settings, seed)
        worker.send(
            Job(
                scenario=scenario,
                deal=deal,
                read=read,
                choices=(choice,),
                profile_seconds=profile_seconds,
                prefix=prefix,
                measure=measure,
                folder=folder,
                notes=tuple(notes),
            )
        )

    def _hear(
        self, worker: Worker, waiting: Sequence[tuple[Scenario, int]]
    ) -> ComparisonEvent | None:
        """Take one message of a worker."""
        scenario, seed = self.running[worker]
        try:
            message = worker.receive()
        except WorkerDiedError as error:
            message = Failed(reason=str(error))
            worker.stop()
        if isinstance(message, Step):
            return RunProgress(strategy=scenario.name, seed=seed, **vars(message))
        del self.running[worker]
        if isinstance(message, Failed):
            if message.fault:
                raise RuntimeError(f"{scenario.name}, seed {seed}: {message.reason}")
            self.failed[scenario.name, seed] = message.reason
            return RunFailed(strategy=scenario.name, seed=seed, reason=message.reason)
        assert isinstance(message, FinishedRun)
        self.fresh.append(worker)
        self.finished[message.key] = message
        self.spent += message.record.wall_seconds
        self.expected += self.estimate(scenario, seed)
        left = sum(self.estimate(*each) for each in waiting)
        left += sum(self.estimate(*each) for each in self.running.values()) / 2
        ratio = self.spent / self.expected if self.expected else 1.0
        so_far = list(self.finished.values())
        return RunFinished(
            record=message.record,
            held_out=message.held_out,
            done=len(so_far),
            seconds_left=left * ratio / self.jobs,
            report=lambda: self.document(so_far),
        )

    def document(self, runs: Sequence[FinishedRun]) -> dict[str, Any]:
        """Report on some finished runs."""
        failed: dict[str, list[str]] = {}
        for (strategy, seed), reason in self.failed.items():
            failed.setdefault(strategy, []).append(f"seed {seed}: {reason}")
        about = Circumstances(
            data=self.data,
            choice=self.choice,
            encoder={"name": self.encoder.name, **vars(self.known)},
            floor=self.floor,
            command=self.command,
            jobs=self.jobs,
            threads=self.threads,
            wall_seconds=time.perf_counter() - self.began,
            notes=tuple(self.notes),
            failed=failed,
            over_budget=self.over_budget,
        )
        return comparison_document(about, runs)

    def done(self) -> ComparisonDone:
        """End, with the report, which is kept beside the runs.

        Raises:
            RuntimeError: If no run came to its end.
        """
        if not self.finished and self.failed:
            (strategy, seed), reason = next(iter(self.failed.items()))
            raise RuntimeError(
                f"no run came to its end; {strategy}, seed {seed}, ended with: {reason}"
            )
        runs = tuple(self.finished.values())
        document = self.document(runs)
        if self.kept is not None:
            write_json(self.kept.path / REPORT, document)
        return ComparisonDone(
            document=document,
            dataset=self.data.dataset,
            runs=runs,
            within_budget=not self.over_budget,
        )


def split_cores(choice: ComparisonChoice) -> tuple[int, int]:
    """Decide how many runs go side by side, and on how many threads each, by rule.

    Raises:
        ValueError: If more jobs are asked for than there are threads.
    """
    threads = choice.threads or usable_cores()
    jobs = choice.jobs or max(1, threads // CORES_A_JOB)
    if jobs > threads:
        raise ValueError(
            f"jobs is {jobs}, must be 1 to {threads}, the threads there are: more would slow "
            "each other down"
        )
    return jobs, threads // jobs
