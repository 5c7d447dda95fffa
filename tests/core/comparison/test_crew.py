"""The workers of a comparison, with no comparison: started, asked, listened to, stopped."""

import contextlib
import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.comparison.crew import Crew, split_cores
from core.comparison.folds import compared_data
from core.comparison.shared import (
    About,
    Failed,
    FloorJob,
    Known,
    Prepared,
    Profiled,
    ProfileJob,
    Setting,
)
from core.comparison.store import FinishedRun
from core.comparison.variants import WantedRun
from core.comparison.work import Job, Step
from core.config import LOCAL, EncoderChoice, TrainingChoice
from core.encoder.encoder import CancelledError
from core.strategy.scenario import parse_strategy
from core.strategy.thaw_plan import ThawPlan
from tests.core.comparison.test_comparison import choice_of, rows


@pytest.fixture
def setting(tiny: str, tmp_path: Path) -> Setting:
    return Setting(
        data=compared_data(rows(tmp_path, 36)),
        encoder=EncoderChoice(name=tiny),
        threads=1,
        memory_bytes=1e9,
        scratch=str(tmp_path),
        command="",
    )


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack
    assert not multiprocessing.active_children(), "nobody is left"


def wanted(name: str, seed: int = 0) -> WantedRun:
    return WantedRun(scenario=parse_strategy(name, 3), seed=seed)


def job_of(setting: Setting, run: WantedRun, epochs: int) -> Job:
    """Give a run's job, as the loop sends it."""
    read = {task.name: 3 for task in setting.data.dataset.tasks}
    return Job(
        plan=ThawPlan(scenario=run.scenario, read=read, layers=3, epochs=epochs),
        deal=setting.data.deal(run.seed),
        choices=(TrainingChoice(epochs=epochs, batch=4, threads=1),),
        profile_seconds=0.0,
        prefix=Prepared(folder=None, seconds=0.0),
        measure=False,
        retention=None,
        folder=None,
    )


def test_who_is_asked_answers_or_says_why_not(
    setting: Setting, stack: contextlib.ExitStack
) -> None:
    crew = Crew(setting, LOCAL, 3, lambda: None, stack)
    assert len(crew.beside) == 2
    crew.beside[0].send(FloorJob(deals=(setting.data.deal(0),)))
    known = crew.ask(About(), Known)
    assert known.layers == 3
    assert set(crew.answer(crew.beside[0], dict)) == {"kind", "names"}
    found = [crew.ask(ProfileJob(rows=setting.data.deal(s).training), Profiled) for s in (0, 1)]
    assert found[0].profile != found[1].profile, "each seed has its own rows"
    assert crew.ask(ProfileJob(rows=(0, 1)), Profiled).profile is None
    crew.release_beside()
    assert len(multiprocessing.active_children()) == 1


def test_what_is_refused_is_refused_to_whoever_asked(
    setting: Setting, stack: contextlib.ExitStack
) -> None:
    nowhere = replace(setting, encoder=EncoderChoice(name=f"{setting.scratch}/nowhere"))
    crew = Crew(nowhere, LOCAL, 1, lambda: None, stack)
    with pytest.raises(ValueError, match="nowhere"):
        crew.ask(About(), Known)


def test_whoever_waits_is_asked_whether_to_go_on(
    setting: Setting, stack: contextlib.ExitStack
) -> None:
    def stop() -> None:
        raise CancelledError("enough")

    crew = Crew(setting, LOCAL, 1, stop, stack)
    with pytest.raises(CancelledError, match="enough"):
        crew.answer(crew.shared, Known)  # which was asked nothing, and so says nothing


def test_a_run_has_an_idle_worker_or_a_fresh_one_and_the_needless_are_stopped(
    setting: Setting, stack: contextlib.ExitStack
) -> None:
    crew, run = Crew(setting, LOCAL, 2, lambda: None, stack), wanted("heads")
    worker = crew.take(run, fresh=True)
    worker.send(job_of(setting, run, epochs=2))
    assert crew.has_room
    said = [each for each in _until_idle(crew) if not isinstance(each, Step)]
    assert [type(each) for each in said] == [FinishedRun]
    assert crew.take(wanted("heads", 1), fresh=False) is worker
    (stopped,) = crew.stop(lambda each: each.seed == 1)
    assert stopped.place == ("heads", 1)
    assert not worker.alive
    assert not crew.running
    other = crew.take(run, fresh=False)
    other.send(job_of(setting, run, epochs=2))
    list(_until_idle(crew))
    fresh = crew.take(wanted("full"), fresh=True)
    assert fresh is not other
    assert not other.alive, "what it holds in memory would be counted as another's"


def test_a_worker_that_dies_is_told_and_not_asked_again(
    setting: Setting, stack: contextlib.ExitStack
) -> None:
    crew, run = Crew(setting, LOCAL, 1, lambda: None, stack), wanted("full")
    worker = crew.take(run, fresh=True)
    assert not crew.has_room
    worker.send(job_of(setting, run, epochs=500))
    while not any(isinstance(said, Step) for _, said in crew.listen()):
        pass
    worker._process.kill()
    (last,) = [each for each in _until_idle(crew) if isinstance(each, Failed)]
    assert "killed" in last.reason
    assert not last.fault
    assert crew.take(run, fresh=False) is not worker


def _until_idle(crew: Crew) -> Iterator[Step | FinishedRun | Failed]:
    while crew.running:
        for _, said in crew.listen():
            yield said


def test_cores_are_divided_and_never_asked_for_twice() -> None:
    for threads in range(1, 33):
        jobs, each = split_cores(choice_of("heads", threads=threads))
        assert 1 <= jobs * each <= threads
    with pytest.raises(ValueError, match="jobs is 3"):
        split_cores(choice_of("heads", threads=2, jobs=3))
