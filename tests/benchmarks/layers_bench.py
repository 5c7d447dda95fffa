"""What can be read off frozen layers of the corpus, and how long the layer profile takes.

    python tests/benchmarks/layers_bench.py [--rows 1000] [--seed 0]
    python tests/benchmarks/layers_bench.py --spelling    entities alone, with spelling and without

Prints the seconds of the layer profile on some rows, then the accuracy of a linear head on every
layer with one register left out at a time, beside TF-IDF with logistic regression, averaged over
the registers, with the standard error of that mean; and both for several L2 penalties.
"""

import argparse
import random
import statistics
import sys
import time
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402 (the path comes first)
from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402

from core.data.corpus import CorpusRow, load_corpus  # noqa: E402
from core.encoder.encoder import Encoder, load_encoder  # noqa: E402
from core.encoder.tokenizer import Tokenizer  # noqa: E402
from core.frozen.layer_states import compute_layer_states  # noqa: E402
from core.knowledge.layer_profile import layer_profile  # noqa: E402
from core.knowledge.logistic import fit_logistic  # noqa: E402
from core.system.machine import torch_threads  # noqa: E402
from core.task import ENTITIES, SENTIMENT, TOPIC, Task  # noqa: E402

PENALTIES = (0.03, 0.1, 0.3)


def time_profile(encoder: Encoder, rows: list[CorpusRow]) -> None:
    """Print how long the profile takes and where each task is read best."""
    examples = [row.example for row in rows]
    for tasks in ((TOPIC, SENTIMENT), (ENTITIES,)):
        start = time.perf_counter()
        profile = layer_profile(encoder, examples, tasks)
        taken = time.perf_counter() - start
        for name, scores in profile.tasks.items():
            listed = " ".join(f"{score.main:.3f}" for score in scores)
            print(f"profile of {len(rows)} rows, {name}: {listed}; best {profile.best[name]}")
        print(f"seconds for {' and '.join(task.name for task in tasks)}: {taken:.1f}")


def compare_spelling(encoder: Encoder, rows: list[CorpusRow]) -> None:
    """Print what reading how words are written is worth to entities: same rows, same folds."""
    examples = [row.example for row in rows]
    for told, folds in (("without", False), ("with", encoder.tokenizer.folds_case)):
        with mock.patch.object(Tokenizer, "folds_case", new=folds):
            scores = layer_profile(encoder, examples, (ENTITIES,)).tasks[ENTITIES.name]
        listed = " ".join(f"{score.main:.3f}" for score in scores)
        best = max(scores, key=lambda score: (score.main, -score.layer))
        f1 = best.scores["f1"]
        best_f1 = f"{f1.mean:.3f} ({f1.low:.3f} to {f1.high:.3f})"
        print(f"{told} spelling, strict F1 on {len(rows)} rows by layer: {listed}")
        print(f"best {told} spelling: layer {best.layer}, {best_f1}", flush=True)


def mean(scores: list[float]) -> str:
    """Write a mean with its standard error over the registers."""
    return f"{statistics.mean(scores):.3f} ± {statistics.stdev(scores) / len(scores) ** 0.5:.3f}"


def leave_registers_out(encoder: Encoder, rows: list[CorpusRow]) -> None:
    """Print the accuracy on registers that the head has not seen, by layer."""
    registers = sorted({row.register for row in rows})
    held = {name: torch.tensor([row.register == name for row in rows]) for name in registers}
    labels = {
        TOPIC: [TOPIC.labels.index(row.topic) for row in rows],
        SENTIMENT: [SENTIMENT.labels.index(row.sentiment) for row in rows],
    }
    with compute_layer_states(encoder, [row.text for row in rows]) as states, torch_threads(1):
        for task, numbers in labels.items():
            true = torch.tensor(numbers)
            for layer in range(states.layer_count + 1):
                for penalty in PENALTIES:
                    features = states.pooled[layer]
                    scores = []
                    for out in held.values():
                        head = fit_logistic(
                            features[~out], true[~out], len(task.labels), penalty=penalty
                        )
                        found = head.scores(features[out]).argmax(dim=1)
                        scores.append(float((found == true[out]).float().mean()))
                    print(
                        f"left out, {task.name}, layer {layer}, penalty {penalty}: {mean(scores)}"
                    )
            print(f"left out, {task.name}, TF-IDF: {mean(lexical(rows, task, numbers))}")


def lexical(rows: list[CorpusRow], task: Task, numbers: list[int]) -> list[float]:
    """Score TF-IDF with logistic regression on each register left out."""
    scores = []
    for register in sorted({row.register for row in rows}):
        train = [i for i, row in enumerate(rows) if row.register != register]
        test = [i for i, row in enumerate(rows) if row.register == register]
        model = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
            LogisticRegression(C=10, max_iter=300),
        )
        model.fit([rows[i].text for i in train], [numbers[i] for i in train])
        found = model.predict([rows[i].text for i in test])
        scores.append(sum(a == numbers[i] for a, i in zip(found, test, strict=True)) / len(test))
    assert len(task.labels) > 1
    return scores


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--spelling", action="store_true")
    options = parser.parse_args()
    rows = load_corpus()
    encoder = load_encoder("minilm")
    some = random.Random(options.seed).sample(rows, options.rows)
    if options.spelling:
        compare_spelling(encoder, some)
        return
    time_profile(encoder, some)
    leave_registers_out(encoder, rows)


if __name__ == "__main__":
    main()
