"""UMAP in a process of its own, for whoever must stay quick meanwhile.

The page stays quick while a map is laid out, and importing and compiling UMAP costs it nothing.
"""

import contextlib
import subprocess
import sys
import threading
import weakref
from dataclasses import asdict, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from core.config import MapSettings
from core.maps.messages import Arrays, Fields, receive, send
from core.maps.near import Asked, Report, StoppedMapError
from core.maps.projection import Projection
from core.maps.quality import MapQuality
from core.maps.turning import Turn
from core.measures.metrics import Interval

ROOT = Path(__file__).resolve().parents[2]
ASKED_EVERY_SECONDS = 0.1


class MapWorker:
    """Starts the process when it is first wanted, and asks it one thing at a time.

    Threads wait for their turn. A process that dies is started again for the next request.
    """

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.waiting = 0
        self._turn = threading.Lock()
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: SimpleQueue[tuple[Fields, dict[str, Any]] | None] = SimpleQueue()

    @property
    def pid(self) -> int | None:
        """The process' number, or None where there is none."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the process, if there is none; it then gets ready by itself."""
        with self._starting:
            if self._process is not None and self._process.poll() is None:
                return
            self.ready.clear()
            self._answers = SimpleQueue()
            process = subprocess.Popen(
                [sys.executable, "-m", "core.maps.worker"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self._process = process
            weakref.finalize(self, _end, process)
            threading.Thread(
                target=self._listen, args=(process, self._answers), daemon=True
            ).start()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            _end(self._process)

    def project(
        self,
        vectors: "np.ndarray[Any, Any]",
        settings: MapSettings,
        **asked: Any,  # noqa: ANN401
    ) -> Projection:
        """As `core.maps.projection.project`, over there."""
        said, found = self._ask(
            {"do": "project", "settings": asdict(settings)}, {"vectors": vectors}, **asked
        )
        return _projection(said["maps"][0], found["0"], settings)

    def project_pair(
        self,
        before: "np.ndarray[Any, Any]",
        after: "np.ndarray[Any, Any]",
        settings: MapSettings,
        **asked: Any,  # noqa: ANN401 (progress and cancelled)
    ) -> tuple[Projection, Projection]:
        """As `core.maps.changes.project_pair`, over there."""
        fields = {"do": "project_pair", "settings": asdict(settings)}
        said, found = self._ask(fields, {"vectors": before, "after": after}, **asked)
        one, two = (_projection(said["maps"][k], found[str(k)], settings) for k in range(2))
        return one, replace(two, turn=Turn(matrix=found["matrix"], shift=found["shift"]))

    def place(
        self,
        new: "np.ndarray[Any, Any]",
        vectors: "np.ndarray[Any, Any]",
        places: "np.ndarray[Any, Any]",
        settings: MapSettings,
        *,
        turn: Turn | None = None,
        **asked: Any,  # noqa: ANN401 (progress and cancelled)
    ) -> "np.ndarray[Any, Any]":
        """As `core.maps.projection.place`, over there."""
        fields = {"do": "place", "settings": asdict(settings)}
        arrays = {"new": new, "vectors": vectors, "places": places}
        if turn is not None:
            arrays |= {"matrix": turn.matrix, "shift": turn.shift}
        return self._ask(fields, arrays, **asked)[1]["places"]

    def groups(
        self,
        vectors: "np.ndarray[Any, Any]",
        places: "np.ndarray[Any, Any]",
        settings: MapSettings,
        count: int,
        **asked: Any,  # noqa: ANN401 (progress and cancelled)
    ) -> dict[str, "np.ndarray[Any, Any]"]:
        """Group as `core.maps.groups` does, over there: `{k_means, dense}`."""
        fields = {"do": "groups", "settings": asdict(settings), "count": count}
        return self._ask(fields, {"vectors": vectors, "places": places}, **asked)[1]

    def _ask(
        self,
        fields: Fields,
        arrays: Arrays,
        *,
        progress: Report | None = None,
        cancelled: Asked | None = None,
    ) -> tuple[Fields, dict[str, "np.ndarray[Any, Any]"]]:
        """Ask, and wait for the answer.

        Raises:
            ValueError: What the process refused.
            RuntimeError: If it failed or has died.
            StoppedMapError: If `cancelled` answered True.
        """
        self.waiting += 1
        try:
            while not self._turn.acquire(timeout=ASKED_EVERY_SECONDS):
                if cancelled is not None and cancelled():
                    raise StoppedMapError
        finally:
            self.waiting -= 1
        try:
            self.start()
            self._until_ready(cancelled)
            return self._answer_to(fields, arrays, progress, cancelled)
        finally:
            self._turn.release()

    def _until_ready(self, cancelled: Asked | None) -> None:
        while not self.ready.wait(ASKED_EVERY_SECONDS):
            if cancelled is not None and cancelled():
                raise StoppedMapError
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError("the process that draws maps could not be started: see the log")

    def _answer_to(
        self, fields: Fields, arrays: Arrays, progress: Report | None, cancelled: Asked | None
    ) -> tuple[Fields, dict[str, "np.ndarray[Any, Any]"]]:
        process, stopping = self._process, False
        if process is None or process.stdin is None:
            raise RuntimeError("the process that draws maps has ended: draw the map again")
        try:
            send(process.stdin, fields, arrays)  # type: ignore[arg-type]
            while True:
                with contextlib.suppress(TimeoutError):
                    answer = _next(self._answers)
                    if answer is None:
                        raise OSError
                    said, found = answer
                    if "share" in said:
                        if progress is not None:
                            progress(said["share"])
                        continue
                    return _checked(said, found)
                if cancelled is not None and cancelled() and not stopping:
                    stopping = True
                    send(process.stdin, {"do": "stop"})  # type: ignore[arg-type]
        except OSError as error:
            self.ready.clear()
            _end(process)  # and not half alive, so that the next request starts another
            raise RuntimeError(
                "the process that draws maps has ended, perhaps for lack of memory: draw the map "
                "again, with fewer sentences if it ends again"
            ) from error

    def _listen(
        self,
        process: "subprocess.Popen[bytes]",
        answers: "SimpleQueue[tuple[Fields, dict[str, Any]] | None]",
    ) -> None:
        """Read what the process says, so that whoever waits can also look at the clock."""
        stream = process.stdout
        with contextlib.suppress(EOFError, OSError, ValueError):
            while stream is not None:
                said, found = receive(stream)  # type: ignore[arg-type]
                if "ready" in said:
                    self.ready.set()
                else:
                    answers.put((said, found))
        answers.put(None)


def _next(
    answers: "SimpleQueue[tuple[Fields, dict[str, Any]] | None]",
) -> tuple[Fields, dict[str, Any]] | None:
    try:
        return answers.get(timeout=ASKED_EVERY_SECONDS)
    except Empty as error:
        raise TimeoutError from error


def _checked(said: Fields, found: dict[str, Any]) -> tuple[Fields, dict[str, Any]]:
    if said.get("stopped"):
        raise StoppedMapError
    if "refused" in said:
        raise ValueError(said["refused"])
    if "failed" in said:
        raise RuntimeError(f"the map could not be drawn: {said['failed']}")
    return said["done"], found


def _end(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(OSError):
        process.kill()
        process.wait(timeout=5)


def _projection(about: Fields, places: "np.ndarray[Any, Any]", settings: MapSettings) -> Projection:
    quality = dict(about["quality"])
    for name in ("trustworthiness", "continuity"):
        quality[name] = Interval(**quality[name])
    return Projection(
        settings=settings,
        neighbours=about["neighbours"],
        places=places.copy(),
        quality=MapQuality(**quality),
        explained=tuple(about["explained"]),
    )
