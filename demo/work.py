"""Long work behind the page: it runs on a few threads, tells how far it is, and can be stopped."""

import html
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

Result = TypeVar("Result")

SILENT_SECONDS = 0.4
"""Work that is done by then shows no progress: the answer is the progress."""

TICK_SECONDS = 0.25

# Few threads, and the same ones always: torch keeps a team of its own for each thread it meets.
_THREADS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="thaw-work")


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """How far some work is.

    Attributes:
        done: Sentences done.
        total: Sentences in all, 0 while nothing is known.
        seconds: Since the work was asked for.
    """

    done: int
    total: int
    seconds: float


class Work(Generic[Result]):
    """Some work on a thread of its own.

    Args:
        task: Called with `progress(done, total)` and `cancelled()`, as `Encoder.encode` takes.
    """

    def __init__(
        self, task: Callable[[Callable[[int, int], None], Callable[[], bool]], Result]
    ) -> None:
        self._stop = threading.Event()
        self._seen = (0, 0)
        self._started = time.monotonic()
        self._future: Future[Result] = _THREADS.submit(task, self._progress, self._stop.is_set)

    def _progress(self, done: int, total: int) -> None:
        self._seen = (done, total)

    def waiting(self) -> Iterator[Waiting]:
        """Yield how far it is, first after `SILENT_SECONDS`, until it is done.

        Whoever stops reading, as a closed tab or a Stop button does, stops the work too.
        """
        pause = SILENT_SECONDS
        try:
            while not wait([self._future], timeout=pause).done:
                done, total = self._seen
                yield Waiting(done=done, total=total, seconds=time.monotonic() - self._started)
                pause = TICK_SECONDS
        finally:
            self._stop.set()

    @property
    def failed(self) -> bool:
        """Whether it is done and raised."""
        return self._future.done() and self._future.exception() is not None

    def result(self) -> Result:
        """Return what the task returned, or raise what it raised; waits for it."""
        return self._future.result()


def progress_line(what: str, step: Waiting) -> str:
    """Write how far some work is as HTML, for a `gr.HTML` that stands ready for it."""
    share = f' value="{step.done}" max="{step.total}"' if step.total else ""
    text = f"{html.escape(what)} {step.seconds:.0f} s"
    return f'<p class="progress"><progress{share} aria-label="Progress"></progress>{text}</p>'
