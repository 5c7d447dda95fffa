from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import AutoConfig, AutoModel

from core.config import TrainingChoice
from core.encoder.adapters import add_adapters
from core.encoder.backbone import TransformersBackbone
from core.model.model import MultiTaskModel
from core.strategy.scenario import Scenario, parse_strategy
from core.strategy.strategies import Adapters
from core.strategy.strategy import Part
from core.training.thawing import (
    Thawing,
    model_parts,
    part_parameters,
    plan_for,
    planned_sizes,
    rate_share,
)
from tests.tiny_models import FAMILIES, LAYERS
from tests.tiny_tasks import TRAINED_FAMILIES, tiny_model

Folder = Callable[[str], Path]


def thawing(model: MultiTaskModel, strategy: str) -> Thawing:
    """Give a strategy's plan for a model."""
    return Thawing(model, plan_for(model, parse_strategy(strategy, LAYERS), 2))


STRATEGIES = ("frozen", "heads", "lower:0", "lower:2", "lower:0@1", "full", "full@0")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_weight_of_a_network_is_in_one_part(family: str, family_folder: Folder) -> None:
    model = tiny_model(family_folder, family)
    parts = model_parts(model)
    assert len(parts) == LAYERS + 1 + 3
    found = Counter(id(w) for part in parts for w in part_parameters(model, part).values())
    wanted = {id(w) for w in (*model.encoder.backbone.parameters(), *model.heads.parameters())}
    assert set(found) == wanted
    assert set(found.values()) == {1}


def test_a_norm_after_the_last_layer_belongs_to_it(family_folder: Folder) -> None:
    model = tiny_model(family_folder, "stella-1.5b")
    assert "model.norm.weight" in part_parameters(model, Part(layer=LAYERS))
    assert not any("norm" in name for name in part_parameters(model, Part(layer=0)))
    config = AutoConfig.for_model(
        "modernbert",
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=1,
        cls_token_id=1,
        sep_token_id=1,
    )
    model.encoder.backbone = TransformersBackbone(AutoModel.from_config(config), config)
    assert "model.final_norm.weight" in part_parameters(model, Part(layer=2))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("family", TRAINED_FAMILIES)
def test_the_optimiser_knows_each_weight_that_trains_once_and_no_other(
    family: str, strategy: str, family_folder: Folder
) -> None:
    scenario = parse_strategy(strategy, LAYERS)
    model = tiny_model(family_folder, family, read=scenario.read)
    thaw = thawing(model, strategy)
    thaw.thaw()
    optimizer = thaw.optimizer(TrainingChoice())
    known = Counter(
        id(w) for g in (optimizer.param_groups if optimizer else ()) for w in g["params"]
    )
    assert set(known) == {id(weight) for weight in thaw.trained.values()}
    assert set(known.values()) <= {1}
    assert {id(w) for w in model.parameters() if w.requires_grad} == set(known)
    assert (optimizer is None) == (strategy == "frozen")


@pytest.mark.parametrize("family", TRAINED_FAMILIES)
def test_biases_and_norms_never_decay(family: str, family_folder: Folder) -> None:
    model = tiny_model(family_folder, family)
    optimizer = thawing(model, "full").optimizer(TrainingChoice(weight_decay=0.3))
    assert optimizer is not None
    decayed = {
        id(weight): group["weight_decay"]
        for group in optimizer.param_groups
        for weight in group["params"]
    }
    norms = {
        id(weight)
        for module in model.modules()
        if "norm" in type(module).__name__.lower()
        for weight in module.parameters(recurse=False)
    }
    assert norms, "needs norms"
    for name, weight in model.named_parameters():
        if id(weight) in decayed:
            plain = name.endswith("bias") or id(weight) in norms
            assert decayed[id(weight)] == (0.0 if plain else 0.3), name


def test_heads_and_encoder_have_rates_of_their_own_which_a_person_may_set(
    family_folder: Folder,
) -> None:
    model = tiny_model(family_folder)
    strategy = parse_strategy("lower:1", LAYERS).strategy

    def rates(choice: TrainingChoice) -> set[float]:
        optimizer = thawing(model, "lower:1").optimizer(choice)
        assert optimizer is not None
        return {group["full_lr"] for group in optimizer.param_groups}

    assert rates(TrainingChoice()) == {strategy.encoder_rate, strategy.head_rate}
    assert rates(TrainingChoice(encoder_rate=0.5, head_rate=0.25)) == {0.5, 0.25}


def test_a_layer_above_the_one_read_is_no_part_that_trains(family_folder: Folder) -> None:
    model = tiny_model(family_folder, read=1)
    assert [part.layer for part in thawing(model, "full").weights] == [0, 1, None, None, None]


@pytest.mark.parametrize("family", TRAINED_FAMILIES)
def test_what_is_frozen_runs_without_dropout_and_what_trains_with_it(
    family: str, family_folder: Folder
) -> None:
    model = tiny_model(family_folder, family)
    backbone = model.encoder.backbone
    inside = {module for layer in backbone.layers() for module in layer.modules()}
    beside = [m for m in backbone.modules() if isinstance(m, nn.Dropout) and m not in inside]

    def modes() -> list[bool]:
        return [all(m.training for m in layer.modules()) for layer in backbone.layers()]

    thawing(model, "lower:1").set_modes()
    assert modes() == [False, True, True]
    assert not any(module.training for module in beside)
    assert model.heads["kind"].training
    thawing(model, "full").set_modes()
    assert modes() == [True, True, True]
    assert all(module.training for module in beside)
    thawing(model, "heads").set_modes()
    assert modes() == [False, False, False]
    thawing(model, "frozen").set_modes()
    assert not any(module.training for module in model.modules())


@given(steps=st.integers(1, 200), warmup=st.floats(0, 1))
def test_the_rate_rises_to_its_full_height_and_falls_and_is_never_zero(
    steps: int, warmup: float
) -> None:
    shares = [rate_share(step, steps, warmup) for step in range(steps)]
    assert all(0 < share <= 1 for share in shares)
    top = shares.index(max(shares))
    assert max(shares) == pytest.approx(1)
    assert shares[: top + 1] == sorted(shares[: top + 1])
    assert shares[top:] == sorted(shares[top:], reverse=True)


def test_the_rate_by_hand() -> None:
    found = [rate_share(step, 10, 0.2) for step in range(10)]
    assert found == pytest.approx([0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])


def test_a_weight_frozen_again_keeps_its_place_under_decay(family_folder: Folder) -> None:
    model = tiny_model(family_folder)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    upper = thawing(model, "lower:2")
    upper.thaw()
    optimizer = upper.optimizer(TrainingChoice(weight_decay=0.5))
    assert optimizer is not None
    for group in optimizer.param_groups:
        for weight in group["params"]:
            weight.grad = torch.ones_like(weight)
    optimizer.step()
    for name, weight in model.named_parameters():
        assert torch.equal(weight, before[name]) != weight.requires_grad, name


@pytest.mark.parametrize("family", TRAINED_FAMILIES)
def test_weights_are_counted_before_there_are_adapters_as_after(
    family: str, family_folder: Folder
) -> None:
    model, lora = tiny_model(family_folder, family, read=2), Adapters(rank=2)
    plan = plan_for(model, Scenario(strategy=lora), 2)
    planned = planned_sizes(model, plan)
    add_adapters(model.encoder.backbone, rank=2, highest=2)
    with_them = Thawing(model, plan)
    assert planned == {part: with_them.sizes(part) for part in plan.parts}
    assert planned[Part(layer=2)][0] > 0
    assert planned[Part(layer=3)][0] == 0, "it is above the layer read"
