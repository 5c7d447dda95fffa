"""Processes of their own: they answer, fail alone, stop at once and hold nothing of the page."""

import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from core.system.workers import Worker, WorkerDiedError, wait_for_any

ROOT = Path(__file__).resolve().parents[3]


def _answer(pipe: Connection, number: int) -> None:
    while True:
        pipe.send(number * pipe.recv())


def _loaded(pipe: Connection) -> None:
    pipe.send(sorted(sys.modules))


def _sleep(pipe: Connection) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as libraries may
    pipe.send(os.getpid())
    time.sleep(60)


def _end(pipe: Connection, code: int) -> None:
    del pipe
    os._exit(code)


def test_a_worker_answers_what_it_is_sent() -> None:
    with Worker(_answer, 3) as worker:
        for number in (2, 5):
            worker.send(number)
            assert worker.receive() == 3 * number


def test_a_worker_that_ends_is_told_with_how() -> None:
    with Worker(_end, 7) as worker, pytest.raises(WorkerDiedError, match="ended with 7"):
        worker.receive()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_worker_that_the_system_kills_is_told_as_such() -> None:
    with Worker(_sleep) as worker:
        pid = worker.receive()
        worker.send("what it never reads")
        os.kill(pid, 9)
        with pytest.raises(WorkerDiedError, match="memory"):
            worker.receive()


def test_one_that_has_ended_is_told_when_it_is_asked_and_not_when_it_is_sent_something() -> None:
    with Worker(_end, 3) as worker:
        assert wait_for_any([worker], 30.0) == [worker]
        worker.send("a large message " * 100_000)
        with pytest.raises(WorkerDiedError, match="ended with 3"):
            worker.receive()


def test_one_that_nobody_listens_to_any_more_ends_without_a_word() -> None:
    worker = Worker(_answer, 1)
    worker.connection.close()
    worker._process.join(30)
    assert worker._process.exitcode == 0, "1 has told its traceback"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_ctrl_c_which_reaches_all_processes_is_for_whoever_started_a_worker() -> None:
    with Worker(_answer, 3) as worker:
        worker.send(1)
        assert worker.receive() == 3
        os.kill(worker.pid, signal.SIGINT)
        worker.send(2)
        assert worker.receive() == 6


def test_starting_one_leaves_this_process_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("elsewhere", None):
        if path is None:
            monkeypatch.delenv("PYTHONPATH", raising=False)
        else:
            monkeypatch.setenv("PYTHONPATH", path)
        main_file, environment = sys.modules["__main__"], dict(os.environ)
        with Worker(_answer, 1):
            assert sys.modules["__main__"] is main_file
            assert dict(os.environ) == environment


def test_a_worker_is_stopped_at_once_whatever_it_does() -> None:
    worker = Worker(_sleep)
    pid = worker.receive()
    before = time.monotonic()
    worker.stop()
    assert time.monotonic() - before < 2
    if sys.platform != "win32":
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_waiting_names_those_who_have_said_something() -> None:
    with Worker(_answer, 1) as quiet, Worker(_answer, 1) as busy:
        assert wait_for_any([quiet, busy], 0.0) == []
        busy.send(4)
        assert wait_for_any([quiet, busy], 30.0) == [busy]


def test_a_worker_never_imports_the_main_file_nor_outlives_it(tmp_path: Path) -> None:
    main = tmp_path / "main.py"
    main.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "import json\n"
        "print('main file', flush=True)\n"
        "import tests.core.system.test_workers as own\n"
        "from core.system.workers import Worker\n"
        "with Worker(own._loaded) as worker:\n"
        "    print(json.dumps('gradio' in worker.receive()))\n"
        "forgotten = Worker(own._answer, 1)\n"
    )
    environment = {n: each for n, each in os.environ.items() if n != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, str(main)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.split("\n") == ["main file", "false", ""], done.stderr
