"""Memory and time of embedding a long file from the command line.

    python tests/benchmarks/long_file_bench.py [--lines 100000]

Writes a file of short lines, runs `python -m core embed --file` on it in a process of its own
and prints the seconds and the peak resident memory of that process (Linux and macOS).
"""

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORDS = ["ferry", "boat", "late", "early", "harbour", "fog", "train", "snow", "river", "bank"]


def main() -> None:
    """Write the file, embed it, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=100_000)
    lines = parser.parse_args().lines
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as place:
        source, out = Path(place) / "lines.txt", Path(place) / "out.json"
        text = (f"{' '.join(chance.sample(WORDS, chance.randint(3, 6)))} {i}" for i in range(lines))
        source.write_text("\n".join(text), encoding="utf-8")
        command = [sys.executable, "-m", "core", "embed", "--file", str(source), "--out", str(out)]
        start = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        taken = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        scale = 1024**2 if sys.platform == "darwin" else 1024  # bytes there, KiB here
        print(f"{lines:,} lines: {taken:.0f} s, {lines / taken:.0f} a second")
        print(
            f"peak resident memory: {peak / scale:.0f} MiB; file written: "
            f"{out.stat().st_size / 1e6:.0f} MB"
        )


if __name__ == "__main__":
    main()
