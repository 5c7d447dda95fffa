import json
import math
from pathlib import Path

import pytest

from core.resuming import RunProgress, broken_if_lacking, check_identity


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
