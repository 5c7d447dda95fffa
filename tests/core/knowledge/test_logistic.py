import math

import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from core.knowledge.logistic import fit_logistic
from core.task import IGNORED


def blobs(
    rows: int = 120, classes: int = 3, features: int = 5
) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(rows) % classes
    centres = torch.randn(classes, features, generator=generator)
    spread = torch.randn(rows, features, generator=generator)
    return (centres[labels] + spread) * torch.tensor([1.0, 10, 0.1, 5, 1])[:features] + 7, labels


@pytest.mark.parametrize("penalty", [0.01, 0.1, 1.0])
def test_the_fit_equals_scikit_learn_on_standardised_features(penalty: float) -> None:
    features, labels = blobs()
    scaled = StandardScaler().fit_transform(features.numpy())
    reference = LogisticRegression(C=1 / (penalty * len(labels)), tol=1e-8, max_iter=2000)
    expected = torch.tensor(reference.fit(scaled, labels.numpy()).predict_proba(scaled))
    found = fit_logistic(features, labels, 3, penalty=penalty).scores(features).softmax(dim=1)
    torch.testing.assert_close(found, expected.float(), atol=2e-3, rtol=0)


def test_no_small_step_from_the_solution_is_better() -> None:
    features, labels = blobs()
    found = fit_logistic(features, labels, 3, penalty=0.05, steps=500)
    scale = features.std(dim=0, correction=0)

    def cost(weight: torch.Tensor, bias: torch.Tensor) -> float:
        loss = F.cross_entropy(features @ weight.T + bias, labels)
        return float(loss + 0.05 / 2 * (weight * scale).square().sum())

    best = cost(found.weight, found.bias)
    for seed in range(20):
        noise = torch.randn(3, 5, generator=torch.Generator().manual_seed(seed)) * 0.02
        assert cost(found.weight + noise / scale, found.bias) > best - 1e-6


def test_rows_without_a_label_change_nothing() -> None:
    features, labels = blobs()
    some = labels.clone()
    some[::4] = IGNORED
    kept = some != IGNORED
    a = fit_logistic(features, some, 3, penalty=0.1)
    b = fit_logistic(features[kept], labels[kept], 3, penalty=0.1)
    assert torch.equal(a.weight, b.weight)


def test_features_that_say_nothing_give_the_shares_of_the_labels() -> None:
    labels = torch.tensor([0] * 30 + [1] * 10)
    found = fit_logistic(torch.ones(40, 2), labels, 2, penalty=0.1)
    scores = found.scores(torch.ones(1, 2))[0]
    assert (scores[0] - scores[1]).item() == pytest.approx(math.log(3), abs=1e-3)


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(ValueError, match="no row has a label"):
        fit_logistic(torch.ones(2, 2), torch.tensor([IGNORED, IGNORED]), 2, penalty=0.1)
    with pytest.raises(ValueError, match="must be 0 to 1"):
        fit_logistic(torch.ones(2, 2), torch.tensor([0, 2]), 2, penalty=0.1)
    with pytest.raises(ValueError, match=r"must be \(rows, features\)"):
        fit_logistic(torch.ones(2, 2), torch.tensor([0]), 2, penalty=0.1)
