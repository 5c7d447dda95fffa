import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.training.draws import BATCHES_SORTED_TOGETHER, Draws

CPU = torch.device("cpu")


@given(
    lengths=st.lists(st.integers(0, 50), min_size=1, max_size=120),
    size=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_each_row_is_in_one_batch_of_an_epoch(lengths: list[int], size: int, seed: int) -> None:
    batches = Draws(seed, CPU).batches(lengths, size)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // size)
    assert max(map(len, batches)) <= size


def test_the_same_seed_deals_the_same_and_each_epoch_another() -> None:
    lengths = list(range(64))
    first, second = Draws(3, CPU), Draws(3, CPU)
    one = first.batches(lengths, 8)
    assert one == second.batches(lengths, 8)
    assert one != first.batches(lengths, 8), "another epoch"
    assert one != Draws(4, CPU).batches(lengths, 8)


def test_texts_of_like_length_share_a_batch() -> None:
    lengths = [7 * n % 101 for n in range(8 * BATCHES_SORTED_TOGETHER)]
    spread = [
        max(lengths[row] for row in batch) - min(lengths[row] for row in batch)
        for batch in Draws(0, CPU).batches(lengths, 8)
    ]
    assert max(spread) <= 12, "of lengths from 0 to 100"


def test_dropout_draws_from_the_run_s_own_state_and_puts_the_other_back() -> None:
    torch.manual_seed(5)
    ours, theirs = torch.rand(2), torch.rand(2)
    torch.manual_seed(5)
    draws = Draws(9, CPU)
    with draws.dropout():
        first = torch.rand(2)
    assert torch.equal(torch.rand(2), ours)
    with draws.dropout():
        second = torch.rand(2)
    assert torch.equal(torch.rand(2), theirs)
    torch.manual_seed(9)
    assert torch.equal(torch.cat([first, second]), torch.rand(4)), "one stream from its seed"


def test_a_failure_inside_puts_the_state_back() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)

    def fail() -> None:
        with Draws(0, CPU).dropout():
            torch.rand(3)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.equal(torch.rand(1), expected)
