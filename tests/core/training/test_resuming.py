import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from core.config import TrainingChoice
from core.encoder.encoder import load_encoder
from core.model.model import MultiTaskModel, default_shapes
from core.strategy.scenario import Scenario
from core.strategy.strategies import Gradual
from core.task import Example, Task
from core.training.resuming import RunProgress, broken_if_lacking, check_identity, run_identity


def progress() -> RunProgress:
    return RunProgress(epoch_loss={"kind": 0.0, "mood": 0.0}, order=[3, [1, 2], None])


def test_a_run_that_goes_on_is_as_far_as_it_was() -> None:
    before = progress()
    before.step, before.epoch, before.place, before.since_best = 7, 2, 1, 1
    before.kept_epoch, before.kept_score = 1, 0.1 + 0.2
    before.epoch_loss = {"kind": 0.1, "mood": 1 / 3}
    before.order = [3, [5, 6], None]
    after = progress()
    after.load(json.loads(json.dumps(before.document())))
    assert after == before


def test_a_run_that_judged_nothing_has_no_score_in_json_and_none_after_it() -> None:
    document = json.loads(json.dumps(progress().document(), allow_nan=False))
    assert document["kept_score"] is None
    after = progress()
    after.load(document)
    assert after.kept_score == -math.inf


def test_changes_are_written_down_and_made_again_rather_than_read() -> None:
    before, after = progress(), progress()
    before.changes.append({"step": 3, "epoch": 0, "head_rate": 0.1})
    after.load(before.document())
    assert before.document()["changes"] == before.changes
    assert after.changes == []


def test_another_run_s_checkpoint_is_refused_by_what_differs_first() -> None:
    mine = {"strategy": "heads", "rows": 4, "read": {"kind": 2}, "data": "a"}
    check_identity(Path("run"), mine, json.loads(json.dumps(mine)))
    with pytest.raises(ValueError, match="run holds a checkpoint of another run: its rows"):
        check_identity(Path("run"), mine, {**mine, "rows": 5, "data": "b"})


MOOD = Task(name="mood", kind="sentence", labels=("glad", "sad"))
ROWS = [Example(text=text, labels={"mood": "glad"}) for text in ("a band sang", "fog", "boats")]
BEFORE: dict[str, Any] = {
    "scenario": Scenario(strategy=Gradual()),
    "choice": TrainingChoice(seed=1),
    "examples": ROWS[:2],
    "validation": ROWS[2:],
    "processes": 1,
}


@pytest.fixture
def identity(family_folder: Callable[[str], Path]) -> Callable[..., dict[str, Any]]:
    """Say what a run is, with some of it set otherwise."""

    def of(read: int = 3, shift: float = 0.0, **given: object) -> dict[str, Any]:
        encoder = load_encoder(str(family_folder("minilm")))
        with torch.no_grad():
            next(encoder.parameters()).add_(shift)
        model = MultiTaskModel(encoder, default_shapes(encoder, [MOOD], {"mood": read}))
        return run_identity(model, **{**BEFORE, **given})

    return of


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"examples": [ROWS[0], replace(ROWS[1], labels={"mood": "sad"})]}, "data"),
        ({"examples": [ROWS[1], ROWS[0]]}, "data"),
        ({"examples": [ROWS[0], replace(ROWS[1], text="mist")]}, "data"),
        ({"examples": ROWS[:1]}, "rows"),
        ({"validation": [replace(ROWS[2], labels={"mood": "sad"})]}, "data"),
        ({"shift": 1e-3}, "data"),
        ({"read": 2}, "read"),
        ({"scenario": Scenario(strategy=Gradual(every=2))}, "settings"),
        ({"choice": TrainingChoice(seed=2)}, "choice"),
        ({"processes": 2}, "processes"),
    ],
)
def test_a_run_goes_on_only_on_the_rows_weights_and_choices_it_began_with(
    given: dict[str, Any], named: str, identity: Callable[..., dict[str, Any]]
) -> None:
    with pytest.raises(ValueError, match=f"its {named} differs"):
        check_identity(Path("run"), identity(**given), json.loads(json.dumps(identity())))


def test_a_run_may_go_on_with_more_memory_and_other_checkpoints(
    identity: Callable[..., dict[str, Any]],
) -> None:
    other = TrainingChoice(seed=1, checkpoint_every=7, prefix_megabytes=5)
    check_identity(Path("run"), identity(choice=other), json.loads(json.dumps(identity())))


@pytest.mark.parametrize("lacking", ["kept_score", "step", "epoch_loss", "order"])
def test_a_checkpoint_that_lacks_something_is_called_broken(lacking: str) -> None:
    document = progress().document()
    del document[lacking]
    with (
        pytest.raises(ValueError, match=rf"run holds a checkpoint that is broken: '{lacking}'"),
        broken_if_lacking(Path("run")),
    ):
        progress().load(document)


def test_a_checkpoint_with_something_of_another_type_is_called_broken() -> None:
    document = {**progress().document(), "step": None}
    with pytest.raises(ValueError, match="broken"), broken_if_lacking(Path("run")):
        progress().load(document)
