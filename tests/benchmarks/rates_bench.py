"""Which learning rates suit each strategy: a sweep on the corpus, heads and encoder apart.

    python tests/benchmarks/rates_bench.py [--minutes 60]    goes on where it stopped
    python tests/benchmarks/rates_bench.py --penalties       heads alone with L2 penalties, no more
    python tests/benchmarks/rates_bench.py --table           writes the tables of what is done

Each run is one of `core.runs`, as `python -m core train` makes it of so many training rows of the
corpus: 15 % are held out to stop by, and the model is judged on validation rows of the corpus
that no run learns from or stops by; test rows take no part. A run's score is the mean of topic
accuracy, sentiment accuracy and strict entity F1. Each finished run is appended to
docs/figures/rates.jsonl. The sweep is a race: each strategy tries its rates in steps of about
three with one seed, further ones while the best is at an end, then two more seeds of the best two.
Beside heads alone stands scikit-learn's logistic regression on the same rows and states.
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
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.pipeline import Pipeline, make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

from core.config import DataChoice, TrainingChoice  # noqa: E402
from core.dataset import Dataset, read_dataset  # noqa: E402
from core.dealing import DealtRows, deal_rows  # noqa: E402
from core.encoder import load_encoder  # noqa: E402
from core.evaluation import evaluate_document, evaluate_scores  # noqa: E402
from core.freezing import Heads  # noqa: E402
from core.layer_states import compute_layer_states  # noqa: E402
from core.machine import machine_name, versions  # noqa: E402
from core.model import MultiTaskModel, default_shapes  # noqa: E402
from core.runs import begin_run  # noqa: E402
from core.scenario import parse_strategy  # noqa: E402
from core.splits import sample_rows  # noqa: E402
from core.targets import read_targets  # noqa: E402
from core.task import IGNORED, Task  # noqa: E402
from core.training_events import DivergedError, DoneEvent, EvaluationEvent  # noqa: E402

KEPT = ROOT / "docs/figures/rates.jsonl"
TABLES = ROOT / "docs/figures/rates.md"
LAYERS = 6
JUDGED = 400
"""Validation rows of the corpus that judge every run."""

ROWS = 300
MANY = 1_200
EPOCHS_OF_HEADS = (30, 100)
PENALISED_EPOCHS, PENALISED_RATE = 40, 3e-2
"""Of heads alone where an L2 penalty is chosen: what the penalty decides, not the steps."""

HEAD_PENALTIES = (0.0, 3e-3, 1e-3, 1e-2)
HEAD_RATE = 1e-2
"""Of the heads, while the encoder's rate is chosen."""

LADDER = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
FIRST = {  # strategy → the rates tried first, by which it is chosen where to go on
    "heads": (1e-3, 3e-3, 1e-2),
    "heads@4": (1e-3, 3e-3, 1e-2),
    "lower:4": (1e-4, 3e-4, 1e-3, 3e-3),
    "full": (1e-4, 3e-4, 1e-3),
    "lower:2@4": (1e-4, 3e-4, 1e-3, 3e-3),
    "lora": (1e-3, 3e-3, 1e-2),
    "bitfit": (1e-3, 3e-3, 1e-2),
    "layerwise-lr": (3e-4, 1e-3),
    "lp-ft": (3e-4, 1e-3),
    "gradual": (3e-4, 1e-3),
    "lower:2": (1e-4, 3e-4, 1e-3),
}
EPOCHS = 6
"""Of every run where the encoder trains, gradual unfreezing aside; a rate needs no more to show."""

EPOCHS_OF_GRADUAL = 8
COMMON_RATE = 1e-3
"""What every strategy has tried."""

TRIED_ON = ("lower:4", 1e-3)
"""Where the heads' rate, the epochs and the batch are tried beside."""

OTHER_HEAD_RATES = (2e-3, 3e-3, 3e-2)
OTHER_LENGTHS = ((12, 32), (6, 16), (6, 8), (12, 16))
"""Epochs and batch."""

MANY_OF = ("lower:4",)
LOGISTIC = "logistic"
PENALTIES = (0.001, 0.01, 0.1, 1.0)
"""scikit-learn's C, on standardised features; the best on the rows held out is taken."""

MANY_OF = ("lower:4", "full")


INTRO = """\
# Learning rates

Made by `python tests/benchmarks/rates_bench.py`, each run in `docs/figures/rates.jsonl`. A run
learns from {rows} training rows of the corpus, 15 % of them held out to stop by, for {epochs}
epochs ({gradual} of gradual unfreezing) with the strategy's own patience, and is judged on
{judged} other rows (the corpus' validation rows; its test rows take no part). Its score is the
mean of topic accuracy, sentiment accuracy and strict entity F1. What is shown is the mean over
seeds, which draw rows, heads and order, with its 95 % interval (Student's t) where there are
three or more; where there are fewer, differences of two or three hundredths may be chance.
Where the encoder trains its matrix products ran in bfloat16, to save time, unless it says fp32,
and the heads' rate is {head_rate} unless it says otherwise; heads alone are in fp32.
"""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """One run of the sweep.

    Attributes:
        strategy: As `--strategy` takes it.
        rows: Training rows, of which 15 % are held out to stop by.
        encoder_rate: None for heads alone.
        head_rate: The heads' own.
        epochs: The most; heads alone are never stopped before, others by their own patience.
        bf16: Whether matrix products of training ran in bfloat16; judging is in fp32.
        batch: Sentences in a step.
        seed: Draws rows, heads, order and dropout.
        head_penalty: L2 penalty on the heads' matrices.
    """

    strategy: str
    rows: int
    encoder_rate: float | None
    head_rate: float
    epochs: int
    bf16: bool = True
    batch: int = 32
    seed: int = 0
    head_penalty: float = 0.0

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
        tried = self.setup(*TRIED_ON, EPOCHS)
        yield tried
        for head_rate in OTHER_HEAD_RATES:
            yield _changed(tried, head_rate=head_rate)
        for epochs, batch in OTHER_LENGTHS:
            yield _changed(tried, batch=batch, epochs=epochs)
        for name in FIRST:
            for epochs in _epochs_of(name):
                yield from self._grid(name, epochs)
        yield from self._best_two(FIRST, seed=1)
        yield from self._best_two(MANY_OF, rows=MANY)
        yield from self._best_two(FIRST, seed=2)
        for seed in (0, 1):
            yield from self._best_two(MANY_OF, seed=seed, bf16=False)
        for seed in (1, 2):
            yield from self._best_two(MANY_OF, seed=seed, rows=MANY)
        yield from references()
        yield from penalised()

    def _best_two(self, names: Iterable[str], **changes: Any) -> Iterator[Setup]:  # noqa: ANN401
        for setup in self._best(names, 2):
            yield _changed(setup, **changes)

    def _best(self, names: Iterable[str], count: int) -> Iterator[Setup]:
        for name in names:
            yield from self.best(name, count)

    def _grid(self, name: str, epochs: int) -> Iterator[Setup]:
        """Give a strategy's first rates, then the next one while the best is at an end."""
        low, high = LADDER.index(FIRST[name][0]), LADDER.index(FIRST[name][-1])
        for rate in FIRST[name]:
            yield self.setup(name, rate, epochs)
        if len(FIRST[name]) < 3:  # of these only what suits `full` is tried
            return
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

    def setup(self, name: str, rate: float, epochs: int) -> Setup:
        """Name a run of the grid, with the first seed."""
        heads = _is_heads(name)  # its steps cost nearly nothing: fp32, as the defaults are
        return Setup(
            strategy=name,
            rows=ROWS,
            encoder_rate=None if heads else rate,
            head_rate=rate if heads else HEAD_RATE,
            epochs=epochs,
            bf16=not heads,
        )

    def best(self, name: str, count: int) -> list[Setup]:
        """Give the best setups of a strategy's grid, by the first seed."""
        grid = [self.setup(name, rate, epochs) for rate in LADDER for epochs in _epochs_of(name)]
        done = [setup for setup in grid if setup in self.scores]
        return sorted(done, key=lambda setup: -self.scores[setup])[:count]


def _is_heads(name: str) -> bool:
    return isinstance(parse_strategy(name, LAYERS).strategy, Heads)


def _epochs_of(name: str) -> tuple[int, ...]:
    if _is_heads(name):
        return EPOCHS_OF_HEADS
    return (EPOCHS_OF_GRADUAL if name == "gradual" else EPOCHS,)


def references() -> list[Setup]:
    """Name the logistic regressions that heads alone are held against."""
    return [
        Setup(strategy=f"{LOGISTIC}@{layer}", rows=ROWS, encoder_rate=None, head_rate=0.0, epochs=0,
              bf16=False, seed=seed)
        for seed in (0, 1, 2)
        for layer in (LAYERS, 4)
    ]  # fmt: skip


def penalised() -> list[Setup]:
    """Name the runs by which the penalty of heads alone is chosen."""
    return [
        Setup(strategy=name, rows=ROWS, encoder_rate=None, head_rate=PENALISED_RATE, bf16=False,
              epochs=PENALISED_EPOCHS, head_penalty=penalty, seed=seed)
        for penalty in HEAD_PENALTIES
        for seed in (0, 1, 2)
        for name in ("heads", "heads@4")
    ]  # fmt: skip


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
        epochs=setup.epochs,
        patience=strategy.patience if setup.encoder_rate else setup.epochs,
        encoder_rate=setup.encoder_rate,
        head_rate=setup.head_rate,
        head_penalty=setup.head_penalty,
        seed=setup.seed,
        bf16=setup.bf16,
        batch=setup.batch,
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


def fit_reference(setup: Setup, rows: Rows) -> dict[str, Any]:
    """Fit scikit-learn's logistic regression on the states that heads alone would read."""
    started = time.perf_counter()
    layer = int(setup.strategy.partition("@")[2])
    drawn = sample_rows(rows.learned.examples, rows.learned.tasks, setup.rows, seed=setup.seed)
    dealt = deal_rows(rows.learned.select(drawn), seed=setup.seed)
    encoder = load_encoder("minilm", threads=1)
    tasks = rows.learned.tasks
    read = {task.name: layer for task in tasks}
    model = MultiTaskModel(encoder, default_shapes(encoder, tasks, read))
    examples = [*dealt.training, *dealt.validation, *rows.judged.examples]
    targets = read_targets(model, examples)
    with compute_layer_states(encoder, [e.text for e in examples], tokens=True) as states:
        assert states.tokens is not None
        spelling = torch.cat([text.spelling for text in targets.texts if text.spelling is not None])
        tokens = torch.cat([states.tokens[layer].float(), spelling], dim=1)  # (tokens, inputs)
        scores = {}
        for task in tasks:
            features = tokens if task.kind == "token" else states.pooled[layer]  # (rows, inputs)
            ends = states.starts if task.kind == "token" else torch.arange(len(examples) + 1)
            labels = targets.of(task.name, range(len(examples)))  # (rows,)
            found = _best_fit(task, features, labels, ends, dealt)
            scores[task.name] = torch.from_numpy(found.decision_function(features.numpy())).float()
            scores[task.name] = scores[task.name].split(ends.diff().tolist())
    at = len(dealt.training) + len(dealt.validation)
    judged = evaluate_scores(
        tasks, targets.texts[at:], examples[at:], {name: s[at:] for name, s in scores.items()}
    )
    mains = {name: round(each.main, 5) for name, each in judged.items()}
    return {
        "corpus": rows.corpus,
        "setup": asdict(setup),
        "score": round(statistics.mean(mains.values()), 5),
        "scores": mains,
        "seconds": round(time.perf_counter() - started, 1),
        "versions": versions(("torch", "scikit-learn")),
    }


def _best_fit(
    task: Task, features: torch.Tensor, labels: torch.Tensor, ends: torch.Tensor, dealt: DealtRows
) -> Pipeline:
    """Fit on the training rows for each penalty; keep what is rightest on those held out."""
    cut, stop = (
        int(ends[len(dealt.training)]),
        int(ends[len(dealt.training) + len(dealt.validation)]),
    )
    some = labels != IGNORED
    learned, held = some.clone(), some.clone()
    learned[cut:] = False
    held[:cut] = False
    held[stop:] = False
    found = []
    for penalty in PENALTIES:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=1000))
        model.fit(features[learned].numpy(), labels[learned].numpy())
        right = float(model.score(features[held].numpy(), labels[held].numpy()))
        found.append((right, -penalty, model))
    assert len(task.classes) > 1
    return max(found, key=lambda each: each[:2])[2]


def interval(values: Sequence[float]) -> str:
    """Write a mean, of three values or more with its 95 % interval by Student's t."""
    mean = statistics.mean(values)
    if len(values) < 3:  # two say next to nothing of how far they scatter
        return f"{mean:.3f}"
    half = student_t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return f"{mean:.3f} ({mean - half:.3f} to {mean + half:.3f})"


def tables(runs: Sequence[dict[str, Any]]) -> str:
    """Lay out what is done."""
    some: dict[Setup, float] = {Setup(**run["setup"]): run["score"] for run in runs}
    tuned = [s for s in some if s.encoder_rate is not None]
    heads = [s for s in some if s.encoder_rate is None]
    plain = [s for s in tuned if s.rows == ROWS and s.bf16]
    usual = [s for s in plain if s.epochs in _epochs_of(s.strategy) and s.batch == 32]
    parts = [
        INTRO.format(
            rows=ROWS,
            judged=JUDGED,
            head_rate=f"{HEAD_RATE:g}",
            epochs=EPOCHS,
            gradual=EPOCHS_OF_GRADUAL,
        )
    ]
    parts += ["## The encoder's rate", ""]
    parts += _table(
        [s for s in usual if s.head_rate == HEAD_RATE], some, "strategy", "encoder_rate"
    )
    parts += ["", "## At one rate for all, and each at its own", "", *_common(usual, some)]
    there = [s for s in plain if (s.strategy, s.encoder_rate) == TRIED_ON]
    named = f"`{TRIED_ON[0]}` at {TRIED_ON[1]:g}"
    parts += ["", f"## The heads' rate beside an encoder that trains: {named}", ""]
    parts += _table([s for s in there if s in usual], some, "strategy", "head_rate")
    parts += ["", f"## More epochs and smaller batches: {named}, a row for each batch", ""]
    parts += _table([s for s in there if s.head_rate == HEAD_RATE], some, "batch", "epochs")
    parts += [
        "",
        "## Heads alone, never stopped early, and logistic regression on the same states",
        "",
    ]
    for epochs in (*EPOCHS_OF_HEADS, 0):
        own = [s for s in heads if s.epochs == epochs]
        if own:
            said = f"{epochs} epochs" if epochs else "logistic regression"
            parts += [f"{said}:", "", *_table(own, some, "strategy", "head_rate"), ""]
    parts += _penalties(runs)
    many = [s for s in tuned if s.rows == MANY]
    if many:
        parts += [f"## {MANY:,} rows", "", *_table(many, some, "strategy", "encoder_rate")]
    exact = [s for s in tuned if not s.bf16]
    if exact:
        parts += ["", "## In fp32", "", *_table(exact, some, "strategy", "encoder_rate")]
    parts += ["", "## By task, at the best rate of each strategy", ""]
    return "\n".join([*parts, *_by_task(runs)]) + "\n"


def _table(setups: Sequence[Setup], scores: dict[Setup, float], row: str, column: str) -> list[str]:
    """Lay out scores, means over seeds: a row and a column for each value of two fields."""
    rows = sorted({getattr(s, row) for s in setups}, key=_order)
    columns = sorted({getattr(s, column) for s in setups})
    lines = ["| | " + " | ".join(f"{each:g}" for each in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for each in rows:
        cells = []
        for other in columns:
            own = [s for s in setups if (getattr(s, row), getattr(s, column)) == (each, other)]
            cells.append(interval([scores[s] for s in own]) if own else "")
        lines.append(f"| `{each}` | " + " | ".join(cells) + " |")
    return lines


def _penalties(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Lay out how heads alone do by their penalty, beside logistic regression, task by task."""
    cells: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in runs:
        setup = Setup(**run["setup"])
        if setup in penalised():
            cells.setdefault((setup.strategy, f"{setup.head_penalty:g}"), []).append(run)
        elif setup in references():
            layer = setup.strategy.partition("@")[2]
            name = "heads" if int(layer) == LAYERS else f"heads@{layer}"
            cells.setdefault((name, "logistic regression"), []).append(run)
    lines = ["## Heads alone by their L2 penalty", ""]
    lines += [f"{PENALISED_EPOCHS} epochs at {PENALISED_RATE:g}, never stopped early:", ""]
    lines += ["| | penalty | seeds | topic | sentiment | entities | score |", "|---" * 7 + "|"]
    for (name, penalty), own in sorted(cells.items()):
        found = [interval([run["scores"][task] for run in own])
                 for task in ("topic", "sentiment", "entities")]  # fmt: skip
        found.append(interval([run["score"] for run in own]))
        lines.append(f"| `{name}` | {penalty} | {len(own)} | " + " | ".join(found) + " |")
    return [*lines, ""]


def _common(setups: Sequence[Setup], scores: dict[Setup, float]) -> list[str]:
    """Lay out, with the first seed, how the strategies rank at one rate and at their own best."""
    own = [s for s in setups if s.seed == 0 and s.head_rate == HEAD_RATE]
    lines = [f"| first seed | at {COMMON_RATE:g} | at its best | best rate |", "|---|---|---|---|"]
    for name in FIRST:
        tried = {s.rate: scores[s] for s in own if s.strategy == name}
        if COMMON_RATE in tried:
            best = max(tried, key=lambda rate: tried[rate])
            cells = f"{tried[COMMON_RATE]:.3f} | {tried[best]:.3f} | {best:g}"
            lines.append(f"| `{name}` | {cells} |")
    return lines


def _order(name: str | int) -> int:
    names = list(FIRST)
    return names.index(name) if name in names else len(names)


def _is_usual(setup: Setup, name: str) -> bool:
    heads = _is_heads(name)
    usual = setup.rows == ROWS and setup.epochs == _epochs_of(name)[0] and setup.batch == 32
    return (
        setup.strategy == name
        and usual
        and (heads or setup.bf16)
        and (heads or setup.head_rate == HEAD_RATE)
    )


def _by_task(runs: Sequence[dict[str, Any]]) -> list[str]:
    lines = ["| | rate | seeds | topic | sentiment | entities | score | CPU seconds to train |"]
    lines.append("|---" * 8 + "|")
    for name in FIRST:
        own = [run for run in runs if _is_usual(Setup(**run["setup"]), name)]
        by_rate: dict[float, list[dict[str, Any]]] = {}
        for run in own:
            by_rate.setdefault(Setup(**run["setup"]).rate, []).append(run)
        if not by_rate:
            continue
        seeds = max(len(each) for each in by_rate.values())
        rate, best = max(
            ((rate, each) for rate, each in by_rate.items() if len(each) == seeds),
            key=lambda pair: statistics.mean(run["score"] for run in pair[1]),
        )
        cells = [interval([run["scores"][task] for run in best])
                 for task in ("topic", "sentiment", "entities")]  # fmt: skip
        cells.append(interval([run["score"] for run in best]))
        cells.append(f"{statistics.mean(run['training_cpu_seconds'] for run in best):.0f}")
        lines.append(f"| `{name}` | {rate:g} | {seeds} | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    """Run what is missing for so long, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--penalties", action="store_true")
    parser.add_argument("--only", metavar="STRATEGY", help="of what is missing, this strategy's")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = read_rows()
    sweep = Sweep(rows.corpus)
    end = time.monotonic() + 60 * options.minutes
    while not options.table and time.monotonic() < end:
        penalties = (each for each in penalised() if each not in sweep.scores)
        missing = penalties if options.penalties else sweep.waiting()
        some = (each for each in missing if options.only in (None, each.strategy))
        setup = next(some, None)
        if setup is None:
            break
        reference = setup.strategy.startswith(LOGISTIC)
        run = fit_reference(setup, rows) if reference else make_run(setup, rows)
        sweep.add(run)
        scores = " ".join(f"{name} {each:.3f}" for name, each in run["scores"].items())
        print(f"{setup}: {run['score']:.4f}, {scores}, "
              f"{run['seconds']} s", flush=True)  # fmt: skip
    TABLES.write_text(tables(sweep.runs), encoding="utf-8")


if __name__ == "__main__":
    main()
