"""An encoder that ends at one of its layers: what lies above is left out, not only not run."""

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from core.encoder.backbone import TransformersBackbone
from core.encoder.bert import Bert
from core.encoder.encoder import Encoder, pad

PROBE = ("It works.", "The ferry left late again, and the boats behind it were delayed by fog.")
"""What a shortened network is tried on, two lengths so that there is padding."""


def shortened(encoder: Encoder, layers: int) -> Encoder:
    """Return an encoder whose last layer is one of another's; the weights are shared.

    Its embedding is that layer's states, pooled and normalised as the whole encoder's are.
    Projections after pooling were made for the last layer, and are left out.

    Args:
        encoder: The whole encoder.
        layers: How many layers to keep, 0 for the embeddings alone.

    Returns:
        Another encoder, or the same one where nothing is left out.

    Raises:
        ValueError: If there is no such layer, or the network does not give that layer's own
            states when it ends there, as with a family that normalises its output once more.
    """
    if not 0 <= layers <= encoder.layers:
        raise ValueError(f"layer {layers} is not there: {encoder.name} has 0 to {encoder.layers}")
    if layers == encoder.layers:
        return encoder
    twin = Encoder(
        name=encoder.name,
        tokenizer=encoder.tokenizer,
        backbone=encoder.backbone,
        projections=(),
        pooling=encoder.pooling,
        normalized=encoder.normalized,
        prompts=encoder.prompts,
        spec=encoder.spec,
    )
    twin.threads, twin.busy = encoder.threads, encoder.busy
    if isinstance(encoder.backbone, Bert):
        twin.backbone = _first_layers_of_bert(encoder.backbone, layers)
    else:
        twin.backbone = _first_layers(encoder.backbone, layers)
        _check_same_states(encoder, twin.backbone, layers)
    return twin.requires_grad_(False).eval().ready()


def _first_layers_of_bert(whole: Bert, layers: int) -> Bert:
    with torch.device("meta"):  # no values are made that are replaced at once
        short = Bert(replace(whole.shape, layers=layers))
    kept = short.state_dict().keys()
    short.load_state_dict({k: v for k, v in whole.state_dict().items() if k in kept}, assign=True)
    return short


def _first_layers(whole: TransformersBackbone, layers: int) -> TransformersBackbone:
    """Copy the modules on the way to the list of layers, and share everything else."""
    kept = whole.layers()
    path = next(
        name
        for name, module in whole.model.named_modules()
        if isinstance(module, nn.ModuleList) and list(module) == kept
    )
    config: Any = copy.deepcopy(whole.model.config)
    config.num_hidden_layers = layers
    if getattr(config, "layer_types", None):  # one entry a layer, as the newer decoders have
        config.layer_types = list(config.layer_types)[:layers]
    model = parent = _shallow(whole.model)
    model.config = config
    *above, last = path.split(".")
    for name in above:
        child = _shallow(parent.get_submodule(name))
        if hasattr(child, "config"):
            child.config = config
        parent._modules[name] = child
        parent = child
    parent._modules[last] = nn.ModuleList(kept[:layers])
    return TransformersBackbone(model, config).eval()


def _shallow(module: nn.Module) -> nn.Module:
    """Copy a module, and none of the modules in it."""
    twin = copy.copy(module)
    twin._modules = dict(module._modules)
    return twin


@torch.inference_mode()
def _check_same_states(encoder: Encoder, short: TransformersBackbone, layers: int) -> None:
    tokens = encoder.tokenizer.encode(PROBE)
    ids, mask = (each.to(encoder.device) for each in pad([each.ids for each in tokens]))
    with encoder.busy:
        wanted = encoder.backbone.layer_states(ids, mask, layers)[layers]
        found = short(ids, mask)
    real = mask.bool()
    if not torch.allclose(found[real], wanted[real], rtol=1e-4, atol=1e-5):
        raise ValueError(
            f"{encoder.name} cannot end at layer {layers}: its family changes the states of its "
            "last layer once more (a final norm), so that they would not be those the heads read"
        )
