"""Multinomial logistic regression, fitted to its one best solution: the measure of a layer.

A linear head trained to convergence, without steps, rates or seeds: what it reaches says what
can be read off the states, and nothing else.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.task import IGNORED


@dataclass(frozen=True, kw_only=True)
class Logistic:
    """A fitted classifier on raw (unscaled) features.

    Attributes:
        weight: (classes, features).
        bias: (classes,).
    """

    weight: Tensor
    bias: Tensor

    def scores(self, features: Tensor) -> Tensor:
        """Return logits, (rows, classes), from (rows, features)."""
        return features.to(self.weight.dtype) @ self.weight.T + self.bias  # (rows, classes)


def fit_logistic(
    features: Tensor, labels: Tensor, classes: int, *, penalty: float, steps: int = 100
) -> Logistic:
    """Fit by L-BFGS: mean cross-entropy plus `penalty` / 2 times the squared weights.

    Features are standardised inside, so that one penalty suits every layer, and the result is
    written back for raw features. The bias is not penalised.

    Args:
        features: (rows, features).
        labels: Class numbers; rows of `IGNORED` count for nothing, (rows,).
        classes: How many classes there are.
        penalty: Strength of the L2 penalty, in nats per squared standardised weight.
        steps: The most L-BFGS iterations.

    Returns:
        The classifier, in fp32.

    Raises:
        ValueError: If the shapes differ, no row has a label, or a label is out of range.

    Source:
        Bishop 2006, Pattern Recognition and Machine Learning, section 4.3.4; Liu & Nocedal 1989.
    """
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        given = f"{tuple(features.shape)} and {tuple(labels.shape)}"
        raise ValueError(f"features and labels are {given}, must be (rows, features) and (rows,)")
    kept = labels != IGNORED  # (rows,)
    if not kept.any():
        raise ValueError("no row has a label: there is nothing to fit")
    features, labels = features[kept].float(), labels[kept]
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise ValueError(f"labels run to {int(labels.max())}, must be 0 to {classes - 1}")
    mean, scale = features.mean(dim=0), features.std(dim=0, correction=0).clamp(min=1e-6)
    scaled = (features - mean) / scale  # (rows, features)
    found = _minimise(scaled, F.one_hot(labels, classes).float(), penalty, steps)
    weight, bias = found[:, :-1], found[:, -1]  # (classes, features), (classes,)
    raw = weight / scale  # (classes, features)
    return Logistic(weight=raw, bias=bias - raw @ mean)


def _minimise(scaled: Tensor, wanted: Tensor, penalty: float, steps: int) -> Tensor:
    """Find the weights of least cost, the bias last, (classes, features + 1).

    The gradient is written out, and L-BFGS is scipy's: beside so small products, autograd and an
    optimiser in Python took most of the time.

    Args:
        scaled: (rows, features).
        wanted: One for each row's class, (rows, classes).
        penalty: Of the squared weights.
        steps: The most iterations.
    """
    from scipy.optimize import minimize

    shape = (wanted.shape[1], scaled.shape[1] + 1)
    rows = len(scaled)

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

    with torch.inference_mode():
        found = minimize(
            cost,
            np.zeros(shape[0] * shape[1]),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": steps, "maxcor": 20, "gtol": 1e-5, "ftol": 1e-9},
        )
    return torch.from_numpy(found.x).float().view(shape)  # (classes, features + 1)
