"""UMAP in a process of its own: `python -m core.map_worker`, and `MapWorker`, which talks to it.

The page stays quick while a map is laid out, and importing and compiling UMAP costs it nothing.
The process knows no torch. It answers one request at a time, over its standard streams: a length,
a header in JSON, then arrays as they lie in memory. It ends when its input does.
"""

import contextlib
import io
import json
import os
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO

import numpy as np

from core.config import MapSettings
from core.map_changes import project_pair
from core.map_groups import dense_groups, k_means_groups
from core.map_quality import MapQuality
from core.metrics import Interval
from core.near import Asked, Report, StoppedMapError
from core.projection import Projection, place, project, warm_up

ROOT = Path(__file__).resolve().parents[1]
Arrays = Mapping[str, "np.ndarray[Any, Any]"]
Fields = dict[str, Any]

LARGEST_HEADER = 10_000_000
ASKED_EVERY_SECONDS = 0.1
_LENGTH = struct.Struct("<Q")


def send(stream: BinaryIO, fields: Fields, arrays: Arrays | None = None) -> None:
    """Write one message."""
    given = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    shapes = {name: [a.dtype.str, list(a.shape)] for name, a in given.items()}
    header = json.dumps({**fields, "arrays": shapes}).encode()
    stream.write(_LENGTH.pack(len(header)) + header)
    for array in given.values():
        stream.write(array.tobytes())
    stream.flush()


def receive(stream: BinaryIO) -> tuple[Fields, dict[str, "np.ndarray[Any, Any]"]]:
    """Read one message.

    Raises:
        EOFError: If the other side has gone.
    """
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    if length > LARGEST_HEADER:
        raise EOFError("this is no message")
    fields = json.loads(_exactly(stream, length))
    arrays = {}
    for name, (kind, shape) in fields.pop("arrays").items():
        dtype = np.dtype(kind)
        size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(_exactly(stream, size), dtype=dtype).reshape(shape)
    return fields, arrays


def _exactly(stream: BinaryIO, size: int) -> bytes:
    found = stream.read(size)
    if len(found) < size:
        raise EOFError("the other side has gone")
    return found


# ---- the process


def serve(asked: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more; `{"do": "stop"}` stops the one being answered."""
    stopped = threading.Event()
    waiting: SimpleQueue[tuple[Fields, dict[str, Any]] | None] = SimpleQueue()

    def read() -> None:
        with contextlib.suppress(EOFError):
            while True:
                fields, arrays = receive(asked)
                if fields["do"] == "stop":
                    stopped.set()
                else:
                    waiting.put((fields, arrays))
        stopped.set()
        waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    with contextlib.suppress(BrokenPipeError):
        warm_up()
        send(answers, {"ready": True})
        while (request := waiting.get()) is not None:
            fields, arrays = request
            stopped.clear()
            try:
                said, found = _answer(fields, arrays, _telling(answers), stopped.is_set)
                send(answers, {"done": said}, found)
            except StoppedMapError:
                send(answers, {"stopped": True})
            except ValueError as error:
                send(answers, {"refused": str(error)})
            except (RuntimeError, MemoryError) as error:
                send(answers, {"failed": str(error) or type(error).__name__})


def _telling(answers: BinaryIO) -> Report:
    last = [-1.0]

    def tell(share: float) -> None:
        if share - last[0] >= 0.01:
            last[0] = share
            send(answers, {"share": share})

    return tell


def _answer(
    fields: Fields, arrays: dict[str, Any], progress: Report, cancelled: Asked
) -> tuple[Fields, dict[str, Any]]:
    what = fields["do"]
    settings = MapSettings(**fields["settings"]) if "settings" in fields else MapSettings()
    if what == "project":
        found = project(arrays["vectors"], settings, progress=progress, cancelled=cancelled)
        return {"maps": [_about(found)]}, {"0": found.places}
    if what == "project_pair":
        both = project_pair(
            arrays["vectors"], arrays["after"], settings, progress=progress, cancelled=cancelled
        )
        said = {"maps": [_about(each) for each in both]}
        return said, {str(k): each.places for k, each in enumerate(both)}
    if what == "place":
        new = place(
            arrays["new"], arrays["vectors"], arrays["places"], settings, cancelled=cancelled
        )
        return {}, {"places": new}
    if what == "groups":
        k_means = k_means_groups(
            arrays["vectors"], fields["count"], metric=settings.metric, seed=settings.seed
        )
        return {}, {"k_means": k_means, "dense": dense_groups(arrays["places"])}
    raise RuntimeError(f"nobody knows how to {what}")


def _about(projection: Projection) -> Fields:
    return {
        "neighbours": projection.neighbours,
        "explained": list(projection.explained),
        "quality": asdict(projection.quality),
    }


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


# ---- whoever asks it


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
                [sys.executable, "-m", "core.map_worker"],
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
        """As `core.projection.project`, over there."""
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
        """As `core.map_changes.project_pair`, over there."""
        fields = {"do": "project_pair", "settings": asdict(settings)}
        said, found = self._ask(fields, {"vectors": before, "after": after}, **asked)
        one, two = (_projection(said["maps"][k], found[str(k)], settings) for k in range(2))
        return one, two

    def place(
        self,
        new: "np.ndarray[Any, Any]",
        vectors: "np.ndarray[Any, Any]",
        places: "np.ndarray[Any, Any]",
        settings: MapSettings,
        **asked: Any,  # noqa: ANN401 (progress and cancelled)
    ) -> "np.ndarray[Any, Any]":
        """As `core.projection.place`, over there."""
        fields = {"do": "place", "settings": asdict(settings)}
        arrays = {"new": new, "vectors": vectors, "places": places}
        return self._ask(fields, arrays, **asked)[1]["places"]

    def groups(
        self,
        vectors: "np.ndarray[Any, Any]",
        places: "np.ndarray[Any, Any]",
        settings: MapSettings,
        count: int,
        **asked: Any,  # noqa: ANN401 (progress and cancelled)
    ) -> dict[str, "np.ndarray[Any, Any]"]:
        """Group as `core.map_groups` does, over there: `{k_means, dense}`."""
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
    from queue import Empty

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


def main() -> None:
    """Serve the process that started this one; whatever else is printed goes to its errors."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False), write_through=True)
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
