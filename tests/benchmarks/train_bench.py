"""Training speed, memory and accuracy of Thaw against Hugging Face's Trainer, and SetFit's head.

    python tests/benchmarks/train_bench.py [--rounds 3] [--only heads,lower:4] [--quick] [--json]
    python tests/benchmarks/train_bench.py --growth docs/figures   goes on where it stopped

All train the built-in encoder with heads for topic and sentiment on the same 600 rows of the
corpus, 3 epochs of batches of 16 and an evaluation after each, with the same rates and threads.
Every session is a process of its own, so that its peak memory is its own; a round has all ways in
turn, and a ratio is of one round. `tests/benchmarks/train_ways.py` says what is timed. Trainer runs
with its defaults and with batches of like length; three seeds are really run. SetFit fits its head
for topic alone in an environment made for it, which pip fills. Nothing else should run on the
machine. Medians are printed, with the smallest and largest of a round.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from core.system.machine import machine_name, usable_cores  # noqa: E402 (the path comes first)
from tests.benchmarks.train_growth import axis_of, growth_points, growth_svg  # noqa: E402

STRATEGIES = ("heads", "lower:4", "full")
SEVERAL_SEEDS = (0, 1, 2)
GOALS = {
    ("heads", "trainer", 1): 7.0,
    ("heads", "trainer", 3): 18.0,
    ("lower:4", "trainer", 1): 2.4,
    ("lower:4", "trainer", 3): 2.8,
    ("full", "trainer", 1): 1.4,
    ("full", "grouped", 1): 1.1,
}
"""By strategy, what Thaw is held against, and seeds: how many times faster it should be."""

WAYS = {"thaw": "Thaw", "trainer": "Trainer", "grouped": "Trainer, grouped", "setfit": "SetFit"}

Result = dict[str, Any]


def run_session(python: str, **session: Any) -> Result:  # noqa: ANN401 (any of Session's)
    """Train and time in a process of its own.

    Raises:
        RuntimeError: If it fails; with the end of what it said.
    """
    script = Path(__file__).with_name("train_ways.py")
    environment = {**os.environ, "OMP_NUM_THREADS": str(session["threads"])}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [python, str(script), json.dumps(session)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{session} failed: {done.stderr[-800:]}")
    return json.loads(done.stdout.splitlines()[-1])


@contextlib.contextmanager
def setfit_python() -> Iterator[str | None]:
    """Make an environment with SetFit beside our packages; None, and why, where it cannot be."""
    with tempfile.TemporaryDirectory(prefix="thaw-setfit-") as folder:
        venv.create(folder, with_pip=True)
        inside = {"base": folder, "platbase": folder}
        packages = Path(sysconfig.get_path("purelib", vars=inside))
        python = str(Path(sysconfig.get_path("scripts", vars=inside)) / "python")
        (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        install = [python, "-m", "pip", "install", "--quiet", "setfit"]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if not done.returncode:
            check = [python, "-c", "import setfit, transformers"]
            done = subprocess.run(check, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            print(f"SetFit cannot be used here: {said}", file=sys.stderr)
        yield None if done.returncode else python


def planned(
    strategies: Sequence[str], number: int, quick: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """List the sessions of a round: way, and strategy with seeds."""
    seeds = (0,) if quick else SEVERAL_SEEDS
    one = (number % len(SEVERAL_SEEDS),)
    for strategy in strategies:
        several = one if strategy == "full" else seeds
        yield "trainer", {"strategy": strategy, "seeds": several}
        yield "thaw", {"strategy": strategy, "seeds": several}
        yield "grouped", {"strategy": strategy, "seeds": one}
    if "heads" in strategies:
        yield "setfit", {"strategy": "heads", "seeds": one}


def measure(options: argparse.Namespace) -> list[Result]:
    """Run all rounds; each session's document, with its round."""
    strategies = options.only.split(",") if options.only else STRATEGIES
    found = []
    with contextlib.ExitStack() as stack:
        setfit = None
        if "heads" in strategies and not options.no_setfit:
            setfit = stack.enter_context(setfit_python())
        for number in range(options.rounds):
            for way, session in planned(strategies, number, options.quick):
                python = setfit if way == "setfit" else sys.executable
                if python is None:
                    continue
                result = run_session(
                    python,
                    way=way,
                    rows=options.rows,
                    threads=options.threads,
                    tested=options.tested,
                    **session,
                )
                found.append({"round": number, **result})
                print(f"round {number + 1}: {told(result)}", file=sys.stderr, flush=True)
    return found


def told(result: Result) -> str:
    """Tell of one session in a line."""
    seconds = ", ".join(f"{each:.1f}" for each in result["seconds"])
    return f"{WAYS[result['way']]}, {result['strategy']}: {seconds} s, {result['peak_mib']:.0f} MiB"


def spread(values: Sequence[float], digits: int) -> str:
    """Write a median with the smallest and largest."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def seconds_of(results: Sequence[Result], way: str, strategy: str, seeds: int) -> dict[int, float]:
    """Give a way's seconds by round, up to so many seeds."""
    return {
        each["round"]: each["seconds"][seeds - 1]
        for each in results
        if (each["way"], each["strategy"]) == (way, strategy) and len(each["seconds"]) >= seeds
    }


def speed_lines(results: Sequence[Result]) -> Iterator[str]:
    """Write the table of seconds, memory and ratios."""
    strategies = dict.fromkeys(each["strategy"] for each in results)
    for strategy in strategies:
        for seeds in (1, len(SEVERAL_SEEDS)):
            ours = seconds_of(results, "thaw", strategy, seeds)
            for way, name in WAYS.items():
                times = seconds_of(results, way, strategy, seeds)
                if not times:
                    continue
                of = [r for r in results if (r["way"], r["strategy"]) == (way, strategy)]
                memory = spread([each["peak_mib"] for each in of], 0)
                line = f"{strategy:8} {seeds} seed{'s' * (seeds > 1)}  {name:17}"
                line += f" {spread(list(times.values()), 1):24} s  {memory} MiB"
                shared = times.keys() & ours.keys() if way != "thaw" else set()
                if shared:
                    ratios = [times[number] / ours[number] for number in sorted(shared)]
                    line += f"  Thaw {spread(ratios, 2)}×"
                    goal = GOALS.get((strategy, way, seeds))
                    line += f", goal {goal}×" if goal else ""
                yield line


def accuracy_lines(results: Sequence[Result]) -> Iterator[str]:
    """Write the accuracy on rows that no way has seen, over the seeds."""
    for strategy in dict.fromkeys(each["strategy"] for each in results):
        for way, name in WAYS.items():
            by_seed: dict[int, dict[str, float]] = {}
            for each in results:
                if (each["way"], each["strategy"]) == (way, strategy):
                    by_seed.update(zip(each["seeds"], each["accuracy"], strict=True))
            tasks = next(iter(by_seed.values()), {})
            shown = [f"{task} {spread([s[task] for s in by_seed.values()], 3)}" for task in tasks]
            if shown:
                yield f"{strategy:8} {name:17} {', '.join(shown)}; seeds {sorted(by_seed)}"


def profile_lines(strategies: Sequence[str], options: argparse.Namespace) -> Iterator[str]:
    """Say where Thaw's time goes: the share of the sgemm rate, and by kind of work."""
    for strategy in strategies:
        found = run_session(
            sys.executable,
            way="thaw",
            strategy=strategy,
            rows=options.rows,
            threads=options.threads,
            profile=True,
        )
        parts = sorted(found["shares"].items(), key=lambda pair: -pair[1])
        yield f"{strategy:8} " + ", ".join(f"{name} {share:.0%}" for name, share in parts)


def report(results: Sequence[Result], options: argparse.Namespace) -> Iterator[str]:
    """Put the figures into words."""
    first = results[0]
    yield (
        f"{machine_name()}; {first['threads']} threads, {options.rounds} rounds, {first['rows']} "
        f"rows, {first['epochs']} epochs of batches of {first['batch']}, {first['held_out']} rows "
        f"judged after each; heads for {' and '.join(first['tasks'])}, SetFit's for topic alone"
    )
    yield "\nSeconds and peak memory, medians of the rounds (smallest to largest):"
    yield from speed_lines(results)
    yield f"\nAccuracy on {first['tested']:,} other rows, median of the seeds (lowest to highest):"
    yield from accuracy_lines(results)
    yield "\nShare of the machine's rate of fp32 matrix products that Thaw's own products reach:"
    ours = [each for each in results if each["way"] == "thaw"]
    for strategy in dict.fromkeys(each["strategy"] for each in ours):
        some = [each for each in ours if each["strategy"] == strategy]
        rate = statistics.median(each["sgemm_gflop_per_second"] for each in some)
        shares = spread([100 * each["sgemm_share"] for each in some], 0)
        yield f"{strategy:8} {shares} % of {rate:.0f} GFLOP/s"
    if not options.quick:
        yield "\nWhere Thaw's time goes, one seed, profiled:"
        yield from profile_lines(list(dict.fromkeys(each["strategy"] for each in ours)), options)


def draw_growth(options: argparse.Namespace) -> None:
    """Measure how time grows, from where it stopped, and write the picture with its data."""
    folder = Path(options.growth)
    data = folder / "train-growth.jsonl"
    sizes = [int(each) for each in options.sizes.split(",")]
    known = [json.loads(line) for line in data.read_text().splitlines()] if data.exists() else []
    if not options.redraw:
        with data.open("a", encoding="utf-8") as file:
            for session in growth_points(sizes):
                wanted = {"axis": axis_of(session), **session}
                if any({**each, **wanted} == each for each in known):
                    continue
                result = run_session(sys.executable, threads=options.threads, tested=1, **session)
                known.append({"axis": wanted["axis"], "machine": machine_name(), **result})
                file.write(json.dumps(known[-1]) + "\n")
                file.flush()
                print(told(result), file=sys.stderr, flush=True)
    picture = folder / "train-growth.svg"
    picture.write_text(growth_svg(known), encoding="utf-8")
    print(f"{picture} and {data}")


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--tested", type=int, default=1_000, help="rows judged at the end")
    parser.add_argument("--only", help="strategies, by comma: heads, lower:K, full")
    parser.add_argument("--quick", action="store_true", help="one seed each, and no profile")
    parser.add_argument("--no-setfit", action="store_true", help="needs no network")
    parser.add_argument("--json", action="store_true", help="every session, one a line")
    parser.add_argument("--growth", metavar="FOLDER", help="how time grows, as a picture there")
    parser.add_argument("--sizes", default="100,300,1000,3000,10000", help="of --growth, in rows")
    parser.add_argument("--redraw", action="store_true", help="draw --growth from its data")
    options = parser.parse_args()
    if options.growth:
        draw_growth(options)
        return
    results = measure(options)
    lines = (json.dumps(each) for each in results) if options.json else report(results, options)
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
