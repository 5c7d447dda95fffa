"""`/compare` streams, and the page that `python demo/app.py` starts keeps gradio out of workers."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

pytestmark = pytest.mark.slow  # a page starts as a process

ROOT = Path(__file__).resolve().parents[3]
WAIT_SECONDS = 120


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, int]]:
    """Start the page as a Space does: the file itself, from another folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "demo" / "app.py")],
        cwd=ROOT.parent,
        env={**os.environ, "GRADIO_SERVER_PORT": str(port), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        assert process.poll() is None, "the page did not start"
        assert time.monotonic() < deadline, "the page was not ready"
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=2) as answer:
                if json.load(answer)["encoder_ready"]:
                    break
        except OSError:
            pass
        time.sleep(0.2)
    yield address, process.pid
    process.terminate()
    process.wait(timeout=20)


def descendants(pid: int) -> list[int]:
    """List a process's children and theirs, as Linux tells them."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *descendants(child)]
    return found


def holds(pid: int, library: str) -> bool:
    """Say whether a process has a library in its memory."""
    try:
        return library in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False


@pytest.fixture
def moods(tmp_path: Path) -> Path:
    path = tmp_path / "moods.csv"
    what = ("ferry", "lorry", "glider", "train")
    lines = [
        f"The {what[n % 4]} {n} is {'early' if n % 2 else 'late'}.,{'good' if n % 2 else 'bad'}"
        for n in range(24)
    ]
    path.write_text("text,mood\n" + "\n".join(lines))
    return path


def test_a_comparison_streams_to_its_report_and_a_worker_holds_no_gradio(
    server: tuple[str, int], moods: Path
) -> None:
    address, pid = server
    job = Client(address, verbose=False).submit(
        *(handle_file(str(moods)), ["heads", "lower:5"]),
        **{"seeds": 1, "epochs": 1, "rates": 2, "balances": True},
        api_name="/compare",
    )
    seen: set[int] = set()
    with_gradio: set[int] = set()
    while not job.done():
        for child in descendants(pid) if sys.platform == "linux" else []:
            if holds(child, "libtorch"):
                seen.add(child)
                if holds(child, "orjson") or holds(child, "pydantic_core"):
                    with_gradio.add(child)
        time.sleep(0.05)
    documents: list[Any] = job.outputs()
    report = documents[-1]
    assert {run["strategy"] for run in report["runs"]} == {"heads", "lower:5"}
    assert report["advice"]["status"] in ("better", "good_enough", "cannot_tell")
    events = [each["event"] for each in documents[:-1]]
    assert {"stage", "run"} <= set(events)
    assert job.result() == report
    assert report["rates"] == 2
    assert report["budget_seconds"] is None, "nobody asked for a race"
    assert all(each["forgetting"] is not None for each in report["strategies"])
    assert report["command"] == (
        "python -m core compare --data moods.csv --rows 300 --strategies heads,lower:5 --seeds 1 "
        "--epochs 1 --rates 2 --balances"
    )
    assert any("no table of other balances" in note for note in report["notes"]), "of one task"
    if sys.platform == "linux":
        assert holds(pid, "orjson"), "the page itself has what tells gradio"
        assert seen, "a worker was there"
        assert with_gradio == set()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"strategies": ["lowest"]}, "must be one of: frozen, heads"),
        ({"seeds": 0}, "Seeds is 0, must be 1 to 12"),
        ({"rates": 99}, "Rates is 99, must be 1 to 9"),
        ({"score": "f7"}, "Score is .*f7.*, must be one of"),
        ({"encoder": "/etc"}, "There is no encoder"),
        ({"rows": "many"}, "Rows is many, must be 1 to 2,000"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(
    server: tuple[str, int], moods: Path, given: dict[str, Any], said: str
) -> None:
    client = Client(server[0], verbose=False)
    with pytest.raises(AppError, match=said):
        client.predict(handle_file(str(moods)), **given, api_name="/compare")
