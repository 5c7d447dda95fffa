"""How long Thaw takes to start, against the same things without it, in one run.

    python tests/benchmarks/start_bench.py [--rounds 5] [--json]

In turn, each in a fresh process: a bare Gradio page and `python -m demo`, from the command to the
first HTTP answer; a page that loads sentence-transformers first and `python -m demo`, from the
command to the first matrix computed for a visitor; a sentence-transformers script and
`python -m core similarity`, from the command to the printed score. Then the memory of the page
at rest, once the encoder is loaded, as proportional set over its process tree. Medians.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
SENTENCES = ["A man is eating food.", "A man is eating a meal.", "The ferry left late again."]

DEFAULTS = ("cosine", False, "", "")
"""The other arguments of the page's endpoint: only Gradio's own client may leave them out."""

BARE_PAGE = """
import gradio as gr
with gr.Blocks() as page:
    text, out = gr.Textbox(), gr.Textbox()
    gr.Button().click(lambda t: t, text, out)
page.launch(server_port={port}, quiet=True)
"""
PAGE_THAT_LOADS_FIRST = """
import gradio as gr
from sentence_transformers import SentenceTransformer, util
model = SentenceTransformer({folder!r}, device="cpu")
def similarity(text):
    vectors = model.encode(text.splitlines(), convert_to_tensor=True)
    return util.cos_sim(vectors, vectors).tolist()
with gr.Blocks() as page:
    text, out = gr.Textbox(), gr.JSON()
    gr.Button().click(similarity, text, out, api_name="similarity")
page.launch(server_port={port}, quiet=True)
"""
SCRIPT = """
import sys
from sentence_transformers import SentenceTransformer, util
model = SentenceTransformer({folder!r}, device="cpu")
vectors = model.encode(sys.argv[1:], convert_to_tensor=True)
print(util.cos_sim(vectors, vectors)[0, 1].item())
"""


def free_port() -> int:
    """Ask the system for a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment() -> dict[str, str]:
    """Return the environment in which every command runs."""
    return os.environ | {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command for the time of a block."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=quiet, stderr=quiet)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_for_page(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return as soon as the page answers."""
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                answer.read()
                return
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None:
                raise RuntimeError(f"the page ended with {process.returncode}") from None
            time.sleep(0.01)


def ask_for_matrix(port: int, more: tuple[object, ...] = ()) -> object:
    """Have the page compute a matrix, as a visitor's click does: call, then wait for the event."""
    base = f"http://127.0.0.1:{port}/gradio_api/call/similarity"
    body = json.dumps({"data": ["\n".join(SENTENCES), *more]}).encode()
    asked = urllib.request.Request(base, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{base}/{quote(event)}", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    data = json.loads(lines[lines.index("event: complete") + 1].removeprefix("data: "))[0]
    return data["matrix"] if isinstance(data, dict) else data


def time_page(
    command: list[str], port: int, *, matrix: bool, more: tuple[object, ...] = ()
) -> float:
    """Time a page from its command to its first answer, or to its first matrix."""
    start = time.perf_counter()
    with running(command) as process:
        wait_for_page(port, process)
        if matrix:
            found = ask_for_matrix(port, more)
            assert isinstance(found, list)
            assert len(found) == len(SENTENCES)
        return time.perf_counter() - start


def time_command(command: list[str]) -> float:
    """Time a command to its end."""
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=environment(), check=True, capture_output=True)
    return time.perf_counter() - start


def memory_at_rest() -> float | None:
    """Measure the page's proportional set in MB once it has answered with a matrix."""
    port = free_port()
    with running([sys.executable, "-m", "demo", "--port", str(port)]) as process:
        wait_for_page(port, process)
        ask_for_matrix(port, DEFAULTS)
        time.sleep(5)
        try:
            return sum(proportional_set(pid) for pid in tree(process.pid))
        except OSError:  # not Linux
            return None


def tree(pid: int) -> Iterator[int]:
    """List a process and all its descendants."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from tree(int(child))


def proportional_set(pid: int) -> float:
    """Read a process's proportional set size, in MB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def measure(rounds: int) -> dict[str, object]:
    """Run everything in turn and return the figures."""
    sys.path.insert(0, str(ROOT))
    from core.encoder.hub import built_in_folder

    folder = str(built_in_folder())
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as place:

        def script(name: str, text: str, port: int = 0) -> list[str]:
            path = Path(place) / f"{name}.py"
            path.write_text(text.format(port=port, folder=folder), encoding="utf-8")
            return [sys.executable, str(path)]

        def keep(name: str, taken: float) -> None:
            seconds.setdefault(name, []).append(taken)

        for _ in range(rounds + 1):  # the first fills the disk's caches and is left out
            port = free_port()
            thaw = [sys.executable, "-m", "demo", "--port", str(port)]
            keep("bare page", time_page(script("bare", BARE_PAGE, port), port, matrix=False))
            keep("thaw page", time_page(thaw, port, matrix=False))
            loads = script("loads", PAGE_THAT_LOADS_FIRST, port)
            keep("matrix, model first", time_page(loads, port, matrix=True))
            keep("matrix, thaw", time_page(thaw, port, matrix=True, more=DEFAULTS))
            keep("script", time_command([*script("script", SCRIPT), *SENTENCES[:2]]))
            cli = [sys.executable, "-m", "core", "similarity", *SENTENCES[:2], "--json"]
            keep("thaw similarity", time_command(cli))
    middle = {name: statistics.median(taken[1:]) for name, taken in seconds.items()}
    return {
        "rounds": rounds,
        "seconds": middle,
        "page_ratio": middle["thaw page"] / middle["bare page"],
        "matrix_ratio": middle["matrix, thaw"] / middle["matrix, model first"],
        "similarity_ratio": middle["thaw similarity"] / middle["script"],
        "memory_at_rest_mb": memory_at_rest(),
    }


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.rounds)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    seconds = found["seconds"]
    assert isinstance(seconds, dict)
    for name, taken in seconds.items():
        print(f"{name:22} {taken:6.2f} s")
    print(f"command to HTTP answer: {found['page_ratio']:.2f}× a bare page; goal 1.15×")
    print(f"command to first matrix: {found['matrix_ratio']:.2f}× loading first; goal 0.6×")
    print(f"similarity, cold: {found['similarity_ratio']:.2f}× the script; goal 0.5×")
    print(f"memory at rest: {found['memory_at_rest_mb']:.0f} MB; goal under 1,200 MB")


if __name__ == "__main__":
    main()
