"""A model of the transformers library as the transformer inside an encoder.

It takes padded ids with their mask and gives states, as our own `core.encoder.bert.Bert` does.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

DECODERS = ("qwen2", "qwen3", "llama", "mistral", "gemma", "gemma2", "gemma3_text", "phi3")
"""Families that read left to right unless told otherwise."""


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

    def word_embeddings(self) -> nn.Embedding:
        """The table of the vocabulary."""
        return self.model.get_input_embeddings()  # type: ignore[operator]

    def layers(self) -> list[nn.Module]:
        """Find the transformer layers, the lowest first.

        Raises:
            ValueError: If the model keeps them in no list that is as long as its configuration
                says.
        """
        for module in self.model.modules():
            if isinstance(module, nn.ModuleList) and len(module) == self.layer_count:
                return list(module)
        raise ValueError(
            f"{type(self.model).__name__} keeps its layers in no list that is known, so that none "
            "can be read or frozen: use another encoder"
        )


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
