"""Live runs: each in a process of its own, found again by a token that its browser keeps.

One run trains at a time; others wait in a queue. A run whose visitor is gone goes on, is paused as
soon as somebody else waits, and is removed when nobody came back.
"""

import contextlib
import secrets
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.shelves.shelf import OwnFolder
from demo.shelves.shelves import Shelves
from demo.train.example import shipped_similarity
from demo.train.worker import TrainingJob, serve_training

if TYPE_CHECKING:  # processes are not needed before the first run
    from core.system.workers import Worker

AWAY_SECONDS = 8.0
"""A visitor who asked for nothing for so long is not looking: pages ask several times a second."""

KEPT_SECONDS = 600.0
"""How long a run is kept for a visitor who is away."""

MOST_IDLE_SECONDS = 3_600.0
"""How long a run that is paused or over is kept for a visitor who only looks at it."""

MOST_SESSIONS = 24
MOST_WORKERS = 4
"""Runs with a process: one trains, the others are paused and hold their memory."""

PREFIX = "thaw-runs-"
TURN_SECONDS = 0.1

WAITING, STARTING, RUNNING, PAUSING, PAUSED = "waiting", "starting", "running", "pausing", "paused"
DONE, STOPPED, FAILED = "done", "stopped", "failed"
OVER = (DONE, STOPPED, FAILED)
ACTS = ("go", "pause", "step", "stop", "change")

PRELOAD = (
    "torch",
    "core.encoder.encoder",
    "core.training.run",
    "core.training.plan",
    "demo.train.worker",
)

Document = dict[str, Any]


@dataclass(eq=False, kw_only=True)
class Session:
    """One visitor's run.

    Attributes:
        token: Its name, which cannot be guessed.
        job: What it trains.
        folder: Its own; the model goes to `model` in it.
        state: One of those above.
        log: All that the run has told.
        seen: When its visitor last asked for anything.
        acted: When it last changed its state.
        wish: What to tell the process once it is the run's turn: `go`, `step` or `pause`.
        away: Whether it was paused because its visitor was away.
        worker: Its process, if it has one.
    """

    token: str
    job: TrainingJob
    folder: Path
    state: str = WAITING
    log: list[Document] = field(default_factory=list)
    seen: float = field(default_factory=time.monotonic)
    acted: float = field(default_factory=time.monotonic)
    wish: str = "go"
    away: bool = False
    worker: "Worker | None" = None

    @property
    def model(self) -> Path:
        """The trained model's folder, there when it is done."""
        return self.folder / "model"

    def enter(self, state: str) -> None:
        """Go over into a state."""
        self.state, self.acted = state, time.monotonic()


class Sessions:
    """All live runs of the page. A thread of its own follows them while there are any.

    Args:
        known: By fingerprint of an encoder, what `similarity_agreement` gives for it.
    """

    def __init__(self, known: Mapping[str, float] | None = None) -> None:
        self._sessions: dict[str, Session] = {}  # in the order in which their turn comes
        self._known_similarity = dict(known or {})  # by encoder's fingerprint
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._folder = OwnFolder(PREFIX)
        self._closed = self._warm = False

    @classmethod
    def of(cls, _: Shelves) -> "Sessions":
        """Make the one of a server, which knows the built-in encoder."""
        return cls(shipped_similarity())

    def warm_up(self) -> None:
        """Get ready for the first run behind the page, as soon as somebody may want one."""
        with self._lock:
            if self._warm:
                return
            self._warm = True
        threading.Thread(target=self._warm_up, daemon=True, name="thaw-runs-warm").start()

    def _warm_up(self) -> None:
        from core.system.workers import warm_up

        warm_up(PRELOAD)

    def knows(self, fingerprint: str) -> bool:
        """Tell whether what an encoder's similarities come to is known before any run."""
        return fingerprint in self._known_similarity

    def start(self, job: TrainingJob) -> str:
        """Put a run into the queue.

        Returns:
            Its token, by which alone it can be seen and steered.

        Raises:
            ValueError: If too many are kept already.
        """
        with self._lock:
            if self._closed:
                raise ValueError("the page is being closed: start it again")
            if len(self._sessions) >= MOST_SESSIONS:
                raise ValueError(
                    f"{MOST_SESSIONS} runs wait or are kept here already: try again in some "
                    "minutes, or run Thaw on your own machine"
                )
            token = secrets.token_urlsafe(24)
            folder = self._folder.path / secrets.token_hex(8)
            folder.mkdir()
            self._sessions[token] = Session(token=token, job=job, folder=folder)
            self._follow()
            return token

    def look(self, token: str, since: int = 0) -> Document:
        """Tell how a run is, and what it has told since a place in its log.

        Returns:
            `{state, place, waiting, next, events}`; the state is `gone` where there is no such
            run, or no more.
        """
        with self._lock:
            session = self._sessions.get(token)
            if session is None:
                return {"state": "gone", "events": [], "next": 0}
            session.seen = time.monotonic()
            if session.away and session.state == PAUSED:  # its visitor is back
                session.away = False
                session.enter(WAITING)
            queue = self._queue()
            since = since if 0 <= since <= len(session.log) else 0
            return {
                "state": session.state,
                "place": queue.index(session) + 1 if session in queue else 0,
                "waiting": len(queue),
                "from": since,
                "events": session.log[since:],
                "next": len(session.log),
            }

    def act(self, token: str, what: str, change: Document | None = None) -> None:
        """Let a run go on, pause, make one step, stop, or change.

        Raises:
            ValueError: If there is no such run, or it cannot do that now.
        """
        if what not in ACTS:
            raise ValueError(f"a run cannot {str(what)[:40]!r}, must be one of: {', '.join(ACTS)}")
        with self._lock:
            session = self._sessions.get(token)
            if session is None:
                raise ValueError("this run is not kept any more: start a new one")
            if session.state in OVER:
                raise ValueError(f"this run is {session.state}: start a new one")
            if what == "stop":
                self._end(session, STOPPED)
            elif what == "change":
                if session.worker is None or session.state not in (PAUSED, PAUSING):
                    raise ValueError("pause the run first, then change it")
                session.worker.send({"change": change or {}})
            elif what == "pause":
                self._pause(session)
            elif session.state in (PAUSED, PAUSING) and session.worker is not None:
                session.wish = what
                session.enter(WAITING)
                self._sessions[token] = self._sessions.pop(token)  # behind those who wait
            elif session.state == WAITING and session.worker is None:
                session.wish = "go"  # not paused before its first step after all

    def remove(self, token: str) -> None:
        """End a run if it is not over, and remove all that it left."""
        with self._lock:
            session = self._sessions.pop(token, None)
            if session is not None:
                self._remove(session)

    def model_of(self, token: str) -> Path:
        """Return the folder of a run's model.

        Raises:
            ValueError: If there is no such run, or it has no model.
        """
        with self._lock:
            session = self._sessions.get(token)
            if session is None:
                raise ValueError("this run is not kept any more: train again, or open its folder")
            if session.state != DONE:
                raise ValueError("this run has no model: let it come to its end")
            session.seen = time.monotonic()
            return session.model

    def job_of(self, token: str) -> TrainingJob:
        """Return what a run trains.

        Raises:
            ValueError: If there is no such run.
        """
        with self._lock:
            if token not in self._sessions:
                raise ValueError("this run is not kept any more: train again")
            return self._sessions[token].job

    def close(self) -> None:
        """End all runs at once and remove all that they left."""
        with self._lock:
            self._closed = True
            for session in self._sessions.values():
                self._remove(session)
            self._sessions.clear()
            self._folder.remove()

    def _queue(self) -> list[Session]:
        return [each for each in self._sessions.values() if each.state == WAITING]

    def _follow(self) -> None:
        """See to it that a thread follows the runs. It ends when there are none."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._turns, daemon=True, name="thaw-runs")
            self._thread.start()

    def _turns(self) -> None:
        from core.system.workers import wait_for_any

        while True:
            with self._lock:
                if not self._sessions:
                    self._thread = None
                    return
                workers = [each.worker for each in self._sessions.values() if each.worker]
            if workers:
                wait_for_any(workers, TURN_SECONDS)
            else:
                time.sleep(TURN_SECONDS)
            with self._lock:
                for session in list(self._sessions.values()):
                    self._listen(session)
                self._put_away()
                first = self._give_turn()
            if first is not None:
                self._begin(first)  # the first process of all takes seconds: nobody waits for it

    def _listen(self, session: Session) -> None:
        """Take what a run has told since."""
        from core.system.workers import WorkerDiedError

        while session.worker is not None and session.worker.connection.poll():
            try:
                self._hear(session, session.worker.receive())
            except WorkerDiedError as error:
                session.log.append({"event": "failed", "text": f"the run broke off: {error}"})
                self._end(session, FAILED)

    def _hear(self, session: Session, told: Document) -> None:
        kind = told["event"]
        session.log.append(told)
        if kind == "paused":
            if session.state in (RUNNING, PAUSING):
                session.enter(PAUSED)
        elif kind == "plan" and session.state == STARTING:
            session.enter(RUNNING)
        elif kind == "failed":
            self._end(session, FAILED)
        elif kind == "saved":
            known = told.get("similarity")
            if known:
                self._known_similarity[told["base"]] = known["before"]
            self._end(session, DONE)

    def _pause(self, session: Session) -> None:
        if session.state == WAITING and session.worker is not None:  # it waits for its turn again
            session.enter(PAUSED)
        elif session.state == WAITING:  # it pauses before its first step, once it is its turn
            session.wish = "pause"
        elif session.state in (STARTING, RUNNING):
            session.enter(PAUSING)
            if session.worker is not None:
                session.worker.send("pause")

    def _give_turn(self) -> Session | None:
        """Let the first who waits train, if nobody does; who is away makes room.

        Returns:
            A run that needs a process.
        """
        queue = self._queue()
        if not queue:
            return None
        training = [e for e in self._sessions.values() if e.state in (STARTING, RUNNING, PAUSING)]
        for session in training:
            if session.state == RUNNING and _is_away(session):
                session.away, session.wish = True, "go"
                self._pause(session)
        if training:
            return None
        first = queue[0]
        if first.worker is not None:
            first.worker.send(first.wish)
            first.enter(RUNNING)
            return None
        if sum(each.worker is not None for each in self._sessions.values()) >= MOST_WORKERS:
            return None
        first.enter(STARTING)
        return first

    def _begin(self, session: Session) -> None:
        from core.system.workers import Worker

        known = dict(self._known_similarity)
        job = replace(session.job, known_similarity=known).copyable()
        try:
            worker = Worker(serve_training, job, str(session.model), preload=PRELOAD)
        except (OSError, RuntimeError) as error:
            with self._lock:
                session.log.append({"event": "failed", "text": f"no process can be had: {error}"})
                self._end(session, FAILED)
            return
        with self._lock:
            if session.state in (STARTING, PAUSING):
                session.worker = worker
                if session.state == PAUSING or session.wish == "pause":
                    session.wish = "go"
                    session.enter(PAUSING)
                    worker.send("pause")
                return
        worker.stop()  # it was stopped meanwhile

    def _end(self, session: Session, state: str) -> None:
        if session.worker is not None:
            session.worker.stop()
            session.worker = None
        session.enter(state)
        if state != DONE:
            shutil.rmtree(session.model, ignore_errors=True)

    def _remove(self, session: Session) -> None:
        self._end(session, STOPPED)
        shutil.rmtree(session.folder, ignore_errors=True)

    def _put_away(self) -> None:
        """Remove the runs that nobody came back to, or left standing for long."""
        now = time.monotonic()
        for token, session in list(self._sessions.items()):
            idle = session.state in (PAUSED, *OVER) and now - session.acted > MOST_IDLE_SECONDS
            if now - session.seen > KEPT_SECONDS or idle:
                with contextlib.suppress(KeyError):
                    del self._sessions[token]
                self._remove(session)


def _is_away(session: Session) -> bool:
    return time.monotonic() - session.seen > AWAY_SECONDS
