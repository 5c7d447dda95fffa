"""Low-rank adapters beside a network's attention, put in by peft and merged when they are trained.

Source:
    Hu et al. 2021, LoRA, section 4.2 (arXiv:2106.09685): queries and values alone.
"""

import torch
from torch import nn

from core.encoder.backbone import TransformersBackbone
from core.encoder.bert import Bert
from core.encoder.packed import PackableLinear

ADAPTED = ("query", "value", "q_lin", "v_lin", "q", "v", "q_proj", "v_proj")
"""What families call the linear layers that make queries and values."""


def add_adapters(backbone: Bert | TransformersBackbone, *, rank: int, highest: int) -> None:
    """Put adapters beside the queries and values of the layers up to one, in place.

    An adapter starts as nothing: its second matrix is zeros. The first is drawn from torch's
    generator.

    Args:
        backbone: The network.
        rank: Rows of the adapters' first matrix.
        highest: The highest layer adapted, 1 to the number of layers.

    Raises:
        ValueError: If a layer has no queries and values by a name that is known.
    """
    from peft import LoraConfig, inject_adapter_in_model

    places = {id(module): name for name, module in backbone.named_modules()}
    layers = backbone.layers()[:highest]
    targets = [places[id(module)] for layer in layers for module in _adapted(layer)]
    if len(targets) != 2 * highest:
        raise ValueError(
            f"lora adapts queries and values, and {type(backbone).__name__} has {len(targets)} of "
            f"them by a known name in {highest} layers: use lower:K or bitfit"
        )
    config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=targets)
    inject_adapter_in_model(config, backbone)


def adapter_weights(layer: nn.Module, rank: int) -> int:
    """Count the weights that the adapters of a layer would have."""
    return sum(rank * (each.in_features + each.out_features) for each in _adapted(layer))


def _adapted(layer: nn.Module) -> list[nn.Linear]:
    """List what makes a layer's queries and values."""
    return [
        module
        for name, module in layer.named_modules()
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] in ADAPTED
    ]


@torch.no_grad()
def merge_adapters(backbone: nn.Module) -> None:
    """Add what the adapters learned to the weights beside them, and take them out, in place."""
    from peft.tuners.lora import LoraLayer

    for holder in list(backbone.modules()):
        for name, module in list(holder.named_children()):
            if isinstance(module, LoraLayer):
                module.merge()
                base = module.get_base_layer()
                if isinstance(base, PackableLinear):
                    base.unpack()  # peft writes to the weight's data, which leaves no trace
                setattr(holder, name, base)


def has_adapters(backbone: nn.Module) -> bool:
    """Tell whether there are adapters that were not merged."""
    return any("lora_" in name for name, _ in backbone.named_parameters())
