from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from core.encoder.backbone import TransformersBackbone
from core.encoder.bert import Bert
from core.encoder.encoder import pad
from core.encoder.folder import read_folder
from core.encoder.loading import load_backbone
from core.encoder.tokenizer import load_tokenizer
from tests.tiny_models import FAMILIES, LAYERS, TEXTS


def batch(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    return pad([each.ids for each in load_tokenizer(folder, 64).encode([*TEXTS, "It works."])])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_states_of_every_layer_equal_those_of_transformers(
    family: str, family_folder: Callable[[str], Path]
) -> None:
    folder = family_folder(family)
    ids, mask = batch(folder)
    assert mask.sum() < mask.numel(), "needs padding"
    theirs = AutoModel.from_pretrained(folder)
    if family == "stella-1.5b":
        theirs.config.is_causal = False
    with torch.inference_mode():
        expected = theirs(ids, attention_mask=mask, output_hidden_states=True).hidden_states
        found = load_backbone(read_folder(folder)).layer_states(ids, mask, LAYERS)
    assert len(found) == len(expected) == LAYERS + 1
    real = mask.bool()
    for ours, other in zip(found, expected, strict=True):
        torch.testing.assert_close(ours[real], other[real], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("highest", range(LAYERS + 1))
@pytest.mark.parametrize("family", ["minilm", "distilbert", "roberta-base", "mpnet", "stella-1.5b"])
def test_no_layer_above_the_highest_one_wanted_is_run(
    family: str, highest: int, family_folder: Callable[[str], Path]
) -> None:
    folder = family_folder(family)
    backbone = load_backbone(read_folder(folder))
    ran: list[int] = []
    for number, layer in enumerate(backbone.layers(), 1):
        layer.register_forward_hook(lambda *_, number=number: ran.append(number))
    ids, mask = batch(folder)
    with torch.inference_mode():
        everything = backbone.layer_states(ids, mask, LAYERS)
        ran.clear()
        found = backbone.layer_states(ids, mask, highest)
        whole = backbone(ids, mask)
    assert ran[:highest] == list(range(1, highest + 1))
    assert len(ran) == highest + LAYERS, "the whole pass afterwards runs every layer again"
    assert len(found) == highest + 1
    for ours, other in zip(found, everything, strict=False):
        assert torch.equal(ours, other)
    assert torch.equal(everything[-1], whole)


def packed(padded: list[Tensor], mask: Tensor) -> list[Tensor]:
    return [states[mask.bool()] for states in padded]


@pytest.mark.parametrize("family", FAMILIES)
def test_running_on_from_any_layer_gives_what_the_whole_pass_gives(
    family: str, family_folder: Callable[[str], Path]
) -> None:
    folder = family_folder(family)
    backbone = load_backbone(read_folder(folder))
    ids, mask = batch(folder)
    lengths = mask.sum(dim=1).tolist()
    assert len(set(lengths)) > 1, "needs padding"
    with torch.no_grad():
        whole = packed(backbone.layer_states(ids, mask, LAYERS), mask)
        torch.testing.assert_close(backbone.embed_packed(ids, mask), whole[0])
        for first in range(LAYERS + 1):
            for last in range(first, LAYERS + 1):
                found = backbone.packed_layers(whole[first], lengths, first, last)
                assert len(found) == last - first + 1
                for ours, expected in zip(found, whole[first:], strict=False):
                    torch.testing.assert_close(ours, expected, atol=2e-6, rtol=2e-5)


def alternating(kind: str, **given: object) -> TransformersBackbone:
    """Build a family of which the layers differ, or return more than their states."""
    sizes = {
        "vocab_size": 60,
        "hidden_size": 32,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "intermediate_size": 40,
        "pad_token_id": 0,
    }
    more = {
        "gemma3_text": {"sliding_window": 3, "head_dim": 8, "num_key_value_heads": 4},
        "modernbert": {
            "local_attention": 4,
            "global_attn_every_n_layers": 2,
            "bos_token_id": 1,
            "eos_token_id": 1,
            "cls_token_id": 1,
            "sep_token_id": 1,
        },
        "deberta-v2": {
            "relative_attention": True,
            "pos_att_type": ["p2c", "c2p"],
        },
    }
    if kind == "gemma3_text":
        types = ["sliding_attention", "full_attention"] * 2
        more[kind]["layer_types"] = types  # type: ignore[assignment]
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **sizes, **more[kind], **given)
    return TransformersBackbone(AutoModel.from_config(config), config).eval()


@pytest.mark.parametrize("kind", ["gemma3_text", "modernbert", "deberta-v2"])
def test_layers_of_several_kinds_keep_their_own_masks_when_run_from_the_middle(kind: str) -> None:
    backbone = alternating(kind)
    lengths = [14, 9, 9]
    mask = (torch.arange(14) < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(2, 60, mask.shape, generator=torch.Generator().manual_seed(1)) * mask
    with torch.no_grad():
        whole = packed(backbone.layer_states(ids, mask, 4), mask)
        for first in range(5):
            found = backbone.packed_layers(whole[first], lengths, first, 4)
            for ours, expected in zip(found, whole[first:], strict=True):
                torch.testing.assert_close(ours, expected, atol=2e-6, rtol=2e-5)


def test_a_network_that_cannot_begin_in_the_middle_is_refused_in_words() -> None:
    backbone = alternating("deberta-v2", conv_kernel_size=3).train()
    states = torch.randn(5, 32)  # a convolution beside the first layer reads the embeddings
    for _ in range(2):
        with pytest.raises(ValueError, match="cannot be run from layer 0 on"):
            backbone.packed_layers(states, [3, 2], 1, 4)
        assert all(module.training for module in backbone.modules()), "modes are put back"


@pytest.mark.parametrize("family", ["minilm", "distilbert", "roberta-base", "mpnet", "stella-1.5b"])
def test_gradients_flow_through_the_layers_run_and_into_the_states_alone(
    family: str, family_folder: Callable[[str], Path]
) -> None:
    folder = family_folder(family)
    backbone = load_backbone(read_folder(folder)).requires_grad_(True)
    ids, mask = batch(folder)
    whole = packed(backbone.layer_states(ids, mask, 2), mask)
    (whole[2] ** 2).sum().backward()
    layers = backbone.layers()
    expected = {name: w.grad.clone() for name, w in layers[1].named_parameters()}
    backbone.zero_grad()
    states = whole[1].detach().requires_grad_(True)
    found = backbone.packed_layers(states, mask.sum(dim=1).tolist(), 1, 2)
    (found[-1] ** 2).sum().backward()
    assert states.grad is not None
    assert states.grad.abs().sum() > 0
    for name, weight in layers[1].named_parameters():
        assert weight.grad is not None, name
        torch.testing.assert_close(weight.grad, expected[name], atol=1e-4, rtol=1e-3)
    for layer in (layers[0], layers[2]):
        assert all(weight.grad is None or not weight.grad.any() for weight in layer.parameters())


@pytest.mark.parametrize("family", ["minilm", "distilbert", "roberta-base", "mpnet", "stella-1.5b"])
def test_only_the_layers_between_are_run(family: str, family_folder: Callable[[str], Path]) -> None:
    folder = family_folder(family)
    backbone = load_backbone(read_folder(folder))
    ids, mask = batch(folder)
    states = backbone.layer_states(ids, mask, 1)[1][mask.bool()]
    backbone.packed_layers(states, mask.sum(dim=1).tolist(), 1, 2)  # a family is looked at once
    weights = [next(w for w in layer.parameters() if w.ndim == 2) for layer in backbone.layers()]
    places = {id(weight): number for number, weight in enumerate(weights, 1)}
    ran: list[int] = []

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204 (torch's signature)
            ran.extend(places[id(each)] for each in args if id(each) in places)
            return func(*args, **(kwargs or {}))

    with torch.no_grad(), Watch():
        backbone.packed_layers(states, mask.sum(dim=1).tolist(), 1, 2)
    assert set(ran) == {2}


@pytest.mark.parametrize("family", ["distilbert", "roberta-base", "mpnet", "stella-1.5b"])
def test_a_failure_midway_leaves_the_network_as_it_was(
    family: str, family_folder: Callable[[str], Path]
) -> None:
    folder = family_folder(family)
    backbone = load_backbone(read_folder(folder))
    ids, mask = batch(folder)
    with torch.no_grad():
        before = backbone.layer_states(ids, mask, LAYERS)
        states = before[1][mask.bool()]

        def fail(*_: object) -> None:
            raise MemoryError("no room")

        hook = backbone.layers()[1].register_forward_hook(fail)
        with pytest.raises(MemoryError):
            backbone.packed_layers(states, mask.sum(dim=1).tolist(), 1, 3)
        hook.remove()
        after = backbone.layer_states(ids, mask, LAYERS)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    for layer in backbone.layers():
        assert not layer._forward_pre_hooks
        assert not layer._forward_hooks
        assert "forward" not in vars(layer)


@pytest.mark.parametrize("family", ["minilm", "distilbert", "stella-1.5b"])
def test_texts_without_a_token_run_through_any_layers(
    family: str, family_folder: Callable[[str], Path]
) -> None:
    backbone: Bert | TransformersBackbone = load_backbone(read_folder(family_folder(family)))
    found = backbone.packed_layers(torch.zeros(0, backbone.hidden), [0, 0], 0, LAYERS)
    assert [tuple(each.shape) for each in found] == [(0, backbone.hidden)] * (LAYERS + 1)


def test_a_network_whose_layers_are_in_no_list_is_refused() -> None:
    class Config:
        num_hidden_layers, hidden_size, model_type = 5, 8, "odd"

    backbone = TransformersBackbone(nn.Sequential(nn.Linear(8, 8)), Config())
    with pytest.raises(ValueError, match="keeps its layers in no list"):
        backbone.layers()
