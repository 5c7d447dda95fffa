"""A shelf: things made once, kept within bounds; the one unused for longest goes first."""

import shutil
import tempfile
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from core.system.scratch import own_prefix

Key = TypeVar("Key", bound=Hashable)
Thing = TypeVar("Thing")


@dataclass(frozen=True, kw_only=True)
class Bounds(Generic[Thing]):
    """How much a shelf holds; None is no bound. One thing always has its place.

    Attributes:
        most: How many things.
        most_bytes: How large they may be together.
        size_of: How many bytes one takes.
        seconds: How long one may lie unused.
    """

    most: int | None = None
    most_bytes: int | None = None
    size_of: Callable[[Thing], int] = lambda _: 0
    seconds: float | None = None


@dataclass(eq=False)
class _Slot(Generic[Thing]):
    made: "Future[Thing]" = field(default_factory=Future)
    size: int = 0
    used: float = field(default_factory=time.monotonic)


class Shelf(Generic[Key, Thing]):
    """Things by their keys; safe to be used by several threads.

    Args:
        bounds: How much is kept.
        stays: Says of a key and its thing whether it may not be put away for room.
        dropped: Called with each key and thing that was dropped or put away for room.
    """

    def __init__(
        self,
        bounds: Bounds[Thing],
        *,
        stays: Callable[[Key, Thing], bool] = lambda *_: False,
        dropped: Callable[[Key, Thing], object] = lambda *_: None,
    ) -> None:
        self._bounds, self._stays, self._dropped = bounds, stays, dropped
        self._slots: OrderedDict[Key, _Slot[Thing]] = OrderedDict()
        self._lock = threading.RLock()

    def get(self, key: Key, make: Callable[[], Thing]) -> Thing:
        """Return a thing; the first who asks makes it, and all others wait for that.

        What goes wrong is raised for all of them, and the next one who asks tries again.
        """
        with self._lock:
            slot = self._slots.get(key)
            mine = slot is None
            if slot is None:
                slot = self._slots[key] = _Slot()
            self._use(key, slot)
        if not mine:
            return slot.made.result()
        try:
            thing = make()
        except BaseException as error:
            with self._lock:
                if self._slots.get(key) is slot:
                    del self._slots[key]
            slot.made.set_exception(error)
            raise
        self._fill(slot, thing)
        return thing

    def put(self, key: Key, thing: Thing) -> None:
        """Put a thing that is made already on the shelf."""
        slot: _Slot[Thing] = _Slot()
        with self._lock:
            self._slots[key] = slot
            self._use(key, slot)
        self._fill(slot, thing)

    def find(self, key: Key) -> Thing | None:
        """Return a thing if it is here and made; it counts as used."""
        with self._lock:
            slot = self._slots.get(key)
            if slot is None or not slot.made.done():
                return None
            self._use(key, slot)
            return slot.made.result()

    def is_ready(self, key: Key) -> bool:
        """Say whether `get` would answer at once."""
        slot = self._slots.get(key)
        return slot is not None and slot.made.done()

    def items(self) -> list[tuple[Key, Thing]]:
        """List what is here and made, the one unused for longest first."""
        with self._lock:
            return [(key, s.made.result()) for key, s in self._slots.items() if s.made.done()]

    def things(self) -> list[Thing]:
        """List the things that are here and made, the one unused for longest first."""
        return [thing for _, thing in self.items()]

    def take(self, key: Key) -> Thing | None:
        """Take a thing off the shelf, for whoever asks to do with it as they like."""
        with self._lock:
            thing = self.find(key)
            if thing is not None:
                del self._slots[key]
            return thing

    def drop(self, which: Callable[[Key], bool]) -> None:
        """Take away all whose keys are wanted gone, those that are just being made too."""
        with self._lock:
            gone = [(key, self._slots.pop(key)) for key in list(self._slots) if which(key)]
        self._tell(gone)

    def tidy(self) -> None:
        """Put away what is past the bounds."""
        with self._lock:
            gone = [(key, self._slots.pop(key)) for key in self._past_bounds()]
        self._tell(gone)

    def _past_bounds(self) -> list[Key]:
        """Name what goes, oldest first: never the one used last, nor what is just being made."""
        old, gone = self._bounds, list[Key]()
        count, size = len(self._slots), sum(slot.size for slot in self._slots.values())
        now, last = time.monotonic(), next(reversed(self._slots), None)
        for key, slot in self._slots.items():
            aged = old.seconds is not None and now - slot.used > old.seconds
            many = old.most is not None and count > old.most
            large = old.most_bytes is not None and size > old.most_bytes
            if not aged and (key == last or not (many or large)):
                continue
            if slot.made.done() and not self._stays(key, slot.made.result()):
                gone.append(key)
                count, size = count - 1, size - slot.size
        return gone

    def _use(self, key: Key, slot: _Slot[Thing]) -> None:
        slot.used = time.monotonic()
        self._slots.move_to_end(key)

    def _fill(self, slot: _Slot[Thing], thing: Thing) -> None:
        slot.size = self._bounds.size_of(thing)
        slot.made.set_result(thing)
        self.tidy()

    def _tell(self, gone: list[tuple[Key, _Slot[Thing]]]) -> None:
        for key, slot in gone:
            if slot.made.done():
                self._dropped(key, slot.made.result())


class OwnFolder:
    """A temporary folder for this user alone; it goes with its owner, or with the process.

    Args:
        prefix: Of its name: those that a killed process left are removed by the next one.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._path: Path | None = None
        self._lock = threading.Lock()

    @property
    def path(self) -> Path:
        """Where it is; it is made when it is first asked for."""
        with self._lock:
            if self._path is None:
                self._path = Path(tempfile.mkdtemp(prefix=own_prefix(self._prefix)))
                weakref.finalize(self, shutil.rmtree, self._path, ignore_errors=True)
            return self._path

    def remove(self) -> None:
        """Remove it and all that is in it."""
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
