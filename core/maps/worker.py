"""The process that draws maps: `python -m core.maps.worker`, which `core.maps.process` starts.

It knows no torch, answers one request at a time over its standard streams, and ends when its input
does.
"""

import contextlib
import io
import os
import sys
import threading
from dataclasses import asdict
from queue import SimpleQueue
from typing import Any, BinaryIO

from core.config import MapSettings
from core.maps.changes import project_pair
from core.maps.groups import dense_groups, k_means_groups
from core.maps.messages import Fields, receive, send
from core.maps.near import Asked, Report, StoppedMapError
from core.maps.projection import Projection, place, project, warm_up
from core.maps.turning import Turn


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
        second = both[1].turn
        turned = {} if second is None else {"matrix": second.matrix, "shift": second.shift}
        return said, {str(k): each.places for k, each in enumerate(both)} | turned
    if what == "place":
        turn = None
        if "matrix" in arrays:
            turn = Turn(matrix=arrays["matrix"], shift=arrays["shift"])
        new = place(
            arrays["new"],
            arrays["vectors"],
            arrays["places"],
            settings,
            turn=turn,
            cancelled=cancelled,
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


def main() -> None:
    """Serve the process that started this one; whatever else is printed goes to its errors."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False), write_through=True)
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
