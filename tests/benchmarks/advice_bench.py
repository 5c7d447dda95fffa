"""Is the advice honest? The whole procedure on small samples whose truth the large rest knows.

    python tests/benchmarks/advice_bench.py [--samples 60] [--rows 120,300]   goes on where it was
    python tests/benchmarks/advice_bench.py --table        the tables of what is done
    python tests/benchmarks/advice_bench.py --stand-ins 1000    simulated, with known accuracies,
                                                           to docs/figures/advice-stand-ins.md
    python tests/benchmarks/advice_bench.py --level        how often "better" is false by design

Each sample draws rows of the corpus, cross-validates four strategies on them with fixed short
epochs, then trains each on all its rows and tests it on rows that are not in the sample. What
was right, row by row, is appended to docs/figures/advice.jsonl with the corpus' hash, so that
every rule can be judged again without training. The tables go to docs/figures/advice.md.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 (the path comes first)
import torch  # noqa: E402

from core.advice.costs import Candidate  # noqa: E402
from core.advice.held_out import HeldOut, TaskPredictions  # noqa: E402
from core.advice.paired import Outcomes  # noqa: E402
from core.advice.race import Race, Recorded  # noqa: E402
from core.advice.verdict import BETTER, BETTER_CHANCE, CANNOT_TELL, GOOD_ENOUGH, judge  # noqa: E402
from core.config import AdviceChoice, DataChoice, TrainingChoice  # noqa: E402
from core.data.dataset import Dataset, read_dataset  # noqa: E402
from core.data.dealing import DealtRows  # noqa: E402
from core.data.near_duplicates import groups_of  # noqa: E402
from core.data.splits import iterative_folds, sample_rows  # noqa: E402
from core.encoder.encoder import load_encoder  # noqa: E402
from core.frozen.prefix import Needs, Prefix, prefix_of  # noqa: E402
from core.frozen.scoring import Scorer, needs_of  # noqa: E402
from core.measures.metrics import wilson_interval  # noqa: E402
from core.strategy.scenario import parse_strategy  # noqa: E402
from core.strategy.thaw_plan import ThawPlan  # noqa: E402
from core.task import Task  # noqa: E402
from core.training.run import Run  # noqa: E402
from tests.made_runs import folded_runs  # noqa: E402
from tests.replayed import replay  # noqa: E402

KEPT = ROOT / "docs/figures/advice.jsonl"
TABLES = ROOT / "docs/figures/advice.md"
STAND_INS_TABLE = ROOT / "docs/figures/advice-stand-ins.md"
STRATEGIES = ("heads", "heads@4", "lower:4@5", "lower:2@4")
TASKS = ("topic", "sentiment")
EPOCHS, BATCH, TESTED, FOLDS, MARGIN = 4, 16, 1000, 3, 3.0
SETUP = f"{','.join(STRATEGIES)}; {EPOCHS} epochs of batches of {BATCH}; tested on {TESTED}"
INTRO = f"""\
# The advice, judged by what the rest of the corpus knows

Setup: {SETUP}. Made by `python tests/benchmarks/advice_bench.py`, each
sample in `docs/figures/advice.jsonl`. A truth is the mean over all samples of what a strategy,
trained on a whole sample, reaches on rows outside it; a claim is false by that truth. Intervals
are 95 %.
"""
RIGHT = Task(name="right", kind="sentence", labels=("yes", "no"))
Choose = Callable[[Outcomes, str | None], str]


def bits(right: Sequence[bool]) -> str:
    """Write row by row what was right, four rows a character."""
    padded = [*right, *[False] * (-len(right) % 4)]
    return f"{int(''.join('01'[each] for each in padded), 2):0{len(padded) // 4}x}"


def rights(written: str, rows: int) -> list[bool]:
    """Read what `bits` wrote."""
    return [each == "1" for each in f"{int(written, 16):0{4 * len(written)}b}"[:rows]]


class Sampler:
    """Trains and tests on rows of the corpus; all texts went through the frozen network once."""

    def __init__(self) -> None:
        self.data = read_dataset(DataChoice(source="corpus", tasks=TASKS)).usable()
        self.groups = groups_of(self.data.examples)
        encoder = load_encoder("minilm", threads=1)
        ids = encoder.tokenizer.encode([each.text for each in self.data.examples])
        self.prefix: Prefix = prefix_of(encoder, [each.ids for each in ids])
        needs: Needs = frozenset()
        for name in STRATEGIES:
            run = self._run(name, DealtRows(training=self.data.examples[:1], validation=(),
                                            notes=()), 0)  # fmt: skip
            needs |= needs_of(run.model, run.thaw.starts)
        self.prefix.compute(needs)

    def _run(self, name: str, rows: DealtRows, seed: int) -> Run:
        encoder = load_encoder("minilm", threads=1)
        scenario = parse_strategy(name, encoder.layers)
        layer = encoder.layers if scenario.read is None else scenario.read
        choice = TrainingChoice(epochs=EPOCHS, patience=EPOCHS, batch=BATCH, seed=seed, threads=1)
        read: dict[str, int | str] = dict.fromkeys(TASKS, layer)
        plan = ThawPlan(scenario=scenario, read=read, layers=encoder.layers, epochs=EPOCHS)
        return Run(self.data, rows, encoder, plan, choice)

    def right(
        self, name: str, learned: Sequence[int], tested: Sequence[int], seed: int
    ) -> tuple[dict[str, list[bool]], float]:
        """Train on some rows; say of others which are right, and what the training cost."""
        begun = time.process_time()
        examples = tuple(self.data.examples[row] for row in learned)
        run = self._run(name, DealtRows(training=examples, validation=(), notes=()), seed)
        for _ in run.train(prefix=self.prefix):
            pass
        seconds = time.process_time() - begun
        texts = run.model.read([self.data.examples[row].text for row in tested])
        scorer = Scorer(run.model, texts)
        scorer.take_from(self.prefix)
        found: dict[str, list[bool]] = {task: [] for task in TASKS}
        with torch.no_grad():
            for first in range(0, len(tested), 64):
                places = range(first, min(first + 64, len(tested)))
                scores = scorer.scores(places, run.thaw.starts[0])
                for task in self.data.tasks:
                    said = [task.labels[best] for best in scores[task.name].argmax(dim=1)]
                    true = [self.data.examples[tested[at]].labels[task.name] for at in places]
                    found[task.name] += [a == b for a, b in zip(said, true, strict=True)]
        return found, seconds

    def sample(self, rows: int, number: int) -> dict[str, Any]:
        """Carry out the whole procedure once, on rows of a draw of its own."""
        seed = 1000 * rows + number
        drawn = sorted(sample_rows(self.data.examples, self.data.tasks, rows, seed))
        taken = {self.groups[row] for row in drawn}
        rest = [r for r in range(len(self.data.examples)) if self.groups[r] not in taken]
        rest = np.random.default_rng(seed).permutation(rest)[:TESTED].tolist()
        examples = [self.data.examples[row] for row in drawn]
        groups = [self.groups[row] for row in drawn]
        folds = iterative_folds(examples, self.data.tasks, groups, FOLDS, 0)
        fold_of = [0] * rows
        for fold, places in enumerate(folds):
            for place in places:
                fold_of[place] = fold
        found = {name: self._strategy(name, drawn, folds, rest, number) for name in STRATEGIES}
        alike = {str(place): group for place, group in enumerate(groups) if groups.count(group) > 1}
        return {
            "corpus": self.data.fingerprint[:16],
            "setup": SETUP,
            "rows": rows,
            "sample": number,
            "folds": "".join(map(str, fold_of)),
            "groups": alike,
            "strategies": found,
        }

    def _strategy(
        self,
        name: str,
        drawn: Sequence[int],
        folds: Sequence[Sequence[int]],
        rest: Sequence[int],
        number: int,
    ) -> dict[str, Any]:
        right = {task: [False] * len(drawn) for task in TASKS}
        seconds = []
        for seed, fold in enumerate(folds):
            others = [row for place, row in enumerate(drawn) if place not in set(fold)]
            found, cost = self.right(name, others, [drawn[place] for place in fold], seed)
            seconds.append(round(cost, 2))
            for task in TASKS:
                for place, good in zip(fold, found[task], strict=True):
                    right[task][place] = good
        truth, _ = self.right(name, drawn, rest, 100 + number)
        return {
            "right": {task: bits(right[task]) for task in TASKS},
            "seconds": seconds,
            "truth": {task: round(statistics.mean(truth[task]), 4) for task in TASKS},
        }


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A sample read back: its records, its groups, and what each strategy truly reaches."""

    rows: int
    records: tuple[HeldOut, ...]
    groups: tuple[int, ...]
    seconds: dict[str, list[float]]
    truth: dict[str, dict[str, float]]


def read_sample(line: dict[str, Any]) -> Sample:
    """Make records again out of what was right: right is `yes`, wrong is `no`."""
    rows, records = line["rows"], []
    for name, each in line["strategies"].items():
        right = {task: rights(each["right"][task], rows) for task in TASKS}
        for fold in range(FOLDS):
            places = [place for place in range(rows) if int(line["folds"][place]) == fold]
            tasks = {
                task: TaskPredictions(
                    task=Task(name=task, kind="sentence", labels=RIGHT.labels),
                    actual=("yes",) * len(places),
                    predicted=tuple("yes" if right[task][place] else "no" for place in places),
                )
                for task in TASKS
            }
            records.append(
                HeldOut(
                    strategy=name,
                    seed=fold,
                    fold=fold,
                    repetition=0,
                    rows=tuple(places),
                    tasks=tasks,
                )
            )
    return Sample(
        rows=rows,
        records=tuple(records),
        groups=tuple(line["groups"].get(str(place), -1 - place) for place in range(rows)),
        seconds={name: each["seconds"] for name, each in line["strategies"].items()},
        truth={name: each["truth"] for name, each in line["strategies"].items()},
    )


def highest_mean(outcomes: Outcomes, task: str | None) -> str:
    """Take the highest mean; of equal ones the cheaper."""
    return max(outcomes.strategies, key=lambda name: outcomes.mean(name, task).value)


def not_told_apart(outcomes: Outcomes, task: str | None) -> str:
    """Take the cheapest that is not significantly worse than the best (5 %, two-sided)."""
    best = highest_mean(outcomes, task)
    return next(
        name
        for name in outcomes.strategies
        if name == best or not outcomes.difference(best, name, task).above(0, 0.025)
    )


def one_standard_error(outcomes: Outcomes, task: str | None) -> str:
    """Take the cheapest within one standard error of the best (Breiman et al. 1984)."""
    best = outcomes.mean(highest_mean(outcomes, task), task)
    return next(
        name
        for name in outcomes.strategies
        if outcomes.mean(name, task).value >= best.value - best.error
    )


def ours(outcomes: Outcomes, task: str | None) -> str:
    """Take what the advice says."""
    return judge(outcomes, STRATEGIES, margin=MARGIN, folds=FOLDS, task=task).strategy


RULES: dict[str, Choose] = {
    "ours": ours,
    "highest mean": highest_mean,
    "cheapest not told apart": not_told_apart,
    "one standard error": one_standard_error,
}


def truths(samples: Sequence[Sample], task: str | None) -> dict[str, float]:
    """Say what each strategy reaches on rows outside the samples, on average over them."""
    asked = TASKS if task is None else (task,)
    return {
        name: statistics.mean(s.truth[name][each] for s in samples for each in asked)
        for name in STRATEGIES
    }


def share(count: int, of: int) -> str:
    """Write a share with its 95 % interval."""
    if not of:
        return "–"
    found = wilson_interval(count, of)
    return f"{100 * found.mean:.1f} % ({100 * found.low:.1f} to {100 * found.high:.1f})"


def tables(lines: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Lay out every size of sample, for all tasks together and for each."""
    for rows in sorted({line["rows"] for line in lines}):
        samples = [read_sample(line) for line in lines if line["rows"] == rows]
        outcomes = [Outcomes(s.records, s.groups) for s in samples]
        for task in (None, *TASKS):
            yield from _tables_of(samples, outcomes, task)
        yield from _race_table(samples)


def _tables_of(
    samples: Sequence[Sample], outcomes: Sequence[Outcomes], task: str | None
) -> Iterator[str]:
    truth = truths(samples, task)
    best = max(truth.values())
    told = ", ".join(f"{name} {100 * value:.1f}" for name, value in truth.items())
    yield f"\n## {samples[0].rows} rows, {task or 'both tasks'}, {len(samples)} samples\n"
    yield f"Truth, in points, cheapest first: {told}.\n"
    yield "| rule | regret | worst tenth | takes one within 1 point of the best |"
    yield "|---|---|---|---|"
    for name, choose in RULES.items():
        chosen = [choose(each, task) for each in outcomes]
        regret = sorted(100 * (best - truth[each]) for each in chosen)
        worst = regret[-max(1, len(regret) // 10) :]
        spread = 1.96 * statistics.pstdev(regret) / len(regret) ** 0.5
        near = sum(best - truth[each] <= 0.01 for each in chosen)
        yield (
            f"| {name} | {statistics.mean(regret):.2f} ± {spread:.2f} | "
            f"{statistics.mean(worst):.2f} | {share(near, len(chosen))} |"
        )
    yield from _claims(outcomes, truth, task)


def _claims(
    outcomes: Sequence[Outcomes], truth: dict[str, float], task: str | None
) -> Iterator[str]:
    """Count what was claimed, and how often falsely, by the truth."""
    verdicts = [judge(o, STRATEGIES, margin=MARGIN, folds=FOLDS, task=task) for o in outcomes]
    best, many = max(truth.values()), len(verdicts)
    counts = {s: sum(v.status == s for v in verdicts) for s in (BETTER, GOOD_ENOUGH, CANNOT_TELL)}
    false_better = sum(
        v.status == BETTER and truth[v.strategy] <= max(truth[c] for c in v.cheaper)
        for v in verdicts
    )
    false_enough = sum(
        v.status == GOOD_ENOUGH and truth[v.strategy] < best - MARGIN / 100 for v in verdicts
    )
    alike = [name for name in STRATEGIES if best - truth[name] <= 0.01]
    yield "\n| claim | how often | falsely, of all samples |"
    yield "|---|---|---|"
    yield f"| better | {share(counts[BETTER], many)} | {share(false_better, many)} |"
    yield f"| good enough | {share(counts[GOOD_ENOUGH], many)} | {share(false_enough, many)} |"
    yield f"| cannot tell | {share(counts[CANNOT_TELL], many)} | – |"
    if len(alike) > 1:
        found = sum(v.strategy == alike[0] for v in verdicts)
        yield f"\nWithin a point of the best are {', '.join(alike)}; the cheapest of them is"
        yield f"advised in {share(found, many)}."


def _race_table(samples: Sequence[Sample]) -> Iterator[str]:
    """Replay the race on each sample, beside the full grid."""
    same = same_status = 0
    spent, whole = [], []
    for sample in samples:
        candidates = [
            Candidate(name=name, seconds=sum(sample.seconds[name])) for name in STRATEGIES
        ]
        grid = {
            (each.strategy, each.seed): Recorded(
                held_out=each, seconds=sample.seconds[each.strategy][each.seed]
            )
            for each in sample.records
        }
        race = Race(seeds=FOLDS, groups=sample.groups, choice=AdviceChoice(margin=MARGIN))
        runs, standing = replay(race, candidates, grid)
        full = judge(Outcomes(sample.records, sample.groups), STRATEGIES, margin=MARGIN)
        partly = judge(
            Outcomes([each.held_out for each in runs], sample.groups),
            list(STRATEGIES),
            margin=MARGIN,
            dropped=standing.dropped,
        )
        same += full.strategy == partly.strategy
        same_status += (full.strategy, full.status) == (partly.strategy, partly.status)
        spent.append(sum(each.seconds for each in runs))
        whole.append(sum(each.seconds for each in grid.values()))
    yield (
        f"\nThe race without a deadline, replayed on the {len(samples)} samples of "
        f"{samples[0].rows} rows: the same strategy as the full grid in "
        f"{share(same, len(samples))}, the same status too in {share(same_status, len(samples))}, "
        f"for {100 * sum(spent) / sum(whole):.0f} % of its seconds."
    )


STAND_INS = (
    ("all equal", (0.70, 0.70, 0.70, 0.70)),
    ("cheapest 3.1 points worse", (0.70, 0.731, 0.731, 0.731)),
    ("dearest 3.1 points better", (0.70, 0.70, 0.70, 0.731)),
    ("steps of 3 points", (0.70, 0.73, 0.76, 0.79)),
    ("cheapest 6 points worse", (0.70, 0.76, 0.76, 0.76)),
    ("two, equal", (0.70, 0.70)),
    ("two, 6 points apart", (0.70, 0.76)),
)


def stand_ins(samples: int, sizes: Sequence[int]) -> Iterator[str]:
    """Judge the rule on simulated strategies whose accuracy is known, line by line."""
    yield "# The advice on stand-ins whose accuracy is known\n"
    yield f"{samples} simulated samples a line, three folds. Seven tenths of what makes a row hard"
    yield "are common to all strategies; trainings lie 1 point (standard deviation) from their"
    yield "strategy's accuracy. Made by"
    command = f"python tests/benchmarks/advice_bench.py --stand-ins {samples}"
    yield f"`{command}`; intervals are 95 %, the"
    yield "generator's seed is the number of rows.\n"
    yield (
        "| strategies, cheapest first | rows | better | good enough | cannot tell | false better | "
        "false good enough | regret, points |\n|---|---|---|---|---|---|---|---|"
    )
    for said, levels in STAND_INS:
        accuracies = dict(zip("abcd", levels, strict=False))
        names = list(accuracies)
        for rows in sizes:
            generator = np.random.default_rng(rows)
            verdicts = [
                judge(
                    Outcomes(folded_runs(generator, accuracies, rows), range(rows)),
                    names,
                    margin=MARGIN,
                    folds=FOLDS,
                )
                for _ in range(samples)
            ]
            best = max(levels)
            own = [accuracies[v.strategy] for v in verdicts]
            counts = [sum(v.status == s for v in verdicts) for s in (BETTER, GOOD_ENOUGH)]
            counts.append(samples - sum(counts))
            false_better = sum(
                v.status == BETTER
                and accuracies[v.strategy] <= max(accuracies[c] for c in v.cheaper)
                for v in verdicts
            )
            false_enough = sum(
                v.status == GOOD_ENOUGH and mine < best - MARGIN / 100
                for v, mine in zip(verdicts, own, strict=True)
            )
            cells = [f"{100 * count / samples:.0f} %" for count in counts]
            cells += [share(false_better, samples), share(false_enough, samples)]
            cells.append(f"{100 * (best - statistics.mean(own)):.2f}")
            yield f"| {said} | {rows} | {' | '.join(cells)} |"


def level(draws: int = 200_000) -> Iterator[str]:
    """Tell how often "the highest beats every cheaper one" is false where all are equal."""
    from scipy.special import ndtri

    generator = np.random.default_rng(0)
    yield "| strategies, equal in truth | equal noise | noise that doubles from one to the next |"
    yield "|---|---|---|"
    for count in range(2, 9):
        cells = []
        for noise in (np.ones(count), 2.0 ** np.arange(count)):
            means = generator.normal(size=(draws, count)) * noise
            best = means.argmax(axis=1)
            beaten = np.ones(draws, dtype=bool)
            for cheaper in range(count):
                gap = means[np.arange(draws), best] - means[:, cheaper]
                error = np.hypot(noise[best], noise[cheaper])
                beaten &= (cheaper >= best) | (gap > -ndtri(BETTER_CHANCE) * error)
            cells.append(share(int((beaten & (best > 0)).sum()), draws))
        yield f"| {count} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=60, help="of each size, in all")
    parser.add_argument("--rows", default="120,300")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--stand-ins", type=int, default=0)
    parser.add_argument("--level", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.level:
        print("\n".join(level()))
        return
    sizes = [int(each) for each in given.rows.split(",")]
    if given.stand_ins:
        found = []
        for line in stand_ins(given.stand_ins, sizes):
            found.append(line)
            print(line, flush=True)
        STAND_INS_TABLE.write_text("\n".join(found) + "\n", encoding="utf-8")
        return
    kept = KEPT.read_text(encoding="utf-8").splitlines() if KEPT.exists() else []
    data: Dataset = read_dataset(DataChoice(source="corpus", tasks=TASKS)).usable()
    lines = [
        each
        for each in map(json.loads, kept)
        if (each["corpus"], each["setup"]) == (data.fingerprint[:16], SETUP)
    ]
    done = {(each["rows"], each["sample"]) for each in lines}
    missing = [(r, n) for n in range(given.samples) for r in sizes if (r, n) not in done]
    if missing and not given.table:
        sampler = Sampler()
        for rows, number in missing:
            begun = time.process_time()
            lines.append(sampler.sample(rows, number))
            with KEPT.open("a", encoding="utf-8") as file:
                file.write(json.dumps(lines[-1]) + "\n")
            took = time.process_time() - begun
            print(f"{rows} rows, sample {number}: {took:.0f} s of a core", flush=True)
    if lines:
        text = INTRO + "\n".join(tables(lines)) + "\n"
        TABLES.write_text(text, encoding="utf-8")
        print(text)


if __name__ == "__main__":
    main()
