from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from core.encoder.encoder import Encoder, load_encoder, pad
from core.encoder.shortening import shortened
from core.pooling import pool
from tests.tiny_models import LAYERS, TEXTS
from tests.tiny_tasks import HOSTILE_TEXTS, TRAINED_FAMILIES

Folder = Callable[[str], Path]
SHORTENED = [family for family in TRAINED_FAMILIES if family != "stella-1.5b"]


@pytest.mark.parametrize("layers", range(LAYERS))
@pytest.mark.parametrize("family", SHORTENED)
def test_a_shortened_encoder_embeds_the_states_of_its_last_layer(
    family: str, layers: int, family_folder: Folder
) -> None:
    whole = load_encoder(str(family_folder(family)), threads=1)
    short = shortened(whole, layers)
    assert (short.layers, short.dimension) == (layers, whole.hidden)
    assert short.parameter_count < whole.parameter_count
    texts = [*TEXTS, *HOSTILE_TEXTS]
    ids, mask = pad([tokens.ids for tokens in whole.tokenizer.encode(texts)])
    with torch.no_grad():
        states = whole.backbone.layer_states(ids, mask, layers)[layers]
    expected = pool(states, mask, whole.pooling)
    if whole.normalized:
        expected = torch.nn.functional.normalize(expected, dim=1)
    torch.testing.assert_close(short.encode(texts).vectors, expected, atol=1e-6, rtol=1e-5)


def test_the_whole_encoder_is_left_as_it_was(family_folder: Folder) -> None:
    for family in SHORTENED:
        whole = load_encoder(str(family_folder(family)), threads=1)
        before, vectors = whole.fingerprint(), whole.encode(TEXTS).vectors
        shortened(whole, 1)
        assert whole.layers == LAYERS
        assert whole.fingerprint() == before
        assert torch.equal(whole.encode(TEXTS).vectors, vectors)


def test_a_family_that_normalises_its_output_once_more_is_refused_in_words(
    family_folder: Folder,
) -> None:
    encoder = load_encoder(str(family_folder("stella-1.5b")), threads=1)
    for layers in range(LAYERS):
        with pytest.raises(ValueError, match=f"cannot end at layer {layers}: its family changes"):
            shortened(encoder, layers)
    assert shortened(encoder, LAYERS) is encoder


def test_a_layer_that_is_not_there_is_refused(tiny_encoder: Encoder) -> None:
    for layers in (-1, LAYERS + 1):
        with pytest.raises(ValueError, match=r"is not there: .* has 0 to 3"):
            shortened(tiny_encoder, layers)
