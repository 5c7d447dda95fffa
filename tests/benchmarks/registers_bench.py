"""How the shipped recipe does on a register it has not seen: one left out at a time.

    python tests/benchmarks/registers_bench.py [--seeds 3] [--jobs 2] [--strategy NAME] [--rate X]
    python tests/benchmarks/registers_bench.py --table    prints the tables of what is done

Each finished run is appended to docs/figures/registers.jsonl with the corpus' hash, so that it
goes on where it stopped and never mixes two corpora. Beside the recipe stands the floor: majority
class; TF-IDF with logistic regression; each word form's commonest tag.
"""

import argparse
import hashlib
import json
import math
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402 (the path comes first)
from scipy.stats import t as student_t  # noqa: E402

from core.data.corpus import CorpusRow, load_corpus  # noqa: E402
from core.knowledge.floor import score_floor  # noqa: E402
from core.measures.metrics import span_scores  # noqa: E402
from core.model.evaluation import TaskScores, score_labels  # noqa: E402
from core.model.prediction import predict  # noqa: E402
from core.shipped import CHOICE, STRATEGY, initial_model  # noqa: E402
from core.strategy.scenario import parse_strategy  # noqa: E402
from core.task import SHIPPED_TASKS, Task  # noqa: E402
from core.training.loop import train  # noqa: E402
from core.training.thawing import plan_for  # noqa: E402

KEPT = ROOT / "docs/figures/registers.jsonl"
TABLES = ROOT / "docs/figures/registers.md"
INTRO = """\
## One register left out

Trained on all registers but one by `{setup}`, tested on that one; the mean over three seeds with
its 95 % interval (Student's t over the seeds; in the last row over the registers). Beside it the
floor. Made by `python tests/benchmarks/registers_bench.py`, each run in
`docs/figures/registers.jsonl`. Where it says bf16, matrix products ran in bfloat16 to save time;
the shipped model's training is in fp32.

"""


def corpus_hash(rows: list[CorpusRow]) -> str:
    """Tell this corpus from any other."""
    lines = "\n".join(f"{r.topic}|{r.sentiment}|{r.entities}|{r.text}" for r in rows)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def key_of(run: dict[str, Any]) -> tuple[Any, ...]:
    """Tell runs apart."""
    return run["corpus"], run["setup"], run["register"], run["seed"]


def setup_name(strategy: str, rate: float | None, bf16: bool) -> str:
    """Name what is run: the shipped recipe's own rate goes unsaid."""
    return strategy + (f" at {rate:g}" if rate else "") + (" bf16" if bf16 else "")


def tuned(
    strategy: str, register: str, seed: int, bf16: bool, rate: float | None = None
) -> dict[str, Any]:
    """Train the recipe without a register and score it there."""
    started = time.perf_counter()
    rows = load_corpus()
    others = [row for row in rows if row.register != register]
    held_out = [row for row in rows if row.register == register]
    choice = replace(CHOICE, seed=seed, bf16=bf16, encoder_rate=rate or CHOICE.encoder_rate)
    scenario = parse_strategy(strategy, 6)
    model = initial_model(scenario, seed)
    training = [row.example for row in others if row.split != "validation"]
    validation = [row.example for row in others if row.split == "validation"]
    for _ in train(model, plan_for(model, scenario, choice.epochs), training, validation, choice):
        pass
    found = predict(model, [row.text for row in held_out])
    scores: dict[str, float] = {}
    errors: dict[str, float | None] = {}
    for task in SHIPPED_TASKS:
        if task.kind == "sentence":
            true = [str(row.example.labels[task.name]) for row in held_out]
            predicted = [each.labels[task.name].label for each in found]
            scores[task.name] = score_labels(task, true, predicted).main
        else:
            spans = [tuple(e.span for e in each.entities[task.name]) for each in found]
            strict = span_scores([row.entities for row in held_out], spans)
            scores[task.name] = TaskScores(task=task, rows=len(found), spans=strict).main
        errors[task.name] = model.calibration[task.name].error
    seconds = time.perf_counter() - started
    return {
        "corpus": corpus_hash(rows),
        "setup": setup_name(strategy, rate, bf16),
        "register": register,
        "seed": seed,
        "scores": scores,
        "calibration_error": errors,
        "seconds": round(seconds, 1),
    }


def floors(register: str) -> dict[str, Any]:
    """Score the floor on a register left out."""
    torch.set_num_threads(1)
    rows = load_corpus()
    inside = [i for i, row in enumerate(rows) if row.register == register]
    outside = [i for i, row in enumerate(rows) if row.register != register]
    examples = [row.example for row in rows]
    found = {t.name: score_floor(examples, t, [(outside, inside)]) for t in SHIPPED_TASKS}
    return {
        "corpus": corpus_hash(rows),
        "setup": "floor",
        "register": register,
        "seed": 0,
        "scores": {name: floor.lexical.mean for name, floor in found.items()},
        "majority": {name: floor.majority for name, floor in found.items()},
    }


def interval(values: list[float]) -> str:
    """Write a mean with its 95 % interval by Student's t."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return f"{mean:.3f}"
    half = student_t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return f"{mean:.3f} ({mean - half:.3f} to {mean + half:.3f})"


def table(runs: list[dict[str, Any]], strategy: str) -> str:
    """Lay out what is done for one corpus: a table for each task."""
    registers = sorted({run["register"] for run in runs})
    lines = []
    for task in SHIPPED_TASKS:
        lines += ["", *_task_table(task, runs, registers, strategy)]
    return "\n".join(lines[1:])


def _task_table(
    task: Task, runs: list[dict[str, Any]], registers: list[str], strategy: str
) -> list[str]:
    what = "accuracy" if task.kind == "sentence" else "strict F1"
    plain = "TF-IDF" if task.kind == "sentence" else "word form's tag"
    lines = [
        f"| {task.name}, {what}: left out | majority | {plain} | {strategy} |",
        "|---|---|---|---|",
    ]
    means: dict[str, list[float]] = {"majority": [], "lexical": [], "tuned": []}
    for register in registers:
        own = [run for run in runs if run["register"] == register]
        floor = next((run for run in own if run["setup"] == "floor"), None)
        scores = [run["scores"][task.name] for run in own if run["setup"] == strategy]
        if floor is None or not scores:
            continue
        majority = floor["majority"][task.name]
        means["majority"].append(majority or 0.0)
        means["lexical"].append(floor["scores"][task.name])
        means["tuned"].append(statistics.mean(scores))
        usual = "–" if majority is None else f"{majority:.3f}"
        cells = f"{usual} | {floor['scores'][task.name]:.3f} | {interval(scores)}"
        lines.append(f"| {register} | {cells} |")
    if means["tuned"]:
        usual = "–" if task.kind == "token" else interval(means["majority"])
        cells = f"{usual} | {interval(means['lexical'])} | {interval(means['tuned'])}"
        lines.append(f"| **all, a register a sample** | {cells} |")
    return lines


def main() -> None:
    """Run what is missing, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--strategy", default=STRATEGY)
    parser.add_argument("--rate", type=float, help="The encoder's; else the shipped recipe's.")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--registers", default="")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    rows = load_corpus()
    now = corpus_hash(rows)
    kept = [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []
    done = {key_of(run) for run in kept}
    registers = (
        options.registers.split(",") if options.registers else sorted({r.register for r in rows})
    )
    setup = setup_name(options.strategy, options.rate, options.bf16)
    if not options.table:
        with ProcessPoolExecutor(options.jobs) as pool, KEPT.open("a") as file:
            waiting = [
                pool.submit(floors, register)
                for register in registers
                if (now, "floor", register, 0) not in done
            ]
            waiting += [
                pool.submit(tuned, options.strategy, register, seed, options.bf16, options.rate)
                for seed in range(options.seeds)
                for register in registers
                if (now, setup, register, seed) not in done
            ]
            for each in waiting:
                run = each.result()
                kept.append(run)
                file.write(json.dumps(run) + "\n")
                file.flush()
                if run["setup"] != "floor":
                    scores = " ".join(f"{k} {v:.3f}" for k, v in run["scores"].items())
                    print(
                        f"{run['register']} seed {run['seed']}: {scores}, {run['seconds']} s",
                        flush=True,
                    )
    found = table([run for run in kept if run["corpus"] == now], setup)
    TABLES.write_text(INTRO.format(setup=setup) + found + "\n", encoding="utf-8")
    print(found)


if __name__ == "__main__":
    main()
