"""Encoding speed of the built-in encoder against sentence-transformers, in one run.

    python tests/benchmarks/encode_bench.py [--rounds 5] [--threads 2] [--json]

Both encode the same 2,000 sentences of 5 to 60 words with the same torch threads, in turn, and
so do both with one sentence. The machine's own rate of fp32 matrix products is measured between
the rounds, so that the share of it that encoding reaches is of the same minutes. Nothing else
should run on the machine. Medians are printed, with the smallest and largest ratio of a round.
"""

import argparse
import json
import random
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402 (the path comes first)
from sentence_transformers import SentenceTransformer  # noqa: E402

from core.encoder.bert import Bert  # noqa: E402
from core.encoder.encoder import Encoder, load_encoder  # noqa: E402
from core.encoder.hub import built_in_folder  # noqa: E402
from core.measures.similarity import similarity_matrix  # noqa: E402
from core.system import machine  # noqa: E402

SENTENCES, SHORTEST, LONGEST = 2_000, 5, 60
ONE = "A man is eating food at the table by the window."


def sentences(seed: int = 0) -> list[str]:
    """Cut sentences of 5 to 60 words out of the corpus's running words."""
    lines = [
        line.split(" | ", 3)[3]
        for path in sorted((ROOT / "assets" / "corpus").glob("*.txt"))
        if path.stem != "second-pass"
        for line in path.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    chance = random.Random(seed)
    chance.shuffle(lines)
    words = re.sub(r"\[([^\]]*)\]\(\w+\)", r"\1", " ".join(lines)).split()
    starts = (chance.randrange(len(words) - LONGEST) for _ in range(SENTENCES))
    return [" ".join(words[s : s + chance.randint(SHORTEST, LONGEST)]) for s in starts]


def seconds(run: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def sgemm_rate() -> float:
    """Measure fp32 matrix products of the encoder's widest shape, in flop a second."""
    tokens, hidden, wide = 4096, 384, 1536
    a, b = torch.randn(tokens, hidden), torch.randn(hidden, wide)
    best = min(seconds(lambda: a @ b) for _ in range(10))
    return 2 * tokens * hidden * wide / best


def matrix_flop(encoder: Encoder, texts: list[str]) -> float:
    """Count the multiplications and additions that these texts need, attention included."""
    assert isinstance(encoder.backbone, Bert)
    shape = encoder.backbone.shape
    total = 0.0
    for each in encoder.tokenizer.encode(texts):
        length = len(each.ids)
        dense = 2 * length * (4 * shape.hidden**2 + 2 * shape.hidden * shape.intermediate)
        attention = 4 * length**2 * shape.hidden
        total += shape.layers * (dense + attention)
    return total


def spread(ratios: list[float]) -> dict[str, float]:
    """Give the median, smallest and largest of some ratios."""
    return {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}


def measure(rounds: int, threads: int) -> dict[str, object]:
    """Run everything and return the figures."""
    torch.set_num_threads(threads)
    texts = sentences()
    ours = load_encoder("minilm", threads=threads)
    theirs = SentenceTransformer(str(built_in_folder()), device="cpu")

    def encode_theirs(given: list[str]) -> torch.Tensor:
        return theirs.encode(given, convert_to_tensor=True, show_progress_bar=False)

    def encode_ours(given: list[str]) -> torch.Tensor:
        return ours.encode(given).vectors

    difference = 1 - torch.nn.functional.cosine_similarity(encode_ours(texts), encode_theirs(texts))
    many: dict[str, list[float]] = {"ours": [], "theirs": []}
    one: dict[str, list[float]] = {"ours": [], "theirs": []}
    rates: list[float] = []
    for _ in range(rounds):
        many["theirs"].append(seconds(lambda: encode_theirs(texts)))
        rates.append(sgemm_rate())
        many["ours"].append(seconds(lambda: encode_ours(texts)))
        for _ in range(40):
            one["theirs"].append(seconds(lambda: encode_theirs([ONE])))
            one["ours"].append(seconds(lambda: encode_ours([ONE])))
    flop = matrix_flop(ours, texts)
    speedups = [b / a for a, b in zip(many["ours"], many["theirs"], strict=True)]
    shares = [flop / t / rate for t, rate in zip(many["ours"], rates, strict=True)]
    return {
        "machine": machine.machine_name(),
        "threads": threads,
        "rounds": rounds,
        "largest_cosine_difference": float(difference.abs().max()),
        "ours_per_second": SENTENCES / statistics.median(many["ours"]),
        "theirs_per_second": SENTENCES / statistics.median(many["theirs"]),
        "speedup": spread(speedups),
        "sgemm_gflop_per_second": statistics.median(rates) / 1e9,
        "share_of_sgemm": spread(shares),
        "one_sentence_ms": 1e3 * statistics.median(one["ours"]),
        "one_sentence_theirs_ms": 1e3 * statistics.median(one["theirs"]),
        "one_sentence_ratio": statistics.median(one["ours"]) / statistics.median(one["theirs"]),
        "fast": measure_fast(ours, texts),
    }


def measure_fast(exact: Encoder, texts: list[str]) -> dict[str, object]:
    """Time the fast mode on the same sentences, whether or not it is offered."""
    mode = exact.fast_mode()
    fast = exact._in_bf16()
    some = texts if mode.speedup > 0.5 else texts[:200]
    times = [
        (seconds(lambda: exact.encode(some)), seconds(lambda: fast.encode(some))) for _ in "ab"
    ]
    a, b = exact.encode(some).vectors, fast.encode(some).vectors
    wrong = (similarity_matrix(a) - similarity_matrix(b)).abs()
    return {
        "kind": "bf16",
        "offered": mode.offered,
        "self_test": str(mode),
        "speedup": min(t[0] for t in times) / min(t[1] for t in times),
        "cosine_error_max": float(wrong.max()),
        "cosine_error_mean": float(wrong.mean()),
    }


def report(found: dict[str, object]) -> str:
    """Put the figures into words."""
    lines = [f"{found['machine']}; {found['threads']} threads, {found['rounds']} rounds"]
    speed, share = found["speedup"], found["share_of_sgemm"]
    assert isinstance(speed, dict)
    assert isinstance(share, dict)
    lines.append(
        f"2,000 sentences: {found['ours_per_second']:.0f}/s against "
        f"{found['theirs_per_second']:.0f}/s: {speed['median']:.2f}× "
        f"({speed['low']:.2f} to {speed['high']:.2f}); goal 1.15×"
    )
    lines.append(
        f"largest difference in cosine: {found['largest_cosine_difference']:.1e}; goal 1e-5"
    )
    lines.append(
        f"share of the sgemm rate ({found['sgemm_gflop_per_second']:.0f} GFLOP/s): "
        f"{share['median']:.0%} ({share['low']:.0%} to {share['high']:.0%})"
    )
    lines.append(
        f"one sentence: {found['one_sentence_ms']:.1f} ms against "
        f"{found['one_sentence_theirs_ms']:.1f} ms: {found['one_sentence_ratio']:.2f}×; goal 0.75×"
    )
    fast = found["fast"]
    assert isinstance(fast, dict)
    lines.append(
        f"fast mode {fast['kind']}, {'offered' if fast['offered'] else 'not offered'}: "
        f"{fast['speedup']:.2f}× exact, cosine error {fast['cosine_error_max']:.4f} at most, "
        f"{fast['cosine_error_mean']:.5f} on average (self-test: {fast['self_test']})"
    )
    return "\n".join(lines)


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=machine.usable_cores())
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.rounds, options.threads)
    print(json.dumps(found, indent=2) if options.json else report(found))


if __name__ == "__main__":
    main()
