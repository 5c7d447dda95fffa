import multiprocessing
import os
import resource
import signal
import time
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from core.model.model_folder import MANIFEST
from core.system.files import LOCK, locked
from core.training.checkpoint import (
    CHECKPOINT,
    UNFINISHED,
    has_checkpoint,
    read_checkpoint,
    remove_checkpoint,
    run_folder,
    write_checkpoint,
)

SPAWN = multiprocessing.get_context("spawn")


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(3, 4), "draws": torch.get_rng_state(), "b": torch.randn(5).half()}
    tensors["turned"] = tensors["a"].T  # as some weights lie in memory
    document = {"step": 7, "order": [3, [1, 2], None], "text": "ü\u2028"}
    write_checkpoint(tmp_path, tensors, document)
    found, said = read_checkpoint(tmp_path)
    assert said == {"thaw_format": 1, **document}
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert has_checkpoint(tmp_path)


def _write_with_little_room(folder: str) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    try:
        write_checkpoint(Path(folder), {"a": torch.zeros(1_000_000)}, {"step": 2})
    except RuntimeError as error:
        Path(folder, "said").write_text(str(error)[:5000])


def test_a_disk_that_is_full_leaves_the_old_checkpoint_and_says_so(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, {"a": torch.ones(2)}, {"step": 1})
    worker = SPAWN.Process(target=_write_with_little_room, args=(str(tmp_path),))
    worker.start()
    worker.join(60)
    assert "the one before it is intact" in (tmp_path / "said").read_text()
    tensors, document = read_checkpoint(tmp_path)
    assert document["step"] == 1
    assert torch.equal(tensors["a"], torch.ones(2))
    assert sorted(path.name for path in tmp_path.iterdir()) == [CHECKPOINT, "said"]


def test_a_checkpoint_is_on_the_disk_before_it_replaces_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_checkpoint(tmp_path, {"a": torch.ones(2)}, {"step": 1})
    synced: dict[int, int] = {}
    real = os.fsync

    def noted(file: int) -> None:
        real(file)
        synced[os.fstat(file).st_ino] = read_checkpoint(tmp_path)[1]["step"]

    monkeypatch.setattr(os, "fsync", noted)
    path = write_checkpoint(tmp_path, {"a": torch.zeros(2)}, {"step": 2})
    assert synced.get(path.stat().st_ino) == 1, "the old one is there until the new one is whole"
    assert read_checkpoint(tmp_path)[1]["step"] == 2


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (None, "names no thaw_format"),
        ({"thaw": "{"}, "cannot be read as a checkpoint"),
        ({"thaw": "[1]"}, "names no thaw_format"),
        ({"thaw": '{"thaw_format": 2}'}, "use a newer Thaw"),
    ],
)
def test_what_is_no_checkpoint_is_refused_in_words(
    tmp_path: Path, metadata: dict[str, str] | None, said: str
) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / CHECKPOINT, metadata=metadata)
    with pytest.raises(ValueError, match=said):
        read_checkpoint(tmp_path)


def test_broken_and_missing_files_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing to resume"):
        read_checkpoint(tmp_path)
    (tmp_path / CHECKPOINT).write_bytes(b"\x80\x04pickle")
    with pytest.raises(ValueError, match="cannot be read as a checkpoint"):
        read_checkpoint(tmp_path)


def test_a_checkpoint_can_be_read_and_removed_like_any_file(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, {"a": torch.ones(2)}, {"step": 1})
    assert path.stat().st_mode & 0o777 == 0o644, "not its writer's alone"
    (tmp_path / UNFINISHED).write_bytes(b"half")  # as a run that was killed leaves
    remove_checkpoint(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert not has_checkpoint(tmp_path)


def _hold(folder: str, held: str) -> None:
    with locked(Path(folder)):
        Path(held).touch()
        time.sleep(60)


def test_a_folder_is_one_runs_alone_until_its_process_dies(tmp_path: Path) -> None:
    run, held = tmp_path / "run", tmp_path / "held"
    worker = SPAWN.Process(target=_hold, args=(str(run), str(held)))
    worker.start()
    deadline = time.monotonic() + 60
    while not held.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    with pytest.raises(ValueError, match="another run"), locked(run):
        pass
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(60)
    with locked(run):
        pass
    with locked(run):  # and again, once it was let go
        pass


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

        monkeypatch.setattr("core.training.checkpoint.locked", too_late)
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
        pytest.raises(ValueError, match="give resume"),
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
