"""Workers on a Ray cluster, which answer as those of this machine do.

Ray is an optional package, imported when it is asked for; it is told to send no usage statistics.
Start a cluster with `ray start --head --disable-usage-stats`, here or on other machines that have
this checkout. Runs that are kept must lie in a folder that all of its machines see.
"""

import contextlib
import logging
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from core.errors import InputError, setting
from core.system.workers import ROOT, Worker, WorkerDiedError

NO_STATISTICS = "RAY_USAGE_STATS_ENABLED"
START_RAY = "ray start --head --disable-usage-stats"


def connect_ray() -> int:
    """Connect to the cluster that runs here, unless it is done; return its cores.

    Raises:
        ValueError: If Ray is not installed, or no cluster runs.
    """
    os.environ[NO_STATISTICS] = "0"
    try:
        import ray
    except ImportError as error:
        raise InputError(
            f"{setting('engine')} ray needs the package ray: pip install ray"
        ) from error
    if not ray.is_initialized():
        try:
            ray.init(
                address="auto",
                logging_level=logging.ERROR,
                log_to_driver=False,
                runtime_env={"env_vars": {"PYTHONPATH": str(ROOT), NO_STATISTICS: "0"}},
            )
        except ConnectionError as error:
            raise InputError(
                f"{setting('engine')} ray finds no cluster: start one with {START_RAY}"
            ) from error
    return int(ray.cluster_resources().get("CPU", 1))


class RayWorker(Worker):
    """A process of the cluster that does one job at a time, told over a pipe as a `Worker` is.

    Args:
        answers: Takes `setting`, a job and a dictionary to keep things in; yields messages.
        setting: What all jobs share.
        cores: How many cores of the cluster it takes.
    """

    def __init__(
        self,
        answers: Callable[[Any, Any, dict[str, Any]], Iterator[Any]],
        setting: Any,  # noqa: ANN401 (whatever `answers` takes)
        cores: int,
    ) -> None:
        import ray

        self.connection, self._theirs = multiprocessing.Pipe()
        actor = ray.remote(num_cpus=cores, max_restarts=0)(_Actor)
        self._actor = actor.remote(answers, setting)
        self._there = True
        threading.Thread(target=self._carry, daemon=True, name="thaw-ray").start()

    def _carry(self) -> None:
        """Carry jobs to the cluster and what it says back, until one end is closed."""
        import ray

        with contextlib.suppress(EOFError, OSError, ray.exceptions.RayError):
            while True:
                job = self._theirs.recv()
                for said in self._actor.answer.options(num_returns="streaming").remote(job):
                    self._theirs.send(ray.get(said))
        self._there = False
        self._theirs.close()  # whoever waits for an answer is told

    @property
    def pid(self) -> int:
        """Its process may be of another machine: there is no number."""
        return 0

    @property
    def alive(self) -> bool:
        """Whether it answers still."""
        return self._there

    def receive(self) -> Any:  # noqa: ANN401 (any message)
        """Wait for the next message.

        Raises:
            WorkerDiedError: If the process has ended.
        """
        try:
            return self.connection.recv()
        except (EOFError, OSError) as error:
            raise WorkerDiedError("its process on the Ray cluster has ended") from error

    def stop(self) -> None:
        """End the process at once, whatever it does."""
        import ray

        with contextlib.suppress(Exception):  # the cluster may be gone before
            ray.kill(self._actor)
        self.connection.close()


class _Actor:
    """What runs on the cluster."""

    def __init__(
        self,
        answers: Callable[[Any, Any, dict[str, Any]], Iterator[Any]],
        setting: Any,  # noqa: ANN401
    ) -> None:
        self._answers, self._setting = answers, setting
        self._kept: dict[str, Any] = {}

    def answer(self, job: Any) -> Iterator[Any]:  # noqa: ANN401
        yield from self._answers(self._setting, job, self._kept)
