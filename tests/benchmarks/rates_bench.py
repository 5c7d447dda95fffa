"""Which learning rates suit each strategy: a sweep on the corpus, heads and encoder apart.

    python tests/benchmarks/rates_bench.py [--minutes 60]    goes on where it stopped
    python tests/benchmarks/rates_bench.py --penalties       heads alone with L2 penalties, no more
    python tests/benchmarks/rates_bench.py --table           writes the tables of what is done

Each run is one of `core.training.run`, as `python -m core train` makes it of so many training rows
of the corpus: 15 % are held out to stop by, and the model is judged on validation rows of the
corpus that no run learns from or stops by; test rows take no part. A run's score is the mean of
topic accuracy, sentiment accuracy and strict entity F1. Each finished run is appended to
docs/figures/rates.jsonl. The sweep is a race: each strategy tries its rates in steps of about three
with one seed, further ones while the best is at an end, then two more seeds of the best two. Beside
heads alone stands scikit-learn's logistic regression on the same rows and states.
"""

import argparse
import hashlib
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402 (the path comes first)
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.pipeline import Pipeline, make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

from core.config import DataChoice, TrainingChoice  # noqa: E402
from core.data.dataset import Dataset, read_dataset  # noqa: E402
from core.data.dealing import DealtRows, deal_rows  # noqa: E402
from core.data.splits import sample_rows  # noqa: E402
from core.encoder.encoder import load_encoder  # noqa: E402
from core.frozen.layer_states import compute_layer_states  # noqa: E402
from core.model.evaluation import evaluate_document, evaluate_scores  # noqa: E402
from core.model.model import MultiTaskModel, default_shapes  # noqa: E402
from core.strategy.scenario import parse_strategy  # noqa: E402
from core.system.machine import machine_name, versions  # noqa: E402
from core.task import IGNORED, Task  # noqa: E402
from core.training.events import DivergedError, DoneEvent, EvaluationEvent  # noqa: E402
from core.training.run import begin_run  # noqa: E402
from core.training.targets import read_targets  # noqa: E402
from tests.benchmarks.rates_sweep import JUDGED, LOGISTIC, Setup, Sweep, penalised  # noqa: E402
from tests.benchmarks.rates_tables import tables  # noqa: E402

TABLES = ROOT / "docs/figures/rates.md"
PENALTIES = (0.001, 0.01, 0.1, 1.0)
"""scikit-learn's C, on standardised features; the best on the rows held out is taken."""


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
