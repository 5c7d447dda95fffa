"""Long work behind the page: it runs on a few threads, tells how far it is, and can be stopped."""

import html
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import gradio as gr

Result = TypeVar("Result")


class StoppedError(Exception):
    """Raised for the result of work that its visitor stopped."""


SILENT_SECONDS = 0.4
"""Work that is done by then shows no progress: the answer is the progress."""

TICK_SECONDS = 0.25

# Few threads, and the same ones always: torch keeps a team of its own for each thread it meets.
_CLOSING = threading.Event()
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
        threads: Which threads run it; those of the page's quick work if None.
    """

    def __init__(
        self,
        task: Callable[[Callable[[int, int], None], Callable[[], bool]], Result],
        threads: ThreadPoolExecutor | None = None,
    ) -> None:
        self._stop = threading.Event()
        self._stopped_by_visitor = False
        self._seen = (0, 0)
        self._started = time.monotonic()
        self._future: Future[Result] = (threads or _THREADS).submit(
            task, self._progress, self._cancelled
        )

    def _cancelled(self) -> bool:
        return self._stop.is_set() or _CLOSING.is_set()

    def _progress(self, done: int, total: int) -> None:
        self._seen = (done, total)

    def waiting(self) -> Iterator[Waiting]:
        """Yield how far it is, first after `SILENT_SECONDS`, until it is done.

        Whoever stops reading, as a closed tab or a Stop button does, stops the work too.
        """
        pause = SILENT_SECONDS
        try:
            while not wait([self._future], timeout=pause).done and not self._stopped_by_visitor:
                done, total = self._seen
                yield Waiting(done=done, total=total, seconds=time.monotonic() - self._started)
                pause = TICK_SECONDS
        finally:
            self._stop.set()

    def stop(self) -> None:
        """End it: `waiting` ends with its next step, what cannot be cancelled is left behind."""
        self._stopped_by_visitor = True
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped_by_visitor

    @property
    def failed(self) -> bool:
        """Whether it was stopped, or is done and raised."""
        done = self._future.done() and self._future.exception() is not None
        return done or self._stopped_by_visitor

    def result(self) -> Result:
        """Return what the task returned, or raise what it raised; waits for it.

        Raises:
            StoppedError: If `stop` was called.
        """
        if self._stopped_by_visitor:
            raise StoppedError
        return self._future.result()


def visitor_of(request: gr.Request) -> str:
    """Name the open page that asks; nobody else knows the name."""
    return request.session_hash or ""


class RunningWork:
    """What each open page is waiting for, so that its Stop button finds it.

    Not done with Gradio's `cancels`, which now and then closes a generator while it is running
    and then shows an error on every output.
    """

    def __init__(self) -> None:
        self._of: dict[str, Work[Any]] = {}

    def steps(self, work: Work[Any], request: gr.Request) -> Iterator[Waiting]:
        """Yield what `work.waiting` does, with the work in reach of `stop` meanwhile."""
        visitor = visitor_of(request)
        self._of[visitor] = work
        try:
            yield from work.waiting()
        finally:
            if self._of.get(visitor) is work:
                del self._of[visitor]

    def stop(self, request: gr.Request) -> None:
        """Stop what the visitor's page is waiting for, if anything."""
        work = self._of.get(visitor_of(request))
        if work is not None:
            work.stop()


def close() -> None:
    """Cancel all work, so that a server that ends need not wait for it."""
    _CLOSING.set()


def progress_line(what: str, step: Waiting) -> str:
    """Write how far some work is as HTML, for a `gr.HTML` that stands ready for it."""
    share = f' value="{step.done}" max="{step.total}"' if step.total else ""
    text = f"{html.escape(what)} {step.seconds:.0f} s"
    return f'<p class="progress"><progress{share} aria-label="Progress"></progress>{text}</p>'
