import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.config import DataChoice, EncoderChoice, TrainingChoice
from core.data.dataset import read_dataset
from core.model.model_folder import load_model
from core.system.workers import Worker
from demo.train import sessions as sessions_module
from demo.train.sessions import PRELOAD, Sessions
from demo.train.worker import TrainingJob, similarity_agreement
from tests.demo.train.worker_modules import tell_modules

pytestmark = pytest.mark.slow

Folder = Callable[[str], Path]
Jobs = Callable[..., TrainingJob]
PATIENCE = 120


@pytest.fixture
def jobs(family_folder: Folder) -> Jobs:
    data = read_dataset(DataChoice(source="corpus", tasks=("sentiment",), rows=40))

    def job(epochs: int = 1, **more: Any) -> TrainingJob:  # noqa: ANN401 (any of a job's)
        choice = TrainingChoice(epochs=epochs, batch=8, threads=1, patience=epochs)
        name = str(family_folder("minilm"))
        given = {"strategy": "heads", "encoder": EncoderChoice(name=name), "choice": choice}
        return TrainingJob(dataset=data, **{**given, **more})

    return job


LONG = 50_000
"""Epochs that no test waits for the end of."""


@pytest.fixture
def sessions() -> Iterator[Sessions]:
    kept = Sessions()
    yield kept
    kept.close()


def wait(sessions: Sessions, token: str, *states: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        seen = sessions.look(token)
        if seen["state"] in states:
            return seen
        time.sleep(0.02)
    pytest.fail(f"not {states} but {seen['state']}: {seen['events'][-3:]}")


def steps(seen: dict[str, Any]) -> int:
    told = [each["steps"][-1]["step"] for each in seen["events"] if each["event"] == "steps"]
    return max(told, default=0)


def lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def process_of(sessions: Sessions, token: str) -> int:
    worker = sessions._sessions[token].worker
    assert worker is not None
    return worker.pid


def test_a_run_tells_what_happens_and_ends_in_a_model(sessions: Sessions, jobs: Jobs) -> None:
    token = sessions.start(jobs(strategy="lower:2"))
    seen = wait(sessions, token, "done")
    events = [each["event"] for each in seen["events"]]
    assert events.index("plan") < events.index("steps") < events.index("evaluation")
    plan = seen["events"][events.index("plan")]
    assert plan["encoder_rate"] > 0 < plan["head_rate"], "the fields of whoever steers it"
    assert events[-1] == "saved"
    assert seen["events"][-1]["moved"] == ["layer 3"]
    assert set(seen["events"][-1]["similarity"]) == {"before", "after"}
    assert len(load_model(sessions.model_of(token)).tasks) == 1
    assert sessions.look(token, seen["next"])["events"] == [], "only what is new travels"
    folder = sessions.model_of(token).parent
    sessions.remove(token)
    assert not folder.exists()
    assert sessions.look(token)["state"] == "gone"


def test_a_run_pauses_steps_changes_and_goes_on(sessions: Sessions, jobs: Jobs) -> None:
    token = sessions.start(jobs(epochs=LONG))
    wait(sessions, token, "running")
    with pytest.raises(ValueError, match="pause the run first"):
        sessions.act(token, "change", {"head_rate": 0.5})
    sessions.act(token, "pause")
    seen = wait(sessions, token, "paused")
    before = steps(seen)
    sessions.act(token, "step")
    wait(sessions, token, "running", "waiting", "paused")
    seen = wait(sessions, token, "paused")
    while steps(seen) == before:
        seen = sessions.look(token)
    assert steps(seen) == before + 1
    sessions.act(token, "change", {"thawed": ["layer 3"]})
    sessions.act(token, "change", {"thawed": ["layer 99"]})
    deadline, told = time.monotonic() + PATIENCE, dict[str, str]()
    while not {"change", "refused"} <= told.keys() and time.monotonic() < deadline:
        told = {each["event"]: each.get("text", "") for each in sessions.look(token)["events"]}
        time.sleep(0.02)
    assert told["change"] == "layer 3 thawed"
    assert "layer 99" in told["refused"]
    sessions.act(token, "go")
    wait(sessions, token, "running")


def test_a_run_that_is_paused_before_its_turn_waits_before_its_first_step(
    sessions: Sessions, jobs: Jobs
) -> None:
    token = sessions.start(jobs(epochs=2))
    sessions.act(token, "pause")  # at once: no thread has looked at the queue yet
    assert steps(wait(sessions, token, "paused", "done")) == 0
    sessions.act(token, "go")
    wait(sessions, token, "done")


def test_stopping_is_immediate_and_ends_the_process(sessions: Sessions, jobs: Jobs) -> None:
    token = sessions.start(jobs(epochs=LONG))
    wait(sessions, token, "running")
    process = process_of(sessions, token)
    sessions.act(token, "stop")
    assert sessions.look(token)["state"] == "stopped"
    assert not lives(process)
    with pytest.raises(ValueError, match="this run is stopped"):
        sessions.act(token, "go")
    with pytest.raises(ValueError, match="has no model"):
        sessions.model_of(token)


def test_a_second_visitor_waits_and_is_told_the_place(sessions: Sessions, jobs: Jobs) -> None:
    first = sessions.start(jobs(epochs=LONG))
    wait(sessions, first, "running")
    second, third = sessions.start(jobs()), sessions.start(jobs())
    seen = [sessions.look(token) for token in (second, third)]
    assert [(each["state"], each["place"], each["waiting"]) for each in seen] == [
        ("waiting", 1, 2),
        ("waiting", 2, 2),
    ]
    assert seen[0]["events"] == [], "nothing of the other's run is told"
    sessions.act(first, "pause")  # who waits gets the turn of one that pauses
    wait(sessions, second, "done")
    sessions.act(first, "go")
    wait(sessions, third, "done")
    wait(sessions, first, "running")


def test_a_run_that_nobody_looks_at_is_paused_as_soon_as_somebody_waits(
    sessions: Sessions, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = sessions.start(jobs(epochs=LONG))
    wait(sessions, away, "running")
    monkeypatch.setattr(sessions_module, "AWAY_SECONDS", 0.0)
    waiting = sessions.start(jobs())
    wait(sessions, waiting, "done")
    kept = sessions._sessions[away]
    assert (kept.state in ("paused", "waiting", "running"), kept.wish) == (True, "go")
    monkeypatch.setattr(sessions_module, "AWAY_SECONDS", 60.0)
    wait(sessions, away, "running")  # looked at again, as by a page that was loaded anew


def test_a_run_that_nobody_comes_back_to_is_removed(
    sessions: Sessions, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = sessions.start(jobs(epochs=LONG))
    wait(sessions, token, "running")
    process, folder = process_of(sessions, token), sessions._sessions[token].folder
    monkeypatch.setattr(sessions_module, "KEPT_SECONDS", 0.0)
    deadline = time.monotonic() + PATIENCE
    while (lives(process) or folder.exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not lives(process)
    assert not folder.exists()
    assert sessions.look(token)["state"] == "gone"


@pytest.mark.skipif(os.name != "posix", reason="no such signal")
def test_a_run_whose_process_is_killed_fails_alone(sessions: Sessions, jobs: Jobs) -> None:
    token = sessions.start(jobs(epochs=LONG))
    wait(sessions, token, "running")
    after = sessions.start(jobs())
    os.kill(process_of(sessions, token), signal.SIGKILL)
    seen = wait(sessions, token, "failed")
    assert "as the system does where memory runs out" in seen["events"][-1]["text"]
    wait(sessions, after, "done")


def test_what_cannot_be_trained_fails_in_a_sentence(sessions: Sessions, jobs: Jobs) -> None:
    token = sessions.start(jobs(strategy="lower:9"))
    seen = wait(sessions, token, "failed")
    assert "must be lower:0 to lower:2" in seen["events"][-1]["text"]


def test_tokens_cannot_be_guessed_and_closing_leaves_nothing(jobs: Jobs) -> None:
    sessions = Sessions()
    tokens = [sessions.start(jobs(epochs=LONG)) for _ in range(3)]
    assert len(set(tokens)) == 3
    assert min(map(len, tokens)) >= 32
    wait(sessions, tokens[0], "running")
    process, root = process_of(sessions, tokens[0]), sessions._folder.path
    sessions.close()
    assert not root.exists()
    assert not lives(process)
    with pytest.raises(ValueError, match="being closed"):
        sessions.start(jobs())


@pytest.mark.parametrize("token", ["", "x" * 10_000, "../../etc/passwd", "\x00"])
def test_whoever_does_not_know_the_token_learns_nothing(sessions: Sessions, token: str) -> None:
    assert sessions.look(token) == {"state": "gone", "events": [], "next": 0}
    for act in ("go", "stop", "explode"):
        with pytest.raises(ValueError, match=r"not kept any more|cannot 'explode'"):
            sessions.act(token, act)


def test_a_process_of_a_run_holds_nothing_of_the_page() -> None:
    worker = Worker(tell_modules, preload=PRELOAD)
    names = set(worker.receive())
    worker.stop()
    assert {"torch", "core.training.run"} <= names
    assert not {"gradio", "demo.page", "fastapi"} & names


def test_the_probe_s_agreement_is_that_of_the_built_in_encoder(default_encoder: Any) -> None:  # noqa: ANN401
    assert similarity_agreement(default_encoder) == pytest.approx(0.745, abs=0.003)
