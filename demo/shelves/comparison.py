"""A comparison that the page runs: what was asked, how far it is, what it found."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.config import EncoderChoice

if TYPE_CHECKING:  # torch is behind them
    from core.comparison.choice import ComparisonChoice
    from core.data.dataset import Dataset


WAITING, RUNNING, STOPPED, DONE, FAILED = "waiting", "running", "stopped", "done", "failed"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a visitor wants compared.

    Attributes:
        dataset: Reads the rows, when its turn has come.
        encoder: What is trained on top of.
        choice: Makes the choice of strategies, seeds and the rest, for those rows.
        name: What the rows are called.
        same: What a comparison must share with another one to go on with it.
        command: The same as the command line would have it; empty for none.
    """

    dataset: Callable[[], "Dataset"]
    encoder: EncoderChoice
    choice: Callable[["Dataset"], "ComparisonChoice"]
    name: str
    same: object
    command: str = ""


@dataclass
class Comparison:
    """One comparison, running or not.

    Attributes:
        id: It cannot be guessed: whoever has it may see and stop the comparison.
        visitor: Whose page is watching it.
        folder: Where its runs are.
        name: What its rows are called.
        same: What another one must share to go on with it.
        state: One of the states above.
        begun: Seconds since the epoch.
        stage: What is being done, in words.
        planned: The runs of the plan, in order, each `{strategy, seed, part, seconds, state}`.
        seconds: What the plan is expected to take.
        left: Seconds expected to be left.
        progress: How far the runs are that are running, as `told`.
        told: What it has told last that is worth passing on, as
            `core.comparison.events.event_document` describes it.
        finished: What it has told of each run that has finished, the same.
        report: Of what has finished so far.
        why: Why it failed, in a sentence.
        version: Counts its changes.
        asked: What was asked for last.
        best: The strategy whose model of all rows is in the folder `best`; empty for none.
    """

    id: str
    visitor: str
    folder: Path
    name: str
    same: object = None
    state: str = WAITING
    begun: float = field(default_factory=time.time)
    stage: str = ""
    planned: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    left: float | None = None
    progress: dict[str, Any] | None = None
    told: dict[str, Any] | None = None
    finished: list[dict[str, Any]] = field(default_factory=list)
    report: dict[str, Any] | None = None
    why: str = ""
    version: int = 0
    asked: Asked | None = None
    best: str = ""
    unwatched: float | None = None
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def going(self) -> bool:
        """Whether it is running or waits to."""
        return self.state in (WAITING, RUNNING)

    def changed(self) -> None:
        """Say that there is something new to draw."""
        self.version += 1
