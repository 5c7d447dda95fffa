"""From a model folder's files to the networks inside an encoder: transformer and projections.

The transformer is our own BERT, or transformers' model for any other family.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from core.encoder.backbone import TransformersBackbone
from core.encoder.bert import Bert, BertShape
from core.encoder.folder import DenseShape, ModelFolder


class Projection(nn.Module):
    """A dense layer after pooling, with its activation."""

    def __init__(self, linear: nn.Linear, activation: nn.Module) -> None:
        super().__init__()
        self.linear = linear
        self.activation = activation

    @property
    def is_linear(self) -> bool:
        """Whether a sum goes through it term by term."""
        return isinstance(self.activation, nn.Identity)

    def forward(self, pooled: Tensor) -> Tensor:
        return self.activation(self.linear(pooled))  # (batch, outputs)


def load_backbone(
    folder: ModelFolder, *, bidirectional: bool = False
) -> Bert | TransformersBackbone:
    """Load the transformer of a model folder, in fp32, ready to be run and not to be trained.

    Args:
        folder: What `read_folder` found.
        bidirectional: Whether a decoder's family is read in both directions; also true where the
            folder's configuration says so.

    Raises:
        ValueError: If the weights are missing, are not safetensors, do not fit the
            configuration, or need code that comes with the folder.
    """
    check_weights(folder.transformer)
    shape = BertShape.from_config(folder.config)
    if shape is not None and (folder.transformer / "model.safetensors").is_file():
        return _load_bert(folder.transformer / "model.safetensors", shape).eval()
    both_ways = bidirectional or reads_both_ways(folder.config)
    return _load_with_transformers(folder.transformer, both_ways).eval()


def check_weights(folder: Path) -> None:
    """Refuse a folder without safetensors.

    Raises:
        ValueError: Saying what the folder holds instead.
    """
    if any(folder.glob("model*.safetensors")):
        return
    if any(folder.glob("pytorch_model*.bin")):
        raise ValueError(
            f"{folder} holds its weights as pickle (pytorch_model.bin), which can run code and is "
            "never read: convert it to model.safetensors"
        )
    raise ValueError(f"{folder} has no weights: model.safetensors is missing")


def reads_both_ways(config: Mapping[str, Any]) -> bool:
    """Tell whether a decoder's configuration asks for attention in both directions.

    `is_causal: false` says so in words. Stella and gte-Qwen2 say it by a model class of their own
    (`modeling_qwen.Qwen2Model`), whose only purpose is to drop the causal mask.
    """
    classes = config.get("auto_map") or {}
    own = isinstance(classes, Mapping) and str(classes.get("AutoModel", "")).endswith(
        "modeling_qwen.Qwen2Model"
    )
    return config.get("is_causal") is False or own


class Unfilled(TorchFunctionMode):
    """Leave new parameters without initial values.

    Filling a parameter on the meta device, where there is nothing to fill, makes torch import
    its compiler: over a second, and two thirds of a cold start.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401 (torch's signature)
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 (torch's signature)
        given = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            return given["tensor"] if "tensor" in given else args[0]
        return func(*args, **given)


def _load_bert(path: Path, shape: BertShape) -> Bert:
    weights = _read_weights(path)
    # A checkpoint saved with a head on top prefixes the encoder's own tensors.
    weights = {name.removeprefix("bert."): tensor for name, tensor in weights.items()}
    renamed = {  # BERT's first releases, converted from TensorFlow
        name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
            "LayerNorm.beta", "LayerNorm.bias"
        ): tensor.to(torch.float32)
        for name, tensor in weights.items()
        if name.startswith(("embeddings.", "encoder."))
    }
    renamed.pop("embeddings.position_ids", None)  # a buffer of older transformers
    with torch.device("meta"), Unfilled():  # no time spent on values that are replaced at once
        model = Bert(shape)
    try:
        model.load_state_dict(renamed, assign=True)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ValueError(f"{path} does not fit its config.json: {reason}") from error
    return model


def _load_with_transformers(folder: Path, both_ways: bool) -> TransformersBackbone:
    from transformers import AutoConfig, AutoModel
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(
            str(folder), trust_remote_code=False, local_files_only=True
        )
        if both_ways:
            config.is_causal = False  # for every layer, with padding and without
        if getattr(config, "is_encoder_decoder", False):
            raise ValueError(f"{config.model_type} is an encoder-decoder")
        model = AutoModel.from_pretrained(
            str(folder),
            config=config,
            trust_remote_code=False,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
        )
    except Exception as error:  # the library raises many types for a folder that does not fit
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{folder} cannot be loaded by transformers: {reason}") from error
    finally:
        if bars:
            logging.enable_progress_bar()
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # an encoder reads states; the pooler would only be computed
    return TransformersBackbone(model, config)


def load_projection(shape: DenseShape) -> Projection:
    """Load one projection after pooling.

    Raises:
        ValueError: If its weights are missing or do not fit.
    """
    path = shape.folder / "model.safetensors"
    if not path.is_file():
        raise ValueError(f"{shape.folder} has no weights: model.safetensors is missing")
    weights = _read_weights(path)
    linear = nn.Linear(shape.inputs, shape.outputs, bias=shape.bias)
    try:
        named = {
            name.removeprefix("linear."): tensor.to(torch.float32)
            for name, tensor in weights.items()
        }
        linear.load_state_dict(named)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ValueError(f"{path} does not fit its config.json: {reason}") from error
    return Projection(linear, getattr(nn, shape.activation)()).eval()


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path} cannot be read as safetensors: {error}") from error
