import os
from pathlib import Path

import pytest

from core.data.corpus import load_corpus
from core.model.model import MultiTaskModel
from core.model.model_folder import SHIPPED, load_model
from core.model.prediction import Prediction, predict
from core.shipped import build, model_card

APPLE = "Apple shares fell sharply after Tim Cook warned of weak sales in China."


@pytest.fixture(scope="module")
def shipped() -> MultiTaskModel:
    return load_model(threads=1)


def test_the_shipped_model_reads_the_readme_s_sentence_as_a_person_does(
    shipped: MultiTaskModel,
) -> None:
    found = predict(shipped, [APPLE])[0]
    assert found.labels["topic"].label == "business"
    assert found.labels["sentiment"].label in ("neutral", "negative")
    entities = [
        (APPLE[each.span.start : each.span.end], each.span.label)
        for each in found.entities["entities"]
    ]
    assert entities == [("Apple", "ORG"), ("Tim Cook", "PER"), ("China", "LOC")]


def test_the_shipped_model_is_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) <= 12_000_000


@pytest.mark.slow
def test_the_card_holds_the_figures_that_its_command_would_write(shipped: MultiTaskModel) -> None:
    card = (SHIPPED / "README.md").read_text(encoding="utf-8")
    written = model_card(shipped, load_corpus())
    assert [line for line in written.splitlines() if line not in card.splitlines()] == []


def labels(found: Prediction) -> tuple[object, ...]:
    spans = tuple(tuple(e.span for e in each) for each in found.entities.values())
    return (*(each.label for each in found.labels.values()), spans)


@pytest.mark.slow
@pytest.mark.skipif(
    "THAW_REBUILD" not in os.environ, reason="trains for three minutes: THAW_REBUILD=1 asks for it"
)
def test_the_shipped_model_made_anew_predicts_the_same(
    shipped: MultiTaskModel, tmp_path: Path
) -> None:
    rows = load_corpus()
    build(tmp_path / "model", rows)
    texts = [row.text for row in rows if row.split == "test"]
    first = predict(shipped, texts)
    second = predict(load_model(tmp_path / "model", threads=1), texts)
    same = sum(labels(a) == labels(b) for a, b in zip(first, second, strict=True))
    # Bit for bit on one machine; another processor rounds in its own way, step after step.
    assert same >= 0.97 * len(texts)
