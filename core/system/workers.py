"""Processes of their own for long work: they can be stopped at once, and fail alone.

They come from a server that has imported torch and core and computed nothing, so that one is
there in a moment; where the system has no such server, from scratch. The program's main file is
never imported again, so that a worker of the page holds nothing of the page.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

GRACE_SECONDS = 1.0
"""How long a worker that was killed may take to be gone."""

_starting = threading.Lock()


class WorkerDiedError(RuntimeError):
    """A worker ended without an answer, as one does that the system killed for its memory."""


class Worker:
    """A process that runs one function, which takes this pipe's other end and some arguments.

    Use it as a context, or stop it.

    Args:
        work: What it runs; of a module, so that the process finds it by name.
        arguments: What `work` takes beside the pipe; they are copied.
        preload: Modules that the server of processes imports before the first worker is there.
    """

    def __init__(
        self,
        work: Callable[..., None],
        *arguments: Any,  # noqa: ANN401 (whatever can be sent)
        preload: Sequence[str] = (),
    ) -> None:
        context = _context()
        self.connection, theirs = context.Pipe()
        with _starting, _without_main_file():
            if context.get_start_method() == "forkserver":
                _start_server(context, preload)
            # Typed as the base context, which has no Process of its own.
            self._process = context.Process(  # type: ignore[attr-defined]
                target=_serve, args=(theirs, work, arguments), daemon=True, name="thaw-worker"
            )
            self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """The process's number."""
        return int(self._process.pid)

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return bool(self._process.is_alive())

    def send(self, message: Any) -> None:  # noqa: ANN401 (any message)
        """Send a message; one that is gone is noticed when its answer is asked for."""
        with contextlib.suppress(OSError):
            self.connection.send(message)

    def receive(self) -> Any:  # noqa: ANN401 (any message)
        """Wait for the next message.

        Raises:
            WorkerDiedError: If the process has ended, saying how.
        """
        try:
            return self.connection.recv()
        except (EOFError, OSError) as error:
            self._process.join(GRACE_SECONDS)
            raise WorkerDiedError(_ending(self._process.exitcode)) from error

    def stop(self) -> None:
        """End the process at once, whatever it does."""
        self._process.kill()
        self._process.join(GRACE_SECONDS)
        self.connection.close()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def wait_for_any(workers: Sequence[Worker], seconds: float) -> list[Worker]:
    """Wait until a worker has said something or ended, or some time is over; say which have."""
    ready = connection.wait([worker.connection for worker in workers], seconds)
    return [worker for worker in workers if worker.connection in ready]


def warm_up(preload: Sequence[str]) -> None:
    """Start the server of processes, so that the first worker is there as quickly as the next."""
    context = _context()
    if context.get_start_method() == "forkserver":
        with _starting, _without_main_file():
            _start_server(context, preload)


def _context() -> BaseContext:
    """Choose how processes begin: macOS has a server too, but its libraries do not survive it."""
    methods = multiprocessing.get_all_start_methods()
    server = "forkserver" in methods and sys.platform != "darwin"
    return multiprocessing.get_context("forkserver" if server else "spawn")


def _start_server(context: BaseContext, preload: Sequence[str]) -> None:
    from multiprocessing import forkserver

    context.set_forkserver_preload(list(preload))
    before = os.environ.get("PYTHONPATH")
    # The server looks for core where Python looks, whatever the main file put on its own path.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *([before] if before else [])])
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


@contextlib.contextmanager
def _without_main_file() -> Iterator[None]:
    """Hide the main file: a process that is told of it imports it, and with it the whole page."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _serve(pipe: Connection, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all: who started us decides
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        work(pipe, *arguments)  # whoever started us is gone: nobody wants the rest


def _ending(code: int | None) -> str:
    if code is None:
        return "its process does not answer"
    if code == -getattr(signal, "SIGKILL", 9):
        return "its process was killed, as the system does where memory runs out"
    return f"its process ended with {code}" if code >= 0 else f"its process died of signal {-code}"
