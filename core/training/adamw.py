"""AdamW in one pass over each weight, and of a large table over the rows that can get a gradient.

It is torch's fused kernel and gives torch's bits. `torch.optim` loads a compiler at its first use,
which costs a second and tens of megabytes in a process that compiles nothing.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class AdamW(torch.optim.Optimizer):
    """Adam with decoupled weight decay.

    A group is a dict of `params`, `lr`, `weight_decay` and whatever its maker keeps in it.

    Args:
        groups: The weights, in the order in which their moments are numbered.

    Source:
        Loshchilov & Hutter 2019, algorithm 2 (arXiv:1711.05101).
    """

    def __init__(self, groups: Sequence[dict[str, Any]]) -> None:
        # The base class's own, and each of its methods that is not overridden, loads the compiler.
        self.defaults = {}
        self.param_groups = []
        self.state = defaultdict(dict)
        self._rows: dict[Tensor, Tensor] = {}
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        self.param_groups.append({**param_group, "params": list(param_group["params"])})

    def zero_grad(self, set_to_none: bool = True) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                if set_to_none or weight.grad is None:
                    weight.grad = None
                else:
                    weight.grad.zero_()

    def limit_rows(self, table: Tensor, rows: Tensor) -> None:
        """Say that of a table some rows alone can get a gradient, which then is sparse.

        The others only decay, by a factor that `settle` puts into them: until then they are as
        they were. The moments are kept for the rows alone.

        Args:
            table: A weight of a group, (rows of the table, hidden).
            rows: Which of its rows, sorted, each once, (rows,).
        """
        self._rows[table] = rows.to(table.device)

    @torch.no_grad()
    def step(  # type: ignore[override]
        self,
        closure: None = None,  # noqa: ARG002 (the base class's)
        *,
        scale: float = 1.0,
    ) -> None:
        """Update each weight that has a gradient.

        Args:
            closure: Always None.
            scale: What the gradients are multiplied by first, as clipping asks for.
        """
        for group in self.param_groups:
            whole = [w for w in group["params"] if w.grad is not None and not w.grad.is_sparse]
            if whole:
                self._update(group, whole, whole, [weight.grad for weight in whole], scale)
            for table in group["params"]:
                if table.grad is not None and table.grad.is_sparse:
                    self._update_rows(group, table, scale)

    def _update_rows(self, group: Mapping[str, Any], table: Tensor, scale: float) -> None:
        rows, sparse = self._rows[table], table.grad
        assert sparse is not None
        sparse = sparse.coalesce()
        some = table[rows]  # (rows, hidden)
        places = torch.searchsorted(rows, sparse.indices()[0])  # (rows with a gradient,)
        grads = torch.zeros_like(some).index_copy_(0, places, sparse.values())  # (rows, hidden)
        self._update(group, [table], [some], [grads], scale)
        table.index_copy_(0, rows, some)
        pending = self.state[table].setdefault("pending", torch.ones((), dtype=torch.float64))
        pending *= 1 - group["lr"] * group["weight_decay"]

    def _update(
        self,
        group: Mapping[str, Any],
        owners: Sequence[Tensor],
        weights: list[Tensor],
        grads: list[Tensor],
        scale: float,
    ) -> None:
        """Update weights in place, with the moments of their owners, which they are or are of."""
        for owner, weight in zip(owners, weights, strict=True):
            if not self.state[owner]:
                self.state[owner] = {
                    "step": torch.zeros((), device=weight.device),
                    "exp_avg": torch.zeros_like(weight),
                    "exp_avg_sq": torch.zeros_like(weight),
                }
        states = [self.state[owner] for owner in owners]
        steps = [state["step"] for state in states]
        torch._foreach_add_(steps, 1)
        # The kernel divides: it was made for the losses of 16-bit training, scaled up.
        divisor = None if scale == 1 else torch.tensor(1 / scale, device=weights[0].device)
        torch._fused_adamw_(
            weights,
            grads,
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=group["lr"],
            beta1=BETAS[0],
            beta2=BETAS[1],
            weight_decay=group["weight_decay"],
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
            grad_scale=divisor,
        )

    @torch.no_grad()
    def settle(self) -> None:
        """Let the rows of tables that get no gradient decay as far as they should have by now."""
        for table, rows in self._rows.items():
            pending = self.state[table].get("pending")
            if pending is not None and float(pending) != 1:
                some = table[rows]  # (rows, hidden)
                table.mul_(float(pending)).index_copy_(0, rows, some)
                pending.fill_(1)

    def moments(self) -> dict[str, Tensor]:
        """List the state as tensors by name: the weight's number, a dot, what it is."""
        weights = [weight for group in self.param_groups for weight in group["params"]]
        return {
            f"{number}.{name}": each
            for number, weight in enumerate(weights)
            if weight in self.state
            for name, each in self.state[weight].items()
        }

    def load_moments(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `moments` listed.

        Raises:
            KeyError: If they are of other weights.
        """
        weights = dict(enumerate(w for group in self.param_groups for w in group["params"]))
        self.state.clear()
        for key, tensor in tensors.items():
            number, _, name = key.partition(".")
            weight = weights[int(number)]
            place = torch.device("cpu") if name == "pending" else weight.device
            self.state[weight][name] = tensor.to(place, copy=True)
