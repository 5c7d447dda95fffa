"""What to freeze, on a person's own data: an answer that admits when it cannot tell."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.advice.costs import Candidate, by_cost
from core.advice.held_out import HeldOut
from core.advice.paired import Outcomes
from core.advice.verdict import FALSE_CLAIMS, Verdict, judge
from core.advice.words import (
    TRAINED_ONCE,
    in_words,
    not_judged_in_words,
    unfinished_in_words,
)
from core.config import FOLDS, AdviceChoice


@dataclass(frozen=True, kw_only=True)
class Counsel:
    """What is advised for one task, or for all together.

    Attributes:
        verdict: The strategy, its status and the evidence.
        text: The same to a person.
    """

    verdict: Verdict
    text: str

    def document(self) -> dict[str, Any]:
        """Describe it as JSON: `{strategy, status, text}` and the evidence."""
        verdict, gap = self.verdict, self.verdict.difference
        return {
            "strategy": verdict.strategy,
            "status": verdict.status,
            "text": self.text,
            "best": verdict.best,
            "rival": verdict.rival,
            "difference": None if gap is None or gap.error == float("inf") else vars(gap.interval),
        }


@dataclass(frozen=True, kw_only=True)
class Advice:
    """The advice for all tasks together, and for each.

    Attributes:
        overall: For the unweighted mean over all tasks.
        tasks: By task's name.
        dropped: Those that the race has settled.
        unfinished: Those that have not tested every row and could still change the advice.
        not_judged: Those of which every run failed.
    """

    overall: Counsel
    tasks: Mapping[str, Counsel]
    dropped: tuple[str, ...]
    unfinished: tuple[str, ...]
    not_judged: tuple[str, ...] = ()

    @property
    def strategy(self) -> str:
        """What is advised for all tasks together."""
        return self.overall.verdict.strategy

    @property
    def status(self) -> str:
        """What has been shown of it."""
        return self.overall.verdict.status

    def document(self) -> dict[str, Any]:
        """Describe it as JSON: `{strategy, status, text, tasks: {TASK: {…}}, …}`."""
        return {
            **self.overall.document(),
            "tasks": {name: each.document() for name, each in self.tasks.items()},
            "dropped": list(self.dropped),
            "unfinished": list(self.unfinished),
            "not_judged": list(self.not_judged),
        }


def advise(
    candidates: Sequence[Candidate],
    records: Sequence[HeldOut],
    groups: Sequence[int],
    choice: AdviceChoice,
    *,
    dropped: Collection[str] = (),
    failed: Sequence[str] = (),
) -> Advice | None:
    """Advise on what to freeze, by the held-out predictions of finished runs.

    Args:
        candidates: The strategies, in the order given, with what each costs.
        records: Of every run that has finished, those of dropped strategies included.
        groups: A number for each row of the data; near-duplicates share one.
        choice: Margin, score, and the cost that matters.
        dropped: Strategies that the race has shown neither to win nor to be good enough.
        failed: Strategies, none of the candidates, of which every run failed: more time would not
            help.

    Returns:
        None with fewer than two strategies that have a run.

    Raises:
        ValueError: If a record is of no candidate, or the records do not fit the data.
    """
    outcomes = Outcomes(records, groups, choice.score)
    names = {each.name for each in candidates}
    strange = next((name for name in outcomes.strategies if name not in names), None)
    if strange is not None:
        raise ValueError(f"there is a run of {strange[:80]!r}, which is none of the strategies")
    run = [each for each in candidates if each.name in outcomes.strategies]
    if len(run) < 2:
        return None
    order = by_cost(run, choice.cost)
    settled = tuple(each.name for each in candidates if each.name in dropped)
    unfinished = tuple(
        each.name
        for each in candidates
        if each.name not in settled
        and not outcomes.complete(each.name, FOLDS)
        and not _is_matched(outcomes, order, each.name, choice.margin)
    )

    def counsel(task: str | None) -> Counsel:
        verdict = judge(
            outcomes,
            [each.name for each in order],
            margin=choice.margin,
            folds=FOLDS,
            dropped=settled,
            task=task,
        )
        costs = {each.name: each for each in order}
        text = in_words(verdict, outcomes, costs, margin=choice.margin, cost=choice.cost)
        return Counsel(verdict=verdict, text=text)

    only = next(iter(outcomes.tasks)) if len(outcomes.tasks) == 1 else None
    overall = counsel(only)
    others = [name for name in unfinished if name != overall.verdict.strategy]
    once = all(
        len(outcomes.seeds(each.name)) == 1 and outcomes.complete(each.name, FOLDS) for each in run
    )
    ends = [unfinished_in_words(others), not_judged_in_words(failed), TRAINED_ONCE if once else ""]
    text = " ".join(filter(None, [overall.text, *ends]))
    return Advice(
        overall=Counsel(verdict=overall.verdict, text=text),
        tasks={task: counsel(task) for task in outcomes.tasks},
        dropped=settled,
        unfinished=unfinished,
        not_judged=tuple(failed),
    )


def _is_matched(outcomes: Outcomes, order: Sequence[Candidate], name: str, margin: float) -> bool:
    """Tell whether a cheaper one that is finished is shown good enough beside one that is not.

    More runs of it would then not change the advice: if it won, the cheaper one would be advised.
    """
    cheapest_first = [each.name for each in order]
    if name not in cheapest_first:
        return False
    return any(
        outcomes.complete(other, FOLDS)
        and outcomes.difference(other, name).above(-margin / 100, FALSE_CLAIMS)
        for other in cheapest_first[: cheapest_first.index(name)]
    )
