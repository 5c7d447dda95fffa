import copy

import pytest
import torch
from torch import Tensor, nn

from core.training.adamw import AdamW
from core.training.observing import gradient_norms

ROWS, HIDDEN = 30, 8


def weights_of(seed: int) -> list[nn.Parameter]:
    torch.manual_seed(seed)
    shapes = ((ROWS, HIDDEN), (HIDDEN,), (HIDDEN, 3))
    return [nn.Parameter(torch.randn(shape)) for shape in shapes]


def test_it_gives_torch_s_bits() -> None:
    ours, theirs = weights_of(0), weights_of(0)
    groups = [{"params": w[:2], "lr": 1e-2, "weight_decay": 0.1} for w in (ours, theirs)]
    more = [{"params": w[2:], "lr": 1e-3, "weight_decay": 0.0} for w in (ours, theirs)]
    own = AdamW([groups[0], more[0]])
    torchs = torch.optim.AdamW([groups[1], more[1]], fused=True)
    for step in range(20):
        for group in own.param_groups + torchs.param_groups:
            group["lr"] *= 0.9
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn_like(one) if step != 7 else None  # frozen for a step
            other.grad = None if one.grad is None else one.grad.clone()
        own.step()
        torchs.step()
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_a_scale_is_what_multiplies_the_gradients() -> None:
    scaled, plain = weights_of(1), weights_of(1)
    first = AdamW([{"params": scaled, "lr": 1e-2, "weight_decay": 0.1}])
    second = AdamW([{"params": plain, "lr": 1e-2, "weight_decay": 0.1}])
    for _ in range(5):
        for one, other in zip(scaled, plain, strict=True):
            one.grad = torch.randn_like(one)
            other.grad = one.grad * 0.3
        first.step(scale=0.3)
        second.step()
    for one, other in zip(scaled, plain, strict=True):
        torch.testing.assert_close(one, other)


def table_steps(sparse: bool, *, stop: int = 12) -> tuple[Tensor, AdamW, nn.Embedding]:
    """Train a table of words of which few are used, the last of them from the sixth step on."""
    torch.manual_seed(2)
    words = nn.Embedding(ROWS, HIDDEN, sparse=sparse)
    optimizer = AdamW([{"params": [words.weight], "lr": 0.0, "weight_decay": 0.5, "part": "e"}])
    if sparse:
        optimizer.limit_rows(words.weight, torch.tensor([2, 3, 5, 11, 29]))
    for step in range(stop):
        optimizer.param_groups[0]["lr"] = 0.1 / (step + 1)
        used = torch.tensor([3, 5, 3, 11] if step < 6 else [29, 5, 29])
        optimizer.zero_grad()
        (words(used) * torch.randn(len(used), HIDDEN)).sum().backward()
        assert words.weight.grad is not None
        assert words.weight.grad.is_sparse == sparse
        norm = gradient_norms(optimizer)["e"]
        optimizer.step(scale=min(1.0, 2 / norm))
    return words.weight.detach(), optimizer, words


def test_a_table_of_which_few_rows_are_used_trains_as_the_whole_does() -> None:
    whole, _, _ = table_steps(sparse=False)
    table, optimizer, _ = table_steps(sparse=True)
    used = torch.tensor([2, 3, 5, 11, 29])
    torch.testing.assert_close(table[used], whole[used])
    untouched = [row for row in range(ROWS) if row not in used.tolist()]
    begun = table[untouched].clone()
    optimizer.settle()
    assert not torch.allclose(begun, table[untouched]), "they decay too"
    torch.testing.assert_close(table, whole)
    before = table.clone()
    optimizer.settle()
    assert torch.equal(before, table), "once"
    assert optimizer.state[optimizer.param_groups[0]["params"][0]]["exp_avg"].shape == (5, HIDDEN)


@pytest.mark.parametrize("sparse", [False, True])
def test_moments_put_back_go_on_bit_for_bit(sparse: bool) -> None:
    straight, _, _ = table_steps(sparse)
    stopped, optimizer, words = table_steps(sparse, stop=9)
    kept = {name: each.clone() for name, each in optimizer.moments().items()}
    other = AdamW(copy.copy(optimizer.param_groups))
    if sparse:
        other.limit_rows(words.weight, torch.tensor([2, 3, 5, 11, 29]))
    other.load_moments(kept)
    for name in kept:
        kept[name].fill_(7)  # a copy was taken
    for step in range(9, 12):
        other.param_groups[0]["lr"] = 0.1 / (step + 1)
        used = torch.tensor([29, 5, 29])
        other.zero_grad()
        (words(used) * torch.randn(len(used), HIDDEN)).sum().backward()
        other.step(scale=min(1.0, 2 / gradient_norms(other)["e"]))
    assert torch.equal(stopped, straight)
