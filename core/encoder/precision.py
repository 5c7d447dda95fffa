"""The fast mode: half-precision weights, offered only where a self-test finds it worth having.

bf16 is faster than fp32 on a GPU and on processors with AVX-512 BF16 or AMX, and several times
slower on all others, so nothing but a measurement on this very machine can tell.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from core.measures.similarity import similarity_matrix
from core.system import machine

WORTH_OFFERING = 1.2
"""A fast mode is offered from this gain in speed on."""

SELF_TEST_SENTENCES = (
    "The ferry left late again.",
    "Boats were delayed by fog this morning, and the harbour office had no idea for how long.",
    "No.",
    "It works.",
    "It does not work.",
    "Der Zug nach Köln fällt heute aus.",
    "Shares in the chip maker fell nine per cent after it cut its forecast for the second time "
    "this year, dragging the whole index down with it.",
    "My knee still hurts when I climb stairs, but the physio says that is normal for week three.",
    "Anyone know why the app logs me out every time I switch from wifi to mobile data?",
    "She sang the last verse without the band, and nobody in the hall breathed.",
    "They drew two all.",
    "The council will vote on Thursday on whether to close the old bridge to lorries, a plan that "
    "traders on both banks oppose and that cyclists have asked for since the spring.",
    "Lovely staff, cold soup.",
    "The bank raised its rate; the river bank gave way.",
    "Vaccinated adults lost fewer days of work than the others in the same wards.",
    "Where do I find the serial number on the older model?",
)


@dataclass(frozen=True, kw_only=True)
class FastMode:
    """What the fast mode does on this machine, by self-test.

    Attributes:
        speedup: Exact time over fast time, on the same sentences.
        cosine_error: The largest difference of any pair's cosine.
    """

    speedup: float
    cosine_error: float

    @property
    def offered(self) -> bool:
        """Whether it is worth its error."""
        return self.speedup >= WORTH_OFFERING

    def __str__(self) -> str:
        gain = f"{self.speedup:.1f}× the speed of exact"
        return f"bf16: {gain}, cosines differ by up to {self.cosine_error:.4f}"


def trains_in_bf16(device: torch.device) -> bool:
    """Tell whether a device has instructions for bfloat16; nothing is timed, so that runs repeat.

    Without them training in it works, and is several times slower than in fp32.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, name, bool)() for name in names)


def kept_fast_mode(key: str) -> FastMode | None:
    """Return what the self-test found on this machine before; None where it has not run."""
    kept = machine.recall(key)
    if kept is None or not {"speedup", "cosine_error"} <= kept.keys():
        return None
    return FastMode(speedup=kept["speedup"], cosine_error=kept["cosine_error"])


def measure_fast_mode(
    key: str, exact: Callable[[list[str]], Tensor], fast: Callable[[list[str]], Tensor]
) -> FastMode:
    """Time both ways of embedding in turn, and compare every pair's cosine; keep the result.

    Args:
        key: Names the encoder in the kept results.
        exact: Embeds texts in fp32, (texts, dimension).
        fast: Embeds them the fast way.
    """
    texts = [*SELF_TEST_SENTENCES, *(" ".join(SELF_TEST_SENTENCES[i:]) for i in range(8))]
    ways = (exact, fast)
    seconds = [float("inf"), float("inf")]
    for attempt in range(4):
        for index, embed in enumerate(ways):
            start = time.perf_counter()
            embed(texts)
            if attempt > 0:  # the first warms up
                seconds[index] = min(seconds[index], time.perf_counter() - start)
    texts = list(SELF_TEST_SENTENCES)
    wrong = (similarity_matrix(exact(texts)) - similarity_matrix(fast(texts))).abs().max()
    result = {"speedup": seconds[0] / seconds[1], "cosine_error": float(wrong)}
    machine.remember(key, result)
    return FastMode(**result)
