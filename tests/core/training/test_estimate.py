"""The time said before a run: what it grows with, and that asking for it leaves no trace."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from core.config import DataChoice, EncoderChoice, TrainingChoice
from core.data.dataset import read_dataset
from core.encoder.encoder import load_encoder
from core.strategy.scenario import parse_strategy
from core.training.estimate import MEASUREMENTS, Estimates, measured


@pytest.mark.parametrize("family", ["minilm", "distilbert", "mpnet", "stella-1.5b"])
def test_measuring_a_machine_leaves_no_trace_on_the_encoder(
    family: str, family_folder: Callable[[str], Path]
) -> None:
    encoder = load_encoder(EncoderChoice(name=str(family_folder(family))))
    texts = ["the ferry is late", "a small verse of boats"]
    weights = list(encoder.parameters())
    before, trained = encoder.encode(texts).vectors, [each.requires_grad for each in weights]
    cost = measured(encoder, texts, threads=1)
    assert cost.trained > 0
    assert cost.forward > 0
    assert torch.equal(encoder.encode(texts).vectors, before)
    assert [each.requires_grad for each in weights] == trained
    assert all(each.grad is None for each in weights)


def test_an_estimate_grows_with_what_trains_how_often_and_on_how_much(
    family_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    lines = [f"the ferry number {row} is late,{'bad' if row % 2 else 'good'}" for row in range(60)]
    (tmp_path / "rows.csv").write_text("text,mood\n" + "\n".join(lines))
    choice = EncoderChoice(name=str(family_folder("minilm")))
    encoder, estimates = load_encoder(choice), Estimates()

    def seconds(strategy: str, epochs: int = 3, rows: int | None = None) -> float:
        dataset = read_dataset(DataChoice(source=str(tmp_path / "rows.csv"), rows=rows))
        training = TrainingChoice(epochs=epochs, threads=1)
        scenario = parse_strategy(strategy, encoder.layers)
        return estimates.seconds(encoder, scenario, dataset, training)

    for _ in range(MEASUREMENTS):  # then it is measured no more, and sums alone differ
        first = seconds("full")
    assert seconds("full") <= first
    assert seconds("heads") < seconds("lower:2") < seconds("lower:1") < seconds("full")
    assert seconds("bitfit") < seconds("full"), "of its layers only the biases have a gradient"
    assert seconds("full", epochs=3) < seconds("full", epochs=6)
    assert seconds("full", rows=30) < seconds("full")
    dataset = read_dataset(DataChoice(source=str(tmp_path / "rows.csv")))
    told = estimates.document(
        encoder, parse_strategy("heads", 3), dataset, TrainingChoice(batch=8, threads=1)
    )
    assert (told["rows"], told["validation_rows"], told["steps_an_epoch"]) == (51, 9, 7)
