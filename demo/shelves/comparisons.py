"""Comparisons that the page runs: one at a time, in worker processes, kept within a disk budget."""

import contextlib
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from demo.shelves.best import BEST, follow_best
from demo.shelves.comparison import DONE, FAILED, RUNNING, STOPPED, WAITING, Asked, Comparison
from demo.shelves.shelf import Bounds, OwnFolder, Shelf
from demo.shelves.working_data import PREFIX

if TYPE_CHECKING:  # torch is behind them
    from core.comparison.events import ComparisonEvent

MOST_BYTES = 2_000_000_000
"""What runs may keep of their weights on disk, those of all visitors together."""

MOST_COMPARISONS = 40
UNWATCHED_SECONDS = 600.0
"""How long a comparison goes on after its page is closed, while nobody waits."""

TICK_SECONDS = 0.3


class ComparisonShelf:
    """Runs comparisons, one after another, and keeps what came of them.

    Args:
        runs: A folder of comparisons made on the command line, or one such; None for none.
        most_bytes: What runs may keep of their weights on disk.
    """

    def __init__(self, runs: Path | None = None, *, most_bytes: int = MOST_BYTES) -> None:
        self.runs = None if runs is None else runs.resolve()  # each is known by its name, also "."
        self.most_bytes = most_bytes
        self._folder = OwnFolder(PREFIX)
        self._all: Shelf[str, Comparison] = Shelf(
            Bounds(most=MOST_COMPARISONS),
            stays=lambda _, comparison: comparison.going,
            dropped=lambda _, comparison: _remove(comparison),
        )
        self._waiting: list[Comparison] = []
        self._lock = threading.RLock()
        self._turn = threading.Lock()
        self._closing = False

    def start(self, asked: Asked, visitor: str, before: str = "") -> Comparison:
        """Begin a comparison, or go on with one of the same visitor's that has ended.

        Args:
            asked: What is compared.
            visitor: Whose page watches it.
            before: The id of the comparison to go on with; empty begins a new one.

        Raises:
            ValueError: If the visitor has one that is still going.
        """
        with self._lock:
            self._check_none_goes(visitor)
            found = self._all.find(before)
            if found is None or found.visitor != visitor or found.same != asked.same:
                name = secrets.token_urlsafe(16)
                folder = self._folder.path / name
                found = Comparison(
                    id=name, visitor=visitor, folder=folder, name=asked.name, same=asked.same
                )
                self._all.put(name, found)
            found.asked = asked
            self._begin(found, self._follow)
        return found

    def train_best(self, name: str, visitor: str) -> Comparison:
        """Train what a visitor's comparison advises on all rows, when its turn has come.

        Args:
            name: The comparison's id.
            visitor: Whose page watches it.

        Raises:
            ValueError: If they have no such, it is not of this page, or there is no advice yet.
        """
        with self._lock:
            self._check_none_goes(visitor)
            found = self._all.find(name)
            if found is None or found.visitor != visitor or found.asked is None:
                raise ValueError(
                    "this comparison was not made here: python -m core compare --train-best DIR "
                    "trains its strategy on all rows, or compare on this page"
                )
            if not (found.report or {}).get("advice"):
                raise ValueError("there is no advice yet: let two strategies finish a run")
            self._begin(found, follow_best)
        return found

    def _check_none_goes(self, visitor: str) -> None:
        if any(c.visitor == visitor and c.going for c in self._all.things()):
            raise ValueError("your comparison is still going: stop it first, or let it end")

    def _begin(self, found: Comparison, work: "Following") -> None:
        """Have some work done for a comparison, in its turn and in a thread of its own."""
        found.state, found.why, found.stage = WAITING, "", "starting"
        found.stopping = threading.Event()
        found.unwatched, found.progress, found.best = None, None, ""
        found.told, found.finished = None, []
        found.changed()
        self._waiting.append(found)
        threading.Thread(
            target=self._run, args=(found, work), daemon=True, name="thaw-compare"
        ).start()

    def place(self, comparison: Comparison) -> int:
        """Tell how many go before one that waits."""
        with self._lock:
            if comparison not in self._waiting:
                return 0
            runs = any(other.state == RUNNING for other in self._all.things())
            return self._waiting.index(comparison) + runs

    def find(self, name: str, visitor: str | None = None) -> Comparison | None:
        """Find a comparison by its id; with a visitor, that page watches it from now on."""
        with self._lock:
            found = self._all.find(name)
            if found is not None and visitor is not None:
                found.visitor, found.unwatched = visitor, None
            return found

    def of(self, visitor: str) -> list[Comparison]:
        """List a visitor's comparisons, the newest first."""
        with self._lock:
            own = [c for c in self._all.things() if c.visitor == visitor]
            return sorted(own, key=lambda comparison: comparison.begun, reverse=True)

    def delete(self, name: str, visitor: str) -> None:
        """Stop and remove a visitor's comparison.

        Raises:
            ValueError: If they have no such.
        """
        with self._lock:
            found = self._all.find(name)
            if found is None or found.visitor != visitor:
                raise ValueError("this comparison is not here any more")
            self._all.drop(lambda each: each == name)

    def leave(self, visitor: str) -> None:
        """Take note that a visitor's page was closed: what is going goes on for a while."""
        with self._lock:
            for comparison in self._all.things():
                if comparison.visitor == visitor:
                    comparison.unwatched = time.monotonic()

    def close(self) -> None:
        """Stop all, as the server ends."""
        self._closing = True
        for comparison in self._all.things():
            comparison.stopping.set()

    def _cancelled(self, comparison: Comparison) -> bool:
        if comparison.stopping.is_set() or self._closing:
            return True
        if comparison.unwatched is None:
            return False
        waited_for = any(other is not comparison for other in self._waiting)
        alone = time.monotonic() - comparison.unwatched
        return alone > UNWATCHED_SECONDS or (waited_for and alone > 5.0)

    def _run(self, comparison: Comparison, work: "Following") -> None:
        """Wait for its turn, and run it to its end."""
        from core.encoder.encoder import CancelledError

        try:
            with self._in_turn(comparison):
                comparison.state = RUNNING
                comparison.changed()
                work(comparison, lambda: self._cancelled(comparison))
                comparison.state = DONE
        except CancelledError:
            comparison.state = STOPPED
        except (ValueError, RuntimeError, OSError) as error:
            comparison.state, comparison.why = FAILED, str(error)
        except Exception as error:
            comparison.state, comparison.why = FAILED, f"{type(error).__name__}: {error}"
            raise
        finally:
            for run in comparison.planned:
                run["state"] = run["state"] if run["state"] in ("done", "failed") else "left"
            comparison.progress = None
            comparison.changed()
            if self._all.find(comparison.id) is None:  # it was deleted while it ran
                shutil.rmtree(comparison.folder, ignore_errors=True)

    @contextlib.contextmanager
    def _in_turn(self, comparison: Comparison) -> Iterator[None]:
        """Hold the turn; others wait for theirs."""
        from core.encoder.encoder import CancelledError

        try:
            while not (self._waiting[0] is comparison and self._turn.acquire(timeout=TICK_SECONDS)):
                if self._cancelled(comparison):
                    raise CancelledError("stopped before its turn")
                time.sleep(0.05)
        finally:
            with self._lock:
                self._waiting.remove(comparison)
        try:
            yield
        finally:
            self._turn.release()

    def _follow(self, comparison: Comparison, cancelled: Callable[[], bool]) -> None:
        from core.comparison.comparison import compare
        from core.comparison.events import RunFinished

        asked = comparison.asked
        assert asked is not None
        dataset = asked.dataset()
        events = compare(
            dataset,
            asked.encoder,
            asked.choice(dataset),
            folder=comparison.folder,
            cancelled=cancelled,
            command=asked.command,
        )
        with contextlib.closing(events):
            for event in events:
                take(comparison, event)
                if isinstance(event, RunFinished):
                    with contextlib.suppress(OSError):  # another visitor deletes theirs meanwhile
                        self._put_weights_away()

    def _put_weights_away(self) -> None:
        """Keep the runs' weights within the budget: the oldest runs' go first."""
        from core.comparison.store import forget_models, read_run

        with self._lock:
            folders = [c.folder for c in self._all.things()]
        runs = sorted(
            (path.parent for folder in folders for path in folder.glob("runs/*/seed-*/run.json")),
            key=lambda path: path.stat().st_mtime,
        )
        models = [*runs, *(each for folder in folders for each in folder.glob(BEST))]
        total = sum(file.stat().st_size for model in models for file in model.iterdir())
        for run in runs:
            if total <= self.most_bytes:
                return
            with contextlib.suppress(ValueError, OSError):
                total -= forget_models(run.parents[2], [read_run(run)])


Following = Callable[[Comparison, Callable[[], bool]], None]
"""Work for a comparison: it tells the comparison how far it is, and asks whether to stop."""


def _remove(comparison: Comparison) -> None:
    comparison.stopping.set()
    comparison.state = STOPPED
    shutil.rmtree(comparison.folder, ignore_errors=True)


def take(comparison: Comparison, event: "ComparisonEvent") -> None:
    """Take in one thing that a comparison tells."""
    from core.comparison.events import (
        ComparisonDone,
        ComparisonPlan,
        ComparisonStage,
        RunFailed,
        RunFinished,
        RunProgress,
        RunStarted,
        RunStopped,
        event_document,
    )

    if isinstance(event, ComparisonStage):
        comparison.stage, comparison.told = event.what, event_document(event)
    elif isinstance(event, ComparisonPlan):
        comparison.stage = ""
        comparison.seconds = comparison.left = event.seconds
        comparison.told = event_document(event)
        comparison.planned = [
            {**told, "seconds": run.seconds, "state": "done" if run.done else "waits"}
            for told, run in zip(comparison.told["runs"], event.runs, strict=True)
        ]
    elif isinstance(event, RunStarted):
        _mark(comparison, (event.part, event.strategy, event.seed), "runs")
    elif isinstance(event, RunProgress):
        comparison.told = comparison.progress = event_document(event)
    elif isinstance(event, RunFinished):
        record = event.record
        _mark(comparison, (event.part, record.strategy, record.seed), "done")
        comparison.left, comparison.progress = event.seconds_left, None
        comparison.finished.append(event_document(event))
        comparison.report = event.report()
    elif isinstance(event, RunFailed):
        _mark(comparison, (event.part, event.strategy, event.seed), "failed")
    elif isinstance(event, RunStopped):
        _mark(comparison, ("", event.strategy, event.seed), "waits")
        comparison.progress = None
    elif isinstance(event, ComparisonDone):
        if not event.runs:
            raise ValueError(event.document["notes"][-1])  # the budget was too short for any
        comparison.report = event.document
    comparison.changed()


def _mark(comparison: Comparison, which: tuple[str, str, int], state: str) -> None:
    for run in comparison.planned:
        if (run["part"], run["strategy"], run["seed"]) == which:
            run["state"] = state
