"""`python -m core train` as a process: killed, stopped, resumed, on a full disk, twice at once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from core.model.model_folder import ENCODER, HEADS, MANIFEST
from core.system.files import LOCK
from core.system.stopping import Stopping
from core.training.checkpoint import (
    CHECKPOINT,
    RUN_FILES,
    UNFINISHED,
    has_checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from tests.core.conftest import KINDS, Run, labelled_rows, write_rows, write_spans

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")

ROOT = Path(__file__).resolve().parents[3]
LONG = ("--epochs", "60", "--patience", "1000", "--checkpoint-every", "3", "--batch", "16")
"""Long enough to be stopped midway, however quick the machine."""


@pytest.fixture
def data(tmp_path: Path) -> str:
    return write_rows(tmp_path / "rows.csv", labelled_rows())


@pytest.fixture
def command(tiny: str, data: str) -> tuple[str, ...]:
    return command_on(data, tiny)


def command_on(data: str, tiny: str) -> tuple[str, ...]:
    return ("train", "--data", data, "--strategy", "gradual", "--encoder", tiny, *LONG, "--json")


def start(
    folder: Path, *arguments: str, file_bytes: int | None = None, **environment: str
) -> "subprocess.Popen[str]":
    """Start a command; `file_bytes` is the most that any file it writes may hold."""

    def limit() -> None:
        import resource

        most = resource.RLIM_INFINITY if file_bytes is None else file_bytes
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    return subprocess.Popen(
        [sys.executable, "-m", "core", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit,
    )


def until(process: "subprocess.Popen[str]", event: str, step: int) -> dict[str, Any]:
    """Read what a process prints up to an event of at least a step."""
    assert process.stdout is not None
    for line in process.stdout:
        found: dict[str, Any] = json.loads(line)
        if found["event"] == event and found["step"] >= step:
            return found
    raise AssertionError(f"it ended before: {process.communicate()[1]}")


def stopped(folder: Path, *arguments: str, by: int = signal.SIGINT) -> str:
    """Start a command, stop it midway by a signal, and return what it said."""
    process = start(folder, *arguments)
    until(process, "checkpoint", 12)
    process.send_signal(by)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if by != signal.SIGKILL else -signal.SIGKILL), err
    return err


@pytest.fixture(scope="module")
def begun(tiny: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run that ended, `straight`, and the same one stopped midway, `m`."""
    folder = tmp_path_factory.mktemp("begun")
    command = command_on(write_rows(folder / "rows.csv", labelled_rows()), tiny)
    process = start(folder, *command, "--out", "straight", "--threads", "1")
    assert stopped(folder, *command, "--out", "m", "--threads", "1")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return folder


@pytest.fixture
def halted(begun: Path, tmp_path: Path) -> Path:
    """Return the folder of a run that was stopped midway, a copy of one's own."""
    return Path(shutil.copytree(begun / "m", tmp_path / "m"))


def weights(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in (HEADS, ENCODER)}


def events(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.slow
def test_a_run_that_is_killed_and_resumed_ends_with_the_very_bytes_of_one_never_stopped(
    command: tuple[str, ...], run: Run, begun: Path, tmp_path: Path
) -> None:
    stopped(tmp_path, *command, "--out", "m", "--threads", "1", by=signal.SIGKILL)
    left = {path.name for path in (tmp_path / "m").iterdir()}
    assert {CHECKPOINT, LOCK} <= left <= RUN_FILES
    (tmp_path / "m" / UNFINISHED).write_bytes(b"as if killed in the midst of writing one")
    before = read_checkpoint(tmp_path / "m")[1]
    code, out, err = run(*command, "--out", "m", "--resume")
    assert code == 0, err
    plan, *rest = events(out)
    steps = [each["step"] for each in rest if each["event"] == "step"]
    assert plan["threads"] == 1, "the checkpoint brings the thread count back"
    assert steps[0] == before["step"] + 1, "only what came after the checkpoint is repeated"
    assert plan["done_before"] == before["step"] > 0
    assert weights(tmp_path / "m") == weights(begun / "straight")
    assert not (tmp_path / "m" / CHECKPOINT).exists()
    assert not (tmp_path / "m" / LOCK).exists()
    straight, resumed = (
        json.loads((where / name / MANIFEST).read_text(encoding="utf-8"))
        for where, name in ((begun, "straight"), (tmp_path, "m"))
    )
    assert resumed["heads"] == straight["heads"], "calibration included"
    assert "--resume" not in resumed["about"]["command"]


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_writes_a_checkpoint_and_says_how_to_go_on(
    by: int, command: tuple[str, ...], run: Run, begun: Path, tmp_path: Path
) -> None:
    err = stopped(tmp_path, *command, "--out", "m", "--threads", "1", by=by)
    assert "Traceback" not in err
    step = read_checkpoint(tmp_path / "m")[1]["step"]
    last = err.splitlines()[-1]
    assert last.startswith(f"stopped: m holds the run up to step {step}; go on with: python -m ")
    assert last.endswith("--out m --threads 1 --resume")
    assert run(*last.partition("python -m core ")[2].split())[0] == 0
    assert weights(tmp_path / "m") == weights(begun / "straight")


def test_what_a_checkpoint_says_of_its_run(command: tuple[str, ...], tmp_path: Path) -> None:
    stopped(tmp_path, *command, "--out", "m", "--threads", "1", "--unfreeze-every", "2")
    document = read_checkpoint(tmp_path / "m")[1]
    assert document["run"]["settings"] == {"unfreeze_every": 2}
    assert document["run"]["choice"]["seed"] == 0
    about = document["about"]
    assert about["command"].endswith("--out m --threads 1 --unfreeze-every 2")
    assert about["versions"]["torch"] == torch.__version__
    assert len(about["data"]["fingerprint"]) == 64
    assert (about["plan"]["strategy"], about["plan"]["rows"]) == ("gradual", 51)
    assert {part["part"] for part in about["plan"]["parts"]} >= {"layer 3", "head kind"}


@pytest.mark.slow
def test_a_run_is_neither_overwritten_nor_resumed_otherwise_unasked(
    command: tuple[str, ...], run: Run, halted: Path
) -> None:
    before = (halted / CHECKPOINT).read_bytes()
    for options, said in (
        ((), "m holds a run that has not ended: give --resume to go on with it, or --overwrite"),
        (("--resume", "--overwrite"), "give either"),
        (("--resume", "--seed", "1"), "the run in m has --seed 0, not 1"),
        (("--resume", "--lr", "0.001"), "the run in m has --lr None, not 0.001"),
        (("--resume", "--threads", "2"), "the run in m has --threads 1, not 2"),
        (("--resume", "--unfreeze-every", "2"), "the run in m has --unfreeze-every None, not 2"),
        (("--resume", "--no-dropout"), "the run in m has --no-dropout off, not on"),
        (("--resume", "--strategy", "full"), "the run in m has --strategy gradual, not full"),
        (("--resume", "--rows", "40"), "a checkpoint of another run"),
    ):
        code, _, err = run(*command, "--out", "m", *options)
        assert (code, said in err.splitlines()[-1]) == (2, True), err
        assert (halted / CHECKPOINT).read_bytes() == before
    code, _, err = run(*command, "--out", "new", "--resume")
    assert code == 2
    assert "new holds no checkpoint: there is nothing to resume" in err
    options = ("--overwrite", "--epochs", "1", "--threads", "1", "--strategy", "heads")
    assert run(*command, "--out", "m", *options)[0] == 0
    assert not (halted / CHECKPOINT).exists()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (None, "cannot be read as a checkpoint"),
        ({"thaw_format": 99}, "is of format 99"),
        ({"run": {"strategy": "gradual"}}, "holds a checkpoint that is broken"),
        ({"run": [1]}, "holds a checkpoint that is broken"),
        ({}, "holds a checkpoint that is broken"),
    ],
)
def test_a_checkpoint_that_is_broken_or_newer_is_refused_in_words(
    document: dict[str, Any] | None, said: str, command: tuple[str, ...], run: Run, tmp_path: Path
) -> None:
    (tmp_path / "m").mkdir()
    if document is None:
        (tmp_path / "m" / CHECKPOINT).write_bytes(b"no safetensors")
    else:
        write_checkpoint(tmp_path / "m", {"a": torch.zeros(1)}, document)
    code, _, err = run(*command, "--out", "m", "--resume")
    assert code == 2, err
    assert said in err.splitlines()[-1]


@pytest.mark.slow
def test_a_model_stays_until_the_run_that_replaces_it_has_ended(
    command: tuple[str, ...], run: Run, tmp_path: Path
) -> None:
    assert run(*command, "--out", "m", "--threads", "1", "--epochs", "1")[0] == 0
    old = (tmp_path / "m" / MANIFEST).read_bytes()
    err = stopped(tmp_path, *command, "--out", "m", "--threads", "1", "--overwrite")
    assert (tmp_path / "m" / MANIFEST).read_bytes() == old
    assert "--overwrite" not in err.splitlines()[-1], "else going on would start anew"
    assert run(*command, "--out", "m", "--resume")[0] == 0
    assert (tmp_path / "m" / MANIFEST).read_bytes() != old
    assert not (tmp_path / "m" / CHECKPOINT).exists()


@pytest.mark.slow
def test_two_runs_never_write_into_one_folder(
    command: tuple[str, ...], run: Run, tmp_path: Path
) -> None:
    process = start(tmp_path, *command, "--out", "m", "--threads", "1", "--epochs", "100000")
    try:
        until(process, "checkpoint", 3)
        for options in ((), ("--resume",), ("--overwrite",)):
            code, _, err = run(*command, "--out", "m", *options)
            assert code == 2
            assert "m is being written by another run" in err.splitlines()[-1]
        assert process.poll() is None, "the first goes on"
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_full_disk_leaves_the_old_checkpoint_and_the_run_can_go_on(
    command: tuple[str, ...], run: Run, halted: Path
) -> None:
    before = (halted / CHECKPOINT).read_bytes()
    process = start(halted.parent, *command, "--out", "m", "--resume", file_bytes=10_000)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    last = err.splitlines()[-1]
    assert "cannot be written" in last
    assert "the one before it is intact" in last
    assert last.endswith("--resume")
    assert (halted / CHECKPOINT).read_bytes() == before
    assert sorted(path.name for path in halted.iterdir()) == sorted([CHECKPOINT, LOCK])
    assert run(*command, "--out", "m", "--resume")[0] == 0


def test_a_disk_that_is_full_when_the_model_is_written_leaves_no_half_of_it(
    tiny: str, data: str, tmp_path: Path
) -> None:
    arguments = ("--data", data, "--strategy", "frozen", "--encoder", tiny, "--threads", "1")
    process = start(tmp_path, "train", *arguments, "--out", "m", file_bytes=500)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    assert "the model cannot be written to" in err.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == [data]


def test_frozen_states_that_fit_neither_memory_nor_disk_end_the_run_in_words(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    options = ("--strategy", "lower:1", "--prefix-memory", "0", "--out", "m", "--threads", "1")
    process = start(tmp_path, *command, *options, file_bytes=20_000)  # files of 90 kB are asked for
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    last = err.splitlines()[-1]
    assert "MB of states do not fit into" in last
    assert "set TMPDIR to another folder" in last
    assert not (tmp_path / "m").exists()


@pytest.mark.slow
def test_a_rate_that_diverges_says_where_the_last_good_state_is(
    command: tuple[str, ...], run: Run, halted: Path
) -> None:
    tensors, document = read_checkpoint(halted)
    far = {n: t * 1e39 if n.startswith("weight.") else t for n, t in tensors.items()}
    write_checkpoint(halted, far, document)  # as weights that a high rate blew up
    code, _, err = run(*command, "--out", "m", "--resume")
    assert code == 1, err
    last = err.splitlines()[-1]
    assert "the loss is no longer a number at step" in last
    assert f"its last good state, of step {document['step']}, is kept in m" in last
    assert has_checkpoint(halted)


def test_a_task_that_learned_nothing_is_told_at_the_end_and_on_the_card(
    run: Run, tiny: str, data: str, tmp_path: Path
) -> None:
    # Each text once with each label: whoever says what, a third is right.
    given = [(text, kind) for text in ("snow", "lava", "fog") for kind in KINDS]
    own = write_rows(tmp_path / "own.csv", given, ("text", "kind"))
    command = ("train", "--data", data, "--label-column", "kind", "--encoder", tiny, "--json")
    options = ("--strategy", "heads", "--epochs", "2", "--validation", own, "--threads", "1")
    code, out, err = run(*command, *options, "--out", "m")
    assert code == 0, err
    (note,) = events(out)[-1]["notes"]
    assert note.startswith("kind has learned nothing that helps")
    assert note in err
    assert "has learned nothing that helps" in (tmp_path / "m" / "README.md").read_text("utf-8")


@pytest.mark.slow
def test_another_process_makes_the_same_bytes(tiny: str, tmp_path: Path) -> None:
    data = write_spans(tmp_path / "rows.jsonl", labelled_rows())
    arguments = ("--data", data, "--strategy", "lora@mix", "--encoder", tiny, "--threads", "1")
    for name, seed in (("a", "1"), ("b", "2")):
        options = ("--out", name, "--epochs", "2", "--balance", "uncertainty")
        process = start(tmp_path, "train", *arguments, *options, PYTHONHASHSEED=seed)
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    assert load_file(tmp_path / "a" / ENCODER), "something of the encoder did train"


@pytest.fixture
def noted() -> Iterator[Stopping]:
    with Stopping() as stopping:
        yield stopping


def test_the_first_ctrl_c_is_noted_and_the_second_ends_at_once(noted: Stopping) -> None:
    assert not noted()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)
    assert noted()
    with pytest.raises(KeyboardInterrupt):
        _interrupt()


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)


def test_afterwards_ctrl_c_is_what_it_was() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Stopping():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
