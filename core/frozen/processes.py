"""Processes that train one model together: which one this is, and what they say to each other.

A process by itself is `ALONE`, which has nobody to talk to; `join` makes one of a group that a
launcher started. Each holds the whole model and takes its share of every step's rows, so that the
gradients, added up, are those of the step in one process. All of them take each decision alike.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from core.encoder.encoder import CancelledError, Encoder
from core.errors import InputError, setting
from core.frozen.prefix import Needs, Prefix, open_prefix, prefix_of
from core.system.launch import how_launched, launched_on_cpu

Result = TypeVar("Result")

NUMBERS_AT_ONCE = 16_000_000
"""Gradients are added up in pieces of at most about this many numbers, for less memory."""


class Processes:
    """One process by itself.

    Attributes:
        rank: Which of the processes this is, from 0; 0 is the main one, which writes and speaks.
        count: How many there are.
    """

    rank = 0
    count = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def share(self, rows: Sequence[int]) -> Sequence[int]:
        """Take this process's part of some rows; each row is in one part, and parts may be empty.

        Neighbours, which are of like length, go to different processes.
        """
        return rows[self.rank :: self.count]

    def threads(self, threads: int) -> int:
        """Give this process's part of the threads that are for all, at least one."""
        return max(1, threads // self.count)

    def add_up(self, weights: Sequence[nn.Parameter]) -> None:
        """Make each weight's gradient the sum over all processes, None where none has one."""

    def total(self, numbers: Mapping[str, float]) -> dict[str, float]:
        """Add up named numbers over all processes."""
        return dict(numbers)

    def joined(self, tensor: Tensor) -> Tensor:
        """Add up a tensor over all processes."""
        return tensor

    def all_of(self, tensor: Tensor) -> list[Tensor]:
        """Give a tensor as each process has it, by rank."""
        return [tensor]

    def any(self, flag: bool) -> bool:
        """Tell whether any process says yes."""
        return flag

    def copy_main(self, tensors: Sequence[Tensor]) -> None:
        """Make tensors what they are in the main process, in place."""

    def from_main(self, compute: Callable[[], Result]) -> Result:
        """Let the main process alone compute something small, and give it to all.

        Raises:
            ValueError: Where it did in the main process.
            CancelledError: Likewise.
            RuntimeError: For any other failure of the main process, in the others.
        """
        return compute()


ALONE = Processes()


class Launched(Processes):
    """One of the processes that a launcher started. Made by `join`."""

    def __init__(self, rank: int, count: int, device: torch.device) -> None:
        self.rank, self.count, self._device = rank, count, device

    def add_up(self, weights: Sequence[nn.Parameter]) -> None:
        there = torch.tensor([float(weight.grad is not None) for weight in weights])  # (weights,)
        reached = self.joined(there) > 0  # (weights,)
        some = [weight for weight, yes in zip(weights, reached.tolist(), strict=True) if yes]
        for piece in _pieces(some):
            grads = [torch.zeros_like(w) if w.grad is None else w.grad for w in piece]
            flat = self.joined(torch.cat([grad.reshape(-1) for grad in grads]))  # (numbers,)
            parts = flat.split([weight.numel() for weight in piece])
            for weight, part in zip(piece, parts, strict=True):
                weight.grad = part.view_as(weight).clone()  # as the weight

    def total(self, numbers: Mapping[str, float]) -> dict[str, float]:
        summed = self.joined(torch.tensor(list(numbers.values()), dtype=torch.float64))
        return dict(zip(numbers, summed.tolist(), strict=True))

    def joined(self, tensor: Tensor) -> Tensor:
        from accelerate.utils import reduce

        with self._talking():
            found: Tensor = reduce(tensor.to(self._device), reduction="sum")  # the tensor's shape
        return found.to(tensor.device)

    def all_of(self, tensor: Tensor) -> list[Tensor]:
        from accelerate.utils import gather

        with self._talking():
            found: Tensor = gather(tensor.to(self._device)[None])  # (processes, …)
        return list(found.to(tensor.device))

    def any(self, flag: bool) -> bool:
        return bool(self.joined(torch.tensor(float(flag))) > 0)

    @torch.no_grad()
    def copy_main(self, tensors: Sequence[Tensor]) -> None:
        from accelerate.utils import broadcast

        for tensor in tensors:
            here = tensor.detach().to(self._device).contiguous()  # of the tensor's shape
            with self._talking():
                tensor.copy_(broadcast(here))

    def from_main(self, compute: Callable[[], Result]) -> Result:
        from accelerate.utils import broadcast_object_list

        said: list[Any] = [None, None]
        failure: Exception | None = None
        if self.is_main:
            try:
                said[0] = compute()
            except Exception as error:
                failure, said[1] = error, (_kind(error), str(error))
        kept = said[0]
        with self._talking():
            broadcast_object_list(said)
        if failure is not None:
            raise failure
        if said[1] is not None:
            name, message = said[1]
            raise _FAILURES[name](message)
        return kept if self.is_main else said[0]

    @contextlib.contextmanager
    def _talking(self) -> Iterator[None]:
        """Say in words that another process is gone, which is all that can go wrong here."""
        try:
            yield
        except RuntimeError as error:
            first = str(error).partition("\n")[0]
            reason = first.rpartition("] ")[2][:150]  # without the place in gloo's own source
            raise RuntimeError(
                f"another of the {self.count} processes that train together has ended ({reason})"
            ) from error


_FAILURES: dict[str, type[Exception]] = {
    "ValueError": ValueError,
    "CancelledError": CancelledError,
    "RuntimeError": RuntimeError,
}
"""What a failure of the main process is in the others."""


def _kind(error: Exception) -> str:
    return next((n for n, each in _FAILURES.items() if isinstance(error, each)), "RuntimeError")


def _pieces(weights: Sequence[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Deal weights, in their order, into lists of a bounded size, or of one that is larger."""
    piece: list[nn.Parameter] = []
    size = 0
    for weight in weights:
        if piece and size + weight.numel() > NUMBERS_AT_ONCE:
            yield piece
            piece, size = [], 0
        piece.append(weight)
        size += weight.numel()
    if piece:
        yield piece


@contextlib.contextmanager
def join(device: str | None) -> Iterator[tuple[Processes, str | None]]:
    """Join the processes that a launcher started, or be alone where none did.

    Args:
        device: Where to compute; None is the best there is.

    Yields:
        The processes, and where this one computes.

    Raises:
        ValueError: If the processes are on several machines, or cannot share such a device.
    """
    launch = how_launched()
    if launch.count == 1:
        yield ALONE, device
        return
    if launch.here != launch.count:
        raise ValueError(
            f"{launch.here} of {launch.count} processes are on this machine, must be all: what is "
            "frozen is computed once and shared through files"
        )
    if device not in (None, "cpu", "cuda"):
        raise InputError(
            f"{setting('device')} is {device} for {launch.count} processes, must be cpu or cuda: "
            "each takes a GPU of its own"
        )
    from accelerate import PartialState

    on_gpu = device == "cuda" or (
        device is None and torch.cuda.is_available() and not launched_on_cpu()
    )
    state = PartialState(cpu=not on_gpu)
    try:
        place = state.device if on_gpu else torch.device("cpu")
        yield Launched(state.process_index, state.num_processes, place), str(place)
    finally:
        state.destroy_process_group()


def new_prefix(
    processes: Processes,
    encoder: Encoder,
    ids: Sequence[Sequence[int]],
    needs: Needs,
    memory_bytes: float,
    cancelled: Callable[[], bool] | None = None,
) -> Prefix:
    """Make the prefix of a run: several processes read files that the main one has written.

    Args:
        processes: Who is going to read it.
        encoder: The network, as it is before it trains.
        ids: The token ids of all texts.
        needs: What is going to be asked of it.
        memory_bytes: What it may take in memory, where one process reads it.
        cancelled: Asked before each batch; True stops.

    Raises:
        CancelledError: If `cancelled` answered True in the main process; nothing is left behind.
    """
    if processes.count == 1:
        return prefix_of(encoder, ids, memory_bytes=memory_bytes)
    own = prefix_of(encoder, ids, memory_bytes=memory_bytes) if processes.is_main else None

    def compute() -> str:
        if own is None:
            return ""
        try:
            own.compute(needs, cancelled=cancelled)
            return str(own.share())
        except BaseException:
            own.close()
            raise

    folder = processes.from_main(compute)
    return open_prefix(Path(folder)) if own is None else own
