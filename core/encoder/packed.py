"""A linear layer that can keep its weight the way the processor's matrix routines like it.

A matrix product first copies its weight into blocks that fit the caches, at every call; for one
sentence that copy costs as much as the product. oneDNN can make the copy once. It is for
inference only: a packed weight has no gradient. docs/decisions.md has the measurements.
"""

from collections.abc import Callable
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PackableLinear(nn.Linear):
    """`torch.nn.Linear`, and the same on a packed copy of its weight once `pack` was called.

    The copy is used without gradients only, and dropped as soon as the weight is seen to train,
    or to have been changed or moved. Its parameters and their names are those of `torch.nn.Linear`.
    """

    _packed: Tensor | None = None
    _packed_from: tuple[int, int] | None = None

    def pack(self, *, again: bool = True) -> None:
        """Keep a packed copy of the weight, where this build and processor can use one.

        Args:
            again: Also where there is a copy: it may be of a weight written without a trace.
        """
        if not again and self._packed_from == self._weight_state():
            return
        if not can_pack(self.weight):
            return
        with torch.no_grad():
            self._packed = torch.ops.mkldnn._reorder_linear_weight(self.weight.detach())
        self._packed_from = self._weight_state()

    def unpack(self) -> None:
        """Drop the packed copy."""
        self._packed = self._packed_from = None

    def forward(self, states: Tensor, *, gelu: bool = False) -> Tensor:
        """Project (tokens, inputs) to (tokens, outputs), with a GELU behind it if asked."""
        # A fused optimiser writes weights without a trace: one that trains is never used packed.
        stale = self.weight.requires_grad or self._packed_from != self._weight_state()
        if self._packed is not None and stale:
            self.unpack()
        if self._packed is None or torch.is_grad_enabled() or not states.numel():
            projected = F.linear(states, self.weight, self.bias)  # (tokens, outputs)
            return F.gelu(projected) if gelu else projected
        then, how = ("gelu", "none") if gelu else ("none", "")
        run = torch.ops.mkldnn._linear_pointwise
        return run(states, self._packed, self.bias, then, [], how)  # (tokens, outputs)

    def _weight_state(self) -> tuple[int, int]:
        """Tell one state of the weight from another: where it is, and how often it was written."""
        weight = self.weight
        return weight.data_ptr(), 0 if weight.is_inference() else weight._version

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:
        self.unpack()
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the packed copy out of a deep copy: it can be made again, not copied."""
        return {k: v for k, v in self.__dict__.items() if not k.startswith("_packed")}


def can_pack(weight: Tensor) -> bool:
    """Tell whether this build of torch and this processor can pack a weight like this one."""
    if weight.device.type != "cpu" or not torch._C._has_mkldnn:
        return False
    try:
        if weight.dtype == torch.bfloat16:
            return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        return weight.dtype == torch.float32 and bool(torch.ops.mkldnn._linear_pointwise)
    except (AttributeError, RuntimeError):  # a build without oneDNN has no such operators
        return False


def pool_packed(states: Tensor, lengths: Tensor, pooling: str) -> Tensor:
    """Pool texts that lie one after another.

    Args:
        states: (tokens, hidden).
        lengths: Each text's tokens, (batch,).
        pooling: One of `HEAD_POOLINGS`.

    Returns:
        (batch, hidden); a text without tokens gives zeros.
    """
    starts = lengths.cumsum(dim=0) - lengths  # (batch,)
    some = lengths > 0  # (batch,)
    if pooling == "cls":
        first = states.new_zeros(len(lengths), states.shape[1])  # (batch, hidden)
        return first.index_copy(0, some.nonzero()[:, 0], states[starts[some]])  # (batch, hidden)
    owners = torch.repeat_interleave(torch.arange(len(lengths), device=states.device), lengths)
    total = states.new_zeros(len(lengths), states.shape[1])  # (batch, hidden)
    total = total.index_add(0, owners, states)  # (batch, hidden)
    return total / lengths.clamp(min=1)[:, None].to(states.dtype)  # (batch, hidden)
