"""The layer profile with two ways of fitting its linear heads: by hand, and scikit-learn's.

    python tests/benchmarks/logistic_bench.py [--rows 300] [--rounds 5] [--threads 1 2]

Each profile is of a process that was just started, so that imports count. Both ways take turns, and
so does which of them begins. Prints the median of each one's seconds with the interval of the
median's middle half, the median ratio with the range of all rounds, and how far the scores are
apart. `--rows 0` takes all rows of the corpus.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 (the path comes first)
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import Tensor  # noqa: E402

from core.task import IGNORED  # noqa: E402

WAYS = ("by hand", "scikit-learn")


class Fitted:
    """A classifier on raw features: logits, (rows, classes)."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.weight, self.bias = weight, bias

    def scores(self, features: Tensor) -> Tensor:
        """Return logits, (rows, classes), from (rows, features)."""
        return features.to(self.weight.dtype) @ self.weight.T + self.bias  # (rows, classes)


def prepared(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Take the rows with a label, and standardise; give both, and the means and scales."""
    kept = labels != IGNORED  # (rows,)
    features, labels = features[kept].float(), labels[kept]
    mean, scale = features.mean(dim=0), features.std(dim=0, correction=0).clamp(min=1e-6)
    return (features - mean) / scale, labels, mean, scale


def fit_by_hand(
    features: Tensor, labels: Tensor, classes: int, *, penalty: float, steps: int = 100
) -> Fitted:
    """Fit by scipy's L-BFGS with a gradient written out in torch."""
    from scipy.optimize import minimize

    scaled, labels, mean, scale = prepared(features, labels)
    wanted = F.one_hot(labels, classes).float()  # (rows, classes)
    shape, rows = (classes, scaled.shape[1] + 1), len(scaled)

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = torch.from_numpy(flat).float().view(shape)  # (classes, features + 1)
        weight, bias = weights[:, :-1], weights[:, -1]
        told = torch.addmm(bias, scaled, weight.T).log_softmax(dim=1)  # (rows, classes)
        wrong = (told.exp() - wanted) / rows  # (rows, classes)
        slope = torch.empty(shape)  # (classes, features + 1)
        torch.addmm(weight, wrong.T, scaled, beta=penalty, out=slope[:, :-1])
        slope[:, -1] = wrong.sum(dim=0)
        loss = -(told * wanted).sum() / rows + penalty / 2 * weight.square().sum()
        return float(loss), slope.flatten().double().numpy()

    options = {"maxiter": steps, "maxcor": 20, "gtol": 1e-5, "ftol": 1e-9}
    with torch.inference_mode():
        begin = np.zeros(shape[0] * shape[1])
        found = minimize(cost, begin, jac=True, method="L-BFGS-B", options=options)
    best = torch.from_numpy(found.x).float().view(shape)  # (classes, features + 1)
    raw = best[:, :-1] / scale  # (classes, features)
    return Fitted(raw, best[:, -1] - raw @ mean)


def fit_by_scikit_learn(
    features: Tensor, labels: Tensor, classes: int, *, penalty: float, steps: int = 100
) -> Fitted:
    """Fit the same by scikit-learn; its one vector for two classes stands for two opposite ones."""
    from sklearn.linear_model import LogisticRegression

    del steps
    scaled, labels, mean, scale = prepared(features, labels)
    weight, bias = torch.zeros(classes, scaled.shape[1]), torch.full((classes,), -torch.inf)
    there = labels.unique()  # (classes there,)
    if len(there) == 1:
        bias[there] = 0.0
        return Fitted(weight, bias)
    strength = penalty / 2 if len(there) == 2 else penalty
    model = LogisticRegression(C=1 / (strength * len(labels)), tol=TOLERANCE, max_iter=1000)
    model.fit(scaled.numpy(), labels.numpy())
    found, shift = torch.from_numpy(model.coef_).float(), torch.from_numpy(model.intercept_).float()
    if len(there) == 2:
        found, shift = torch.cat([-found, found]) / 2, torch.cat([-shift, shift]) / 2
    weight[there] = found / scale
    bias[there] = shift - weight[there] @ mean
    return Fitted(weight, bias)


TOLERANCE = 1e-4


def profile_here(way: str, rows: int, threads: int) -> None:
    """Profile in this process, and print what it took and found."""
    begun = float(os.environ["THAW_BEGUN"])
    from core.data.corpus import load_corpus
    from core.encoder.encoder import load_encoder
    from core.knowledge import layer_profile
    from core.task import ENTITIES, SENTIMENT, TOPIC

    encoder = load_encoder("minilm", threads=threads)
    every = load_corpus()
    some = random.Random(0).sample(every, rows) if rows else every
    fit = fit_by_hand if way == WAYS[0] else fit_by_scikit_learn
    fits: list[float] = []
    burnt: list[float] = []

    def timed(*given: Any, **named: Any) -> Fitted:  # noqa: ANN401 (what the fit takes)
        before, own = time.perf_counter(), time.process_time()
        fitted = fit(*given, **named)
        fits.append(time.perf_counter() - before)
        burnt.append(time.process_time() - own)
        return fitted

    with mock.patch.object(layer_profile, "fit_logistic", timed):
        found = layer_profile.layer_profile(
            encoder, [row.example for row in some], (TOPIC, SENTIMENT, ENTITIES)
        )
    print(
        json.dumps(
            {
                "seconds": time.time() - begun,
                "cpu": time.process_time(),
                "fits": sum(fits),
                "fits_cpu": sum(burnt),
                "best": found.best,
                "scores": {n: [each.main for each in s] for n, s in found.tasks.items()},
            }
        )
    )


def in_a_process(way: str, rows: int, threads: int) -> dict[str, Any]:
    """Profile in a process of its own."""
    given = ["--here", way, "--rows", str(rows), "--threads", str(threads)]
    told = subprocess.run(
        [sys.executable, __file__, *given],
        env={**os.environ, "THAW_BEGUN": str(time.time()), "OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(told.stdout.splitlines()[-1]))


def spread(values: list[float]) -> str:
    """Write a median with the range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def compare(rows: int, threads: int, rounds: int) -> None:
    """Let both ways take turns, and print what they took and how far they are apart."""
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for turn in range(rounds):
        for way in WAYS if turn % 2 == 0 else WAYS[::-1]:
            found[way].append(in_a_process(way, rows, threads))
    print(f"{rows or 'all'} rows, {threads} threads, {rounds} rounds: median (range)")
    for what in ("seconds", "cpu", "fits", "fits_cpu"):
        times = {way: [each[what] for each in found[way]] for way in WAYS}
        ratios = [b / a for a, b in zip(times[WAYS[0]], times[WAYS[1]], strict=True)]
        told = ", ".join(f"{way} {spread(times[way])}" for way in WAYS)
        print(f"  {what}: {told}; ratio {spread(ratios)}")
    a, b = found[WAYS[0]][0], found[WAYS[1]][0]
    for name, scores in a["scores"].items():
        apart = max(abs(x - y) for x, y in zip(scores, b["scores"][name], strict=True))
        print(f"  {name}: best layer {a['best'][name]} and {b['best'][name]}, {apart:.4f} apart")
    same = all(each["scores"] == found[way][0]["scores"] for way in WAYS for each in found[way])
    print(f"  each way the same in every round: {same}", flush=True)


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--here", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        profile_here(options.here, options.rows, options.threads[0])
        return
    for threads in options.threads:
        compare(options.rows, threads, options.rounds)


if __name__ == "__main__":
    main()
