from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
import torch

from core.model.model_folder import MANIFEST
from core.system.files import LOCK, locked
from core.training.checkpoint import write_checkpoint
from core.training.run_folder import run_folder


def put_checkpoint(folder: Path) -> None:
    folder.mkdir()
    write_checkpoint(folder, {"a": torch.zeros(1)}, {"step": 1})


def test_a_new_folder_is_made_locked_and_gone_if_nothing_came_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with run_folder(folder, resume=False, overwrite=False) as held:
        assert [path.name for path in held.iterdir()] == [LOCK]
        with (
            pytest.raises(ValueError, match="another run"),
            run_folder(folder, resume=False, overwrite=False),
        ):
            pass
    assert not folder.exists()


def test_who_comes_second_to_a_new_folder_leaves_it_to_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    with ExitStack() as first:

        def too_late(full: Path) -> AbstractContextManager[None]:
            first.enter_context(locked(full))  # another run is quicker
            return locked(full)

        monkeypatch.setattr("core.training.run_folder.locked", too_late)
        with (
            pytest.raises(ValueError, match="another run"),
            run_folder(folder, resume=False, overwrite=False),
        ):
            pass
        assert [path.name for path in folder.iterdir()] == [LOCK]


def test_a_run_that_has_not_ended_is_never_overwritten_unasked(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    put_checkpoint(folder)
    with (
        pytest.raises(ValueError, match="give --resume"),
        run_folder(folder, resume=False, overwrite=False),
    ):
        pass
    with run_folder(folder, resume=True, overwrite=False) as held:
        assert any(path.suffix == ".safetensors" for path in held.iterdir())
    with run_folder(folder, resume=False, overwrite=True) as held:
        assert [path.name for path in held.iterdir()] == [LOCK]


def test_a_model_is_never_overwritten_unasked(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / MANIFEST).write_text("{}")
    for resume in (False, True):
        with (
            pytest.raises(ValueError, match="holds a model already"),
            run_folder(folder, resume=resume, overwrite=False),
        ):
            pass
    with run_folder(folder, resume=False, overwrite=True):
        assert (folder / MANIFEST).is_file(), "it stays until the new one is whole"


def test_there_must_be_something_to_resume_and_one_way_to_go_on(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="nothing to resume"),
        run_folder(tmp_path / "x", resume=True, overwrite=False),
    ):
        pass
    with (
        pytest.raises(ValueError, match="give either"),
        run_folder(tmp_path / "x", resume=True, overwrite=True),
    ):
        pass
    assert not (tmp_path / "x").exists()
