import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.training.losses import (
    Balance,
    DynamicWeightAveraging,
    FixedWeights,
    Uncertainty,
    parse_balance,
)

TASKS = ("topic", "sentiment")
LOSSES = {"topic": torch.tensor(2.0), "sentiment": torch.tensor(0.5)}


def test_a_sum_adds_up() -> None:
    assert Balance()(LOSSES).item() == 2.5


def test_fixed_weights_weigh_and_a_task_that_is_not_named_counts_once() -> None:
    assert FixedWeights({"topic": 3.0})(LOSSES).item() == pytest.approx(6.5)


def test_uncertainty_begins_as_a_sum() -> None:
    assert Uncertainty(TASKS)(LOSSES).item() == pytest.approx(2.5)


@given(st.floats(0.01, 20))
def test_the_best_log_variance_is_the_log_of_twice_the_loss(loss: float) -> None:
    # By hand: d/ds (L exp(-s) + s / 2) = 0 where exp(s) = 2 L.
    balance = Uncertainty(("topic",))
    with torch.no_grad():
        balance.log_variances.fill_(math.log(2 * loss))
    balance({"topic": torch.tensor(loss)}).backward()
    assert balance.log_variances.grad is not None
    assert balance.log_variances.grad.item() == pytest.approx(0, abs=1e-5)


def test_dynamic_weights_are_equal_for_two_epochs_and_then_favour_the_slower_task() -> None:
    balance = DynamicWeightAveraging(TASKS)
    assert balance.weights(TASKS) == {"topic": 1.0, "sentiment": 1.0}
    balance.end_epoch({"topic": 2.0, "sentiment": 2.0})
    assert balance.weights(TASKS) == {"topic": 1.0, "sentiment": 1.0}
    balance.end_epoch({"topic": 1.0, "sentiment": 2.0})
    # By hand: ratios 0.5 and 1, so weights 2 exp(0.25) / (exp(0.25) + exp(0.5)) and its rest.
    topic = 2 * math.exp(0.25) / (math.exp(0.25) + math.exp(0.5))
    assert balance.weights(TASKS)["topic"] == pytest.approx(topic)
    assert balance.weights(TASKS)["sentiment"] == pytest.approx(2 - topic)


def test_dynamic_weights_come_back_with_the_state() -> None:
    balance, other = DynamicWeightAveraging(TASKS), DynamicWeightAveraging(TASKS)
    balance.end_epoch({"topic": 2.0, "sentiment": 2.0})
    balance.end_epoch({"topic": 1.0, "sentiment": 2.0})
    other.load_state_dict(balance.state_dict())
    assert other.weights(TASKS) == balance.weights(TASKS)


@pytest.mark.parametrize("name", ["sum", "uncertainty", "dwa", "topic=2+sentiment=0.5"])
def test_a_balance_is_read_by_its_name_and_says_it(name: str) -> None:
    assert parse_balance(name, TASKS).name == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("best", "must be one of: sum, uncertainty, dwa"),
        ("mood=1", "weighs 'mood', must be of: topic, sentiment"),
        ("topic=much", "must be a number"),
        ("topic=nan", "must be 0 or more"),
        ("topic=-1", "must be 0 or more"),
        ("topic=0+sentiment=0", "every task weight 0"),
    ],
)
def test_a_balance_that_is_none_is_refused_in_words(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_balance(name, TASKS)
