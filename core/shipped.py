"""The model that ships with Thaw, made anew from the corpus.

    python -m core.shipped [--out DIR]    trains it and writes the folder, assets/model unless told

Seeds, rates and threads are fixed, so that the same machine gives the same weights and another
one the same predictions.
"""

import argparse
import sys
from pathlib import Path

import torch

from core.config import TrainingChoice
from core.corpus import CorpusRow, load_corpus
from core.encoder import load_encoder
from core.freezing import Scenario, parse_strategy
from core.model import MultiTaskModel, default_shapes
from core.model_folder import SHIPPED, Saved, save_model
from core.task import SHIPPED_TASKS
from core.training import EvaluationEvent, StepEvent, train

STRATEGY = "lower:2@5"
CHOICE = TrainingChoice(epochs=4, threads=1)


def initial_model(scenario: Scenario, seed: int) -> MultiTaskModel:
    """Build the default encoder with untrained heads for the shipped tasks."""
    encoder = load_encoder("minilm")
    torch.manual_seed(seed)
    read = encoder.layers if scenario.read is None else scenario.read
    shapes = default_shapes(encoder, SHIPPED_TASKS, {task.name: read for task in SHIPPED_TASKS})
    return MultiTaskModel(encoder, shapes)


def main() -> None:
    """Train on the corpus' train rows, calibrate on its validation rows, and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    options = parser.parse_args()
    rows = load_corpus()
    scenario = parse_strategy(STRATEGY, 6)
    model = initial_model(scenario, CHOICE.seed)
    before = {name: w.detach().clone() for name, w in model.encoder.backbone.named_parameters()}
    fingerprint = model.encoder.fingerprint()

    def some(split: str) -> list[CorpusRow]:
        return [row for row in rows if row.split == split]

    training = [row.example for row in some("train")]
    for event in train(model, scenario, training, [r.example for r in some("validation")], CHOICE):
        if isinstance(event, EvaluationEvent):
            scores = ", ".join(f"{name} {each.main:.3f}" for name, each in event.scores.items())
            sys.stderr.write(f"epoch {event.epoch}: {scores}\n")
        elif isinstance(event, StepEvent) and event.step % 20 == 0:
            sys.stderr.write(f"step {event.step}\n")
    changed = {
        name: weight.detach()
        for name, weight in model.encoder.backbone.named_parameters()
        if not torch.equal(weight, before[name])
    }
    saved = Saved(about={"strategy": STRATEGY, "base_fingerprint": fingerprint}, card="")
    save_model(model, options.out, changed, saved, overwrite=True, base=before)


if __name__ == "__main__":
    main()
