import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from core.config import MapSettings
from core.maps.changes import project_pair
from core.maps.messages import receive, send
from core.maps.near import StoppedMapError
from core.maps.process import ROOT, MapWorker
from core.maps.projection import place, project

RNG = np.random.default_rng(0)
POINTS = (3 * np.eye(3, 10).repeat(20, axis=0) + 0.3 * RNG.normal(size=(60, 10))).astype("f4")
MANY = RNG.normal(size=(3000, 40)).astype("f4")


@pytest.fixture(scope="module")
def worker() -> Iterator[MapWorker]:
    started = MapWorker()
    started.start()
    assert started.ready.wait(120)
    yield started
    started.close()


def test_what_is_sent_is_received() -> None:
    pipe = io.BytesIO()
    send(pipe, {"do": "x"}, {"a": POINTS, "none": np.zeros((0, 2), dtype="i8")})
    pipe.seek(0)
    fields, arrays = receive(pipe)
    assert fields == {"do": "x"}
    assert np.array_equal(arrays["a"], POINTS)
    assert arrays["none"].shape == (0, 2)
    with pytest.raises(EOFError):
        receive(pipe)


@pytest.mark.slow
def test_the_process_answers_as_the_functions_do(worker: MapWorker) -> None:
    settings, told = MapSettings(seed=3), list[float]()
    drawn = worker.project(POINTS, settings, progress=told.append)
    assert told == sorted(told)
    assert drawn.places.shape == (60, 2)
    here = project(POINTS, settings)
    assert drawn.quality.trustworthiness.mean == pytest.approx(
        here.quality.trustworthiness.mean, abs=0.02
    )
    assert worker.project(POINTS, settings).places.tolist() == drawn.places.tolist()
    new = worker.place(POINTS[:2] + 0.01, POINTS, drawn.places, settings)
    assert new == pytest.approx(place(POINTS[:2] + 0.01, POINTS, drawn.places, settings), abs=0.3)
    groups = worker.groups(POINTS, drawn.places, settings, 3)
    assert {len(set(groups["k_means"][k : k + 20].tolist())) for k in (0, 20, 40)} == {1}
    pair = worker.project_pair(POINTS, POINTS[:, ::-1], MapSettings(method="pca"))
    true = project_pair(POINTS, POINTS[:, ::-1], MapSettings(method="pca"))
    assert pair[1].places == pytest.approx(true[1].places, abs=1e-3)
    again = worker.place(
        POINTS[4:6, ::-1], POINTS[:, ::-1], pair[1].places, pair[1].settings, turn=pair[1].turn
    )
    assert again == pytest.approx(pair[1].places[4:6], abs=1e-3)


@pytest.mark.slow
def test_what_it_refuses_is_a_value_error_and_it_goes_on(worker: MapWorker) -> None:
    with pytest.raises(ValueError, match="at least 3 sentences"):
        worker.project(POINTS[:2], MapSettings())
    with pytest.raises(ValueError, match="not finite"):
        worker.project(POINTS * np.nan, MapSettings())
    assert len(worker.project(POINTS[:5], MapSettings()).places) == 5


@pytest.mark.slow
def test_a_stop_ends_the_work_and_whoever_waited_gets_their_turn(worker: MapWorker) -> None:
    stop, began = threading.Event(), threading.Event()

    def draw() -> None:
        with pytest.raises(StoppedMapError):
            worker.project(
                np.tile(MANY, (1, 2)),
                MapSettings(),
                progress=lambda _: began.set(),
                cancelled=stop.is_set,
            )

    first = threading.Thread(target=draw)
    first.start()
    assert began.wait(60)
    with pytest.raises(StoppedMapError):  # one who waits may give up too
        worker.project(POINTS, MapSettings(), cancelled=lambda: worker.waiting > 0)
    before = worker.pid
    stop.set()
    first.join(30)
    assert not first.is_alive()
    assert len(worker.project(POINTS[:5], MapSettings()).places) == 5
    assert worker.pid == before, "nothing has to be compiled again"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_a_process_that_dies_is_told_of_and_started_again(worker: MapWorker) -> None:
    began, killed = threading.Event(), worker.pid
    assert killed is not None

    def kill() -> None:
        began.wait(60)
        os.kill(killed, signal.SIGKILL)

    threading.Thread(target=kill).start()
    with pytest.raises(RuntimeError, match="has ended, perhaps for lack of memory"):
        worker.project(MANY, MapSettings(), progress=lambda _: began.set())
    assert len(worker.project(POINTS[:5], MapSettings()).places) == 5
    assert worker.pid != killed


@pytest.mark.slow
def test_the_process_knows_no_torch_and_ends_with_its_input() -> None:
    code = "import sys, core.maps.worker, umap; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
    process = subprocess.Popen(
        [sys.executable, "-m", "core.maps.worker"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert receive(process.stdout)[0] == {"ready": True}  # type: ignore[arg-type]
    process.stdin.close()
    began = time.monotonic()
    assert process.wait(30) == 0
    assert time.monotonic() - began < 20
    process.stdout.close()
