"""The comparison, six strategies × three seeds, against the same runs with Hugging Face's Trainer.

    python tests/benchmarks/compare_bench.py > docs/figures/compare.txt
    python tests/benchmarks/compare_bench.py [--only grid,trainer] [--trainer-seeds 1] [--quick]
        [--report FILE]

All parts take 300 rows of the corpus, its three tasks and, but for the last two, 3 epochs:

- grid: `python -m core compare`, a fresh process and folder, all 18 runs.
- race: the same with `--budget 10h`, which never binds: what is left out cannot change the answer.
- trainer: the same 18 runs with Trainer, one after another in one fresh process: the same training
  and validation rows of each fold, an evaluation after each epoch and the tested rows at the end,
  the same freezing, rates, epochs, batches and threads. Where a strategy reads lower layers,
  Trainer is told them (the grid's own, found for nothing), and what lies above the highest one is
  cut off. It measures neither forgetting nor memory nor a floor, as the grid does.
- alone: the grid one run at a time, on all threads, where the rule has two side by side.
- defaults, budget: without `--epochs`, as a whole grid and with `--budget 60s`.

Seconds are of the whole process, imports included, on all sides. Nothing else should run on the
machine. `--trainer-seeds 1` measures one seed of each strategy and multiplies, and says so.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from core.advice.advice import advise  # noqa: E402 (the path comes first)
from core.advice.costs import Candidate  # noqa: E402
from core.advice.race import Race, Recorded  # noqa: E402
from core.comparison.folds import ComparedData, compared_data  # noqa: E402
from core.comparison.report import candidate  # noqa: E402
from core.comparison.store import FinishedRun, read_runs  # noqa: E402
from core.config import AdviceChoice, DataChoice, TrainingChoice  # noqa: E402
from core.data.dataset import read_dataset  # noqa: E402
from core.system.machine import machine_name, usable_cores  # noqa: E402
from tests.replayed import replay  # noqa: E402

PARTS = ("grid", "race", "trainer", "alone", "defaults", "budget")
SEEDS = 3
GOALS = {"grid": 2.2, "race": 4.0}
"""How many times faster than Trainer's runs."""

NEVER = "10h"
Found = dict[str, Any]


def comparison(options: argparse.Namespace, part: str) -> list[str]:
    """Give the command of a part."""
    epochs = [] if part in ("defaults", "budget") else ["--epochs", str(options.epochs)]
    own = {
        "race": ["--budget", NEVER],
        "alone": ["--jobs", "1"],
        "budget": ["--budget", "60s"],
        "defaults": ["--out", options.report] if options.report else [],
    }.get(part, [])
    named = ["--strategies", options.strategies] if options.strategies else []
    rows, threads = str(options.rows), str(options.threads)
    common = ["--data", "corpus", "--rows", rows, "--threads", threads]
    return ["-m", "core", "compare", *common, *epochs, *named, *own]


def environment(threads: int) -> dict[str, str]:
    """Give a process's environment: our threads, and no other path than the root."""
    found = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    found.pop("PYTHONPATH", None)
    return found


def run_comparison(options: argparse.Namespace, part: str, folder: Path) -> Found:
    """Compare in a fresh process; what it says, and its seconds.

    Raises:
        RuntimeError: If it fails; with the end of what it said.
    """
    command = comparison(options, part)
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command, "--json", "--runs", str(folder)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(options.threads),
        check=False,
    )
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(f"{part} failed: {done.stderr[-800:]}")
    document = json.loads(done.stdout)
    return {
        "part": part,
        "command": shlex.join(["python", *command]),
        "seconds": seconds,
        "advice": document["advice"],
        "runs": len(document["runs"]),
        "read": {f"{r['strategy']} {r['seed']}": r["read"] for r in document["runs"]},
        "strategies": [each["name"] for each in document["strategies"]],
        "profile": profile_of(read_runs(folder), seconds),
        "accuracy": {
            each["name"]: {
                name: task["accuracy"]["mean"]
                for name, task in each["tasks"].items()
                if "accuracy" in task
            }
            for each in document["strategies"]
        },
    }


def profile_of(runs: Sequence[FinishedRun], seconds: float) -> Found:
    """Say where a comparison's seconds went, by strategy and kind."""
    by_strategy: dict[str, Found] = {}
    profiled: dict[tuple[int, ...], float] = {}
    for run in runs:
        record = run.record
        own = by_strategy.setdefault(record.strategy, {"wall": 0.0, "steps": 0.0, "runs": 0})
        own["wall"] += record.wall_seconds
        own["steps"] += record.steps * record.seconds_per_step
        own["runs"] += 1
        if record.profile_seconds:  # once for each fold, whoever asks for it
            profiled[(record.fold or 0, record.repetition)] = record.profile_seconds
    within = sum(each["wall"] for each in by_strategy.values())
    return {
        "strategies": by_strategy,
        "steps": sum(each["steps"] for each in by_strategy.values()),
        "layer profiles": sum(profiled.values()),
        "runs": within,
        "beside the runs": max(0.0, seconds - within),
    }


def replayed(options: argparse.Namespace, folder: Path) -> Found:
    """Replay the race out of the whole grid's records."""
    data, wanted, runs = data_of(options), AdviceChoice(), read_runs(folder)
    names = list(dict.fromkeys(run.record.strategy for run in runs))
    order = options.strategies.split(",") if options.strategies else names
    candidates: list[Candidate] = []
    for name in order:
        known = candidate(name, [r.record for r in runs if r.record.strategy == name])
        assert known is not None
        candidates.append(known)
    recorded = {
        run.key: Recorded(held_out=run.held_out, seconds=run.record.wall_seconds) for run in runs
    }
    race = Race(seeds=SEEDS, groups=data.groups, choice=wanted)
    asked, standing = replay(race, candidates, recorded)
    advice = advise(
        candidates,
        [each.held_out for each in asked],
        data.groups,
        wanted,
        dropped=standing.dropped,
    )
    return {
        "runs": len(asked),
        "seconds": sum(each.seconds for each in asked),
        "of": sum(each.seconds for each in recorded.values()),
        "advice": None if advice is None else advice.document(),
    }


def data_of(options: argparse.Namespace) -> ComparedData:
    """Read what all parts compare on."""
    return compared_data(read_dataset(DataChoice(source="corpus", rows=options.rows)))


def run_trainer(options: argparse.Namespace, strategies: Sequence[str], read: Found) -> Found:
    """Do the same runs with Trainer in a fresh process; its document, and its seconds.

    Raises:
        RuntimeError: If it fails; with the end of what it said.
    """
    seeds = range(options.trainer_seeds)
    runs = [
        {"strategy": name, "seed": seed, "read": read.get(f"{name} {seed}") or {}}
        for seed in seeds
        for name in strategies
    ]
    given = {"rows": options.rows, "epochs": options.epochs, "threads": options.threads}
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--as-trainer", json.dumps({**given, "runs": runs})],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(options.threads),
        check=False,
    )
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(f"trainer failed: {done.stderr[-800:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    times = SEEDS / options.trainer_seeds
    alone = sum(each["seconds"] for each in found)
    # Imports and loading are paid once, however many seeds there are.
    return {
        "part": "trainer",
        "runs": found,
        "measured_seeds": options.trainer_seeds,
        "seconds": seconds + (times - 1) * alone,
    }


def as_trainer(given: Found) -> list[Found]:
    """Train with Trainer, run by run; what each took, and its accuracy on the tested rows."""
    import torch

    from tests.benchmarks.train_ways import Rows, Session, session_of

    torch.set_num_threads(given["threads"])
    data = compared_data(read_dataset(DataChoice(source="corpus", rows=given["rows"])))
    train, found = session_of("trainer", given["threads"]), []
    tasks = data.dataset.tasks
    for run in given["runs"]:
        deal, examples = data.deal(run["seed"]), data.dataset.examples
        training, validation, tested = (
            [examples[row] for row in rows]
            for rows in (deal.training, deal.validation, deal.tested)
        )
        rows = Rows(training=training, held_out=validation, tested=tested, tasks=list(tasks))
        session = Session(
            way="trainer",
            strategy=run["strategy"],
            seeds=(run["seed"],),
            epochs=given["epochs"],
            batch=TrainingChoice().batch,
            threads=given["threads"],
            tasks=tuple(task.name for task in tasks),
            read=run["read"],
        )
        begun = time.perf_counter()
        timed = train(session, rows)
        labels = timed.predict[0]([example.text for example in tested])
        seconds = time.perf_counter() - begun
        accuracy = {
            name: sum(
                said == example.labels.get(name) for said, example in zip(own, tested, strict=True)
            )
            / max(1, sum(example.labels.get(name) is not None for example in tested))
            for name, own in labels.items()
        }
        found.append({**run, "seconds": seconds, "accuracy": accuracy})
        print(f"trainer, {run['strategy']}, seed {run['seed']}: {seconds:.1f} s", file=sys.stderr)
    return found


def measure(options: argparse.Namespace) -> dict[str, Found]:
    """Run the parts; what each found."""
    parts = options.only.split(",") if options.only else PARTS
    strange = next((part for part in parts if part not in PARTS), None)
    if strange is not None:
        raise SystemExit(f"--only is {strange}, must be of {', '.join(PARTS)}")
    found: dict[str, Found] = {}
    with tempfile.TemporaryDirectory(prefix="thaw-bench-") as folder:
        for part in PARTS:
            if part not in parts and not (part == "grid" and "trainer" in parts):
                continue
            if part == "trainer":
                grid = found["grid"]
                found[part] = run_trainer(options, grid["strategies"], grid["read"])
            else:
                found[part] = run_comparison(options, part, Path(folder) / part)
            if part == "grid":
                found["replay"] = replayed(options, Path(folder) / part)
            print(f"{part}: {found[part]['seconds']:.1f} s", file=sys.stderr, flush=True)
    return found


def advised(advice: Found | None) -> str:
    """Say what was advised in a few words."""
    return "nothing" if advice is None else f"{advice['strategy']} ({advice['status']})"


def part_lines(found: dict[str, Found]) -> Iterator[str]:
    """Write a line for each part: seconds, runs, advice, and the ratio to Trainer's seconds."""
    trainer = found.get("trainer")
    for part in PARTS:
        if part not in found:
            continue
        own = found[part]
        if part == "trainer":
            seeds = own["measured_seeds"]
            told = (
                ""
                if seeds == SEEDS
                else f"; of {SEEDS} seeds {seeds} measured, the runs' seconds multiplied by "
                f"{SEEDS / seeds:g}"
            )
            yield f"{part:9}{own['seconds']:7.1f} s  {len(own['runs'])} runs measured{told}"
            continue
        line = f"{part:9}{own['seconds']:7.1f} s  {own['runs']} runs, {advised(own['advice'])}"
        if trainer is not None and part in GOALS:
            ratio = trainer["seconds"] / own["seconds"]
            line += f"; {ratio:.2f}× as fast as Trainer, goal {GOALS[part]}×"
        if part == "alone" and "grid" in found:
            ratio = own["seconds"] / found["grid"]["seconds"]
            line += f"; {ratio:.2f} of the grid's seconds"
        yield line
        yield f"         {own['command']}"


def strategy_lines(found: dict[str, Found]) -> Iterator[str]:
    """Write each strategy's seconds and accuracy, beside Trainer's."""
    grid, trainer = found["grid"], found.get("trainer")
    for name in grid["strategies"]:
        own = grid["profile"]["strategies"][name]
        line = (
            f"{name:14}{own['wall'] / own['runs']:7.1f} s a run, {own['steps'] / own['runs']:.1f}"
        )
        line += f" in steps; {accuracies(grid['accuracy'][name])}"
        if trainer is not None:
            runs = [run for run in trainer["runs"] if run["strategy"] == name]
            seconds = sum(run["seconds"] for run in runs) / len(runs)
            tasks = runs[0]["accuracy"]
            mean = {task: sum(run["accuracy"][task] for run in runs) / len(runs) for task in tasks}
            line += f"   Trainer {seconds:.1f} s; {accuracies(mean)}"
        yield line


def accuracies(by_task: dict[str, float]) -> str:
    """Write accuracies."""
    return ", ".join(f"{name} {value:.2f}" for name, value in by_task.items())


def report(found: dict[str, Found], options: argparse.Namespace) -> Iterator[str]:
    """Put the figures into words."""
    yield (
        f"{machine_name()}; {options.threads} threads, {options.rows} rows of the corpus, "
        f"{options.epochs} epochs, {SEEDS} seeds"
    )
    yield f"python tests/benchmarks/compare_bench.py {shlex.join(sys.argv[1:])}".rstrip()
    yield "\nSeconds of the whole process, and what was advised:"
    yield from part_lines(found)
    if "grid" not in found:
        return
    again = found["replay"]
    same = (again["advice"] or {}).get("strategy") == (found["grid"]["advice"] or {}).get(
        "strategy"
    )
    yield (
        f"\nThe race replayed from the grid's records: {again['runs']} of "
        f"{found['grid']['runs']} runs, {again['seconds']:.1f} of {again['of']:.1f} s, "
        f"{advised(again['advice'])}: {'the same advice' if same else 'other advice'} as the grid's"
    )
    yield "\nBy strategy, the grid's first; accuracy on all rows, each tested once:"
    yield from strategy_lines(found)
    for part in ("grid", "race", "alone"):
        if part in found:
            own = found[part]["profile"]
            kinds = ("runs", "steps", "layer profiles", "beside the runs")
            yield f"\nWhere the {part}'s seconds go (steps and profiles lie within the runs): " + (
                ", ".join(f"{kind} {own[kind]:.1f}" for kind in kinds)
            )


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--strategies", help="by comma; else the six that compare takes")
    parser.add_argument("--only", help=f"parts, by comma: {', '.join(PARTS)}")
    parser.add_argument("--trainer-seeds", type=int, default=SEEDS, choices=range(1, SEEDS + 1))
    parser.add_argument("--report", metavar="FILE", help="keeps what the part `defaults` reports")
    parser.add_argument("--quick", action="store_true", help="few rows, one epoch, no defaults")
    parser.add_argument("--json", action="store_true", help="everything found, as one document")
    parser.add_argument("--as-trainer", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_trainer:
        print(json.dumps(as_trainer(json.loads(options.as_trainer))))
        return
    if options.quick:
        options.rows, options.epochs, options.trainer_seeds = 48, 1, 1
        options.strategies = options.strategies or "heads,heads@auto,lower:4"
        options.only = options.only or "grid,race,trainer"
    found = measure(options)
    for line in [json.dumps(found)] if options.json else report(found, options):
        print(line, flush=True)


if __name__ == "__main__":
    main()
