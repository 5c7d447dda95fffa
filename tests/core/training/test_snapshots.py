from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from core.config import TrainingChoice
from core.model.heads import TokenHead
from core.model.model import MultiTaskModel
from core.strategy.scenario import parse_strategy
from core.training.events import Event, SnapshotEvent, event_document
from tests.tiny_models import LAYERS
from tests.tiny_tasks import EXAMPLES, KIND, MOOD, NAMES, tiny_model, train

Folder = Callable[[str], Path]
CHOICE = TrainingChoice(epochs=2, batch=4, threads=1, patience=2)


def trained(model: MultiTaskModel, strategy: str, *, snapshots: bool = True) -> list[Event]:
    scenario = parse_strategy(strategy, LAYERS)
    rows, held_out = EXAMPLES[:-4], EXAMPLES[-4:]
    return list(train(model, scenario, rows, held_out, CHOICE, snapshots=snapshots))


def moments(events: list[Event]) -> list[SnapshotEvent]:
    return [each for each in events if isinstance(each, SnapshotEvent)]


@pytest.mark.parametrize("strategy", ["heads", "lower:1", "full"])
def test_the_last_snapshot_is_what_the_model_says_of_the_same_sentences(
    family_folder: Folder, strategy: str
) -> None:
    model = tiny_model(family_folder, "minilm")
    last = moments(trained(model, strategy))[-1]
    if last.epoch != CHOICE.epochs:
        pytest.fail("the last snapshot is of the last epoch")
    again = tiny_model(family_folder, "minilm")
    events = train(
        again, parse_strategy(strategy, LAYERS), EXAMPLES[:-4], [], CHOICE, snapshots=False
    )
    list(events)  # without validation rows the last epoch's weights are kept
    texts = again.read([each.text for each in last.examples])
    with torch.no_grad():
        batch = again.batch(texts)
        states, scores = (
            again.states(batch)[last.layer],
            again.score(again.states(batch), batch.lengths, batch.spelling),
        )
    ends = batch.lengths.cumsum(0).tolist()
    means = [states[e - n : e].mean(dim=0) for e, n in zip(ends, batch.lengths, strict=True)]
    assert last.states == pytest.approx(torch.stack(means).numpy(), abs=1e-4)
    for task in (KIND, MOOD):
        if task.name in last.probabilities:
            assert last.probabilities[task.name] == pytest.approx(
                scores[task.name].softmax(dim=1).numpy(), abs=1e-4
            )
    found = scores[NAMES.name].split(batch.lengths.tolist())
    assert last.predicted[NAMES.name] == tuple(
        TokenHead.said(NAMES, text, each) for text, each in zip(texts, found, strict=True)
    )


def test_there_is_one_before_the_first_step_and_one_after_each_epoch(
    family_folder: Folder,
) -> None:
    found = moments(trained(tiny_model(family_folder, "minilm"), "heads"))
    assert [(each.epoch, each.step > 0) for each in found] == [(0, False), (1, True), (2, True)]
    assert all(each.examples == found[0].examples for each in found), "the same sentences"
    assert found[0].examples[: found[0].held_out] == tuple(EXAMPLES[-4:])
    assert len(found[0].examples) == 5, "one that is learned from beside the four held out"
    assert (found[0].states == found[2].states).all(), "nothing that is frozen moves"
    assert event_document(found[0])["event"] == "snapshot"


def test_looking_on_changes_no_bit_of_a_run(family_folder: Folder) -> None:
    looked, alone = (tiny_model(family_folder, "minilm") for _ in range(2))
    trained(looked, "lower:1", snapshots=True)
    events = trained(alone, "lower:1", snapshots=False)
    assert not moments(events), "nobody is told who did not ask"
    other = alone.state_dict()
    assert all(torch.equal(each, other[name]) for name, each in looked.state_dict().items())
