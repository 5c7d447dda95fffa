"""What it costs a live run that a page follows it.

    python -m tests.benchmarks.stream_bench [--rows 300] [--repeats 5] [--browser]

Trains the same run in worker processes, in turn: left alone, left alone without its map, and
followed by a client that asks for every event over HTTP as the page does, ten times a second, and
draws nothing. Prints the seconds of the steps (the run's own clock), the slowdown, and the bytes
of an answer. With --browser, Chromium draws the run on the same cores, and the pictures a second
are printed too.
"""

import argparse
import json
import shutil
import statistics
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from core.config import DataChoice, EncoderChoice, TrainingChoice
from core.data.dataset import read_dataset
from demo.frame.theme import launch_options
from demo.page import FILES, build_app
from demo.shelves.encoders import EncoderShelf
from demo.shelves.shelves import Shelves
from demo.train.sessions import Sessions
from demo.train.worker import TrainingJob

PAUSE = 0.1

Follower = Callable[[str, threading.Event], None]


def post(address: str, component: int, name: str, data: dict[str, Any]) -> bytes:
    body = {"data": data, "component_id": component, "fn_name": name, "session_hash": "bench"}
    request = urllib.request.Request(
        f"{address}/gradio_api/component_server",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def follow(address: str, component: int, token: str, sizes: list[int]) -> None:
    """Ask as the page does until the run is over."""
    since = 0
    while True:
        answer = post(address, component, "look", {"token": token, "since": since})
        seen = json.loads(answer)
        since = seen["next"]
        if seen["events"]:
            sizes.append(len(answer))
        if seen["state"] in ("done", "failed", "stopped", "gone"):
            return
        time.sleep(PAUSE)


def draw(address: str, token: str, rates: list[float], over: threading.Event) -> None:
    """Let Chromium follow the run, and count how often it draws."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import BROWSERS, FLAGS

    program = next(filter(None, map(shutil.which, BROWSERS)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.add_init_script(f"localStorage.setItem('thaw-run', {json.dumps(token)})")
        page.goto(address)
        page.get_by_role("tab", name="Train", exact=True).click()
        page.wait_for_selector("#train-picture[data-state=running]", timeout=120_000)
        count = "Number(document.querySelector('#train-picture').dataset.drawn)"
        start, before = time.perf_counter(), page.evaluate(count)
        while not over.wait(0.5):
            pass
        rates.append((page.evaluate(count) - before) / (time.perf_counter() - start))
        browser.close()


def train(sessions: Sessions, job: TrainingJob, follower: Follower | None = None) -> float:
    """Train once; return the seconds from the first step to the last, by the run's own clock."""
    token = sessions.start(job)
    over = threading.Event()
    thread = threading.Thread(target=follower, args=(token, over)) if follower else None
    if thread:
        thread.start()
    while sessions._sessions[token].state not in ("done", "failed"):
        time.sleep(0.05)
    over.set()
    if thread:
        thread.join()
    log = sessions._sessions[token].log
    failed = [each["text"] for each in log if each["event"] == "failed"]
    if failed:
        raise SystemExit(failed[0])
    steps = [step for each in log if each["event"] == "steps" for step in each["steps"]]
    timed = [step["seconds"] for step in steps if "seconds" in step]
    sessions.remove(token)
    return timed[-1] - timed[0]


def main() -> None:
    """Train in turn, alone and followed, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--strategy", default="lower:4")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--browser", action="store_true")
    given = parser.parse_args()
    data = read_dataset(DataChoice(source="corpus", rows=given.rows, tasks=("topic", "sentiment")))
    choice = TrainingChoice(epochs=given.epochs, batch=16, patience=given.epochs)
    job = TrainingJob(dataset=data, encoder=EncoderChoice(), strategy=given.strategy, choice=choice)
    shelves = Shelves(encoders=EncoderShelf(EncoderChoice(), local=True))
    sessions = shelves.one(Sessions)
    app = build_app(shelves)
    _, address, _ = app.launch(prevent_thread_lock=True, quiet=True, **launch_options(FILES))
    address = address.rstrip("/")
    component = next(k for k, block in app.blocks.items() if block.elem_id == "train-run")
    sizes: list[int] = []
    pictures: list[float] = []
    kinds: dict[str, Follower | None] = {
        "alone": None,
        "alone, no map": None,
        "followed": lambda token, _: follow(address, component, token, sizes),
    }
    if given.browser:
        kinds["drawn by Chromium"] = lambda token, over: draw(address, token, pictures, over)
    jobs = {"alone, no map": replace(job, map=False)}
    taken: dict[str, list[float]] = {kind: [] for kind in kinds}
    train(sessions, job)  # the first process of all
    for _ in range(given.repeats):
        for kind, follower in kinds.items():
            taken[kind].append(train(sessions, jobs.get(kind, job), follower))
    sessions.close()
    alone = statistics.median(taken["alone"])
    for kind, seconds in taken.items():
        ratios = [mine / base for mine, base in zip(seconds, taken["alone"], strict=True)]
        slower = 100 * (statistics.median(ratios) - 1)
        print(
            f"{kind:18} {statistics.median(seconds):6.2f} s, {slower:+.1f} % "
            f"(each round {', '.join(f'{100 * (ratio - 1):+.1f}' for ratio in ratios)})"
        )
    print(f"{alone:.2f} s alone; {statistics.median(sizes):.0f} bytes an answer with news, "
          f"{max(sizes)} at most")  # fmt: skip
    if pictures:
        print(f"{statistics.median(pictures):.1f} pictures a second")


if __name__ == "__main__":
    main()
