import threading
import time

import gradio as gr
import pytest

from demo.frame.work import RunningWork, StoppedError, Waiting, Work, progress_line


def test_quick_work_shows_no_progress() -> None:
    work = Work(lambda *_: 42)
    assert list(work.waiting()) == []
    assert work.result() == 42


def test_long_work_tells_how_far_it_is_and_stops_when_nobody_reads() -> None:
    stopped = threading.Event()

    def task(progress, cancelled) -> None:  # noqa: ANN001
        progress(3, 10)
        while not cancelled():
            time.sleep(0.01)
        stopped.set()

    work = Work(task)
    steps = work.waiting()
    first = next(steps)
    assert (first.done, first.total) == (3, 10)
    steps.close()
    assert stopped.wait(timeout=5)


def test_what_the_task_raises_comes_out() -> None:
    def task(*_: object) -> None:
        raise ValueError("a sentence")

    work = Work(task)
    assert list(work.waiting()) == []
    assert work.failed
    with pytest.raises(ValueError, match="a sentence"):
        work.result()


def test_a_progress_line_escapes_what_it_says() -> None:
    line = progress_line("<b>", Waiting(done=1, total=2, seconds=0.6))
    assert "&lt;b&gt;" in line
    assert 'value="1" max="2"' in line


def test_stopped_work_ends_at_once_even_if_its_task_cannot() -> None:
    release = threading.Event()
    work = Work(lambda *_: release.wait(30))
    steps = work.waiting()
    next(steps)
    work.stop()
    assert list(steps) == []
    with pytest.raises(StoppedError):
        work.result()
    release.set()


def test_stop_finds_the_work_of_its_own_page_only() -> None:
    mine, other = gr.Request(session_hash="mine"), gr.Request(session_hash="other")
    running, release = RunningWork(), threading.Event()
    work = Work(lambda *_: release.wait(30))
    steps = running.steps(work, mine)
    next(steps)
    running.stop(other)
    assert not work.stopped
    running.stop(mine)
    assert work.stopped
    assert list(steps) == []
    release.set()
