"""A plan answers as its strategy does, for one network and one run, and is asked of no model."""

import pickle

import pytest

from core.config import MIX
from core.strategy.scenario import Scenario, parse_strategy
from core.strategy.strategies import Gradual
from core.strategy.strategy import Moment, Part, frozen_depth
from core.strategy.thaw_plan import ThawPlan

LAYERS, EPOCHS = 4, 3
NAMES = (
    *("frozen", "heads", "heads+freeze-head:kind", "freeze-head:kind", "lower:0", "lower:2"),
    *("full", "gradual", "lp-ft", "bitfit", "lora", "layerwise-lr", "freeze:0-1+3"),
)


def plan_of(name: str, *, read: int | str = LAYERS, epochs: int = EPOCHS) -> ThawPlan:
    scenario = parse_strategy(name, LAYERS)
    layers: dict[str, int | str] = {"kind": read, "names": 1}
    return ThawPlan(scenario=scenario, read=layers, layers=LAYERS, epochs=epochs)


@pytest.mark.parametrize("read", [LAYERS, 2, MIX])
@pytest.mark.parametrize("name", NAMES)
def test_a_plan_answers_as_the_strategy_that_it_is_of(name: str, read: int | str) -> None:
    plan, strategy = plan_of(name, read=read), parse_strategy(name, LAYERS).strategy
    top = 2 if read == 2 else LAYERS
    assert plan.top == top
    assert [str(part) for part in plan.parts] == [
        *("embeddings", "layer 1", "layer 2", "layer 3", "layer 4", "head kind", "head names")
    ]
    used = [part for part in plan.parts if part.layer is None or part.layer <= top]
    assert list(plan.trained) == [part for part in used if strategy.trains(part)]
    assert plan.depth == frozen_depth(strategy, LAYERS)
    assert len(plan.starts) == EPOCHS + 1, "after the last epoch it is asked too"
    for epoch, start in enumerate(plan.starts):
        now = Moment(epoch=epoch, epochs=EPOCHS, top=top)
        depth = frozen_depth(strategy, LAYERS, now)
        assert start == (None if depth is None else min(depth, top))
        for part in plan.parts:
            assert plan.shares[part][epoch] == strategy.rate(part, now)


def test_a_plan_by_hand() -> None:
    gradual = plan_of("gradual", epochs=6)
    assert gradual.starts == (4, 3, 2, 1, None, None, None)
    assert gradual.shares[Part(layer=4)] == (0, 1, 1, 1, 1, 1, 1)
    assert (gradual.depth, gradual.start, gradual.moves) == (None, None, True)
    heads = plan_of("heads", read=2)
    assert (heads.depth, heads.start, heads.starts[0], heads.moves) == (4, 2, 2, False)
    assert plan_of("lora").takes("layer.0.lora_a")
    assert not plan_of("lora").takes("layer.0.weight")


def test_a_plan_goes_to_another_process_as_it_is() -> None:
    scenario = Scenario(strategy=Gradual(every=2))
    plan = ThawPlan(scenario=scenario, read={"kind": 4}, layers=LAYERS, epochs=EPOCHS)
    assert plan.starts
    again = pickle.loads(pickle.dumps(plan))
    assert again == plan
    assert again.shares == plan.shares
