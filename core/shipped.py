"""The model that ships with Thaw, made anew from the corpus.

    python -m core.shipped [--out DIR]    trains it and writes the folder, assets/model unless told,
                                          and says what storing it in 8 bits costs
    python -m core.shipped --profile      draws the corpus' profile, assets/pictures/layers.svg

Seed, rates, epochs and threads are fixed: the same machine gives the same weights, and another
one the same predictions.
"""

import argparse
import platform
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from core.config import ASSETS, TrainingChoice
from core.data.corpus import CorpusRow, load_corpus
from core.encoder.encoder import load_encoder
from core.knowledge.layer_profile import best_in_words, layer_profile
from core.measures.calibration import CoveragePoint, coverage_curve
from core.measures.metrics import Interval
from core.measures.scores import main_score
from core.model.model import MultiTaskModel, default_shapes
from core.model.model_folder import CARD, SHIPPED, Saved, load_model, save_model
from core.model.prediction import Prediction, predict
from core.report.layer_profile import layer_profile_svg
from core.strategy.scenario import Scenario, parse_strategy
from core.task import SHIPPED_TASKS, Task
from core.training.events import EvaluationEvent
from core.training.loop import train
from core.training.thawing import plan_for

STRATEGY = "lower:2@5"
CHOICE = TrainingChoice(
    epochs=3, encoder_rate=6e-4, head_rate=2e-3, head_penalty=0.0, seed=1, threads=1
)
"""Of seeds 0 to 2 the one that did best on the validation rows."""

COMMAND = "python -m core.shipped"
PROFILE = ASSETS / "pictures/layers.svg"
REGISTERS = ASSETS.parent / "docs/figures/registers.md"
"""The tables that `tests/benchmarks/registers_bench.py` writes."""

INTRO = """\
# The model that ships with Thaw

MiniLM (`{encoder}`), trained on this project's corpus by the strategy `{strategy}` for
{epochs} epochs, seed {seed}: a shared encoder with a linear head for each task, which reads layer
{read} of {layers}. Only what training changed is kept here, matrices as 8-bit changes of the
base. Made by

    {command}

which trains on {train:,} sentences, chooses the epoch and fits the temperature on {validation:,},
and tests on {test:,} that neither saw. What the labels mean: `assets/corpus/README.md`.

## On the corpus' test rows

| task | score | 95 % interval | calibration error on validation rows | unsure below |
|---|---|---|---|---|"""

LAYERS = """
## Where it is known

What a linear head reads off each layer of the frozen encoder, before any training
(`python -m core.shipped --profile`; rows of all registers, three folds):

![Scores by layer: topic, sentiment and entities](../pictures/layers.svg)"""

LIMITS = """
## Limits

English only. Language models wrote and labelled the corpus; no person has read all of it.
Sentiment is the writer's, not the event's. The encoder reads no capitals; the entities' head sees
them beside its states. Nobody should decide about a person by what it says. What was tried, and
what limits the figures: `docs/decisions.md`.
"""


def initial_model(scenario: Scenario, seed: int) -> MultiTaskModel:
    """Build the default encoder with untrained heads for the shipped tasks."""
    encoder = load_encoder("minilm", threads=1)
    torch.manual_seed(seed)
    read = encoder.layers if scenario.read is None else scenario.read
    shapes = default_shapes(encoder, SHIPPED_TASKS, {task.name: read for task in SHIPPED_TASKS})
    return MultiTaskModel(encoder, shapes)


def trained_model(rows: Sequence[CorpusRow]) -> Iterator[EvaluationEvent | MultiTaskModel]:
    """Train on the train rows, calibrate on the validation rows; the model comes last."""
    scenario = parse_strategy(STRATEGY, layers=6)
    model = initial_model(scenario, CHOICE.seed)
    training = [row.example for row in rows if row.split == "train"]
    validation = [row.example for row in rows if row.split == "validation"]
    plan = plan_for(model, scenario, CHOICE.epochs)
    for event in train(model, plan, training, validation, CHOICE):
        if isinstance(event, EvaluationEvent):
            yield event
    yield model


def build(folder: Path, rows: Sequence[CorpusRow]) -> None:
    """Train the model, write its folder, and say in its card how it does on the test rows."""
    before: dict[str, Tensor] = dict(load_encoder("minilm").backbone.named_parameters())
    for event in trained_model(rows):
        if isinstance(event, MultiTaskModel):
            model = event
        else:
            scores = ", ".join(f"{name} {each.main:.3f}" for name, each in event.scores.items())
            sys.stderr.write(f"epoch {event.epoch}: {scores}\n")
    changed = {
        name: weight
        for name, weight in model.encoder.backbone.named_parameters()
        if not torch.equal(weight, before[name])
    }
    about = {
        "strategy": STRATEGY,
        "seed": CHOICE.seed,
        "epochs": CHOICE.epochs,
        "data": {"name": "corpus"},
        "command": COMMAND,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    fingerprint = load_encoder("minilm").fingerprint()
    saved = Saved(about={**about, "base_fingerprint": fingerprint})
    sys.stderr.write(f"as trained, on the test rows: {_test_scores(model, rows)}\n")
    save_model(model, folder, changed, saved, overwrite=True, base=before)
    stored = load_model(folder, threads=1)
    sys.stderr.write(f"as stored, on the test rows: {_test_scores(stored, rows)}\n")
    (folder / CARD).write_text(model_card(stored, rows), encoding="utf-8")


def _test_scores(model: MultiTaskModel, rows: Sequence[CorpusRow]) -> str:
    """Say how a model does on the test rows, to the fourth digit."""
    test = [row for row in rows if row.split == "test"]
    found = predict(model, [row.text for row in test])
    scores = [(task.name, _figure(task, test, found)[1].mean) for task in model.tasks]
    return ", ".join(f"{name} {score:.4f}" for name, score in scores)


def model_card(model: MultiTaskModel, rows: Sequence[CorpusRow]) -> str:
    """Write the model's card: what it is, how it does, what limits it, how to make it again."""
    test = [row for row in rows if row.split == "test"]
    found = predict(model, [row.text for row in test])
    counts = {split: sum(row.split == split for row in rows) for split in ("train", "validation")}
    figures = [_figure(task, test, found) for task in model.tasks]
    intro = INTRO.format(
        encoder=model.encoder.name,
        strategy=STRATEGY,
        epochs=CHOICE.epochs,
        seed=CHOICE.seed,
        read=model.highest_read,
        layers=model.encoder.layers,
        command=COMMAND,
        train=counts["train"],
        validation=counts["validation"],
        test=len(test),
    )
    lines = [intro]
    for task, (what, score) in zip(model.tasks, figures, strict=True):
        calibration = model.calibration[task.name]
        error = "–" if calibration.error is None else f"{calibration.error:.3f}"
        lines.append(
            f"| {task.name} ({what}) | {score.mean:.3f} | {score.low:.3f} to {score.high:.3f} | "
            f"{error} | {calibration.threshold:.2f} |"
        )
    lines += [
        "",
        "Coverage: how accurate predictions are when those below a confidence are left out.",
    ]
    lines += ["", "| task | kept 100 % | 90 % | 75 % | 50 % |", "|---|---|---|---|---|"]
    lines += [_coverage(task, test, found) for task in model.tasks if task.of_kind.one_label]
    lines.append(LAYERS)
    if REGISTERS.is_file():
        lines += ["", REGISTERS.read_text(encoding="utf-8").strip()]
    lines.append(LIMITS)
    return "\n".join(lines)


def _figure(
    task: Task, rows: Sequence[CorpusRow], found: Sequence[Prediction]
) -> tuple[str, Interval]:
    score, true = main_score(task.of_kind), [row.example.labels[task.name] for row in rows]
    return score.title, score.interval(true, [each.said(task.name) for each in found], task.labels)


def _coverage(task: Task, rows: Sequence[CorpusRow], found: Sequence[Prediction]) -> str:
    said = [each.labels[task.name] for each in found]
    confidence = torch.tensor([each.confidence for each in said])  # (rows,)
    pairs = zip(said, rows, strict=True)
    right = torch.tensor([a.label == row.example.labels[task.name] for a, row in pairs])  # (rows,)
    points: Sequence[CoveragePoint] = coverage_curve(confidence, right)

    def at(share: float) -> str:
        return f"{min(points, key=lambda point: abs(point.coverage - share)).accuracy:.3f}"

    return f"| {task.name} | {at(1)} | {at(0.9)} | {at(0.75)} | {at(0.5)} |"


def draw_profile(path: Path, rows: Sequence[CorpusRow]) -> None:
    """Draw what can be read off each layer of the default encoder, frozen, on all but test rows."""
    examples = [row.example for row in rows if row.split != "test"]
    profile = layer_profile(load_encoder("minilm", threads=1), examples, SHIPPED_TASKS)
    path.write_text(layer_profile_svg(profile), encoding="utf-8")
    for name, scores in profile.tasks.items():
        sys.stderr.write(f"{best_in_words(name, scores)}\n")


def main() -> None:
    """Build the model, or draw the layer profile, as the command line says."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    if options.profile:
        draw_profile(PROFILE, load_corpus())
    else:
        build(options.out, load_corpus())


if __name__ == "__main__":
    main()
