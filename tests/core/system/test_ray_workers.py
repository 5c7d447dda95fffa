"""The engine `ray`, on a local cluster of two workers, where Ray is installed."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.comparison.crew import split_cores
from core.system.ray_workers import NO_STATISTICS
from core.system.workers import ROOT
from tests.core.comparison.test_comparison import choice_of, done_of, rows


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run a cluster of two cores that this process is connected to, and end it."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv(NO_STATISTICS, "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # else other work on the machine starves them
    ray = pytest.importorskip("ray", reason="--engine ray is optional: pip install ray")
    short = tempfile.mkdtemp(prefix="thaw-ray-")  # names of sockets have little room
    ray.init(
        address="local",  # never one that runs here already, which is somebody else's
        num_cpus=2,
        _temp_dir=short,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": str(ROOT), NO_STATISTICS: "0"}},
    )
    yield
    ray.shutdown()
    shutil.rmtree(short, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
def test_a_cluster_of_two_workers_gives_the_runs_that_this_machine_gives(
    tiny: str, tmp_path: Path
) -> None:
    dataset, names = rows(tmp_path, 36), ("heads", "lower:1")
    elsewhere = choice_of(*names, seeds=2, engine="ray")
    assert split_cores(elsewhere) == (2, 1), "a run for each of the cluster's cores"
    far = {run.key: run for run in done_of(dataset, tiny, elsewhere, tmp_path / "far").runs}
    near = {run.key: run for run in done_of(dataset, tiny, choice_of(*names, seeds=2)).runs}
    assert far.keys() == near.keys()
    assert len(far) == 4
    for key, run in near.items():
        other = far[key]
        assert other.folder is not None, "it is kept, as any run is"
        assert other.held_out.rows == run.held_out.rows
        own, its = run.record.curves["loss"], other.record.curves["loss"]
        assert [each["step"] for each in its] == [each["step"] for each in own]
        # The cluster computes what is frozen in other batches: equal to rounding.
        for name in run.held_out.tasks:
            assert [each["loss"][name] for each in its] == pytest.approx(
                [each["loss"][name] for each in own], rel=1e-3
            )
        scores, others = (each.held_out.tasks["kind"].scores for each in (run, other))
        assert scores is not None
        assert others is not None
        for one, same in zip(scores, others, strict=True):
            assert same == pytest.approx(one, abs=1e-3)
