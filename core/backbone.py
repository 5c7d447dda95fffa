"""The transformer inside an encoder: our own BERT, or transformers' model for any other family.

Both take padded ids with their mask and give the last layer's states.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from core.bert import Bert, BertShape
from core.folder import DenseShape, ModelFolder

DECODERS = ("qwen2", "qwen3", "llama", "mistral", "gemma", "gemma2", "gemma3_text", "phi3")
"""Families that read left to right unless told otherwise."""


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


class _EnoughLayersError(Exception):
    """Ends a forward pass once the layers that were asked for have been run."""


class TransformersBackbone(nn.Module):
    """A model of the transformers library, as one function from ids to states."""

    def __init__(self, model: nn.Module, config: Any) -> None:  # noqa: ANN401 (any family's class)
        super().__init__()
        self.model = model
        self.layer_count: int = config.num_hidden_layers
        self.hidden: int = config.hidden_size
        self._options = {"use_cache": False} if config.model_type in DECODERS else {}
        self._outputs: int | None = None

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the last layer's states, (batch, tokens, hidden), from (batch, tokens) twice."""
        out = self.model(input_ids=ids, attention_mask=mask, **self._options)
        return out.last_hidden_state  # (batch, tokens, hidden)

    def layer_states(self, ids: Tensor, mask: Tensor, highest: int) -> list[Tensor]:
        """Return the states of the embeddings and of each layer up to one; none above is run.

        The last layer's are the model's output, which a decoder's family normalises once more.

        Args:
            ids: Token ids, padded, (batch, tokens).
            mask: 1 for a real token, 0 for padding, (batch, tokens).
            highest: The highest layer wanted, 0 to the number of layers.

        Returns:
            `highest` + 1 tensors, layer 0 (the embeddings) first, (batch, tokens, hidden) each.
        """
        found: list[Tensor] = []

        def keep(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            found.append(given[0] if given else named["hidden_states"])  # what a layer is given
            if len(found) > highest:
                raise _EnoughLayersError

        hooks = [layer.register_forward_pre_hook(keep, with_kwargs=True) for layer in self.layers()]
        try:
            found.append(self(ids, mask))  # the last layer's come out at the end
        except _EnoughLayersError:
            pass
        finally:
            for hook in hooks:
                hook.remove()
        return found

    def embed_packed(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return layer 0's states of the real tokens, one text after another, (tokens, hidden)."""
        return self.layer_states(ids, mask, 0)[0][mask.bool()]  # (tokens, hidden)

    def packed_layers(
        self, states: Tensor, lengths: Sequence[int], first: int, last: int
    ) -> list[Tensor]:
        """Run layers `first` + 1 to `last` on packed states.

        The model runs as it always does, with its masks and positions, but its layers up to
        `first` hand on what they are given, and the one above them is given `states`.

        Args:
            states: The output of layer `first`, one text after another, (tokens, hidden).
            lengths: Each text's tokens.
            first: The layer that `states` come from, 0 to the number of layers.
            last: The highest layer wanted, from `first` on.

        Returns:
            The outputs of layers `first` to `last`, (tokens, hidden) each.

        Raises:
            ValueError: If this family cannot begin in the middle.
        """
        if first == last or not len(states):
            return [states] * (last - first + 1)
        if self._outputs is None:
            self._learn_to_run_on()
        counts = torch.tensor(list(lengths), device=states.device)  # (batch,)
        mask = torch.arange(int(counts.max()), device=states.device) < counts[:, None]
        padded = states.new_zeros(*mask.shape, states.shape[1])  # (batch, tokens, hidden)
        padded[mask] = states
        found: list[Tensor] = []

        def give(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> Any:  # noqa: ANN401 (torch's signature)
            if given:
                return (padded, *given[1:]), named
            return given, {**named, "hidden_states": padded}

        def keep(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            found.append(given[0] if given else named["hidden_states"])  # what a layer is given
            if first + len(found) == last:
                raise _EnoughLayersError

        layers = self.layers()
        hooks = [layers[first].register_forward_pre_hook(give, with_kwargs=True)]
        above = layers[first + 1 : last + 1]
        hooks += [layer.register_forward_pre_hook(keep, with_kwargs=True) for layer in above]
        try:
            with handing_on(layers[:first], self._outputs or 0):
                # The ids are looked up and thrown away: `give` puts the states in their place.
                ids = mask.new_zeros(mask.shape, dtype=torch.int64)  # (batch, tokens)
                found.append(self(ids, mask.to(torch.int64)))  # the last layer's come at the end
        except _EnoughLayersError:
            pass
        finally:
            for hook in hooks:
                hook.remove()
        return [states, *(each[mask] for each in found)]  # (tokens, hidden) each

    @torch.no_grad()
    def _learn_to_run_on(self) -> None:
        """Find out once how this family's layers return, and that it can begin in the middle.

        Raises:
            ValueError: If running on from a layer gives something else than the whole pass.
        """
        device = next(self.parameters()).device
        mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]], device=device)  # (batch, tokens)
        counted: list[int] = []

        def count(_: nn.Module, __: tuple[Any, ...], out: Any) -> None:  # noqa: ANN401 (any family's output)
            counted.append(len(out) if isinstance(out, tuple) else 0)

        hook = self.layers()[0].register_forward_hook(count)
        try:
            with eval_mode(self), torch.autocast(device.type, enabled=False):
                padded = self.layer_states(mask.cumsum(dim=1), mask, min(2, self.layer_count))
                hook.remove()
                self._outputs = counted[0]
                whole = [states[mask.bool()] for states in padded]  # (tokens, hidden) each
                for first in range(len(whole)):
                    found = self.packed_layers(whole[first], [4, 2], first, len(whole) - 1)
                    pairs = zip(found, whole[first:], strict=True)
                    if not all(a.allclose(b, rtol=1e-3, atol=1e-4) for a, b in pairs):
                        self._outputs = None
                        raise ValueError(
                            f"{type(self.model).__name__} cannot be run from layer {first} on: its "
                            "layers need more than the states below them; choose another encoder"
                        )
        finally:
            hook.remove()

    def layers(self) -> list[nn.Module]:
        """Find the transformer layers, the lowest first.

        Raises:
            ValueError: If the model keeps them in no list that is as long as its configuration
                says.
        """
        for module in self.model.modules():
            if isinstance(module, nn.ModuleList) and len(module) == self.layer_count:
                return list(module)
        raise ValueError(f"{type(self.model).__name__} keeps its layers in no list that is known")


@contextlib.contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """Run a block without dropout, then put each part back into the mode it was in."""
    training = [each for each in module.modules() if each.training]
    module.eval()
    try:
        yield
    finally:
        for each in training:
            each.training = True


@contextlib.contextmanager
def handing_on(layers: Sequence[nn.Module], outputs: int) -> Iterator[None]:
    """Let layers hand on the states they are given, without running, while the block lasts.

    They keep their places, as some families choose a layer's mask by its number.

    Args:
        layers: Which.
        outputs: How many values such a layer returns in a tuple; 0 for its states alone.
    """

    def hand_on(hidden_states: Tensor, *_: Any, **__: Any) -> Any:  # noqa: ANN401 (as a layer's)
        return (hidden_states, *[None] * (outputs - 1)) if outputs else hidden_states

    try:
        for layer in layers:
            layer.__dict__["forward"] = hand_on
        yield
    finally:
        for layer in layers:
            layer.__dict__.pop("forward", None)


def load_backbone(
    folder: ModelFolder, *, bidirectional: bool = False
) -> "Bert | TransformersBackbone":
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
