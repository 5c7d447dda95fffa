import copy

import pytest
import torch
import torch.nn.functional as F

from core.encoder.packed import PackableLinear, can_pack


def packed_linear() -> PackableLinear:
    torch.manual_seed(0)
    linear = PackableLinear(48, 80)
    linear.pack()
    if linear._packed is None:
        pytest.skip("this build of torch cannot pack")
    return linear


@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("tokens", [0, 1, 7, 300])
def test_a_packed_layer_gives_what_an_unpacked_one_gives(tokens: int, gelu: bool) -> None:
    linear, states = packed_linear(), torch.randn(tokens, 48)
    expected = F.linear(states, linear.weight, linear.bias)
    with torch.inference_mode():
        found = linear(states, gelu=gelu)
    torch.testing.assert_close(
        found, (F.gelu(expected) if gelu else expected).detach(), atol=1e-5, rtol=1e-4
    )


def test_a_changed_weight_is_seen_and_the_old_copy_dropped() -> None:
    linear, states = packed_linear(), torch.randn(3, 48)
    with torch.no_grad():
        linear.weight.mul_(2)
        found = linear(states)
    assert linear._packed is None
    torch.testing.assert_close(found, F.linear(states, linear.weight, linear.bias).detach())


def test_training_goes_through_the_real_weight() -> None:
    linear = packed_linear()
    linear(torch.randn(3, 48)).sum().backward()
    assert linear.weight.grad is not None
    assert linear.weight.grad.abs().sum() > 0


def test_a_copy_and_a_move_start_unpacked_with_the_same_weights() -> None:
    linear = packed_linear()
    twin = copy.deepcopy(linear)
    assert twin._packed is None
    assert torch.equal(twin.weight, linear.weight)
    assert linear.double()._packed is None
    assert list(linear.state_dict()) == ["weight", "bias"]


def test_other_types_and_devices_are_left_alone() -> None:
    assert not can_pack(torch.ones(2, 2, dtype=torch.float64))
    assert not can_pack(torch.ones(2, 2, device="meta"))


def test_a_weight_that_a_fused_optimiser_changed_is_not_read_from_its_old_copy() -> None:
    linear = PackableLinear(8, 4).requires_grad_(False)
    states = torch.randn(3, 8)
    linear.pack()
    linear.requires_grad_(True)
    optimizer = torch.optim.AdamW(linear.parameters(), lr=0.1, fused=True)
    linear(states).sum().backward()
    optimizer.step()
    with torch.no_grad():
        assert torch.equal(linear(states), F.linear(states, linear.weight, linear.bias))
    linear.requires_grad_(False)
    with torch.no_grad():
        assert torch.equal(linear(states), F.linear(states, linear.weight, linear.bias))
