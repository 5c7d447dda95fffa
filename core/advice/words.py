"""What a verdict says to a person: a plain sentence or two, with its numbers."""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

from core.advice.costs import Candidate
from core.advice.paired import Outcomes
from core.advice.verdict import BETTER, BETTER_CHANCE, CANNOT_TELL, FALSE_CLAIMS, Verdict
from core.measures.drift import lost_in_words

SEEDS_MAY_HELP = 1.5
"""Three more seeds halve what chance in training adds to the variance, at most, and nothing of what
the rows add: they are named only where it need not fall by more than this factor."""

MANY_TIMES = 20
"""More rows than this many times those there are nobody is likely to label, and it says so."""

TRAINED_ONCE = "Each was trained once: this holds of these trainings, and another seed may differ."
LABELS_NAMED = 2


def in_words(
    verdict: Verdict,
    outcomes: Outcomes,
    candidates: Mapping[str, Candidate],
    *,
    margin: float,
    cost: str,
) -> str:
    """Say what is advised, why, what it costs, and what would settle what is open.

    Args:
        verdict: The rule's.
        outcomes: What it rests on.
        candidates: By name, with their costs.
        margin: How many points worse than the best is still good enough.
        cost: What a cheaper strategy is cheaper in, one of `core.config.COSTS`.
    """
    chosen = candidates[verdict.strategy]
    rival = None if verdict.rival is None else candidates[verdict.rival]
    ends = [_cost_in_words(chosen, rival, cost), forgetting_in_words(chosen)]
    end = "; ".join(["", *filter(None, ends)]) + "."
    if verdict.status == CANNOT_TELL:
        settling = _settling(verdict, outcomes, margin)
        sentences = (_open(verdict, margin), _risk(verdict, chosen, rival, cost), settling)
        return " ".join(filter(None, sentences))
    return _shown(verdict, margin) + end


def _shown(verdict: Verdict, margin: float) -> str:
    """Say what has been shown."""
    name, where = verdict.strategy, _where(verdict)
    score = f"{100 * verdict.mean.value:.1f} %{where}"
    if verdict.rival is None or verdict.difference is None:
        return f"{name} is what is left: every other strategy was shown to be worse ({score})"
    gap = verdict.difference
    if verdict.status == BETTER and verdict.rival not in verdict.cheaper:
        return (
            f"{name} is better than every cheaper strategy, each of which was shown to be worse "
            f"and dropped: {score}"
        )
    if verdict.status == BETTER:
        least = gap.value - gap.reach(BETTER_CHANCE)  # one-sided, as the claim is
        return (
            f"{name} is better than every cheaper strategy: {score}, {_points(gap.value)} above "
            f"{verdict.rival}, the closest of them (with 95 % confidence, at least "
            f"{_points(least)})"
        )
    if verdict.rival == verdict.best:
        lost = gap.reach(FALSE_CLAIMS) - gap.value
        most = "not worse" if lost <= 0 else f"at most {_points(lost)} worse"
        measured = (
            f"{_points(-gap.value)} below it" if _points(-gap.value)[0:3] != "0.0" else "level"
        )
        return (
            f"{name} is good enough: with 95 % confidence {most} than {verdict.best}, "
            f"the best; measured {score}, {measured}"
        )
    return (
        f"{name} is good enough: it is the cheapest and has the highest mean, {score}, and with "
        f"95 % confidence it is at most {margin:g} points worse than any other"
    )


def _open(verdict: Verdict, margin: float) -> str:
    """Say that it cannot be told, and what there is."""
    name, where, gap = verdict.strategy, _where(verdict), verdict.difference
    score = f"{100 * verdict.mean.value:.1f} %{where}"
    if not verdict.complete:
        return (
            f"This cannot be told yet: {name} is ahead, at {score}, but has not tested every row."
        )
    if gap is None or not math.isfinite(gap.error):
        return f"This data cannot tell: {name} is ahead, at {score}, on too few rows to judge by."
    if verdict.rival in verdict.cheaper:
        low, high = gap.interval.low, gap.interval.high
        return (
            f"This data cannot tell: {name} has the highest mean, {score}, {_points(gap.value)} "
            f"above {verdict.rival}, which is cheaper (95 % interval {_signed(low)} to "
            f"{_signed(high)}): neither is it shown to be better, nor {verdict.rival} to be at "
            f"most {margin:g} points worse."
        )
    return (
        f"This data cannot tell: {name} is the cheapest and has the highest mean, {score}, but is "
        f"not shown to be at most {margin:g} points worse than any other."
    )


def _risk(verdict: Verdict, chosen: Candidate, rival: Candidate | None, cost: str) -> str:
    """Say what choosing the advised one, or the other, may cost."""
    gap = verdict.difference
    if rival is None or gap is None or not math.isfinite(gap.error):
        return ""
    dearer = _cost_in_words(chosen, rival, cost)
    forgets = forgetting_in_words(chosen)
    if verdict.rival in verdict.cheaper:
        paid = dearer or "more"
        also = f"; {forgets}" if forgets else ""
        most = min(1.0, max(0.0, gap.interval.high))
        return (
            f"Choosing {chosen.name} may pay for nothing ({paid}){also}; choosing {rival.name} "
            f"may lose up to {_points(most)}."
        )
    most = min(1.0, max(0.0, -gap.interval.low))
    return f"Choosing {chosen.name} may lose up to {_points(most)} against {rival.name}."


def _settling(verdict: Verdict, outcomes: Outcomes, margin: float) -> str:
    """Say what would settle it: the runs that are missing, more seeds, or more rows of what."""
    if not verdict.complete:
        return "Its other folds would tell: three seeds test every row once."
    if verdict.difference is None or verdict.rival is None:
        return ""
    factor = times_the_rows(verdict, margin)
    labels = _doubtful(verdict, outcomes)
    which = f", most of all of {labels}" if labels else ""
    if factor is None:
        return "More labelled rows would tell, of every class."
    rows = _rounded((factor - 1) * verdict.difference.rows)
    if factor > MANY_TIMES:
        return f"It would take about {rows:,} more labelled rows: choose by what matters to you."
    if factor <= SEEDS_MAY_HELP:
        begin = f"Three more seeds may settle it, or about {rows:,} more labelled rows"
    else:
        begin = f"About {rows:,} more labelled rows would settle it"
    return f"{begin}{which}, if what was measured holds."


def times_the_rows(verdict: Verdict, margin: float) -> float | None:
    """Estimate how many times the rows there are would settle an open verdict.

    The interval shrinks with the square root of the rows; the difference is taken as measured.

    Args:
        verdict: One that could not be told.
        margin: In points.

    Returns:
        1 or more; None where too few rows are there to estimate it.
    """
    gap = verdict.difference
    if gap is None or not math.isfinite(gap.error):
        return None
    normal = NormalDist()
    better = -normal.inv_cdf(BETTER_CHANCE)
    enough = -normal.inv_cdf(FALSE_CLAIMS)
    if verdict.rival in verdict.cheaper:
        wanted = max(gap.value / better, (margin / 100 - gap.value) / enough)
    else:
        wanted = (margin / 100 + gap.value) / enough
    return max(1.0, (gap.error / wanted) ** 2) if wanted > 0 else None


def _doubtful(verdict: Verdict, outcomes: Outcomes) -> str:
    """Name the labels whose rows make the difference uncertain."""
    if verdict.rival is None:
        return ""
    tasks = list(outcomes.tasks) if verdict.task is None else [verdict.task]
    shares: list[tuple[float, str]] = []
    for task in tasks:
        found = outcomes.doubtful_labels(verdict.strategy, verdict.rival, task)
        prefix = "" if len(tasks) == 1 else f"{task} "
        shares += [(share, f"{prefix}{_plain(label)!r}") for label, share in found.items()]
    shares.sort(key=lambda each: -each[0])
    return " and ".join(name for _, name in shares[:LABELS_NAMED])


def unfinished_in_words(unfinished: Sequence[str]) -> str:
    """Say which strategies could still change an answer; empty where none could."""
    if not unfinished:
        return ""
    names = ", ".join(unfinished)
    return f"Not finished, and so able to change this: {names}. More time would tell."


def not_judged_in_words(failed: Sequence[str]) -> str:
    """Say of which strategies nothing is known; empty where there are none."""
    if not failed:
        return ""
    return f"Not judged, since no run came to its end: {', '.join(failed)}."


def forgetting_in_words(candidate: Candidate) -> str:
    """Say what a strategy forgets; empty where it was not measured."""
    found = candidate.forgetting
    if found is None:
        return ""
    if found.mean == found.low == found.high == 0:
        return f"{candidate.name} forgets nothing, as its encoder is frozen"
    told = lost_in_words(found.mean, found.low, found.high)
    if found.low > 0:
        return f"{candidate.name} forgets {told}"
    return f"no forgetting is shown of {candidate.name}: {told}"


def _cost_in_words(chosen: Candidate, rival: Candidate | None, kind: str) -> str:
    """Set a cost beside the rival's; empty where either is not known, or it is said elsewhere."""
    if rival is None or kind == "forgetting":
        return ""
    one, other = chosen.cost(kind), rival.cost(kind)
    if one is None or other is None:
        return ""
    if kind == "seconds":
        return f"{_seconds(one)} of training against {_seconds(other)} of {rival.name}"
    if kind == "memory":
        return f"{one / 1e6:,.0f} MB at its peak against {other / 1e6:,.0f} MB of {rival.name}"
    if kind == "parameters":
        return f"{one:,.0f} trained weights against {other:,.0f} of {rival.name}"
    return f"{1 / one:,.0f} sentences a second against {1 / other:,.0f} of {rival.name}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:,.0f} s"


def _where(verdict: Verdict) -> str:
    return " on average over the tasks" if verdict.task is None else f" on {verdict.task}"


def _points(share: float) -> str:
    return f"{abs(100 * share):.1f} points"


def _signed(share: float) -> str:
    return f"{100 * share:.1f}".replace("-", "−")


def _plain(label: str) -> str:
    """Put a label that a person wrote on one short line."""
    return " ".join(label.split())[:40]


def _rounded(rows: float) -> int:
    """Round up to one digit below a hundred, to two above: it is an estimate."""
    step = 10 if rows < 200 else 10 ** (len(str(int(rows))) - 2)
    return max(step, math.ceil(rows / step) * step)
