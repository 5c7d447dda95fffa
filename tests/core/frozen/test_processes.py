"""Training by two processes, started by `accelerate launch`: the same run as by one."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from core.frozen.processes import ALONE, Processes, join
from core.model.model_folder import ENCODER, HEADS
from core.system.files import LOCK
from core.system.launch import how_launched, one_process_note
from core.training.checkpoint import CHECKPOINT
from core.training.draws import Draws
from tests.core.conftest import Run, labelled_rows, write_rows
from tests.trained_together import CASES, STOPPED, choice_of, trained

ROOT = Path(__file__).resolve().parents[3]
LAUNCH = (
    *(sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"),
    *("--num_machines", "1", "--main_process_port", "0", "--mixed_precision", "no"),
    *("--dynamo_backend", "no"),
)
"""Two processes on this machine, GPU or none: `--cpu` would start one, unless mpirun is there."""

on_unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no gloo launcher")


def environment() -> dict[str, str]:
    kept = {name: each for name, each in os.environ.items() if name != "OMP_NUM_THREADS"}
    return {**kept, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="module")
def family(family_folder: Callable[[str], Path]) -> Path:
    return family_folder("minilm")


@pytest.fixture(scope="module")
def together(family: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of what two processes said and made, each of its own."""
    out = tmp_path_factory.mktemp("together")
    command = [*LAUNCH, "-m", "tests.trained_together", str(family), str(out)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return out


def made(folder: Path, name: str, rank: int) -> tuple[list[dict[str, Any]], dict[str, Tensor]]:
    said = json.loads((folder / f"{name}.{rank}.json").read_text(encoding="utf-8"))
    return said, load_file(folder / f"{name}.{rank}.safetensors")


@on_unix
@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_processes_train_as_one_does(case: str, family: Path, together: Path) -> None:
    model, alone = trained(family, case, ALONE)
    said, weights = made(together, case, 0)
    assert len(said) == len(alone)
    for ours, theirs in zip(alone, said, strict=True):
        assert theirs["loss"] == pytest.approx(ours["loss"], abs=1e-5)
        gradient = theirs.get("gradient", {})
        assert gradient == pytest.approx(ours.get("gradient", {}), rel=1e-3, abs=1e-5)
        assert theirs.get("best") == ours.get("best")
    for name, weight in model.state_dict().items():
        if weight.is_floating_point() and not name.endswith("key.bias"):  # no true gradient there
            apart = torch.linalg.norm(weights[name] - weight)
            assert apart <= 1e-4 * torch.linalg.norm(weight) + 1e-5, name
    also_said, also_weights = made(together, case, 1)
    assert also_said == said, "both processes know all of it"
    assert all(torch.equal(weights[name], each) for name, each in also_weights.items())


@on_unix
@pytest.mark.slow
def test_two_processes_that_are_stopped_go_on_as_if_they_never_were(together: Path) -> None:
    straight, weights = made(together, "straight", 0)
    begun, _ = made(together, "begun", 0)
    resumed, resumed_weights = made(together, "resumed", 0)
    assert straight[: len(begun)] == begun
    assert straight[-len(resumed) :] == resumed
    assert 0 < len(resumed) < len(straight)
    assert all(torch.equal(weights[name], each) for name, each in resumed_weights.items())
    without, _ = made(together, STOPPED, 0)
    assert without[0]["loss"] != straight[0]["loss"], "needs dropout, which each draws for itself"


@on_unix
@pytest.mark.slow
def test_what_two_processes_began_one_does_not_go_on_with(family: Path, together: Path) -> None:
    choice = choice_of(STOPPED, dropout=True, checkpoint_every=3)
    with pytest.raises(ValueError, match="its processes differs"):
        trained(family, STOPPED, ALONE, choice=choice, folder=together / "stopped", resume=True)


RUN = (
    *("--strategy", "gradual", "--epochs", "40", "--patience", "1000", "--batch", "16"),
    *("--checkpoint-every", "3", "--unfreeze-every", "1", "--lr", "0.00001", "--head-lr", "0.0001"),
    *("--no-dropout", "--threads", "1", "--json", "--validation", "none"),
)
"""Long enough to be stopped midway, at rates at which rounding does not grow."""


def launched(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*LAUNCH, "-m", "core", *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@on_unix
@pytest.mark.slow
def test_a_command_that_two_processes_run_is_stopped_goes_on_and_writes_one_model(
    run: Run, tiny: str, tmp_path: Path
) -> None:
    data = write_rows(tmp_path / "rows.csv", labelled_rows())
    command = ("train", "--data", data, "--encoder", tiny, *RUN)
    process = launched(tmp_path, *command, "--out", "m")
    assert process.stdout is not None
    before = [json.loads(next(process.stdout))]
    while before[-1]["event"] != "checkpoint" or before[-1]["step"] < 6:
        before.append(json.loads(next(process.stdout)))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    before += [json.loads(line) for line in out.splitlines()]
    assert err.count("labels are read as") == err.count("stopped: m holds the run up to") == 1
    assert "go on with: accelerate launch --multi_gpu --num_processes 2 -m core train" in err
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == sorted([CHECKPOINT, LOCK])

    code, _, err = run(*command, "--out", "m", "--resume")
    assert code == 2
    assert "the run in m was begun by processes: 2, now: 1" in err
    process = launched(tmp_path, *command, "--out", "m", "--resume")
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    after = [json.loads(line) for line in out.splitlines()]
    assert after[0]["processes"] == 2

    code, out, err = run(*command, "--out", "alone")
    assert code == 0, err
    alone = [each for each in map(json.loads, out.splitlines()) if each["event"] == "step"]
    two = [each for each in before + after if each["event"] == "step"]
    assert [each["step"] for each in two] == [each["step"] for each in alone], "each told once"
    for ours, theirs in zip(alone, two, strict=True):
        assert theirs["loss"] == pytest.approx(ours["loss"], abs=1e-4)
    names = {path.name for path in (tmp_path / "alone").iterdir()}
    assert {path.name for path in (tmp_path / "m").iterdir()} == names
    for name in (HEADS, ENCODER):
        theirs = load_file(tmp_path / "m" / name)
        for key, weight in load_file(tmp_path / "alone" / name).items():
            if not key.endswith("key.bias"):
                torch.testing.assert_close(theirs[key], weight, rtol=1e-3, atol=1e-4)


def test_the_readme_launches_as_these_tests_do() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert " ".join(["accelerate launch", *LAUNCH[3:6]]) in readme


class Second(Processes):
    """The second of three, without the others."""

    rank = 1
    count = 3


def test_every_row_has_one_process_and_every_process_a_thread() -> None:
    assert list(Second().share([7, 8, 9, 10, 11])) == [8, 11]
    assert list(Second().share([7])) == []
    assert list(ALONE.share([7, 8, 9])) == [7, 8, 9]
    assert [Second().threads(threads) for threads in (1, 2, 3, 8)] == [1, 1, 1, 2]
    assert ALONE.threads(8) == 8


def test_processes_draw_one_order_and_each_its_own_dropout() -> None:
    first, second = (Draws(3, torch.device("cpu"), rank) for rank in (0, 1))
    assert first.batches(range(40), 8) == second.batches(range(40), 8)
    drawn = []
    for each in (first, second):
        with each.dropout():
            drawn.append(torch.rand(4))
    assert not torch.equal(*drawn)
    alone = Draws(3, torch.device("cpu"))
    with alone.dropout():
        assert torch.equal(torch.rand(4), drawn[0])


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if name.startswith(("RANK", "WORLD", "LOCAL_", "PMI_", "OMPI_", "MASTER_", "ACCELERATE_")):
            monkeypatch.delenv(name)
    return monkeypatch


def test_a_process_by_itself_imports_nothing_of_accelerate(environ: pytest.MonkeyPatch) -> None:
    environ.setitem(sys.modules, "accelerate", None)  # importing it raises
    assert how_launched().count == 1
    with join(None) as (processes, device):
        assert processes is ALONE
        assert device is None


@pytest.mark.parametrize(
    ("set_by_launcher", "expected"),
    [
        ({"RANK": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}, (1, 2, 2)),
        ({"PMI_RANK": "3", "PMI_SIZE": "4", "MPI_LOCALNRANKS": "2"}, (3, 4, 2)),
        ({"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2"}, (0, 2, 2)),
        ({"RANK": "0", "WORLD_SIZE": "1"}, (0, 1, 1)),
        ({"RANK": "", "WORLD_SIZE": "many"}, (0, 1, 1)),
    ],
)
def test_what_launchers_set_is_understood(
    set_by_launcher: dict[str, str], expected: tuple[int, ...], environ: pytest.MonkeyPatch
) -> None:
    for name, value in set_by_launcher.items():
        environ.setenv(name, value)
    found = how_launched()
    assert (found.rank, found.count, found.here) == expected


def test_what_cannot_be_shared_is_refused_in_words(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("WORLD_SIZE", "4")
    environ.setenv("RANK", "0")
    with pytest.raises(ValueError, match=r"^device is cuda:1 for 4 processes"), join("cuda:1"):
        pass
    environ.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="2 of 4 processes are on this machine"), join(None):
        pass


def test_a_launcher_that_starts_one_process_of_two_is_told_of(
    environ: pytest.MonkeyPatch,
) -> None:
    assert one_process_note() is None
    environ.setenv("ACCELERATE_USE_CPU", "True")
    assert one_process_note() is None, "one was asked for"
    environ.setenv("MASTER_PORT", "29500")  # it sets one where it is asked for more than one
    assert "--multi_gpu --num_processes 2" in (one_process_note() or "")
    environ.setenv("WORLD_SIZE", "2")
    assert one_process_note() is None
