"""UMAP on 500, 2,000 and 10,000 sentences: times cold and warm, with trustworthiness.

python -m tests.benchmarks.map_bench [--sizes 500 2000 10000] [--repeats 3] [--seed 0] [--chromium]
    [--memory]

Beside it, in the same run, a plain `umap.UMAP` of the same seed, neighbours and metric. Cold is the
first map in a process that has just started, import and compiling included; warm the median of
later ones. The page's worker is asked too: how long until it is ready, and its first map then,
which pays for no compiling. Vectors are the corpus' (assets/examples/map.safetensors); above its
size, seeded mixtures of two of its sentences' embeddings fill up.

With `--memory` instead: the memory of `python -m demo` and all its processes, resident (RSS) and
proportional (PSS: what several share is divided among them), once its encoder and model are there
and no UMAP is yet, and at rest with UMAP ready and a visitor's matrix computed. Linux alone.
"""

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.benchmarks.start_bench import (
    DEFAULTS,
    ask_for_matrix,
    free_port,
    running,
    tree,
    wait_for_page,
)

ROOT = Path(__file__).resolve().parents[2]
REST_SECONDS = 5
NEIGHBOURS = 15

ONE = """
import json, sys, time, warnings
import numpy as np
warnings.simplefilter("ignore")
way, path, repeats, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
vectors = np.load(path)
def ours():
    from core.config import MapSettings
    from core.maps.projection import project
    return project(vectors, MapSettings(seed=seed)).places
def plain():
    import umap
    return umap.UMAP(metric="cosine", n_neighbors=15, random_state=seed, n_jobs=1).fit_transform(vectors)
times = []
for _ in range(repeats + 1):
    began = time.perf_counter(), time.process_time()
    places = {"ours": ours, "plain": plain}[way]()
    times.append((time.perf_counter() - began[0], time.process_time() - began[1]))
from core.maps.quality import map_quality
quality = map_quality(vectors, np.asarray(places, dtype=np.float32), "cosine", 15, seed=seed)
print(json.dumps({"times": times, "trust": quality.trustworthiness.__dict__,
                  "continuity": quality.continuity.__dict__, "measured": quality.measured}))
"""  # noqa: E501 (a program of its own)


def vectors_of(size: int, seed: int) -> np.ndarray:
    """Take embeddings of the corpus, and mixtures of two where it has too few."""
    from demo.map.examples import shipped_map

    corpus, draws = shipped_map().vectors, np.random.default_rng(seed)
    some = corpus[draws.permutation(len(corpus))[:size]]
    missing = size - len(some)
    pairs = draws.integers(0, len(corpus), (missing, 2))
    share = draws.uniform(0.2, 0.8, (missing, 1))
    mixed = share * corpus[pairs[:, 0]] + (1 - share) * corpus[pairs[:, 1]]
    return np.concatenate([some, mixed]).astype(np.float32)


def run(way: str, path: Path, repeats: int, seed: int) -> dict[str, object]:
    command = [sys.executable, "-c", ONE, way, str(path), str(repeats), str(seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def show(size: int, way: str, found: dict[str, object]) -> tuple[float, float]:
    """Print one line; give the seconds cold and warm."""
    times = np.array(found["times"])
    cold, warm = times[0], np.median(times[1:], axis=0)
    trust, continuity = found["trust"], found["continuity"]
    print(
        f"{size:>6}  {way:6} cold {cold[0]:6.2f} s ({cold[1]:.2f} of the processor)  "
        f"warm {warm[0]:6.2f} s ({warm[1]:.2f})  "
        f"trustworthiness {trust['mean']:.4f} ({trust['low']:.4f} to {trust['high']:.4f})  "  # type: ignore[index]
        f"continuity {continuity['mean']:.4f}",  # type: ignore[index]
        flush=True,
    )
    return float(cold[0]), float(warm[0])


def worker(paths: list[Path], seed: int) -> None:
    """Time what the page does: a worker gets ready, and then draws its first maps."""
    from core.config import MapSettings
    from core.maps.process import MapWorker

    asked = MapWorker()
    began = time.perf_counter()
    asked.start()
    asked.ready.wait()
    print(f"worker ready after {time.perf_counter() - began:.2f} s; then, each for the first time:")
    for path in paths:
        vectors = np.load(path)
        began = time.perf_counter()
        asked.project(vectors, MapSettings(seed=seed))
        print(f"{len(vectors):>6}  worker first map {time.perf_counter() - began:6.2f} s")
    asked.close()


def frames(path: Path, seed: int) -> None:
    """Move a map of so many points in the system's Chromium, and time its frames."""
    from playwright.sync_api import sync_playwright

    from core.config import MapSettings
    from core.maps.fields import projection_fields
    from core.maps.projection import project
    from core.report.map_page import map_page
    from tests.browser.conftest import BROWSERS, FLAGS

    found = project(np.load(path), MapSettings(method="pca", seed=seed))
    groups = np.random.default_rng(seed).integers(0, 6, len(found.places)).tolist()
    document = {
        **projection_fields(found),
        **{"model": "minilm", "pooling": "mean", "colour": "group", "truncated": 0},
        **{"placed": 0, "after": None, "changes": None},
        "points": [
            {"text": f"point {k}", "x": x, "y": y, "label": f"group {groups[k]}"}
            for k, (x, y) in enumerate(found.places.tolist())
        ],
    }
    page_file = path.with_suffix(".html")
    page_file.write_text(map_page(document), encoding="utf-8")
    program = next(filter(None, map(shutil.which, BROWSERS)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.goto(page_file.as_uri())
        page.wait_for_selector("#map[data-drawn]")
        times = np.diff(page.evaluate("document.querySelector('#map').chart.frames(120)"))
        kind = page.evaluate("document.querySelector('#map').chart.kind")
        browser.close()
    print(
        f"{len(groups):>6}  moved in Chromium, drawn by {kind}, without a GPU: "
        f"{1000 / times.mean():.0f} frames a second, "
        f"a frame takes {np.median(times):.1f} ms (95th percentile {np.percentile(times, 95):.1f})"
    )


def memory() -> None:
    """Print the memory of the page's processes before UMAP and, at rest, with it ready."""
    port = free_port()
    with running([sys.executable, "-m", "demo", "--port", str(port)]) as page:
        wait_for_page(port, page)
        ask_for_matrix(port, DEFAULTS)
        before: list[Process] = []
        while not (state := health(port))["umap_ready"]:
            now = processes(page.pid)
            if state["model_ready"] and not any(each.draws for each in now):
                before = now
            time.sleep(0.1)
        time.sleep(REST_SECONDS)
        at_rest = processes(page.pid)
    if before:
        show_memory("before UMAP", before)
    else:
        print("before UMAP: it had started before it could be read")
    for each in at_rest:
        print(f"  {each.rss:7.0f} MB resident {each.pss:7.0f} MB proportional  {each.command}")
    show_memory("at rest, UMAP ready", at_rest)
    show_memory("  of that the process that draws", [each for each in at_rest if each.draws])


@dataclass(frozen=True)
class Process:
    """What one process holds, in MB."""

    command: str
    rss: float
    pss: float

    @property
    def draws(self) -> bool:
        return "core.maps.worker" in self.command


def processes(pid: int) -> list[Process]:
    """Read a process and all its descendants; those that end meanwhile are left out."""
    found = []
    for each in tree(pid):
        with contextlib.suppress(OSError):
            folder = Path(f"/proc/{each}")
            words = (folder / "cmdline").read_bytes().split(b"\0")
            lines = dict(
                line.split(":", 1)
                for line in (folder / "smaps_rollup").read_text().splitlines()[1:]
            )
            rss, pss = (int(lines[name].split()[0]) / 1024 for name in ("Rss", "Pss"))
            found.append(Process(b" ".join(words[1:])[:60].decode().strip(), rss, pss))
    return found


def show_memory(what: str, some: list[Process]) -> None:
    rss, pss = sum(each.rss for each in some), sum(each.pss for each in some)
    print(f"{what:34} {rss:6.0f} MB resident {pss:6.0f} MB proportional, {len(some)} processes")


def health(port: int) -> dict[str, bool]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30) as answer:
        return json.load(answer)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 2000, 10000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chromium", action="store_true", help="frames of the largest map too")
    parser.add_argument("--memory", action="store_true", help="the page's memory, and no times")
    given = parser.parse_args()
    if given.memory:
        memory()
        return
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for size in given.sizes:
            path = Path(folder) / f"{size}.npy"
            np.save(path, vectors_of(size, given.seed))
            paths.append(path)
            ours = show(size, "ours", run("ours", path, given.repeats, given.seed))
            plain = show(size, "plain", run("plain", path, given.repeats, given.seed))
            ratios = [b / a for a, b in zip(ours, plain, strict=True)]
            print(f"{size:>6}  ours is {ratios[0]:.2f}x as fast cold, {ratios[1]:.2f}x warm")
        worker(paths, given.seed)
        if given.chromium:
            frames(paths[-1], given.seed)


if __name__ == "__main__":
    main()
