"""Do drift and forgetting show what they should? Strategies by learning rates on few rows.

    python tests/benchmarks/forgetting_bench.py [--seeds 2] [--rates 3e-5,1e-4,3e-4,1e-3]
        [--strategies heads,lower:4,full]
    python tests/benchmarks/forgetting_bench.py --table    prints the table of what is done

Each finished run is appended to docs/figures/forgetting.jsonl with the corpus' hash, so that it
goes on where it stopped; the table is written to docs/figures/forgetting.md.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402 (the path comes first)

from core.config import DataChoice, TrainingChoice  # noqa: E402
from core.data.dataset import Dataset, read_dataset  # noqa: E402
from core.data.dealing import DealtRows  # noqa: E402
from core.data.splits import sample_rows  # noqa: E402
from core.encoder.encoder import load_encoder  # noqa: E402
from core.frozen.prefix import prefix_of  # noqa: E402
from core.knowledge.forgetting import Yardstick  # noqa: E402
from core.knowledge.probe import load_probe  # noqa: E402
from core.model.evaluation import score_labels  # noqa: E402
from core.model.prediction import predict  # noqa: E402
from core.strategy.scenario import parse_strategy  # noqa: E402
from core.strategy.thaw_plan import ThawPlan  # noqa: E402
from core.training.run import Run  # noqa: E402

KEPT = ROOT / "docs/figures/forgetting.jsonl"
TABLE = ROOT / "docs/figures/forgetting.md"
STRATEGIES = ("heads", "lower:4", "full")
"""Those that run unless others are named."""

RATES = ("3e-5", "1e-4", "3e-4", "1e-3")
ROWS, TESTED, EPOCHS, BATCH = 200, 400, 4, 16
INTRO = """\
# Drift and forgetting by strategy and learning rate

{rows} rows of the corpus, sentiment alone, {epochs} epochs in batches of {batch}; {tested}
other rows test; a figure a seed. The probe's Spearman is {before:.3f} before tuning. Drift is on
the probe's 360 sentences: linear CKA, rank agreement of all pairs, neighbours kept of 10.
Forgetting is the Spearman lost on the probe's 294 pairs, with its 95 % interval (paired bootstrap
over pairs). Made by `python tests/benchmarks/forgetting_bench.py`, each run in
`docs/figures/forgetting.jsonl`.

| strategy | rate | accuracy | CKA | rank agreement | neighbours kept | forgetting |
|---|---|---|---|---|---|---|
"""


def rows_of(dataset: Dataset) -> tuple[list[int], list[int]]:
    """Draw the rows to learn from, and others to test on; the same ones each time."""
    learned = sorted(sample_rows(dataset.examples, dataset.tasks, ROWS, 0))
    others = [row for row in range(len(dataset.examples)) if row not in set(learned)]
    some = sample_rows([dataset.examples[row] for row in others], dataset.tasks, TESTED, 0)
    return learned, sorted(others[row] for row in some)


def run(dataset: Dataset, strategy: str, rate: str, seed: int) -> dict[str, Any]:
    """Train once, and measure what it bought and what it cost."""
    started = time.process_time()
    learned, tested = rows_of(dataset)
    encoder = load_encoder("minilm", threads=1)
    scenario = parse_strategy(strategy, encoder.layers)
    examples = tuple(dataset.examples[row] for row in learned)
    yardstick = Yardstick(load_probe(), [each.text for each in examples], encoder.tokenizer)
    read: dict[str, int | str] = {task.name: encoder.layers for task in dataset.tasks}
    plan = ThawPlan(scenario=scenario, read=read, layers=encoder.layers, epochs=EPOCHS)
    depth = plan.depth
    prefix = prefix_of(encoder, yardstick.ids)
    if depth is None or depth < encoder.layers:
        prefix.compute(yardstick.needs(encoder.layers, [depth]))
    choice = TrainingChoice(
        epochs=EPOCHS, batch=BATCH, seed=seed, encoder_rate=float(rate), threads=1
    )
    rows = DealtRows(training=examples, validation=(), notes=())
    training = Run(dataset, rows, encoder, plan, choice)
    for _ in training.train():
        pass
    retention = yardstick.measure(encoder, prefix, depth, seed=seed)
    found = predict(training.model, [dataset.examples[row].text for row in tested])
    (task,) = dataset.tasks
    true = [str(dataset.examples[row].labels[task.name]) for row in tested]
    scores = score_labels(task, true, [each.labels[task.name].label for each in found])
    return {
        "corpus": dataset.fingerprint[:16],
        "strategy": strategy,
        "rate": rate,
        "seed": seed,
        "accuracy": scores.main,
        **retention.document(),
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def table(runs: list[dict[str, Any]]) -> str:
    """Lay out what is done, a line for each strategy and rate."""
    lines = []
    names = dict.fromkeys([*STRATEGIES, *(r["strategy"] for r in runs)])
    for strategy in names:
        for rate in sorted({r["rate"] for r in runs}, key=float):
            some = [r for r in runs if (r["strategy"], r["rate"]) == (strategy, rate)]
            if some:
                probe = [r["drift"]["probe"] for r in some]
                lost = [
                    f"{f['mean']:.3f} ({f['low']:.3f} to {f['high']:.3f})"
                    for f in (r["forgetting"] for r in some)
                ]
                cells = [
                    " ".join(f"{r['accuracy']:.3f}" for r in some),
                    " ".join(f"{d['cka']:.3f}" for d in probe),
                    " ".join(f"{d['rank_agreement']:.3f}" for d in probe),
                    " ".join(f"{d['neighbours_kept']:.1f}" for d in probe),
                    ", ".join(lost),
                ]
                name = "any" if strategy == "heads" else rate
                lines.append(f"| {strategy} | {name} | {' | '.join(cells)} |")
    before = [r["spearman"]["pretrained"] for r in runs if r["spearman"]["pretrained"]]
    head = INTRO.format(
        rows=ROWS,
        epochs=EPOCHS,
        batch=BATCH,
        tested=TESTED,
        before=statistics.mean(before) if before else float("nan"),
    )
    return head + "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rates", default=",".join(RATES))
    parser.add_argument("--strategies", default=",".join(STRATEGIES))
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    dataset = read_dataset(DataChoice(source="corpus", tasks=("sentiment",)))
    lines = KEPT.read_text(encoding="utf-8").splitlines() if KEPT.exists() else []
    runs = [each for each in map(json.loads, lines) if each["corpus"] == dataset.fingerprint[:16]]
    done = {(each["strategy"], each["rate"], each["seed"]) for each in runs}
    for seed in range(0 if given.table else given.seeds):
        for strategy in given.strategies.split(","):
            # The encoder's rate is nothing to heads alone: one run stands for all.
            for rate in given.rates.split(",")[: 1 if strategy == "heads" else None]:
                if (strategy, rate, seed) not in done:
                    found = run(dataset, strategy, rate, seed)
                    runs.append(found)
                    with KEPT.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(found) + "\n")
                    lost = found["forgetting"]["mean"]
                    print(f"{strategy} {rate} {seed}: lost {lost:.3f}", flush=True)
    if not given.table:
        TABLE.write_text(table(runs), encoding="utf-8")
    print(table(runs))


if __name__ == "__main__":
    main()
