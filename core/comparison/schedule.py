"""What a comparison wants to run, in which order and at what cost, and what of it is there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.comparison.choice import ComparisonChoice
from core.comparison.cost import Measured
from core.comparison.events import ComparisonPlan, PlannedRun
from core.comparison.folds import ComparedData, Deal
from core.comparison.shared import Profiled
from core.comparison.store import FinishedRun
from core.comparison.variants import TOGETHER_ALL, Variant, WantedRun, variants_of
from core.config import LOCAL, TrainingChoice
from core.strategy.scenario import AUTO, Scenario
from core.strategy.strategy import lowest_read
from core.strategy.thaw_plan import ThawPlan

RATE_STEP = 3.0
"""How far apart the learning rates lie that a run may choose from."""

Place = tuple[str, int]
"""A strategy's name and a seed."""


@dataclass(frozen=True, kw_only=True)
class Read:
    """Where the heads of a run read.

    Attributes:
        layers: By task.
        seconds: What finding it cost.
        notes: What to say of it.
    """

    layers: dict[str, int | str]
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


class Schedule:
    """The runs of a comparison, in its tables. It knows no worker: it is told what they found.

    Args:
        data: The rows.
        deals: By seed, how they are dealt.
        choice: What is asked for.
        jobs: Runs side by side.
        threads: torch threads of each.

    Attributes:
        measured: What steps take; known before anything is estimated.
        profiles: By training rows, what the layers know of them, as far as it was asked.
        finished: By place, the runs of the comparison itself that have ended.
        further: The same of each further table.
        failed: By strategy, why runs of it did not come to their end.
    """

    measured: Measured

    def __init__(
        self,
        data: ComparedData,
        deals: Mapping[int, Deal],
        choice: ComparisonChoice,
        jobs: int,
        threads: int,
    ) -> None:
        self.data, self.deals, self.choice = data, deals, choice
        self.jobs, self.threads = jobs, threads
        self.profiles: dict[tuple[int, ...], Profiled] = {}
        self.finished: dict[Place, FinishedRun] = {}
        self.further: dict[Variant, dict[Place, FinishedRun]] = {
            variant: {} for variant in variants_of(choice, data, deals)
        }
        self.failed: dict[str, list[str]] = {}
        self._failed_places: dict[Variant, set[Place]] = {}
        self._beyond: list[float] = []  # by run that has ended, its seconds beyond the estimate

    def recall(self, variant: Variant, runs: Iterable[FinishedRun]) -> None:
        """Take over the runs that were finished before, as far as they are asked for."""
        wanted = {each.name: dict(each.strategy.settings) for each in self.choice.strategies}
        self._table(variant).update(
            (run.key, run)
            for run in runs
            if run.record.seed in self.deals
            and wanted.get(run.record.strategy) == run.record.settings
        )

    def _table(self, variant: Variant) -> dict[Place, FinishedRun]:
        return self.finished if variant == TOGETHER_ALL else self.further[variant]

    @property
    def needs_profiles(self) -> bool:
        """Whether some heads read the best layer."""
        return any(scenario.read == AUTO for scenario in self.choice.strategies)

    @property
    def measures_retention(self) -> bool:
        """Whether the first run of each strategy tells its drift and forgetting."""
        if self.choice.engine != LOCAL:  # the probe's states lie on this machine
            return False
        hurry = self.choice.budget_seconds is not None
        return not hurry or self.choice.advice.cost == "forgetting"

    def floor_deals(self) -> tuple[Deal, ...]:
        """Give the deals of the first repetition: each row is held out once at most."""
        return tuple(
            deal
            for deal in self.deals.values()
            if deal.repetition == 0 and (deal.fold is not None or deal.seed == 0)
        )

    def read(self, scenario: Scenario, seed: int) -> Read:
        """Find where heads read; where that is the best layer, the seed's profile must be known."""
        layers = self.measured.layers
        names = [task.name for task in self.data.dataset.tasks]
        if scenario.read != AUTO:
            read = layers if scenario.read is None else scenario.read
            return Read(layers=dict.fromkeys(names, read))
        found = self.profiles[self.deals[seed].training]
        if found.profile is None:
            note = f"seed {seed}: @{AUTO} finds no layer, so the last is read: {found.reason}"
            last = dict[str, int | str](dict.fromkeys(names, layers))
            return Read(layers=last, seconds=found.seconds, notes=(note,))
        best = found.profile.best_from(lowest_read(scenario.strategy, layers))
        return Read(layers={name: best.get(name, layers) for name in names}, seconds=found.seconds)

    def thaw_plan(self, scenario: Scenario, read: Mapping[str, int | str]) -> ThawPlan:
        """Plan what trains when in a run, whose heads read some layers."""
        epochs = self.choice.epochs or scenario.strategy.epochs
        return ThawPlan(scenario=scenario, read=read, layers=self.measured.layers, epochs=epochs)

    def choices(self, run: WantedRun, plan: ThawPlan) -> tuple[TrainingChoice, ...]:
        """Say how a run trains: its epochs, and the rates that its validation rows choose from."""
        strategy, training = plan.strategy, self.choice.training
        own = replace(
            training,
            epochs=plan.epochs,
            patience=strategy.patience if self.choice.epochs is None else plan.epochs,
            seed=run.seed,
            threads=self.threads,
            balance=run.variant.balance or training.balance,
        )
        name = "head_rate" if plan.depth == plan.layers else "encoder_rate"
        if self.choice.rates == 1 or not self.deals[run.seed].validation:
            return (own,)
        powers = sorted(range(-(self.choice.rates // 2), self.choice.rates // 2 + 1), key=abs)
        tuned = getattr(strategy, name)
        rates = [tuned * RATE_STEP**power for power in powers[: self.choice.rates]]
        return tuple(replace(own, **{name: min(1.0, rate)}) for rate in rates)

    def estimate(self, run: WantedRun) -> float:
        """Estimate what a run will take, from measured steps."""
        scenario, seed = run.scenario, run.seed
        if scenario.read == AUTO and self.deals[seed].training not in self.profiles:
            seed = 0  # where it reads there stands for all
        plan = self.thaw_plan(scenario, self.read(scenario, seed).layers)
        deal, batch = run.variant.deal(self.data, self.deals[run.seed]), self.choice.training.batch
        return self.measured.seconds(plan, deal, batch) * len(self.choices(run, plan))

    def estimates(self) -> dict[str, float]:
        """Estimate a run of each strategy."""
        scenarios = self.choice.strategies
        return {each.name: self.estimate(WantedRun(scenario=each, seed=0)) for each in scenarios}

    def order(self, variant: Variant = TOGETHER_ALL) -> list[WantedRun]:
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

    def is_done(self, run: WantedRun) -> bool:
        """Tell whether a run has been finished."""
        return run.place in self._table(run.variant)

    def waiting(self) -> list[WantedRun]:
        """List the runs of the comparison itself that are not done."""
        return [run for run in self.order() if not self.is_done(run)]

    def further_waiting(self) -> list[WantedRun]:
        """List the runs of further tables that are not done, one table after another."""
        runs = (run for variant in self.further for run in self.order(variant))
        return [run for run in runs if not self.is_done(run)]

    def plan(self, floor: Mapping[str, Any], notes: Sequence[str]) -> ComparisonPlan:
        """Say what will run, in which order, and what it will take.

        Args:
            floor: By task, what needs no network.
            notes: What a person should know.
        """
        runs = tuple(self._planned_runs())
        seconds = sum(run.seconds for run in runs) / self.jobs
        budget = self.choice.budget_seconds
        return ComparisonPlan(
            runs=runs,
            seconds=seconds if budget is None else min(seconds, budget),
            rows=len(self.data.dataset.examples),
            folds=self.data.folds,
            jobs=self.jobs,
            threads=self.threads,
            floor={name: each for name, each in floor.items() if each is not None},
            notes=(*self.data.notes, *notes),
        )

    def _planned_runs(self) -> Iterable[PlannedRun]:
        """Estimate each run, and with a strategy's first one what it forgets."""
        tuned = 0.0
        known = [run for run in self.finished.values() if run.record.forgetting is not None]
        seen = {run.record.strategy for run in known}
        for run in (each for v in (TOGETHER_ALL, *self.further) for each in self.order(v)):
            done, name = self.is_done(run), run.scenario.name
            seconds = 0.0 if done else self.estimate(run)
            if self.measures_retention and not done and name not in seen:
                plan = self.thaw_plan(run.scenario, self.read(run.scenario, 0).layers)
                more = self.measured.retention(plan, pretrained=not tuned)
                seconds, tuned = seconds + more, tuned + more
            seen |= set() if done else {name}
            yield PlannedRun(
                strategy=name, seed=run.seed, part=run.variant.name, seconds=seconds, done=done
            )

    def is_first(self, run: WantedRun, running: Iterable[WantedRun]) -> bool:
        """Tell whether no run of a strategy is done or under way: memory is measured on its own."""
        names = [name for name, _ in self.finished] + [each.scenario.name for each in running]
        return run.variant == TOGETHER_ALL and run.scenario.name not in names

    def lacks_retention(self, run: WantedRun, running: Iterable[WantedRun]) -> bool:
        """Tell whether no run of a strategy has measured what it forgets, nor is about to."""
        name = run.scenario.name
        if run.variant != TOGETHER_ALL or any(name == each.scenario.name for each in running):
            return False
        own = [each.record for each in self.finished.values() if each.record.strategy == name]
        return all(record.forgetting is None for record in own)

    @property
    def gone(self) -> set[Place]:
        """The places of the runs that failed."""
        return {place for places in self._failed_places.values() for place in places}

    @property
    def ended(self) -> tuple[int, int]:
        """How many runs of the comparison itself have finished, and how many of all failed."""
        return len(self.finished), sum(map(len, self._failed_places.values()))

    @property
    def done(self) -> int:
        """How many runs have finished, in all tables."""
        return len(self.finished) + sum(map(len, self.further.values()))

    def fail(self, run: WantedRun, reason: str) -> None:
        """Put down that a run did not come to its end."""
        self._failed_places.setdefault(run.variant, set()).add(run.place)
        part = f"{run.variant.name}, " if run.variant.name else ""
        told = self.failed.setdefault(run.scenario.name, [])
        told.append(f"{part}seed {run.seed}: {reason}")

    def finish(self, run: WantedRun, found: FinishedRun) -> None:
        """Put down what a run found."""
        self._table(run.variant)[found.key] = found
        self._beyond.append(found.record.wall_seconds - self.estimate(run))

    def seconds_left(self, waiting: Iterable[WantedRun], running: Iterable[WantedRun]) -> float:
        """Expect how long the rest takes; of what runs, half is done."""
        left = sum(map(self._expect, waiting)) + sum(map(self._expect, running)) / 2
        return left / self.jobs

    def _expect(self, run: WantedRun) -> float:
        """Expect of a run what the strategy's others took, else the estimate and what comes to it.

        That is its start, its evaluations and its files, as the runs that have ended show.
        """
        there = self._table(run.variant).values()
        own = [r.record.wall_seconds for r in there if r.record.strategy == run.scenario.name]
        if own:
            return sum(own) / len(own)
        return self.estimate(run) + max(0.0, sum(self._beyond) / max(1, len(self._beyond)))
