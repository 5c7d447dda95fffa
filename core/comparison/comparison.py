"""The comparison: strategies × seeds in worker processes, each finished run kept at once."""

import contextlib
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.advice.costs import Candidate
from core.advice.race import Race, Recorded, Standing, stand
from core.comparison.choice import ComparisonChoice
from core.comparison.cost import Measured, mean_of
from core.comparison.crew import LOOK_SECONDS, Crew, split_cores
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
from core.comparison.folds import ComparedData, compared_data
from core.comparison.report import Circumstances, candidate, comparison_document
from core.comparison.schedule import Schedule
from core.comparison.shared import (
    About,
    FloorJob,
    Known,
    MeasureJob,
    PrefixJob,
    Prepared,
    Profiled,
    ProfileJob,
    RetentionJob,
    Setting,
)
from core.comparison.store import REPORT, ComparisonFolder, FinishedRun
from core.comparison.variants import TOGETHER_ALL, WantedRun, what_is_left_out
from core.comparison.work import Job, Step
from core.config import LOCAL, EncoderChoice
from core.data.dataset import Dataset
from core.encoder.encoder import CancelledError
from core.strategy.scenario import AUTO
from core.strategy.thaw_plan import ThawPlan
from core.system.files import write_json
from core.system.machine import versions
from core.system.scratch import own_prefix
from core.system.workers import Worker, wait_for_any
from core.training.run import PACKAGES

_OF_A_RUN = frozenset(
    {"epochs", "patience", "seed", "encoder_rate", "head_rate", "head_penalty", "threads"}
)
"""Choices that are each strategy's or each seed's own."""

SCRATCH = "thaw-compare-"
"""What the folder of temporary files begins with; the number of its process follows."""


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
    jobs, threads = split_cores(choice)
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(
            tempfile.TemporaryDirectory(prefix=own_prefix(SCRATCH), ignore_cleanup_errors=True)
        )
        setting = Setting(
            data=data,
            encoder=encoder,
            threads=threads,
            memory_bytes=choice.training.prefix_megabytes * 1e6,
            scratch=scratch,
            command=command,
        )
        schedule = Schedule(data, deals, choice, jobs, threads)

        def check() -> None:
            if cancelled is not None and cancelled():
                raise CancelledError(f"stopped with {len(schedule.finished)} runs done")

        crew = Crew(setting, choice.engine, jobs, check, stack)
        running = _Comparison(setting, schedule, crew, check, began)
        yield ComparisonStage(what=f"loading {encoder.name}")
        running.begin(folder, stack)
        yield from running.prepare()
        yield schedule.plan(running.floor, running.notes)
        yield from running.runs()
        yield from running.further_runs()
        yield running.done()


def identity(
    data: ComparedData, encoder: EncoderChoice, known: Known, choice: ComparisonChoice
) -> dict[str, Any]:
    """Say what all runs of a comparison must share to stand beside each other."""
    training = asdict(choice.training)
    return {
        "data": data.dataset.fingerprint,
        "encoder": {
            "name": encoder.name,
            "pooling": known.pooling,
            "normalized": known.normalized,
            "weights": known.fingerprint,
        },
        "folds": data.folds,
        "epochs": choice.epochs,
        "rates": choice.rates,
        "training": {name: each for name, each in training.items() if name not in _OF_A_RUN},
        "versions": versions(PACKAGES),
    }


class _Comparison:
    """One comparison while it runs: it has the crew do what the schedule wants, and tells of it."""

    def __init__(
        self,
        setting: Setting,
        schedule: Schedule,
        crew: Crew,
        check: Callable[[], None],
        began: float,
    ) -> None:
        self.setting, self.schedule, self.crew = setting, schedule, crew
        self.check, self.began = check, began
        self.data, self.deals, self.choice = schedule.data, schedule.deals, schedule.choice
        self.kept: ComparisonFolder | None = None
        self.floor: dict[str, dict[str, Any] | None] = {}
        self.notes = [note for deal in self.deals.values() for note in deal.notes]
        self.notes += what_is_left_out(self.choice, self.data, self.deals)
        self.standing: Standing | None = None
        self.over_budget = False
        # The floor needs no encoder, and one core: it is scored while the encoder is loaded and the
        # layers are profiled, which leave a core idle.
        crew.beside[0].send(FloorJob(deals=schedule.floor_deals()))

    def begin(self, folder: Path | None, stack: contextlib.ExitStack) -> None:
        """Load the encoder once, open the folder, and find what is there already."""
        self.known = self.crew.ask(About(), Known)
        if folder is None:
            return
        same = identity(self.data, self.setting.encoder, self.known, self.choice)
        self.kept = stack.enter_context(ComparisonFolder(folder, same))
        for variant in (TOGETHER_ALL, *self.schedule.further):
            self.schedule.recall(variant, self.kept.finished(variant.name))

    def prepare(self) -> Iterator[ComparisonEvent]:
        """Find the floor, the layers to read for the first seed, and what steps take."""
        # Measured side by side, as the runs will be, since they slow each other down.
        crew, auto = self.crew, self.schedule.needs_profiles
        measuring = [crew.shared, *crew.beside][: crew.measuring]
        if auto and crew.measuring > 1:
            measuring = crew.beside  # beside profiles, which the runs need in any case
            self._begin_measuring(measuring)
        if auto:
            yield ComparisonStage(what="profiling the layers")
            self._profile(0)
        yield ComparisonStage(what="scoring the floor")
        self.floor = crew.answer(crew.beside[0], dict)
        yield ComparisonStage(what="measuring steps")
        if crew.shared in measuring:
            self._begin_measuring(measuring)
        elif auto:
            self._profile_until(measuring)
        self.schedule.measured = mean_of([crew.answer(each, Measured) for each in measuring])
        crew.release_beside()

    def _begin_measuring(self, workers: Sequence[Worker]) -> None:
        for worker in workers:
            worker.send(MeasureJob(deal=self.deals[0], batch=self.choice.training.batch))

    def _profile_until(self, workers: Sequence[Worker]) -> None:
        """Profile the rows of seed after seed, until all are done or a worker has an answer."""
        for seed in self.deals:
            if wait_for_any(workers, 0):
                return
            self._profile(seed)

    def _profile(self, seed: int) -> None:
        rows, profiles = self.deals[seed].training, self.schedule.profiles
        if rows not in profiles:
            profiles[rows] = self.crew.ask(ProfileJob(rows=rows), Profiled)

    def runs(self) -> Iterator[ComparisonEvent]:
        """Run what is not there yet, side by side, and tell what happens."""
        waiting = self.schedule.waiting()
        if self.choice.budget_seconds is None:
            yield from self._all(waiting)
        else:
            yield from self._race(waiting, self.choice.budget_seconds)

    def further_runs(self) -> Iterator[ComparisonEvent]:
        """Run what the further tables need, one variant after another."""
        if not self.over_budget:
            yield from self._all(self.schedule.further_waiting())

    def _all(self, waiting: list[WantedRun]) -> Iterator[ComparisonEvent]:
        while waiting or self.crew.running:
            self.check()
            if self._late():
                return
            while waiting and self.crew.has_room:
                run = waiting.pop(0)
                yield RunStarted(strategy=run.scenario.name, seed=run.seed, part=run.variant.name)
                self._start(run)
            yield from self._listen(waiting)

    def _race(self, waiting: list[WantedRun], budget: float) -> Iterator[ComparisonEvent]:
        """Run what can still change the answer, as recorded scores and costs say."""
        given = {run.place: run for run in waiting}
        before = map(_recorded, self.schedule.finished.values())
        left = budget - (time.perf_counter() - self.began)
        # What was done before is paid for, and what all runs share is spent.
        paid = sum(each.seconds for each in before) / self.schedule.jobs
        race = Race(
            seeds=self.choice.seeds,
            groups=self.data.groups,
            choice=self.choice.advice,
            estimates=self.schedule.estimates(),
            budget_seconds=max(left, LOOK_SECONDS) + paid,
            workers=self.schedule.jobs,
        )
        judged: tuple[int, int] | None = None
        while not self._late():
            self.check()
            if self.schedule.ended != judged:  # else it stands as it did, and judging takes a while
                judged = self.schedule.ended
                yield from self._judge(race, given)
            if not self.crew.running:
                return
            yield from self._listen(list(given.values()))

    def _judge(
        self, race: Race, given: dict[tuple[str, int], WantedRun]
    ) -> Iterator[ComparisonEvent]:
        """Stop the runs that nothing hangs on any more, and begin those that come next."""
        needed = self._stand(race).needed
        stopped = self.crew.stop(lambda run: run.scenario.name not in needed)
        for run in stopped:
            given[run.place] = run
            yield RunStopped(strategy=run.scenario.name, seed=run.seed)
        standing = self._stand(race) if stopped else self.standing  # they cost nothing any more
        assert standing is not None
        while standing.next is not None and self.crew.has_room:
            run = given.pop(standing.next)
            yield RunStarted(strategy=run.scenario.name, seed=run.seed)
            self._start(run)
            standing = self._stand(race)
        self.over_budget = standing.out_of_time and not self.crew.running

    def _stand(self, race: Race) -> Standing:
        finished = list(self.schedule.finished.values())
        candidates = []
        for name, seconds in self.schedule.estimates().items():
            known = candidate(name, [r.record for r in finished if r.record.strategy == name])
            candidates.append(known or Candidate(name=name, seconds=seconds))
        self.standing = stand(
            race,
            candidates,
            list(map(_recorded, finished)),
            dropped=self.standing.dropped if self.standing else (),
            under_way={run.place for run in self.crew.running.values()} | self.schedule.gone,
        )
        return self.standing

    def _late(self) -> bool:
        """Tell whether the budget is spent; then whatever still runs is stopped."""
        budget = self.choice.budget_seconds
        if budget is None or time.perf_counter() - self.began < budget:
            return False
        self.over_budget = True
        self.crew.stop(lambda _: True)
        return True

    def _start(self, run: WantedRun) -> None:
        """Send a run to a worker; a strategy's first run has one that did nothing before."""
        begun = time.perf_counter()
        schedule, running = self.schedule, self.crew.running.values()
        if run.scenario.read == AUTO:
            self._profile(run.seed)
        read, tasks = schedule.read(run.scenario, run.seed), run.variant.tasks
        layers = {n: each for n, each in read.layers.items() if tasks is None or n in tasks}
        plan = schedule.thaw_plan(run.scenario, layers)
        deal = run.variant.deal(self.data, self.deals[run.seed])
        prefix = self._prefix(PrefixJob(plan=plan, rows=(*deal.training, *deal.validation)))
        first, lacks = schedule.is_first(run, running), schedule.lacks_retention(run, running)
        retention = self._retention(plan) if lacks else None
        worker = self.crew.take(run, fresh=first)
        worker.send(
            Job(
                plan=plan,
                deal=deal,
                choices=schedule.choices(run, plan),
                profile_seconds=read.seconds,
                prefix=prefix,
                measure=first,
                retention=retention,
                folder=self._folder(run),
                keep_model=run.variant == TOGETHER_ALL,
                waited_seconds=time.perf_counter() - begun,
                notes=read.notes,
            )
        )

    def _folder(self, run: WantedRun) -> Path | None:
        """Say where a run is kept."""
        if self.kept is None:
            return None
        name, settings = run.scenario.name, run.scenario.strategy.settings
        return self.kept.run_folder(name, settings, run.seed, run.variant.name)

    def _prefix(self, job: PrefixJob) -> Prepared:
        """Get the states that a run takes from what it freezes; elsewhere it makes its own."""
        if self.choice.engine != LOCAL:
            return Prepared(folder=None, seconds=0.0)
        return self.crew.ask(job, Prepared)

    def _retention(self, plan: ThawPlan) -> Prepared | None:
        """Get ready to measure drift and forgetting, unless a deadline leaves no time for it."""
        if plan.depth == plan.layers:  # nothing moves: that needs no computing
            return Prepared(folder=None, seconds=0.0)
        if not self.schedule.measures_retention:
            return None
        return self.crew.ask(RetentionJob(depth=plan.depth), Prepared)

    def _listen(self, waiting: Sequence[WantedRun]) -> Iterator[ComparisonEvent]:
        """Tell what workers say."""
        for run, said in self.crew.listen():
            name, seed, part = run.scenario.name, run.seed, run.variant.name
            if isinstance(said, Step):
                yield RunProgress(strategy=name, seed=seed, part=part, **vars(said))
            elif isinstance(said, FinishedRun):
                yield self._finish(run, said, waiting)
            elif said.fault:
                raise RuntimeError(f"{name}, seed {seed}: {said.reason}")
            else:
                self.schedule.fail(run, said.reason)
                yield RunFailed(strategy=name, seed=seed, part=part, reason=said.reason)

    def _finish(
        self, run: WantedRun, found: FinishedRun, waiting: Sequence[WantedRun]
    ) -> RunFinished:
        """Keep what a worker gave, and say what is left."""
        self.schedule.finish(run, found)
        more = self.schedule.further_waiting() if run.variant == TOGETHER_ALL else []
        left = self.schedule.seconds_left([*waiting, *more], self.crew.running.values())
        so_far = tuple(self.schedule.finished.values())
        return RunFinished(
            record=found.record,
            held_out=found.held_out,
            part=run.variant.name,
            done=self.schedule.done,
            seconds_left=left,
            report=lambda: self.document(so_far),
        )

    def document(self, runs: Sequence[FinishedRun]) -> dict[str, Any]:
        """Report on some finished runs."""
        further = self.schedule.further
        about = Circumstances(
            data=self.data,
            choice=self.choice,
            encoder={"name": self.setting.encoder.name, **vars(self.known)},
            floor=self.floor,
            command=self.setting.command,
            jobs=self.schedule.jobs,
            threads=self.schedule.threads,
            wall_seconds=time.perf_counter() - self.began,
            notes=tuple(self.notes),
            failed=self.schedule.failed,
            dropped=self.standing.dropped if self.standing else (),
            over_budget=self.over_budget,
            further={v: tuple(each.values()) for v, each in further.items() if each},
        )
        return comparison_document(about, runs)

    def done(self) -> ComparisonDone:
        """End, with the report, which is kept beside the runs.

        Raises:
            RuntimeError: If runs ended, and each of them by failing.
        """
        runs, failed = tuple(self.schedule.finished.values()), self.schedule.failed
        if not runs and failed:
            strategy, reasons = next(iter(failed.items()))
            raise RuntimeError(f"no run came to its end; {strategy} ended with {reasons[0]}")
        if not runs:
            self.notes.append(
                f"the budget of {self.choice.budget_seconds:g} seconds ended before the first "
                "run did: raise it"
            )
        document = self.document(runs)
        if self.kept is not None and runs:
            write_json(self.kept.path / REPORT, document)
        return ComparisonDone(
            document=document,
            dataset=self.data.dataset,
            runs=runs,
        )


def _recorded(run: FinishedRun) -> Recorded:
    return Recorded(held_out=run.held_out, seconds=run.record.wall_seconds)
