from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from core.config import POOLINGS, EncoderChoice
from core.encoder.catalogue import CATALOGUE, EncoderSpec, find_spec
from core.encoder.encoder import build_encoder, load_encoder
from core.encoder.folder import read_folder
from core.encoder.hub import built_in_folder


def published_shape(spec: EncoderSpec) -> nn.Module:
    """Build the published architecture without memory, from its published config.json."""
    import transformers as t

    shapes = {
        "minilm": (
            t.BertModel,
            t.BertConfig(hidden_size=384, num_hidden_layers=6, intermediate_size=1536),
        ),
        "mpnet": (t.MPNetModel, t.MPNetConfig(vocab_size=30527, max_position_embeddings=514)),
        "bert-base": (t.BertModel, t.BertConfig()),
        "distilbert": (t.DistilBertModel, t.DistilBertConfig()),
        "roberta-base": (
            t.RobertaModel,
            t.RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1),
        ),
        "bge-large": (
            t.BertModel,
            t.BertConfig(
                hidden_size=1024,
                num_hidden_layers=24,
                num_attention_heads=16,
                intermediate_size=4096,
            ),
        ),
        "stella-1.5b": (
            t.Qwen2Model,
            t.Qwen2Config(
                vocab_size=151646,
                hidden_size=1536,
                intermediate_size=8960,
                num_hidden_layers=28,
                num_attention_heads=12,
                num_key_value_heads=2,
            ),
        ),
        "multilingual-minilm": (
            t.BertModel,
            t.BertConfig(
                vocab_size=250037, hidden_size=384, num_hidden_layers=12, intermediate_size=1536
            ),
        ),
    }
    model, config = shapes[spec.name]
    with torch.device("meta"):
        made = model(config)
    if getattr(made, "pooler", None) is not None:
        made.pooler = None
    return made


@pytest.mark.parametrize("spec", CATALOGUE, ids=lambda spec: spec.name)
def test_the_facts_of_each_encoder_follow_from_its_published_shape(spec: EncoderSpec) -> None:
    model = published_shape(spec)
    count = sum(parameter.numel() for parameter in model.parameters())
    hidden = model.config.hidden_size
    if spec.dimension != hidden:
        assert spec.name == "stella-1.5b", "only stella projects"
        count += hidden * spec.dimension + spec.dimension
    assert spec.parameters == count
    assert spec.layers == model.config.num_hidden_layers
    assert spec.architecture == model.config.model_type
    # Four bytes a weight; a hub file may also hold a pooler or a language-model head.
    assert spec.download_megabytes == pytest.approx(4 * count / 1e6, rel=0.02)


@pytest.mark.parametrize("spec", CATALOGUE, ids=lambda spec: spec.name)
def test_every_encoder_of_the_catalogue_loads_from_its_own_layout(
    spec: EncoderSpec, family_folder: Callable[[str], Path]
) -> None:
    folder = read_folder(family_folder(spec.name))
    encoder = build_encoder(EncoderChoice(name=spec.name), folder, spec)
    assert folder.config["model_type"] == spec.architecture
    assert (encoder.pooling, encoder.normalized) == (spec.pooling, spec.normalized)
    vectors = encoder.embed(["snow", "a longer line about snow"])
    assert vectors.shape == (2, encoder.dimension)
    lengths = vectors.norm(dim=1)
    assert torch.allclose(lengths, torch.ones(2), atol=1e-5) == spec.normalized


@pytest.mark.parametrize("spec", CATALOGUE, ids=lambda spec: spec.name)
def test_each_encoder_is_found_by_its_short_name_and_by_its_hub_name(spec: EncoderSpec) -> None:
    assert find_spec(spec.name) is spec
    assert find_spec(spec.hub_id.upper()) is spec
    assert spec.pooling in POOLINGS
    assert spec.source.endswith(spec.hub_id)


def test_the_built_in_encoder_is_what_the_catalogue_says() -> None:
    encoder, spec = load_encoder("minilm"), find_spec("minilm")
    assert spec is not None
    assert encoder.parameter_count == spec.parameters
    assert (encoder.dimension, encoder.layers) == (spec.dimension, spec.layers)
    assert encoder.max_tokens == spec.max_tokens
    size = (built_in_folder() / "model.safetensors").stat().st_size
    assert spec.download_megabytes == round(size / 1e6)
