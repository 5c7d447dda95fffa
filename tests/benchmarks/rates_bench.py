"""Which learning rates suit each strategy: a sweep on the corpus, heads and encoder apart.

    python tests/benchmarks/rates_bench.py [--minutes 60]    goes on where it stopped
    python tests/benchmarks/rates_bench.py --table           writes the tables of what is done

Each run is one of `core.runs`, as `python -m core train` makes it of so many training rows of the
corpus: 15 % are held out to stop by, and the model is judged on validation rows of the corpus
that no run learns from or stops by; test rows take no part. A run's score is the mean of topic
accuracy, sentiment accuracy and strict entity F1. Each finished run is appended to
docs/figures/rates.jsonl. The sweep is a race: each strategy tries its rates in steps of about
three with one seed, further ones while the best is at an end, then two more seeds of the best two.
"""

import argparse
import hashlib
import json
import math
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402 (the path comes first)
from scipy.stats import t as student_t  # noqa: E402

from core.config import DataChoice, TrainingChoice  # noqa: E402
from core.dataset import Dataset, read_dataset  # noqa: E402
from core.encoder import load_encoder  # noqa: E402
from core.evaluation import evaluate_document  # noqa: E402
from core.freezing import Heads  # noqa: E402
from core.machine import machine_name, versions  # noqa: E402
from core.runs import begin_run  # noqa: E402
from core.scenario import parse_strategy  # noqa: E402
from core.splits import sample_rows  # noqa: E402
from core.training_events import DivergedError, DoneEvent, EvaluationEvent  # noqa: E402

KEPT = ROOT / "docs/figures/rates.jsonl"
TABLES = ROOT / "docs/figures/rates.md"
LAYERS = 6
JUDGED = 400
"""Validation rows of the corpus that judge every run."""

ROWS = 300
MANY = 1_200
EPOCHS_OF_HEADS = (30, 100)
HEAD_RATE = 1e-2
"""Of the heads, while the encoder's rate is chosen."""

LADDER = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
FIRST = {  # strategy → the middle of the three rates tried first
    "heads": 3e-3,
    "heads@4": 3e-3,
    "full": 3e-4,
    "lower:4": 1e-3,
    "lower:2@4": 1e-3,
    "lora": 3e-3,
    "bitfit": 3e-3,
    "gradual": 3e-4,
    "lp-ft": 3e-4,
    "layerwise-lr": 3e-4,
    "lower:2": 3e-4,
}
HEAD_RATES_OF = ("lower:4", "full")
OTHER_HEAD_RATES = (3e-2, 3e-3)
MORE_EPOCHS = 12
MANY_OF = ("lower:4", "full")


@dataclass(frozen=True, kw_only=True)
class Setup:
    """One run of the sweep.

    Attributes:
        strategy: As `--strategy` takes it.
        rows: Training rows, of which 15 % are held out to stop by.
        encoder_rate: None for heads alone.
        head_rate: The heads' own.
        epochs: None for the strategy's own. Heads alone are never stopped before.
        bf16: Whether matrix products of training ran in bfloat16; judging is in fp32.
        seed: Draws rows, heads, order and dropout.
    """

    strategy: str
    rows: int
    encoder_rate: float | None
    head_rate: float
    epochs: int | None = None
    bf16: bool = True
    seed: int = 0

    @property
    def rate(self) -> float:
        """The rate that is being chosen."""
        return self.head_rate if self.encoder_rate is None else self.encoder_rate


class Sweep:
    """What is done, and what is to be done next."""

    def __init__(self, corpus: str) -> None:
        self.corpus = corpus
        lines = KEPT.read_text(encoding="utf-8").splitlines() if KEPT.exists() else []
        runs = [json.loads(line) for line in lines]
        self.runs = [run for run in runs if run["corpus"] == corpus]
        self.scores = {Setup(**run["setup"]): run["score"] for run in self.runs}

    def add(self, run: dict[str, Any]) -> None:
        """Keep a finished run."""
        with KEPT.open("a", encoding="utf-8") as file:
            file.write(json.dumps(run) + "\n")
        self.runs.append(run)
        self.scores[Setup(**run["setup"])] = run["score"]

    def waiting(self) -> Iterator[Setup]:
        """Give the runs that are missing, the next one first; ask anew after each run."""
        for setup in self._planned():
            if setup not in self.scores:
                yield setup

    def _planned(self) -> Iterator[Setup]:
        """Plan the race; what depends on runs that are missing comes only once they are there."""
        for name in HEAD_RATES_OF:
            first = self.setup(name, FIRST[name], None)
            yield first
            for head_rate in OTHER_HEAD_RATES:
                yield _changed(first, head_rate=head_rate)
            yield _changed(first, epochs=MORE_EPOCHS)
        for name in FIRST:
            for epochs in EPOCHS_OF_HEADS if _is_heads(name) else (None,):
                yield from self._grid(name, epochs)
        yield from self._best_two(FIRST, seed=1)
        yield from self._best_two(MANY_OF, rows=MANY)
        yield from self._best_two(FIRST, seed=2)
        for seed in (0, 1):
            yield from self._best_two(MANY_OF, seed=seed, bf16=False)
        for seed in (1, 2):
            yield from self._best_two(MANY_OF, seed=seed, rows=MANY)

    def _best_two(self, names: Iterable[str], **changes: Any) -> Iterator[Setup]:  # noqa: ANN401
        for setup in self._best(names, 2):
            yield _changed(setup, **changes)

    def _best(self, names: Iterable[str], count: int) -> Iterator[Setup]:
        for name in names:
            yield from self.best(name, count)

    def _grid(self, name: str, epochs: int | None) -> Iterator[Setup]:
        """Give a strategy's three first rates, then the next one while the best is at an end."""
        middle = LADDER.index(FIRST[name])
        low, high = middle - 1, middle + 1
        for place in (middle, low, high):
            yield self.setup(name, LADDER[place], epochs)
        while True:
            tried = LADDER[low : high + 1]
            scores = [self.scores.get(self.setup(name, rate, epochs)) for rate in tried]
            if None in scores:
                return
            best = max(zip(scores, tried, strict=True))[1]
            if best == LADDER[low] and low > 0:
                low -= 1
                yield self.setup(name, LADDER[low], epochs)
            elif best == LADDER[high] and high < len(LADDER) - 1:
                high += 1
                yield self.setup(name, LADDER[high], epochs)
            else:
                return

    def setup(self, name: str, rate: float, epochs: int | None) -> Setup:
        """Name a run of the grid, with the first seed."""
        if _is_heads(name):  # its steps cost nearly nothing: fp32, as the defaults are
            return Setup(strategy=name, rows=ROWS, encoder_rate=None, head_rate=rate,
                         epochs=epochs, bf16=False)  # fmt: skip
        return Setup(strategy=name, rows=ROWS, encoder_rate=rate, head_rate=HEAD_RATE)

    def best(self, name: str, count: int) -> list[Setup]:
        """Give the best setups of a strategy's grid, by the first seed."""
        grid = [
            self.setup(name, rate, epochs)
            for rate in LADDER
            for epochs in (EPOCHS_OF_HEADS if _is_heads(name) else (None,))
        ]
        done = [setup for setup in grid if setup in self.scores]
        return sorted(done, key=lambda setup: -self.scores[setup])[:count]


def _is_heads(name: str) -> bool:
    return isinstance(parse_strategy(name, LAYERS).strategy, Heads)


def _changed(setup: Setup, **changes: Any) -> Setup:  # noqa: ANN401 (any field of it)
    return Setup(**{**asdict(setup), **changes})


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The corpus' rows that take part.

    Attributes:
        learned: Its training rows, none of them marked.
        judged: Validation rows, the same for every run.
        corpus: Tells this corpus from any other.
    """

    learned: Dataset
    judged: Dataset
    corpus: str


def read_rows() -> Rows:
    """Read the corpus' train and validation rows; its test rows are never read."""
    every = read_dataset(DataChoice(source="corpus", split_column="split"))
    train = [i for i, split in enumerate(every.splits) if split == "train"]
    validation = every.select([i for i, split in enumerate(every.splits) if split != "train"])
    judged = validation.select(sample_rows(validation.examples, every.tasks, JUDGED, seed=0))
    plain = read_dataset(DataChoice(source="corpus"))  # without splits: rows are held out of it
    print_of = hashlib.sha256((plain.fingerprint + judged.fingerprint).encode()).hexdigest()
    return Rows(learned=plain.select(train), judged=judged, corpus=print_of[:16])


def make_run(setup: Setup, rows: Rows) -> dict[str, Any]:
    """Train one model and judge it."""
    started, cpu = time.perf_counter(), time.process_time()
    encoder = load_encoder("minilm", threads=1)
    scenario = parse_strategy(setup.strategy, encoder.layers)
    drawn = sample_rows(rows.learned.examples, rows.learned.tasks, setup.rows, seed=setup.seed)
    strategy = scenario.strategy
    choice = TrainingChoice(
        epochs=setup.epochs or strategy.epochs,
        patience=strategy.patience if setup.encoder_rate else setup.epochs or strategy.patience,
        encoder_rate=setup.encoder_rate,
        head_rate=setup.head_rate,
        seed=setup.seed,
        bf16=setup.bf16,
        threads=1,
    )
    run = begin_run(rows.learned.select(drawn), encoder, scenario, choice)
    kept, steps, course, diverged = 0, 0, [], False
    try:
        for event in run.train():
            if isinstance(event, EvaluationEvent):
                mean = statistics.mean(each.main for each in event.scores.values())
                course.append(round(mean, 4))
            elif isinstance(event, DoneEvent):
                kept, steps = event.epoch, event.steps
    except DivergedError:
        diverged = True
    trained = time.process_time() - cpu
    tasks = evaluate_document(run.model, rows.judged)["tasks"]
    scores = {name: each.get("accuracy", each.get("f1")) for name, each in tasks.items()}
    return {
        "corpus": rows.corpus,
        "setup": asdict(setup),
        "choice": {"epochs": choice.epochs, "patience": choice.patience},
        "score": round(statistics.mean(scores.values()), 5),
        "scores": {name: round(each, 5) for name, each in scores.items()},
        "epoch": kept,
        "steps": steps,
        "course": course,
        "diverged": diverged,
        "training_cpu_seconds": round(trained, 1),
        "seconds": round(time.perf_counter() - started, 1),
        "machine": machine_name(),
        "versions": versions(("torch",)),
    }


def interval(values: Sequence[float]) -> str:
    """Write a mean with its 95 % interval by Student's t."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return f"{mean:.3f}"
    half = student_t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return f"{mean:.3f} ({mean - half:.3f} to {mean + half:.3f})"


def main() -> None:
    """Run what is missing for so long, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = read_rows()
    sweep = Sweep(rows.corpus)
    end = time.monotonic() + 60 * options.minutes
    while not options.table and time.monotonic() < end:
        setup = next(sweep.waiting(), None)
        if setup is None:
            break
        run = make_run(setup, rows)
        sweep.add(run)
        scores = " ".join(f"{name} {each:.3f}" for name, each in run["scores"].items())
        print(f"{setup}: {run['score']:.4f}, {scores}, epoch {run['epoch']}, "
              f"{run['training_cpu_seconds']} s cpu, {run['seconds']} s", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
