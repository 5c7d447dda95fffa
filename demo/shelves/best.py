"""What a comparison advises, trained on all rows in a worker process: the page's `--train-best`."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core.system.scratch import own_prefix
from demo.shelves.working_data import PREFIX

if TYPE_CHECKING:  # it has this module follow what it began
    from demo.shelves.comparison import Comparison

BEST = "best"
"""In a comparison's folder, the model of all rows."""

LOOK_SECONDS = 0.3


def follow_best(comparison: "Comparison", cancelled: Callable[[], bool]) -> None:
    """Train what a comparison advises on all rows, in a process of its own, and follow it.

    Raises:
        CancelledError: If `cancelled` answered True.
        RuntimeError: If it did not come to its end.
    """
    from core.comparison.best import BestJob, do_best
    from core.comparison.choice import WORKERS_IMPORT
    from core.comparison.events import RunProgress, event_document
    from core.comparison.folds import compared_data
    from core.comparison.shared import Failed
    from core.comparison.work import Step
    from core.encoder.encoder import CancelledError
    from core.system.workers import Worker, wait_for_any

    asked, report = comparison.asked, comparison.report
    assert asked is not None
    assert report is not None
    strategy = report["advice"]["strategy"]
    comparison.stage = f"training {strategy} on all rows"
    comparison.changed()
    dataset = compared_data(asked.dataset()).dataset
    with tempfile.TemporaryDirectory(prefix=own_prefix(PREFIX), ignore_cleanup_errors=True) as own:
        job = BestJob(
            dataset=dataset,
            encoder=asked.encoder,
            choice=asked.choice(dataset),
            document=report,
            comparison=comparison.folder,
            folder=comparison.folder / BEST,
            scratch=Path(own),
            command=f"{asked.command} --train-best DIR",
        )
        with Worker(do_best, job, preload=WORKERS_IMPORT) as worker:
            while not comparison.best:
                if cancelled():
                    raise CancelledError("stopped")
                if not wait_for_any([worker], LOOK_SECONDS):
                    continue
                message = worker.receive()
                if isinstance(message, Failed):
                    raise RuntimeError(message.reason)
                if isinstance(message, Step):
                    step = RunProgress(strategy=strategy, seed=0, part="", **vars(message))
                    comparison.progress = event_document(step)
                else:
                    comparison.best = str(message)
                comparison.changed()
