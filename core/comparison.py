"""The comparison: strategies × seeds in worker processes, each finished run kept at once."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from core.comparison_choice import LOCAL, RAY, ComparisonChoice
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
from core.comparison_report import Circumstances, candidate, comparison_document
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
    RetentionJob,
    Setting,
    do_shared,
)
from core.comparison_variants import TOGETHER_ALL, Variant, variants_of
from core.comparison_work import Job, Step, do_run_elsewhere, do_runs
from core.config import EncoderChoice, TrainingChoice
from core.costs import Candidate
from core.dataset import Dataset
from core.encoder import CancelledError
from core.freezing import frozen_depth, lowest_read
from core.machine import usable_cores, versions
from core.race import Race, Recorded, Standing, stand
from core.runs import PACKAGES
from core.scenario import AUTO, Scenario
from core.workers import Worker, WorkerDiedError, wait_for_any

PRELOAD = ("core.comparison_work",)
"""What the server of processes imports, so that no worker has to."""

LOOK_SECONDS = 0.1
"""How often it is asked whether to stop, while there is nothing else to do."""

CORES_A_JOB = 4
"""Matrix products of a step are small: past so many threads, another run gains more."""

_OF_A_RUN = frozenset({"epochs", "patience", "seed", "encoder_rate", "head_rate", "threads"})
"""Choices that are each strategy's or each seed's own."""

SCRATCH = "thaw-compare-"
"""What the folder of temporary files begins with; the number of its process follows."""

RATE_STEP = 3.0
"""How far apart the learning rates lie that a run may choose from."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class _Run:
    """A run to be done."""

    scenario: Scenario
    seed: int
    variant: Variant = TOGETHER_ALL

    @property
    def place(self) -> tuple[str, int]:
        return self.scenario.name, self.seed


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
        yield from running.further_runs()
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
        remove_stale_scratch()
        scratch = stack.enter_context(
            tempfile.TemporaryDirectory(
                prefix=f"{SCRATCH}{os.getpid()}-", ignore_cleanup_errors=True
            )
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
        self.further: dict[Variant, dict[tuple[str, int], FinishedRun]] = {}
        self.failed: dict[str, list[str]] = {}
        self.failed_places: dict[Variant, set[tuple[str, int]]] = {}
        self.profiles: dict[tuple[int, ...], Profiled] = {}
        self.kept: ComparisonFolder | None = None
        self.floor: dict[str, dict[str, Any] | None] = {}
        self.notes: list[str] = [note for deal in deals.values() for note in deal.notes]
        self.running: dict[Worker, _Run] = {}
        self.idle: list[Worker] = []
        self.beyond: list[float] = []  # by run that has ended, its seconds beyond the estimate
        self.standing: Standing | None = None
        self.over_budget = False
        self.shared = self._worker(do_shared)

    def _worker(self, work: Callable[..., None]) -> Worker:
        worker = Worker(work, self.setting, preload=PRELOAD)
        self.stack.callback(worker.stop)
        return worker

    def _run_worker(self) -> Worker:
        if self.choice.engine == LOCAL:
            return self._worker(do_runs)
        from core.ray_workers import RayWorker

        worker = RayWorker(do_run_elsewhere, self.setting, self.threads)
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
        self.kept = self.stack.enter_context(ComparisonFolder(folder, self.identity()))
        self.finished = self._there(TOGETHER_ALL)

    def _there(self, variant: Variant) -> dict[tuple[str, int], FinishedRun]:
        """Find the runs of a variant that were finished before, as far as they are asked for."""
        if self.kept is None:
            return {}
        wanted = {each.name: dict(each.strategy.settings) for each in self.choice.strategies}
        return {
            run.key: run
            for run in self.kept.finished(variant.name)
            if run.record.seed in self.deals
            and wanted.get(run.record.strategy) == run.record.settings
        }

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
        if any(scenario.read == AUTO for scenario in self.choice.strategies):
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
        return {name: best.get(name, layers) for name in names}, found.seconds, []

    def _choices(self, run: _Run) -> tuple[TrainingChoice, ...]:
        """Say how a run trains: its epochs, and the rates that its validation rows choose from."""
        strategy, training = run.scenario.strategy, self.choice.training
        epochs = self.choice.epochs or strategy.epochs
        own = replace(
            training,
            epochs=epochs,
            patience=strategy.patience if self.choice.epochs is None else epochs,
            seed=run.seed,
            threads=self.threads,
            balance=run.variant.balance or training.balance,
        )
        depth = frozen_depth(strategy, self.known.layers)
        name = "head_rate" if depth == self.known.layers else "encoder_rate"
        if self.choice.rates == 1 or not self.deals[run.seed].validation:
            return (own,)
        powers = sorted(range(-(self.choice.rates // 2), self.choice.rates // 2 + 1), key=abs)
        tuned = getattr(strategy, name)
        rates = [tuned * RATE_STEP**power for power in powers[: self.choice.rates]]
        return tuple(replace(own, **{name: min(1.0, rate)}) for rate in rates)

    def estimate(self, run: _Run) -> float:
        """Estimate what a run will take, from measured steps."""
        layers, scenario, seed = self.known.layers, run.scenario, run.seed
        if scenario.read == AUTO and self.deals[seed].training not in self.profiles:
            seed = 0  # where it reads there stands for all
        read, _, _ = self._read(scenario, seed)
        deal = run.variant.deal(self.data, self.deals[run.seed])
        choices, highest = self._choices(run), highest_read(read, layers)
        one = self.measured.seconds(scenario.strategy, highest, layers, deal, choices[0])
        return one * len(choices)

    def plan(self) -> ComparisonPlan:
        """Say what will run, in which order, and what it will take."""
        variants = variants_of(self.choice, self.data, self.deals)
        self.further = {variant: self._there(variant) for variant in variants}
        runs = []
        for run in [*self._order(TOGETHER_ALL), *(r for v in variants for r in self._order(v))]:
            done = run.place in self._finished(run.variant)
            runs.append(
                PlannedRun(
                    strategy=run.scenario.name,
                    seed=run.seed,
                    part=run.variant.name,
                    seconds=0.0 if done else self.estimate(run),
                    done=done,
                )
            )
        seconds = sum(run.seconds for run in runs) / self.jobs
        budget = self.choice.budget_seconds
        return ComparisonPlan(
            runs=tuple(runs),
            seconds=seconds if budget is None else min(seconds, budget),
            rows=len(self.data.dataset.examples),
            folds=self.data.folds,
            jobs=self.jobs,
            threads=self.threads,
            floor={name: each for name, each in self.floor.items() if each is not None},
            notes=(*self.data.notes, *self.notes),
        )

    def _finished(self, variant: Variant) -> dict[tuple[str, int], FinishedRun]:
        return self.finished if variant == TOGETHER_ALL else self.further[variant]

    def _order(self, variant: Variant) -> list[_Run]:
        """List all runs of a variant: seed by seed, the cheapest strategy first."""
        able = [each for each in self.choice.strategies if variant.takes(each)]
        cheap_first = sorted(able, key=lambda each: self.estimate(_Run(scenario=each, seed=0)))
        return [
            _Run(scenario=scenario, seed=seed, variant=variant)
            for seed in self.deals
            for scenario in cheap_first
        ]

    def runs(self) -> Iterator[ComparisonEvent]:
        """Run what is not there yet, side by side, and tell what happens."""
        waiting = [run for run in self._order(TOGETHER_ALL) if run.place not in self.finished]
        if self.choice.budget_seconds is None:
            yield from self._all(waiting)
        else:
            yield from self._race(waiting, self.choice.budget_seconds)

    def further_runs(self) -> Iterator[ComparisonEvent]:
        """Run what the further tables need, one variant after another."""
        for variant, there in self.further.items():
            if self.over_budget:
                return
            yield from self._all([run for run in self._order(variant) if run.place not in there])

    def _all(self, waiting: list[_Run]) -> Iterator[ComparisonEvent]:
        while waiting or self.running:
            self._check()
            if self._late():
                return
            while waiting and len(self.running) < self.jobs:
                run = waiting.pop(0)
                yield RunStarted(strategy=run.scenario.name, seed=run.seed, part=run.variant.name)
                self._start(run)
            yield from self._listen(waiting)

    def _race(self, waiting: list[_Run], budget: float) -> Iterator[ComparisonEvent]:
        """Run what can still change the answer, as recorded scores and costs say."""
        given = {run.place: run for run in waiting}
        before = [self._recorded(run) for run in self.finished.values()]
        left = budget - (time.perf_counter() - self.began)
        # What was done before is paid for, and what all runs share is spent.
        paid = sum(each.seconds for each in before) / self.jobs
        race = Race(
            seeds=self.choice.seeds,
            groups=self.data.groups,
            choice=self.choice.advice,
            estimates={
                each.name: self.estimate(_Run(scenario=each, seed=0))
                for each in self.choice.strategies
            },
            budget_seconds=max(left, LOOK_SECONDS) + paid,
            workers=self.jobs,
        )
        while not self._late():
            self._check()
            standing = self._stand(race)
            while standing.next is not None and len(self.running) < self.jobs:
                run = given.pop(standing.next)
                yield RunStarted(strategy=run.scenario.name, seed=run.seed)
                self._start(run)
                standing = self._stand(race)
            if not self.running:
                self.over_budget = standing.out_of_time
                return
            yield from self._listen(list(given.values()))

    def _stand(self, race: Race) -> Standing:
        records = list(self.finished.values())
        candidates = []
        for scenario in self.choice.strategies:
            own = [run.record for run in records if run.record.strategy == scenario.name]
            estimate = self.estimate(_Run(scenario=scenario, seed=0))
            known = candidate(scenario.name, own)
            candidates.append(known or Candidate(name=scenario.name, seconds=estimate))
        gone = {place for places in self.failed_places.values() for place in places}
        self.standing = stand(
            race,
            candidates,
            [self._recorded(run) for run in records],
            dropped=self.standing.dropped if self.standing else (),
            under_way={run.place for run in self.running.values()} | gone,
        )
        return self.standing

    def _recorded(self, run: FinishedRun) -> Recorded:
        return Recorded(held_out=run.held_out, seconds=run.record.wall_seconds)

    def _late(self) -> bool:
        """Tell whether the budget is spent; then whatever still runs is stopped."""
        budget = self.choice.budget_seconds
        if budget is None or time.perf_counter() - self.began < budget:
            return False
        self.over_budget = True
        for worker in [*self.running]:
            worker.stop()
        self.running.clear()
        return True

    def _start(self, run: _Run) -> None:
        """Send a run to a worker; a strategy's first run has one that did nothing before."""
        begun = time.perf_counter()
        scenario, variant = run.scenario, run.variant
        read, profile_seconds, notes = self._read(scenario, run.seed)
        choices = self._choices(run)
        deal = variant.deal(self.data, self.deals[run.seed])
        tasks = variant.tasks or tuple(task.name for task in self.data.dataset.tasks)
        read = {name: each for name, each in read.items() if name in tasks}
        prefix = self._prefix(scenario, read, choices[0].epochs, deal, tasks)
        first = variant == TOGETHER_ALL and not any(
            name == scenario.name
            for name, _ in [*self.finished, *(each.place for each in self.running.values())]
        )
        retention = self._retention(scenario) if first else None
        if first:
            while self.idle:
                self.idle.pop().stop()
        worker = self.idle.pop() if self.idle else self._run_worker()
        self.running[worker] = run
        folder = None
        if self.kept is not None:
            settings = scenario.strategy.settings
            folder = self.kept.run_folder(scenario.name, settings, run.seed, variant.name)
        worker.send(
            Job(
                scenario=scenario,
                deal=deal,
                read=read,
                choices=choices,
                profile_seconds=profile_seconds,
                prefix=prefix,
                tasks=tasks,
                measure=first,
                retention=retention,
                folder=folder,
                keep_model=variant == TOGETHER_ALL,
                waited_seconds=time.perf_counter() - begun,
                notes=tuple(notes),
            )
        )

    def _prefix(
        self,
        scenario: Scenario,
        read: dict[str, int | str],
        epochs: int,
        deal: Deal,
        tasks: tuple[str, ...],
    ) -> Prepared:
        """Get the states that a run takes from what it freezes; elsewhere it makes its own."""
        if self.choice.engine != LOCAL:
            return Prepared(folder=None, seconds=0.0)
        rows = (*deal.training, *deal.validation)
        job = PrefixJob(scenario=scenario, read=read, epochs=epochs, rows=rows, tasks=tasks)
        return self._ask(job, Prepared)

    def _retention(self, scenario: Scenario) -> Prepared | None:
        """Get ready to measure drift and forgetting, unless a deadline leaves no time for it."""
        depth = frozen_depth(scenario.strategy, self.known.layers)
        if depth == self.known.layers:  # nothing moves: that needs no computing
            return Prepared(folder=None, seconds=0.0)
        if self.choice.engine != LOCAL:  # the probe's states lie on this machine
            return None
        hurry = self.choice.budget_seconds is not None
        if hurry and self.choice.advice.cost != "forgetting":
            return None
        return self._ask(RetentionJob(depth=depth), Prepared)

    def _listen(self, waiting: Sequence[_Run]) -> Iterator[ComparisonEvent]:
        """Tell what workers say."""
        for worker in wait_for_any(list(self.running), LOOK_SECONDS):
            run = self.running[worker]
            name, seed, part = run.scenario.name, run.seed, run.variant.name
            try:
                message = worker.receive()
            except WorkerDiedError as error:
                message = Failed(reason=str(error))
                worker.stop()
            if isinstance(message, Step):
                yield RunProgress(strategy=name, seed=seed, part=part, **vars(message))
                continue
            del self.running[worker]
            if isinstance(message, Failed):
                if message.fault:
                    raise RuntimeError(f"{name}, seed {seed}: {message.reason}")
                self._fail(run, message.reason)
                if worker.alive:
                    self.idle.append(worker)
                yield RunFailed(strategy=name, seed=seed, part=part, reason=message.reason)
                continue
            assert isinstance(message, FinishedRun)
            self.idle.append(worker)
            yield self._finish(run, message, waiting)

    def _fail(self, run: _Run, reason: str) -> None:
        self.failed_places.setdefault(run.variant, set()).add(run.place)
        part = f"{run.variant.name}, " if run.variant.name else ""
        told = self.failed.setdefault(run.scenario.name, [])
        told.append(f"{part}seed {run.seed}: {reason}")

    def _finish(self, run: _Run, message: FinishedRun, waiting: Sequence[_Run]) -> RunFinished:
        """Keep what a worker gave, and say what is left."""
        self._finished(run.variant)[message.key] = message
        self.beyond.append(message.record.wall_seconds - self.estimate(run))
        left = sum(map(self._expect, waiting))
        left += sum(map(self._expect, self.running.values())) / 2
        if run.variant == TOGETHER_ALL:
            left += sum(
                self._expect(each)
                for variant, there in self.further.items()
                for each in self._order(variant)
                if each.place not in there
            )
        so_far = tuple(self.finished.values())
        return RunFinished(
            record=message.record,
            held_out=message.held_out,
            part=run.variant.name,
            done=len(so_far) + sum(map(len, self.further.values())),
            seconds_left=left / self.jobs,
            report=lambda: self.document(so_far),
        )

    def _expect(self, run: _Run) -> float:
        """Expect of a run what the strategy's others took, else the estimate and what comes to it.

        That is its start, its evaluations and its files, as the runs that have ended show.
        """
        there = self._finished(run.variant).values()
        own = [r.record.wall_seconds for r in there if r.record.strategy == run.scenario.name]
        if own:
            return sum(own) / len(own)
        return self.estimate(run) + max(0.0, sum(self.beyond) / max(1, len(self.beyond)))

    def document(self, runs: Sequence[FinishedRun]) -> dict[str, Any]:
        """Report on some finished runs."""
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
            failed=self.failed,
            dropped=self.standing.dropped if self.standing else (),
            over_budget=self.over_budget,
            further={v: tuple(each.values()) for v, each in self.further.items() if each},
        )
        return comparison_document(about, runs)

    def done(self) -> ComparisonDone:
        """End, with the report, which is kept beside the runs.

        Raises:
            RuntimeError: If no run came to its end.
        """
        if not self.finished and self.failed:
            strategy, reasons = next(iter(self.failed.items()))
            raise RuntimeError(f"no run came to its end; {strategy} ended with {reasons[0]}")
        if not self.finished:
            raise RuntimeError(
                f"the budget of {self.choice.budget_seconds:g} seconds ended before the first "
                "run did: raise it"
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
        ValueError: If more jobs are asked for than there are threads, or there is no Ray cluster.
    """
    if choice.engine == RAY:
        from core.ray_workers import connect_ray

        threads = choice.threads or 1
        return choice.jobs or max(1, connect_ray() // threads), threads
    threads = choice.threads or usable_cores()
    jobs = choice.jobs or max(1, threads // CORES_A_JOB)
    if jobs > threads:
        raise ValueError(
            f"jobs is {jobs}, must be 1 to {threads}, the threads there are: more would slow "
            "each other down"
        )
    return jobs, threads // jobs


def remove_stale_scratch() -> None:
    """Remove the temporary files of comparisons that were killed: nobody else does."""
    if os.name != "posix":  # elsewhere asking whether a process is there may end it
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*-*"):
        number = folder.name.removeprefix(SCRATCH).partition("-")[0]
        if not number.isdigit():
            continue
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (PermissionError, OverflowError):
            continue
