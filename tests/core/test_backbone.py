from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from core.backbone import load_backbone
from core.encoder import pad
from core.folder import read_folder
from core.tokenizer import load_tokenizer
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
