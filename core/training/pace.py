"""How fast a run goes: its clock, which stands still while a person is asked."""

import contextlib
import time
from collections.abc import Iterator


class Pace:
    """The clock of a run, from when this is made; a run that is resumed has a new one."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._tokens = self._steps = 0

    @property
    def seconds(self) -> float:
        """Since the run began, waiting left out."""
        return time.perf_counter() - self._started

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Run a block whose time is not the run's."""
        asked = time.perf_counter()
        yield
        self._started += time.perf_counter() - asked

    def count_step(self, tokens: int) -> None:
        """Count a step over so many tokens."""
        self._tokens, self._steps = self._tokens + tokens, self._steps + 1

    def tokens_per_second(self, seconds: float) -> float:
        """Give the tokens learned from in each of so many seconds."""
        return self._tokens / seconds

    def seconds_left(self, seconds: float, steps: int) -> float:
        """Give the time for so many steps more, where those counted took so many seconds."""
        return seconds / self._steps * steps
