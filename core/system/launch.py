"""How this process was started: by itself, or by a launcher beside others.

It asks the environment alone, so that a command knows before torch is there.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Launch:
    """How this process was started.

    Attributes:
        rank: Which of the processes this is, from 0.
        count: How many there are.
        here: How many of them are on this machine.
    """

    rank: int = 0
    count: int = 1
    here: int = 1


# What launchers set: torch's own, which accelerate uses, and those that mpirun comes with.
_RANK = ("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")
_COUNT = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
_HERE = (
    *("LOCAL_WORLD_SIZE", "MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE"),
    "MV2_COMM_WORLD_LOCAL_SIZE",
)


def how_launched() -> Launch:
    """Read from the environment whether a launcher started this process beside others."""
    count = _number(_COUNT, 1)
    if count < 2:
        return Launch()
    return Launch(rank=_number(_RANK, 0), count=count, here=_number(_HERE, count))


def _number(names: Sequence[str], otherwise: int) -> int:
    given = [os.environ[name] for name in names if os.environ.get(name, "").isdecimal()]
    return int(given[0]) if given else otherwise


def launched_on_cpu() -> bool:
    """Tell whether `accelerate launch --cpu` started this process."""
    return os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")


def launched_precision() -> str:
    """Name the precision that `accelerate launch --mixed_precision` asks for, as Thaw does.

    Raises:
        ValueError: If it is one that Thaw does not train in.
    """
    given = os.environ.get("ACCELERATE_MIXED_PRECISION", "no").lower()
    if given not in ("no", "bf16"):
        raise ValueError(f"the launcher's mixed_precision is {given}, must be no or bf16")
    return "fast" if given == "bf16" else "exact"


def one_process_note() -> str | None:
    """Say where a launcher was asked for several processes and started one; None where not."""
    if how_launched().count > 1 or not (launched_on_cpu() and "MASTER_PORT" in os.environ):
        return None
    return (
        "accelerate launch --cpu starts one process unless mpirun starts more: for two on this "
        "machine give accelerate launch --multi_gpu --num_processes 2, which needs no GPU"
    )
