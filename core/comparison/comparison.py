"""The comparison: strategies × seeds in worker processes, each finished run kept at once."""

import contextlib
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from core.advice.costs import Candidate
from core.advice.race import Race, Recorded, Standing, stand
from core.comparison.choice import LOCAL, ComparisonChoice
from core.comparison.events import (
    ComparisonDone,
    ComparisonEvent,
    ComparisonStage,
    RunFailed,
    RunFinished,
    RunProgress,
    RunStarted,
    RunStopped,
)
from core.comparison.folds import Deal, compared_data
from core.comparison.report import Circumstances, candidate, comparison_document
from core.comparison.schedule import LOOK_SECONDS, Planned, WantedRun
from core.comparison.shared import (
    Failed,
    PrefixJob,
    Prepared,
    RetentionJob,
)
from core.comparison.store import REPORT, FinishedRun
from core.comparison.variants import TOGETHER_ALL
from core.comparison.work import Job, Step, do_run_elsewhere, do_runs
from core.config import EncoderChoice
from core.data.dataset import Dataset
from core.strategy.scenario import Scenario
from core.strategy.strategy import frozen_depth
from core.system.files import write_json
from core.system.workers import Worker, WorkerDiedError, wait_for_any


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
        RuntimeError: If runs ended, and each of them by failing.
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


class _Comparison(Planned):
    """One comparison while it runs."""

    def _run_worker(self) -> Worker:
        if self.choice.engine == LOCAL:
            return self._worker(do_runs)
        from core.system.ray_workers import RayWorker

        worker = RayWorker(do_run_elsewhere, self.setting, self.threads)
        self.stack.callback(worker.stop)
        return worker

    def runs(self) -> Iterator[ComparisonEvent]:
        """Run what is not there yet, side by side, and tell what happens."""
        waiting = [run for run in self._order(TOGETHER_ALL) if run.place not in self.finished]
        if self.choice.budget_seconds is None:
            yield from self._all(waiting)
        else:
            yield from self._race(waiting, self.choice.budget_seconds)

    def further_runs(self) -> Iterator[ComparisonEvent]:
        """Run what the further tables need, one variant after another."""
        if not self.over_budget:
            yield from self._all(
                [
                    run
                    for variant, there in self.further.items()
                    for run in self._order(variant)
                    if run.place not in there
                ]
            )

    def _all(self, waiting: list[WantedRun]) -> Iterator[ComparisonEvent]:
        while waiting or self.running:
            self._check()
            if self._late():
                return
            while waiting and len(self.running) < self.jobs:
                run = waiting.pop(0)
                yield RunStarted(strategy=run.scenario.name, seed=run.seed, part=run.variant.name)
                self._start(run)
            yield from self._listen(waiting)

    def _race(self, waiting: list[WantedRun], budget: float) -> Iterator[ComparisonEvent]:
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
                each.name: self.estimate(WantedRun(scenario=each, seed=0))
                for each in self.choice.strategies
            },
            budget_seconds=max(left, LOOK_SECONDS) + paid,
            workers=self.jobs,
        )
        judged: tuple[int, int] | None = None
        while not self._late():
            self._check()
            ended = len(self.finished), sum(map(len, self.failed_places.values()))
            if ended != judged:  # only then the race stands otherwise, and judging takes a while
                judged = ended
                yield from self._judge(race, given)
            if not self.running:
                return
            yield from self._listen(list(given.values()))

    def _judge(
        self, race: Race, given: dict[tuple[str, int], WantedRun]
    ) -> Iterator[ComparisonEvent]:
        """Stop the runs that nothing hangs on any more, and begin those that come next."""
        standing = self._stand(race)
        stopped = self._stop_needless(standing.needed)
        for run in stopped:
            given[run.place] = run
            yield RunStopped(strategy=run.scenario.name, seed=run.seed)
        if stopped:  # they cost nothing any more
            standing = self._stand(race)
        while standing.next is not None and len(self.running) < self.jobs:
            run = given.pop(standing.next)
            yield RunStarted(strategy=run.scenario.name, seed=run.seed)
            self._start(run)
            standing = self._stand(race)
        self.over_budget = standing.out_of_time and not self.running

    def _stop_needless(self, needed: Sequence[str]) -> list[WantedRun]:
        """Stop the runs that can no longer change the answer, and say which."""
        found = [each for each in self.running.items() if each[1].scenario.name not in needed]
        for worker, _ in found:
            worker.stop()
            del self.running[worker]
        return [run for _, run in found]

    def _stand(self, race: Race) -> Standing:
        records = list(self.finished.values())
        candidates = []
        for scenario in self.choice.strategies:
            own = [run.record for run in records if run.record.strategy == scenario.name]
            estimate = self.estimate(WantedRun(scenario=scenario, seed=0))
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

    def _start(self, run: WantedRun) -> None:
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
        wanted = variant == TOGETHER_ALL and self._lacks_retention(scenario.name)
        retention = self._retention(scenario) if wanted else None
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

    def _lacks_retention(self, name: str) -> bool:
        """Tell whether no run of a strategy has measured what it forgets, nor is about to."""
        if any(name == run.place[0] for run in self.running.values()):
            return False
        own = [run.record for run in self.finished.values() if run.record.strategy == name]
        return all(record.forgetting is None for record in own)

    def _retention(self, scenario: Scenario) -> Prepared | None:
        """Get ready to measure drift and forgetting, unless a deadline leaves no time for it."""
        depth = frozen_depth(scenario.strategy, self.known.layers)
        if depth == self.known.layers:  # nothing moves: that needs no computing
            return Prepared(folder=None, seconds=0.0)
        if not self.measures_retention:
            return None
        return self._ask(RetentionJob(depth=depth), Prepared)

    def _listen(self, waiting: Sequence[WantedRun]) -> Iterator[ComparisonEvent]:
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

    def _fail(self, run: WantedRun, reason: str) -> None:
        self.failed_places.setdefault(run.variant, set()).add(run.place)
        part = f"{run.variant.name}, " if run.variant.name else ""
        told = self.failed.setdefault(run.scenario.name, [])
        told.append(f"{part}seed {run.seed}: {reason}")

    def _finish(
        self, run: WantedRun, message: FinishedRun, waiting: Sequence[WantedRun]
    ) -> RunFinished:
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

    def _expect(self, run: WantedRun) -> float:
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
            RuntimeError: If runs ended, and each of them by failing.
        """
        if not self.finished and self.failed:
            strategy, reasons = next(iter(self.failed.items()))
            raise RuntimeError(f"no run came to its end; {strategy} ended with {reasons[0]}")
        if not self.finished:
            self.notes.append(
                f"the budget of {self.choice.budget_seconds:g} seconds ended before the first "
                "run did: raise it"
            )
        runs = tuple(self.finished.values())
        document = self.document(runs)
        if self.kept is not None and runs:
            write_json(self.kept.path / REPORT, document)
        return ComparisonDone(
            document=document,
            dataset=self.data.dataset,
            runs=runs,
            within_budget=not self.over_budget,
        )
