"""Heads alone are trained to the end: held against an optimiser that has no rates or epochs."""

import math

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from core.config import DataChoice, TrainingChoice
from core.data.dataset import read_dataset
from core.encoder.encoder import Encoder
from core.frozen.layer_states import compute_layer_states
from core.model.prediction import predict
from core.strategy.scenario import parse_strategy
from core.training.run import begin_run

LAYER = 4
ROWS, JUDGED = 240, 360


@pytest.mark.slow
def test_heads_alone_end_as_good_as_logistic_regression_on_the_same_states(
    default_encoder: Encoder,
) -> None:
    choice = DataChoice(source="corpus", tasks=("topic", "sentiment"), rows=ROWS + JUDGED)
    every = read_dataset(choice)
    learned = every.select(range(0, ROWS))
    judged = every.select(range(ROWS, ROWS + JUDGED)).examples
    scenario = parse_strategy(f"heads@{LAYER}", default_encoder.layers)
    own = scenario.strategy
    run = begin_run(
        learned,
        default_encoder,
        scenario,
        TrainingChoice(epochs=own.epochs, patience=own.patience, threads=1),
    )
    for _ in run.train():
        pass
    found = predict(run.model, [each.text for each in judged])
    texts = [each.text for each in (*run.rows.training, *judged)]
    cut = len(run.rows.training)
    with compute_layer_states(default_encoder, texts, highest=LAYER) as states:
        pooled = states.pooled[LAYER].numpy()
    for task in ("topic", "sentiment"):
        labels = [str(each.labels[task]) for each in run.rows.training]
        true = [str(each.labels[task]) for each in judged]
        ours = [a.labels[task].label == b for a, b in zip(found, true, strict=True)]
        for penalty in (0.001, 0.01, 0.1):
            best = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=1000))
            best.fit(pooled[:cut], labels)
            theirs = [a == b for a, b in zip(best.predict(pooled[cut:]), true, strict=True)]
            differ = sum(a != b for a, b in zip(ours, theirs, strict=True))
            lost = sum(theirs) - sum(ours)
            # Rows that only one gets right are a coin each if both are as good: four deviations.
            assert lost <= 4 * math.sqrt(differ), f"{task} at C {penalty}"
