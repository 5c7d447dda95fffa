"""What a comparison knows before its runs: what is there, where heads read, what it will take."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from core.advice.race import Standing
from core.comparison.choice import LOCAL, RAY, ComparisonChoice
from core.comparison.cost import Measured, highest_read, mean_of
from core.comparison.events import (
    ComparisonEvent,
    ComparisonPlan,
    ComparisonStage,
    PlannedRun,
)
from core.comparison.folds import ComparedData, Deal
from core.comparison.shared import (
    About,
    Failed,
    FloorJob,
    Known,
    MeasureJob,
    Profiled,
    ProfileJob,
    Question,
    Setting,
    do_shared,
)
from core.comparison.store import ComparisonFolder, FinishedRun
from core.comparison.variants import TOGETHER_ALL, Variant, variants_of, what_is_left_out
from core.config import EncoderChoice, TrainingChoice
from core.encoder.encoder import CancelledError
from core.strategy.scenario import AUTO, Scenario
from core.strategy.strategy import frozen_depth, lowest_read
from core.system.machine import usable_cores, versions
from core.system.scratch import own_prefix
from core.system.workers import COMPARISON, Worker, wait_for_any
from core.training.run import PACKAGES

LOOK_SECONDS = 0.1
"""How often it is asked whether to stop, while there is nothing else to do."""

JOBS, CORES_A_JOB = 2, 4
"""Matrix products of a step are small, and much lies between them: two runs of one thread each gain
more than one of two. Past so many threads a run, another run gains more again."""

_OF_A_RUN = frozenset(
    {"epochs", "patience", "seed", "encoder_rate", "head_rate", "head_penalty", "threads"}
)
"""Choices that are each strategy's or each seed's own."""

SCRATCH = "thaw-compare-"
"""What the folder of temporary files begins with; the number of its process follows."""

RATE_STEP = 3.0
"""How far apart the learning rates lie that a run may choose from."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class WantedRun:
    """A run to be done."""

    scenario: Scenario
    seed: int
    variant: Variant = TOGETHER_ALL

    @property
    def place(self) -> tuple[str, int]:
        return self.scenario.name, self.seed


class Planned:
    """A comparison before its runs: its workers, its folder, and what is known of what will run."""

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
            tempfile.TemporaryDirectory(prefix=own_prefix(SCRATCH), ignore_cleanup_errors=True)
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
        self.notes += what_is_left_out(choice, data, deals)
        self.running: dict[Worker, WantedRun] = {}
        self.idle: list[Worker] = []
        self.beyond: list[float] = []  # by run that has ended, its seconds beyond the estimate
        self.standing: Standing | None = None
        self.over_budget = False
        self.shared = self._worker(do_shared)
        self.local_jobs = self.jobs if choice.engine == LOCAL else 1
        self.beside = [self._worker(do_shared) for _ in range(max(1, self.local_jobs - 1))]
        # The floor needs no encoder, and one core: it is scored while the encoder is loaded and the
        # layers are profiled, which leave a core idle.
        self.beside[0].send(FloorJob(deals=tuple(self._floor_deals())))

    def _worker(self, work: Callable[..., None]) -> Worker:
        worker = Worker(work, self.setting, preload=COMPARISON)
        self.stack.callback(worker.stop)
        return worker

    def _check(self) -> None:
        if self.cancelled is not None and self.cancelled():
            raise CancelledError(f"stopped with {len(self.finished)} runs done")

    def _ask(self, message: Question, kind: type[Answer]) -> Answer:
        """Ask the worker that does what all runs share, and wait for its answer."""
        self.shared.send(message)
        return self._answer(self.shared, kind)

    def _answer(self, worker: Worker, kind: type[Answer]) -> Answer:
        """Wait for what a worker answers.

        Raises:
            ValueError: If it refused what was given.
            RuntimeError: If it failed for another reason.
        """
        while not wait_for_any([worker], LOOK_SECONDS):
            self._check()
        answer = worker.receive()
        if isinstance(answer, Failed):
            raise ValueError(answer.reason) if answer.refused else RuntimeError(answer.reason)
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
        # Measured side by side, as the runs will be, since they slow each other down.
        measuring = [self.shared, *self.beside][: self.local_jobs]
        auto = any(scenario.read == AUTO for scenario in self.choice.strategies)
        if auto and self.local_jobs > 1:
            measuring = self.beside  # beside profiles, which the runs need in any case
            self._begin_measuring(measuring)
        if auto:
            yield ComparisonStage(what="profiling the layers")
            self._profile(0)
        yield ComparisonStage(what="scoring the floor")
        self.floor = self._answer(self.beside[0], dict)
        yield ComparisonStage(what="measuring steps")
        if self.shared in measuring:
            self._begin_measuring(measuring)
        elif auto:
            self._profile_until(measuring)
        self.measured = mean_of([self._answer(each, Measured) for each in measuring])
        for worker in self.beside:
            worker.stop()

    def _begin_measuring(self, workers: Sequence[Worker]) -> None:
        for worker in workers:
            worker.send(MeasureJob(deal=self.deals[0], batch=self.choice.training.batch))

    def _profile_until(self, workers: Sequence[Worker]) -> None:
        """Profile the rows of seed after seed, until all are done or a worker has an answer."""
        for seed in self.deals:
            if wait_for_any(workers, 0):
                return
            self._profile(seed)

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

    def _choices(self, run: WantedRun) -> tuple[TrainingChoice, ...]:
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

    def estimate(self, run: WantedRun) -> float:
        """Estimate what a run will take, from measured steps."""
        layers, scenario, seed = self.known.layers, run.scenario, run.seed
        if scenario.read == AUTO and self.deals[seed].training not in self.profiles:
            seed = 0  # where it reads there stands for all
        read, _, _ = self._read(scenario, seed)
        deal = run.variant.deal(self.data, self.deals[run.seed])
        choices, highest = self._choices(run), highest_read(read, layers)
        one = self.measured.seconds(scenario.strategy, highest, layers, deal, choices[0])
        return one * len(choices)

    @property
    def measures_retention(self) -> bool:
        """Whether the first run of each strategy tells its drift and forgetting."""
        if self.choice.engine != LOCAL:  # the probe's states lie on this machine
            return False
        hurry = self.choice.budget_seconds is not None
        return not hurry or self.choice.advice.cost == "forgetting"

    def plan(self) -> ComparisonPlan:
        """Say what will run, in which order, and what it will take."""
        variants = variants_of(self.choice, self.data, self.deals)
        self.further = {variant: self._there(variant) for variant in variants}
        runs, tuned = [], 0.0
        known = [run for run in self.finished.values() if run.record.forgetting is not None]
        seen = {run.record.strategy for run in known}
        for run in [*self._order(TOGETHER_ALL), *(r for v in variants for r in self._order(v))]:
            done = run.place in self._finished(run.variant)
            seconds = 0.0 if done else self.estimate(run)
            if self.measures_retention and not done and run.scenario.name not in seen:
                strategy, layers = run.scenario.strategy, self.known.layers
                more = self.measured.retention(strategy, layers, pretrained=not tuned)
                seconds, tuned = seconds + more, tuned + more
            seen |= set() if done else {run.scenario.name}
            runs.append(
                PlannedRun(
                    strategy=run.scenario.name,
                    seed=run.seed,
                    part=run.variant.name,
                    seconds=seconds,
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

    def _order(self, variant: Variant) -> list[WantedRun]:
        """List all runs of a variant: seed by seed, the cheapest strategy first.

        Of runs that go side by side the last seed's are the other way round: a long one that
        begins last would leave the other cores with nothing to do.
        """
        able = [each for each in self.choice.strategies if variant.takes(each)]
        cheap_first = sorted(able, key=lambda each: self.estimate(WantedRun(scenario=each, seed=0)))
        seeds = list(self.deals)
        turned = seeds[-1] if len(seeds) > 1 and self.jobs > 1 else None
        return [
            WantedRun(scenario=scenario, seed=seed, variant=variant)
            for seed in seeds
            for scenario in (cheap_first if seed != turned else reversed(cheap_first))
        ]


def split_cores(choice: ComparisonChoice) -> tuple[int, int]:
    """Decide how many runs go side by side, and on how many threads each, by rule.

    Raises:
        ValueError: If more jobs are asked for than there are threads, or there is no Ray cluster.
    """
    if choice.engine == RAY:
        from core.system.ray_workers import connect_ray

        threads = choice.threads or 1
        return choice.jobs or max(1, connect_ray() // threads), threads
    threads = choice.threads or usable_cores()
    jobs = choice.jobs or max(min(JOBS, threads), threads // CORES_A_JOB)
    if jobs > threads:
        raise ValueError(
            f"jobs is {jobs}, must be 1 to {threads}, the threads there are: more would slow "
            "each other down"
        )
    return jobs, threads // jobs
