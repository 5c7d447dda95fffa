import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.metrics import log_loss

from core.measures.calibration import (
    COLDEST,
    CURVE_POINTS,
    HOTTEST,
    KEPT_SHARE,
    KEPT_SHARE_BELOW,
    LEAST_ROWS,
    choose_threshold,
    coverage_curve,
    expected_calibration_error,
    fit_temperature,
)
from core.task import IGNORED


def noisy_scores(
    seed: int, rows: int = 80, classes: int = 4, scale: float = 3.0
) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (rows,), generator=generator)
    scores = F.one_hot(labels, classes) + torch.randn(rows, classes, generator=generator)
    return scores * scale, labels


@given(seed=st.integers(0, 500), scale=st.floats(0.2, 12), classes=st.integers(2, 6))
def test_the_temperature_is_where_scipy_finds_the_same_objective_least(
    seed: int, scale: float, classes: int
) -> None:
    scores, labels = noisy_scores(seed, classes=classes, scale=scale)

    def cost(log_temperature: float) -> float:
        shares = log_softmax(scores.double().numpy() / math.exp(log_temperature), axis=1)
        return log_loss(labels.numpy(), np.exp(shares), labels=range(classes))

    bounds = (math.log(COLDEST), math.log(HOTTEST))
    expected = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 1e-9})
    found = fit_temperature(scores, labels)
    assert cost(math.log(found)) <= expected.fun + 1e-9
    assert found == pytest.approx(math.exp(expected.x), rel=1e-3)


@given(seed=st.integers(0, 200), factor=st.floats(0.5, 2))
def test_scores_twice_as_loud_get_twice_the_temperature(seed: int, factor: float) -> None:
    scores, labels = noisy_scores(seed)
    plain = fit_temperature(scores.double(), labels)
    assert plain / 2 > COLDEST, "needs room on both sides"
    assert plain * 2 < HOTTEST
    assert fit_temperature(scores.double() * factor, labels) == pytest.approx(plain * factor)


def test_the_temperature_of_two_classes_is_what_comes_out_by_hand() -> None:
    # By hand: the right one of two classes is 2 ahead in 15 rows of 20, 2 behind in 5.
    # The best share is 15 / 20, so 2 / T = ln(0.75 / 0.25) and T = 2 / ln 3.
    labels = torch.tensor([0, 1] * 10)
    ahead = torch.where(torch.arange(20) < 15, 2.0, -2.0)
    scores = F.one_hot(labels, 2) * ahead[:, None]
    assert fit_temperature(scores, labels) == pytest.approx(2 / math.log(3), rel=1e-9)


def test_a_head_that_is_never_wrong_or_worse_than_chance_gets_an_end_of_the_range() -> None:
    labels = torch.tensor([0, 1] * 10)
    scores = F.one_hot(labels, 2).float()
    assert fit_temperature(scores, labels) == COLDEST
    assert fit_temperature(-scores, labels) == HOTTEST


def test_rows_without_a_label_change_no_temperature() -> None:
    scores, labels = noisy_scores(1)
    some = labels.clone()
    some[::3] = IGNORED
    kept = some != IGNORED
    assert fit_temperature(scores, some) == fit_temperature(scores[kept], labels[kept])
    some[:] = IGNORED
    assert fit_temperature(scores, some) == 1.0


def test_labels_that_cannot_tell_leave_the_scores_alone() -> None:
    scores, labels = noisy_scores(2, rows=LEAST_ROWS)
    assert fit_temperature(scores, labels) != 1.0, "needs a premise: so many rows do tell"
    assert fit_temperature(scores[1:], labels[1:]) == 1.0
    assert fit_temperature(scores, torch.zeros_like(labels)) == 1.0
    assert fit_temperature(torch.ones(20, 2), torch.tensor([0, 1] * 10)) == 1.0


def test_scores_in_the_thousands_are_no_trouble() -> None:
    scores, labels = noisy_scores(3)
    assert fit_temperature(scores * 1e4, labels) == HOTTEST
    assert COLDEST <= fit_temperature(scores.half() * 100, labels) <= HOTTEST


def test_the_calibration_error_is_what_comes_out_by_hand() -> None:
    # By hand: bin (0.8, 1.0] holds 0.9 right and 0.9 wrong, gap |0.9 - 0.5| = 0.4, 2 of 4 rows;
    # bin (0.6, 0.8] holds 0.7 right and 0.8 right, gap |0.75 - 1| = 0.25, 2 of 4 rows: 0.325.
    best = torch.tensor([0.9, 0.9, 0.7, 0.8], dtype=torch.float64)
    probabilities = torch.stack([best, 1 - best], dim=1)
    labels = torch.tensor([0, 1, 0, 0])
    assert expected_calibration_error(probabilities, labels, bins=5) == pytest.approx(0.325)
    # In one bin gaps of both signs meet: |0.825 - 0.75|.
    assert expected_calibration_error(probabilities, labels, bins=1) == pytest.approx(0.075)


@given(seed=st.integers(0, 500), rows=st.integers(1, 60), bins=st.integers(1, 20))
def test_the_calibration_error_equals_a_plain_loop_over_its_bins(
    seed: int, rows: int, bins: int
) -> None:
    scores, labels = noisy_scores(seed, rows=rows, classes=3, scale=1.5)
    probabilities = scores.double().softmax(dim=1)
    confidence = probabilities.max(dim=1).values.numpy()
    right = (probabilities.argmax(dim=1) == labels).numpy()
    expected = 0.0
    for low in range(bins):
        inside = (confidence > low / bins) & (confidence <= (low + 1) / bins)
        if inside.any():
            gap = abs(confidence[inside].mean() - right[inside].mean())
            expected += inside.mean() * gap
    found = expected_calibration_error(probabilities, labels, bins)
    assert found == pytest.approx(expected, abs=1e-12)


def test_the_fitted_temperature_lowers_the_error_of_a_head_too_sure_of_itself() -> None:
    scores, labels = noisy_scores(4, rows=2000, scale=8)
    before = expected_calibration_error(scores.softmax(dim=1), labels)
    temperature = fit_temperature(scores, labels)
    after = expected_calibration_error((scores / temperature).softmax(dim=1), labels)
    assert before > 0.2, "needs a head that is too sure"
    assert after < 0.05
    assert math.isnan(expected_calibration_error(scores[:0], labels[:0]))


ROWS = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=60)


@given(rows=ROWS)
def test_each_point_of_the_curve_is_what_its_threshold_keeps(rows: list[tuple[int, bool]]) -> None:
    confidence, right = torch.tensor([r[0] / 8 for r in rows]), torch.tensor([r[1] for r in rows])
    points = coverage_curve(confidence, right)
    assert [p.threshold for p in points] == sorted(set(confidence.tolist()))
    assert points[0].coverage == 1
    for point in points:
        kept = confidence >= point.threshold
        assert point.coverage == pytest.approx(float(kept.float().mean()))
        assert point.accuracy == pytest.approx(float(right[kept].float().mean()))


@pytest.mark.parametrize("rows", [CURVE_POINTS, CURVE_POINTS + 1, 150, 5000])
def test_a_long_curve_is_thinned_evenly_and_keeps_both_its_ends(rows: int) -> None:
    confidence = torch.rand(rows, generator=torch.Generator().manual_seed(0))
    points = coverage_curve(confidence, confidence > 0.5)
    assert len(points) <= CURVE_POINTS
    assert (points[0].threshold, points[-1].threshold) == (confidence.min(), confidence.max())
    coverages = [p.coverage for p in points]
    steps = [before - after for before, after in itertools.pairwise(coverages)]
    assert min(steps) > 0
    assert max(steps) < 2.5 / CURVE_POINTS


@given(rows=ROWS, accuracy=st.floats(0, 1))
def test_no_lower_threshold_that_keeps_enough_reaches_the_accuracy(
    rows: list[tuple[int, bool]], accuracy: float
) -> None:
    confidence, right = torch.tensor([r[0] / 8 for r in rows]), torch.tensor([r[1] for r in rows])
    chosen = choose_threshold(confidence, right, accuracy=accuracy)
    if len(rows) < LEAST_ROWS:
        assert chosen == 0.0
        return
    points = [
        p for p in coverage_curve(confidence, right) if p.coverage * len(rows) > LEAST_ROWS - 0.5
    ]
    reached = [p for p in points if p.accuracy >= accuracy and p.coverage >= KEPT_SHARE]
    kept = confidence >= chosen
    found = float(right[kept].double().mean())
    if reached:
        assert found >= accuracy
        assert float(kept.double().mean()) == pytest.approx(reached[0].coverage)
    else:
        many = [p for p in points if p.coverage >= KEPT_SHARE_BELOW]
        assert found == pytest.approx(max(p.accuracy for p in many))


def test_the_threshold_is_what_comes_out_by_hand() -> None:
    # By hand: 10 surest right, then 5 right and 5 wrong. All: 15 / 20. Without the 5 wrong ones at
    # 0.3: 15 / 15. Midway between 0.3 and 0.6 is 0.45.
    confidence = torch.tensor([0.9] * 10 + [0.6] * 5 + [0.3] * 5, dtype=torch.float64)
    right = torch.tensor([True] * 15 + [False] * 5)
    assert choose_threshold(confidence, right) == pytest.approx(0.45)
    assert choose_threshold(confidence, right, accuracy=0.75) == 0.0


def test_a_lucky_few_at_the_end_of_the_curve_do_not_win() -> None:
    # The 5 surest of 100 are right, of the other 95 every second: only a tail reaches 0.9.
    right = torch.arange(100) % 2 == 0
    right[:5] = True
    confidence = torch.linspace(1, 0, 100)
    chosen = choose_threshold(confidence, right)
    assert (confidence >= chosen).double().mean() >= KEPT_SHARE_BELOW


def test_of_no_rows_there_is_no_curve_and_nothing_is_unsure() -> None:
    none = torch.zeros(0)
    assert coverage_curve(none, none.bool()) == []
    assert choose_threshold(none, none.bool()) == 0.0


def test_what_cannot_be_calibrated_is_refused() -> None:
    scores, labels = noisy_scores(0)
    with pytest.raises(ValueError, match=r"must be \(rows, classes\) and \(rows,\)"):
        fit_temperature(scores, labels[1:])
    with pytest.raises(ValueError, match="labels run from 0 to 3, must be 0 to 2"):
        fit_temperature(scores[:, :3], labels)
    with pytest.raises(ValueError, match="no finite number: the head has diverged"):
        fit_temperature(scores * math.nan, labels)
    with pytest.raises(ValueError, match="give the softmax of the scores"):
        expected_calibration_error(scores, labels)
    with pytest.raises(ValueError, match="bins is 0, must be at least 1"):
        expected_calibration_error(scores.softmax(dim=1), labels, bins=0)
    with pytest.raises(ValueError, match=r"must both be \(rows,\)"):
        coverage_curve(torch.ones(3), torch.ones(2))
    with pytest.raises(ValueError, match="is not between 0 and 1"):
        choose_threshold(torch.full((20,), math.nan), torch.ones(20))
    with pytest.raises(ValueError, match="must be a share from 0 to 1"):
        choose_threshold(torch.ones(20), torch.ones(20), accuracy=90)
