"""What an earlier build wrote is opened by this one: see tests/kept/README.md.

Only commands are used, each in a process of its own, so that nothing here knows where the code is.
"""

import hashlib
import importlib.metadata
import json
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.kept.make import COMPARED, ENCODER, HERE, STOPPED, command, environment

OF_THIS_RUN = frozenset({"wall_seconds", "command", "machine", "versions"})
"""What a report says of the process that wrote it; all else comes from the runs."""


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Return a copy of what is kept, to be worked in."""
    shutil.copytree(HERE, tmp_path / "kept")
    return tmp_path / "kept"


def run(folder: Path, *arguments: str) -> str:
    """Run a command in a folder, and return its standard output."""
    done = subprocess.run(
        command(*arguments), cwd=folder, env=environment(folder), capture_output=True,
        encoding="utf-8", check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def expected(name: str) -> Any:  # noqa: ANN401 (any JSON)
    return json.loads((HERE / "expected" / name).read_text(encoding="utf-8"))


def differences(found: object, wanted: object, place: str = "") -> list[str]:
    """Name what differs between two JSON documents, numbers by more than 1e-6."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        listed = [f"{place}: {name} is in one alone" for name in found.keys() ^ wanted.keys()]
        for name in found.keys() & wanted.keys():
            listed += differences(found[name], wanted[name], f"{place}.{name}")
        return listed
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        pairs = enumerate(zip(found, wanted, strict=True))
        return [each for i, (a, b) in pairs for each in differences(a, b, f"{place}[{i}]")]
    if isinstance(found, float) and isinstance(wanted, float):
        same = found == pytest.approx(wanted, abs=1e-6)
    else:
        same = found == wanted
    return [] if same else [f"{place}: {str(found)[:80]} instead of {str(wanted)[:80]}"]


def test_a_kept_model_scores_what_it_scored(kept: Path) -> None:
    arguments = ("--data", "rows.jsonl", "--threads", "1", "--model", "model", "--json")
    assert (
        differences(json.loads(run(kept, "evaluate", *arguments)), expected("evaluate.json")) == []
    )
    learned = [task["rows"] for task in expected("evaluate.json")["tasks"].values()]
    assert learned == [60, 60, 60], "each task is scored on rows"


def test_a_kept_model_predicts_what_it_predicted(kept: Path) -> None:
    arguments = ("--file", "new.txt", "--model", "model", "--explain", "--threads", "1", "--json")
    assert differences(json.loads(run(kept, "predict", *arguments)), expected("predict.json")) == []
    assert any(each["names"] for each in expected("predict.json")), "some entity is found"


def test_a_kept_checkpoint_goes_on_to_the_weights_of_the_run_never_stopped(kept: Path) -> None:
    events = [
        json.loads(line)
        for line in run(kept, *STOPPED, "--out", "unfinished", "--resume").splitlines()
    ]
    assert events[0]["done_before"] == 15
    assert [each["step"] for each in events if each["event"] == "step"] == list(range(16, 40))
    for name in ("heads.safetensors", "encoder.safetensors"):
        found, wanted = (
            load_file(kept / "unfinished" / name),
            load_file(HERE / "expected/resumed" / name),
        )
        assert found.keys() == wanted.keys()
        for tensor, weight in wanted.items():  # bit for bit where the processor is the same
            torch.testing.assert_close(found[tensor], weight, rtol=0, atol=1e-6, msg=tensor)


@pytest.mark.slow
def test_a_kept_comparison_is_resumed_without_a_run_and_reports_the_same(kept: Path) -> None:
    adopt(kept / "runs" / "comparison.json")
    before = contents(kept / "runs")
    assert len([path for path in before if path.endswith("/run.json")]) == 6
    printed = json.loads(run(kept, *COMPARED, "--resume", "--json"))
    assert contents(kept / "runs") == before, "nothing is run or written anew"
    assert printed == json.loads((kept / "report.json").read_text(encoding="utf-8"))
    wanted = expected("report.json")
    assert printed["encoder"]["name"] == ENCODER
    for report in (printed, wanted):
        for name in OF_THIS_RUN:
            report.pop(name, None)
    assert differences(printed, wanted) == []


def adopt(index: Path) -> None:
    """Let a comparison go on in this environment: runs of other versions are refused, rightly."""
    document = json.loads(index.read_text(encoding="utf-8"))
    versions = document["versions"]
    here = {name: importlib.metadata.version(name) for name in versions if name != "python"}
    document["versions"] = {**versions, "python": platform.python_version(), **here}
    index.write_text(json.dumps(document), encoding="utf-8")


def contents(folder: Path) -> dict[str, str]:
    """Give the hash of every file of a comparison's runs."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.glob("runs/**/*")
        if path.is_file()
    }
