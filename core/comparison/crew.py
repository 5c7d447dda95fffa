"""Who works for a comparison: one worker for what all runs share, others for the runs."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

from core.comparison.choice import WORKERS_IMPORT, ComparisonChoice
from core.comparison.shared import Failed, Question, Setting, do_shared
from core.comparison.store import FinishedRun
from core.comparison.variants import WantedRun
from core.comparison.work import Step, do_run_elsewhere, do_runs
from core.config import LOCAL, RAY
from core.system.machine import usable_cores
from core.system.workers import Worker, WorkerDiedError, wait_for_any

LOOK_SECONDS = 0.1
"""How often it is asked whether to stop, while there is nothing else to do."""

JOBS, CORES_A_JOB = 2, 4
"""Matrix products of a step are small, and much lies between them: two runs of one thread each gain
more than one of two. Past so many threads a run, another run gains more again."""

Answer = TypeVar("Answer")


class Crew:
    """The workers of a comparison: started as they are needed, listened to, stopped.

    Args:
        setting: What all runs share.
        engine: Where runs are done.
        jobs: How many go side by side.
        check: Called while an answer is waited for; raises to give up.
        stack: Ends all of them, however the comparison ends.

    Attributes:
        shared: Does what all runs share.
        beside: Does some of it at the same time, until the runs begin.
        measuring: How many of them measure steps, as many as will run on this machine.
        running: By worker, the run that it is on.
    """

    def __init__(
        self,
        setting: Setting,
        engine: str,
        jobs: int,
        check: Callable[[], None],
        stack: contextlib.ExitStack,
    ) -> None:
        self._setting, self._engine, self._jobs = setting, engine, jobs
        self._check, self._stack = check, stack
        self.measuring = jobs if engine == LOCAL else 1
        self.shared = self._worker(do_shared)
        self.beside = [self._worker(do_shared) for _ in range(max(1, self.measuring - 1))]
        self.running: dict[Worker, WantedRun] = {}
        self._idle: list[Worker] = []

    def _worker(self, work: Callable[..., None]) -> Worker:
        worker = Worker(work, self._setting, preload=WORKERS_IMPORT)
        self._stack.callback(worker.stop)
        return worker

    def _run_worker(self) -> Worker:
        if self._engine == LOCAL:
            return self._worker(do_runs)
        from core.system.ray_workers import RayWorker

        worker = RayWorker(do_run_elsewhere, self._setting, self._setting.threads)
        self._stack.callback(worker.stop)
        return worker

    def ask(self, message: Question, kind: type[Answer]) -> Answer:
        """Ask the worker that does what all runs share, and wait for its answer, as `answer`."""
        self.shared.send(message)
        return self.answer(self.shared, kind)

    def answer(self, worker: Worker, kind: type[Answer]) -> Answer:
        """Wait for what a worker answers.

        Raises:
            ValueError: If it refused what was given.
            RuntimeError: If it failed for another reason.
        """
        while not wait_for_any([worker], LOOK_SECONDS):
            self._check()
        answer = worker.receive()
        if isinstance(answer, Failed):
            raise ValueError(answer.reason) if answer.refused else RuntimeError(answer.reason)
        assert isinstance(answer, kind)
        return answer

    def release_beside(self) -> None:
        """Stop those beside: their cores are the runs' from now on."""
        for worker in self.beside:
            worker.stop()

    @property
    def has_room(self) -> bool:
        """Whether another run may begin."""
        return len(self.running) < self._jobs

    def take(self, run: WantedRun, *, fresh: bool) -> Worker:
        """Give a run its worker: an idle one, or one that did nothing before."""
        if fresh:
            while self._idle:
                self._idle.pop().stop()
        worker = self._idle.pop() if self._idle else self._run_worker()
        self.running[worker] = run
        return worker

    def listen(self) -> Iterator[tuple[WantedRun, Step | FinishedRun | Failed]]:
        """Wait a moment for what workers say, and tell it; one that has ended is idle, or gone."""
        for worker in wait_for_any(list(self.running), LOOK_SECONDS):
            run = self.running[worker]
            try:
                said = worker.receive()
            except WorkerDiedError as error:
                said = Failed(reason=str(error))
                worker.stop()
            if not isinstance(said, Step):
                del self.running[worker]
                if worker.alive:
                    self._idle.append(worker)
            yield run, said

    def stop(self, needless: Callable[[WantedRun], bool]) -> list[WantedRun]:
        """Stop the runs that nobody needs any more, and say which."""
        found = [each for each in self.running.items() if needless(each[1])]
        for worker, _ in found:
            worker.stop()
            del self.running[worker]
        return [run for _, run in found]


def split_cores(choice: ComparisonChoice) -> tuple[int, int]:
    """Decide how many runs go side by side, and on how many threads each, by rule.

    Raises:
        ValueError: If more jobs are asked for than there are threads, or there is no Ray cluster.
    """
    if choice.engine == RAY:
        from core.system.ray_workers import connect_ray

        threads = choice.threads or 1
        return choice.jobs or max(1, connect_ray() // threads), threads
    threads = choice.threads or usable_cores()
    jobs = choice.jobs or max(min(JOBS, threads), threads // CORES_A_JOB)
    if jobs > threads:
        raise ValueError(
            f"jobs is {jobs}, must be 1 to {threads}, the threads there are: more would slow "
            "each other down"
        )
    return jobs, threads // jobs
