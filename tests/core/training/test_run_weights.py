import torch
from torch import nn

from core.training.run_weights import RunWeights


def weight(*numbers: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(numbers, dtype=torch.float32))


def set_to(each: nn.Parameter, number: float) -> None:
    with torch.no_grad():
        each.fill_(number)


def test_weights_never_kept_go_back_to_the_beginning() -> None:
    one = weight(1, 2)
    weights = RunWeights({"one": one})
    set_to(one, 9)
    weights.go_back()
    assert one.tolist() == [1, 2]


def test_weights_go_back_to_the_last_that_were_kept_and_the_beginning_stays() -> None:
    one = weight(1, 2)
    weights = RunWeights({"one": one})
    for number in (3, 4):
        set_to(one, number)
        weights.keep()
    set_to(one, 9)
    weights.go_back()
    assert one.tolist() == [4, 4]
    assert weights.begun["one"].tolist() == [1, 2]


def test_a_weight_added_later_began_as_it_was_then_and_one_added_again_did_not() -> None:
    one, two = weight(1), weight(2)
    weights = RunWeights({"one": one})
    set_to(one, 5)
    weights.keep()
    weights.add({"one": one, "two": two})
    set_to(two, 7)
    assert {name: each.item() for name, each in weights.begun.items()} == {"one": 1, "two": 2}
    weights.go_back()
    assert (one.item(), two.item()) == (5, 2)


def test_weights_come_back_from_what_a_checkpoint_holds() -> None:
    one = weight(1, 2)
    weights = RunWeights({"one": one})
    assert set(weights.tensors(kept=False)) == {"weight.one"}
    set_to(one, 3)
    weights.keep()
    set_to(one, 4)
    held = {name: each.detach().clone() for name, each in weights.tensors(kept=True).items()}
    other = weight(0, 0)
    resumed = RunWeights({"one": other})
    resumed.load(held, kept=True)
    assert other.tolist() == [4, 4]
    resumed.go_back()
    assert other.tolist() == [3, 3]
