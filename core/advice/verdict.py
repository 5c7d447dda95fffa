"""The rule of the advice: which strategy, and what has been shown of it.

Two kinds of statement, never mixed: one is *better*, or one is *good enough*. That a difference
was not shown is never read as there being none.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from core.advice.paired import Estimate, Outcomes

BETTER, GOOD_ENOUGH, CANNOT_TELL = "better", "good_enough", "cannot_tell"
FALSE_CLAIMS = 0.05
"""How often, at most, a claim may be false."""

BETTER_CHANCE = FALSE_CLAIMS * 2 / 3
"""The one-sided chance of error of each of the tests that "better" takes.

It is claimed of the highest mean alone, and only if that beats every cheaper one. A claim that
holds only if each of its parts does needs no correction of its own (Berger 1982,
doi:10.2307/1267823). That the highest of several is taken raises the error, by a seventh where all
are equally noisy, however many there are, and by two thirds where each is twice as noisy as the
one before (`python tests/benchmarks/advice_bench.py --level`). So `FALSE_CLAIMS` holds for any
number of strategies, and Bonferroni's inequality would only cost power.
"""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is advised for a task, or for all together, and the evidence.

    Attributes:
        task: Which; None for all tasks together.
        strategy: The one advised.
        status: `BETTER`, `GOOD_ENOUGH` or `CANNOT_TELL`.
        best: The one of the highest mean.
        rival: The one that the advised one is hardest to tell from: the best, where it is not that
            itself; else among the cheaper ones; among all if none is cheaper. None where nothing
            else is left.
        difference: How much better the advised one is than the rival, paired.
        mean: The advised one's score.
        cheaper: Those cheaper than the advised one, the race's losers included.
        complete: Whether the advised one has tested every row.
    """

    task: str | None
    strategy: str
    status: str
    best: str
    rival: str | None
    difference: Estimate | None
    mean: Estimate
    cheaper: tuple[str, ...]
    complete: bool


def judge(
    outcomes: Outcomes,
    cheapest_first: Sequence[str],
    *,
    margin: float,
    folds: int = 3,
    dropped: Collection[str] = (),
    task: str | None = None,
) -> Verdict:
    """Apply the rule to what has been measured.

    Args:
        outcomes: Of every strategy that has run, those dropped included.
        cheapest_first: All strategies of `outcomes`, the cheapest first.
        margin: How many points worse than the best is still good enough.
        folds: How many test every row once.
        dropped: Those that a race has shown neither to win nor to be good enough.
        task: Which; None is the unweighted mean over all.

    Raises:
        ValueError: If every strategy was dropped.
    """
    order = [name for name in cheapest_first if name not in dropped]
    if not order:
        raise ValueError("every strategy was dropped, one at least must be left")
    finished = [name for name in order if outcomes.complete(name, folds)]
    best = _best(outcomes, order, finished, task)
    strategy = best
    status = CANNOT_TELL
    cheaper = order[: order.index(best)]
    enough = [
        name
        for name in cheaper
        if outcomes.difference(name, best, task).above(-margin / 100, FALSE_CLAIMS)
    ]
    if enough:
        strategy, status = enough[0], GOOD_ENOUGH
    elif best == cheapest_first[0]:
        others = [outcomes.difference(best, name, task) for name in order if name != best]
        if all(each.above(-margin / 100, FALSE_CLAIMS) for each in others):
            status = GOOD_ENOUGH
    else:
        beaten = [outcomes.difference(best, name, task) for name in cheaper]
        if all(each.above(0, BETTER_CHANCE) for each in beaten):
            status = BETTER
    complete = strategy in finished
    rival = _rival(outcomes, order, strategy, best, task)
    return Verdict(
        task=task,
        strategy=strategy,
        status=status if complete else CANNOT_TELL,
        best=best,
        rival=rival,
        difference=None if rival is None else outcomes.difference(strategy, rival, task),
        mean=outcomes.mean(strategy, task, beside=finished if complete else ()),
        cheaper=tuple(cheapest_first[: cheapest_first.index(strategy)]),
        complete=complete,
    )


def _best(
    outcomes: Outcomes, order: Sequence[str], finished: Sequence[str], task: str | None
) -> str:
    """Find the highest mean on common rows; of equal ones the cheaper.

    Those that have tested every row are ranked on all of them. One that has not is put beside
    the best of those, on the rows that both have tested, so that it takes no rows from the rest.
    """
    if not finished:
        means = [outcomes.mean(name, task, beside=order) for name in order]
        if any(each.rows == 0 for each in means):
            means = [outcomes.mean(name, task) for name in order]
        return max(zip(order, means, strict=True), key=lambda each: each[1].value)[0]
    values = {name: outcomes.mean(name, task, beside=finished).value for name in finished}
    best = max(finished, key=lambda name: values[name])
    ahead = {name: outcomes.difference(name, best, task).value for name in order}
    others = [name for name in order if name not in finished]
    partly = max(others, key=lambda name: ahead[name], default=best)
    return partly if ahead[partly] > 0 else best


def _rival(
    outcomes: Outcomes, order: Sequence[str], strategy: str, best: str, task: str | None
) -> str | None:
    """Find the one that the advised one has to be told from."""
    if strategy != best:
        return best
    cheaper = order[: order.index(strategy)]
    others = cheaper or [name for name in order if name != strategy]

    def shown(name: str) -> float:
        """Give what the advised one is shown to be better by, at least."""
        gap = outcomes.difference(strategy, name, task)
        return gap.value - gap.reach(FALSE_CLAIMS)

    return min(others, key=shown, default=None)
