"""How Ctrl-C ends long work: asked once it stops at a point where it can go on, twice at once."""

import contextlib
import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from core.system.launch import how_launched

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SAID = b"\nstopping at the end of this step; Ctrl-C again stops at once\n"


class Stopping:
    """Whether Ctrl-C or SIGTERM has come. Use it as a context, and ask it by calling it.

    The first signal is only noted; the second raises KeyboardInterrupt where the program is. In
    another thread than the main one, which no signal reaches, it never says yes.
    """

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __call__(self) -> bool:
        return self._asked

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        if how_launched().rank > 0:  # the main process says it
            return
        with contextlib.suppress(OSError):  # a stream may be in the midst of a write: go beneath it
            os.write(2, _SAID)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {each: signal.signal(each, self._note) for each in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each, before in self._before.items():
            signal.signal(each, before)
