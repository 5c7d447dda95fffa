"""What a comparison with a deadline runs next: seeds go only where they can change the answer.

It decides on recorded scores and costs alone, never on the clock of the moment, so that the same
records give the same race again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from core.advice.costs import Candidate, by_cost
from core.advice.held_out import HeldOut
from core.advice.paired import Outcomes
from core.advice.verdict import CANNOT_TELL, FALSE_CLAIMS, judge
from core.config import FOLDS, AdviceChoice

Place = tuple[str, int]
"""A run: its strategy and seed."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A run that has finished.

    Attributes:
        held_out: What it predicted.
        seconds: What it took.
    """

    held_out: HeldOut
    seconds: float

    @property
    def place(self) -> Place:
        """Which run it is."""
        return self.held_out.strategy, self.held_out.seed


@dataclass(frozen=True, kw_only=True)
class Race:
    """What a race is about.

    Attributes:
        seeds: How many runs each strategy has at most.
        groups: A number for each row of the data; near-duplicates share one.
        choice: Margin, score, and the cost that matters.
        estimates: By strategy, the seconds that a run is expected to take.
        budget_seconds: What all runs may take together; None is as long as they take.
        workers: How many runs go side by side, and so share the budget.
    """

    seeds: int
    groups: Sequence[int]
    choice: AdviceChoice
    estimates: Mapping[str, float] = field(default_factory=dict)
    budget_seconds: float | None = None
    workers: int = 1

    def __post_init__(self) -> None:
        if not self.seeds > 0 or not self.workers > 0:
            raise ValueError(f"seeds is {self.seeds} and workers {self.workers}, must be 1 or more")
        if self.budget_seconds is not None and not self.budget_seconds > 0:
            raise ValueError(f"budget is {self.budget_seconds} seconds, must be above 0")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a race stands.

    Attributes:
        next: The run to begin; None where there is none.
        dropped: Those shown neither to win nor to be good enough; they stay dropped.
        waiting: Those that get no more seeds for now: a cheaper one is shown good enough beside
            them, so that they would not be advised if they won.
        needed: Those whose runs can still change the answer, runs under way included; none where
            it is there.
        spent: Seconds of the budget that are used, runs under way included as estimated.
        out_of_time: Whether there is a run that the budget has no room for.
    """

    next: Place | None
    dropped: tuple[str, ...]
    waiting: tuple[str, ...]
    needed: tuple[str, ...]
    spent: float
    out_of_time: bool


def stand(
    race: Race,
    candidates: Sequence[Candidate],
    runs: Sequence[Recorded],
    *,
    dropped: Collection[str] = (),
    under_way: Collection[Place] = (),
) -> Standing:
    """Judge what has finished, and choose what to run next.

    Of the runs that can still change the answer the next is that whose strategy will have cost
    least with it, so that cheap strategies come first and dear ones still have their turn.

    Args:
        race: What it is about.
        candidates: All strategies, in the order given, with what is known of their costs.
        runs: What has finished.
        dropped: Those dropped before.
        under_way: Runs that have begun and not finished.
    """
    outcomes = Outcomes([each.held_out for each in runs], race.groups, race.choice.score)
    order = [each.name for each in by_cost(candidates, race.choice.cost)]
    out = {name for name in order if name in dropped}
    out |= _beaten(race, outcomes, [name for name in order if name not in out], len(order))
    live = [name for name in order if name not in out]
    waiting = _waiting(race, outcomes, live)
    spent = sum(each.seconds for each in runs)
    spent += sum(_cost(race, runs, name) for name, _ in under_way)
    spent /= race.workers
    contenders = [name for name in live if name not in waiting]
    needed = [] if _is_settled(race, outcomes, order, contenders, out) else contenders
    open_runs = _open_runs(race, needed, runs, under_way)
    given = [each.name for each in candidates]
    done = {name: _count(runs, under_way, name) for name in contenders}
    open_runs.sort(
        key=lambda run: (_cost(race, runs, run[0]) * (done[run[0]] + 1), given.index(run[0]))
    )
    fits = [run for run in open_runs if _fits(race, spent, _cost(race, runs, run[0]))]
    return Standing(
        next=fits[0] if fits else None,
        dropped=tuple(name for name in given if name in out),
        waiting=tuple(name for name in given if name in waiting),
        needed=tuple(name for name in given if name in needed),
        spent=spent,
        out_of_time=len(fits) < len(open_runs),
    )


def _beaten(race: Race, outcomes: Outcomes, live: Sequence[str], strategies: int) -> set[str]:
    """Find who is shown neither to win nor to be good enough.

    Shown more than the margin worse than another; or worse than a cheaper one, which then wins
    on both counts. Corrected for the strategies, and for looking again after every seed.
    """
    # Bonferroni's inequality over the others and the looks.
    chance = FALSE_CLAIMS / max(1, strategies - 1) / race.seeds
    some = [name for name in live if name in outcomes.strategies]
    found: set[str] = set()
    for name in some:
        for place, other in enumerate(some):
            if other == name or other in found:
                continue
            least = 0.0 if place < some.index(name) else race.choice.margin / 100
            if outcomes.difference(other, name).above(least, chance):
                found.add(name)
                break
    return found


def _waiting(race: Race, outcomes: Outcomes, live: Sequence[str]) -> set[str]:
    """Find who has a cheaper one shown good enough beside it, which goes on itself."""
    chance, margin = FALSE_CLAIMS / race.seeds, race.choice.margin / 100
    going: list[str] = []
    waiting: set[str] = set()
    for name in live:  # the cheapest first
        if name in outcomes.strategies and any(
            outcomes.difference(other, name).above(-margin, chance) for other in going
        ):
            waiting.add(name)
        elif name in outcomes.strategies:
            going.append(name)
    return waiting


def _is_settled(
    race: Race,
    outcomes: Outcomes,
    order: Sequence[str],
    contenders: Sequence[str],
    dropped: Collection[str],
) -> bool:
    """Tell whether the answer is there, so that further seeds would only repeat it."""
    if len(outcomes.strategies) < 2:
        return False
    if not all(outcomes.complete(name, FOLDS) for name in contenders):
        return False
    run = [name for name in order if name in outcomes.strategies]
    verdict = judge(outcomes, run, margin=race.choice.margin, folds=FOLDS, dropped=dropped)
    return verdict.status != CANNOT_TELL


def _open_runs(
    race: Race, contenders: Sequence[str], runs: Sequence[Recorded], under_way: Collection[Place]
) -> list[Place]:
    """List each contender's next seed; none begins a second repetition before all did the first.

    A repetition more is for those that could not be told apart by the one before.
    """
    begun = {each.place for each in runs} | set(under_way)
    nexts = [
        (name, next((seed for seed in range(race.seeds) if (name, seed) not in begun), None))
        for name in contenders
    ]
    found = [(name, seed) for name, seed in nexts if seed is not None]
    first = min((seed // FOLDS for _, seed in found), default=0)
    return [(name, seed) for name, seed in found if seed // FOLDS == first]


def _count(runs: Sequence[Recorded], under_way: Collection[Place], name: str) -> int:
    done = sum(each.held_out.strategy == name for each in runs)
    return done + sum(strategy == name for strategy, _ in under_way)


def _cost(race: Race, runs: Sequence[Recorded], name: str) -> float:
    """Expect of a run what the strategy's other runs took, else the estimate."""
    known = [each.seconds for each in runs if each.held_out.strategy == name]
    return sum(known) / len(known) if known else race.estimates.get(name, 0.0)


def _fits(race: Race, spent: float, cost: float) -> bool:
    return race.budget_seconds is None or spent + cost <= race.budget_seconds
