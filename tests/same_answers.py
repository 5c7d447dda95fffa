"""What the program answers, recorded: do two builds, of whatever layout, say the very same?

    python tests/same_answers.py record --root CHECKOUT --out FOLDER [--only NAME]
    python tests/same_answers.py compare BEFORE AFTER [--only NAME] [--wanted F]

Recording takes minutes on two idle cores, comparing exits with 1 where anything differs.

Records every help page, every command's JSON and what it shows in a terminal, the sentence and the
exit code for bad input, what trainings, exports, maps and comparisons write, what the page's
endpoints answer, and which components the page is built of. Only `python -m core` and `python -m
demo` of the build are asked, so that it does not matter where its modules are.

Everything is done at one place, `WORK`, whatever the build, so that paths are equal; each process
on one core, so that nothing depends on how many there are; and on the tiny encoder, model,
checkpoint and comparison of `tests/kept`, the same files for both builds, beside the built-in
encoder and the shipped model. `RULES` in `tests/answers_told.py` lists all that may differ; the
rest must be equal to the byte. `--only 'train*'` asks those cases alone, or `page`, and leaves what
else was recorded. A file for `--wanted` has a line for each record that is to differ, `NAME:
reason`, where NAME may hold `*`.

Not recorded, since they hang on time: `--budget` and its race, Ctrl-C, live pictures, self-tests.
Packages of others are imported once, in a process that then forks for each command; so it is not
seen when a build imports them.
"""

import argparse
import contextlib
import difflib
import fcntl
import fnmatch
import json
import os
import queue
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from answers_asked import KEPT, Case, ask_page, bring, cases, spelt, write_inputs
from answers_told import contents, file_told, normal, sha256, tensors_header, told

WORK = Path(tempfile.gettempdir()) / "thaw-same-answers"
CACHE = WORK.with_name(f"{WORK.name}-cache")
"""Bytecode, and what numba compiles of UMAP, which takes a minute: left for the next recording."""

ABOUT = "about.json"

FORKING = """
import gc, json, os, runpy, sys
import torch, tokenizers, safetensors.torch, numpy, scipy.stats, pandas, pyarrow, typer
import rich.console, rich.progress, rich.live, huggingface_hub, transformers, peft, plotly
import sklearn.linear_model, sklearn.decomposition, multiprocessing.forkserver, importlib.metadata
gc.freeze()
print("ready", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    os._exit(0)
os.chdir(asked["folder"])
os.environ.update(asked["environment"])
for number, name in enumerate(("stdin", "stdout", "stderr")):
    flags = os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY
    os.dup2(os.open(asked[name], flags), number)
    setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))
sys.argv = ["", *asked["arguments"]]
sys.path[0] = asked["folder"]
runpy.run_module(asked["package"], run_name="__main__", alter_sys=True)
"""
"""A process that forks for each command, as `python -m` would start it, but for imports."""


class Forker:
    """Runs commands on one core, each in a fork of a process that has the packages imported."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", FORKING], cwd=WORK, env=dict(environment), encoding="utf-8",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that forks for each command has ended")
        return line.strip()

    def run(self, folder: Path, arguments: Sequence[str], case: Case) -> tuple[str, str, str]:
        """Run a command, and return its exit code, standard output and standard error."""
        with tempfile.TemporaryDirectory(dir=WORK) as streams:
            paths = {name: Path(streams) / name for name in ("stdin", "stdout", "stderr")}
            paths["stdin"].write_text(case.stdin, encoding="utf-8")
            asked = {
                "folder": str(folder),
                "arguments": arguments,
                "package": case.package,
                "environment": {"COLUMNS": str(case.columns)},
                **{name: str(path) for name, path in paths.items()},
            }
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            code = self._answer()
            return code, *(paths[name].read_text("utf-8") for name in ("stdout", "stderr"))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)


class Recorder:
    """Asks one build, at `WORK`.

    Args:
        root: The build's checkout.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.records: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        for name in ("home", "tmp", "inputs"):
            (WORK / name).mkdir(parents=True)
        write_inputs(WORK / "inputs")
        shutil.copytree(KEPT / "hub", WORK / "hub")

    def environment(self) -> dict[str, str]:
        """Give a process nothing of whoever records but the way to programs."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(WORK / "home"),
            "TMPDIR": str(WORK / "tmp"),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "NO_COLOR": "1",
            "COLUMNS": "100",
            "OMP_NUM_THREADS": "1",
            "HF_HUB_CACHE": str(WORK / "hub"),
            "HF_HUB_OFFLINE": "1",
            "THAW_CACHE_DIR": str(CACHE),
            "GRADIO_ANALYTICS_ENABLED": "False",
            "GRADIO_TEMP_DIR": str(WORK / "gradio"),
            "PYTHONPATH": str(self.root),
            "PYTHONPYCACHEPREFIX": str(CACHE / "bytecode"),  # a checkout is left as it is
        }

    def keep(self, name: str, text: str) -> None:
        """Keep a record."""
        if name in self.records:
            raise ValueError(f"two records are called {name}: give one another name")
        self.records[name] = text

    def folder(self, name: str, wanted: Sequence[str] = ()) -> Path:
        """Make a case's folder."""
        folder = Path(shutil.copytree(WORK / "inputs", WORK / "cases" / name))
        bring(wanted, folder)
        return folder

    def run(self, case: Case, forker: Forker) -> None:
        """Run a case, and record what it says and what it leaves."""
        begun = time.monotonic()
        folder = self.folder(case.name, case.bring)
        before = contents(folder)
        for number, step in enumerate(case.steps, start=1):
            arguments = spelt(step)
            if case.stop is None:
                code, out, error = forker.run(folder, arguments, case)
            else:
                code, out, error = self._stopped(folder, case.stop, arguments)
            name = case.name if len(case.steps) == 1 else f"{case.name}/{number}"
            said = (
                f"$ python -m {case.package} {' '.join(arguments)}\nexit {code}\n"
                f"--- standard output\n{told(out, self.root)}"
                f"--- standard error\n{normal(error, self.root)}"
            )
            self.keep(name, said)
        after = contents(folder)
        for path in sorted(after.keys() | before.keys()):
            if path not in after:
                self.keep(f"{case.name}/files/{path}", "removed\n")
            elif before.get(path) != after[path] and Path(path).name != ".lock":
                self.keep(f"{case.name}/files/{path}", file_told(folder / path, self.root))
        self.seconds[case.name] = time.monotonic() - begun

    def _stopped(self, folder: Path, step: int, arguments: Sequence[str]) -> tuple[str, str, str]:
        """Kill a training as soon as it tells of a step's checkpoint.

        Raises:
            RuntimeError: If it was always killed too late.
        """
        for _ in range(5):
            process = subprocess.Popen(
                [sys.executable, "-m", "core", *arguments, "--overwrite"], cwd=folder,
                env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                encoding="utf-8",
            )  # fmt: skip
            assert process.stdout is not None
            assert process.stderr is not None
            lines = []
            with process:
                for line in process.stdout:
                    lines.append(line)
                    event = json.loads(line)
                    if event["event"] == "checkpoint" and event["step"] == step:
                        process.kill()
                        break
                error = process.stderr.read()
            checkpoint = next(folder.rglob("checkpoint.safetensors"), None)
            if checkpoint is not None:
                _, about, _ = tensors_header(checkpoint.read_bytes())
                if json.loads(about["thaw"])["step"] == step:
                    return "killed", "".join(lines), error
        raise RuntimeError(f"{' '.join(arguments)} could not be killed at step {step}")

    def verbs(self) -> list[str]:
        """Read from the help which commands there are."""
        page = subprocess.run(
            [sys.executable, "-m", "core", "--help"], cwd=WORK, capture_output=True,
            env={**self.environment(), "COLUMNS": "200"}, encoding="utf-8", check=True,
        ).stdout  # fmt: skip
        _, _, listed = page.partition("Commands")
        return sorted(re.findall(r"^\W{1,3}([a-z-]+) +[A-Z]", listed, re.MULTILINE))

    def page(self) -> None:
        """Start the page, and record what its endpoints answer and what it is built of."""
        begun = time.monotonic()
        folder = self.folder("page")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        address = f"http://127.0.0.1:{port}"

        def keep(name: str, answer: str) -> None:
            self.keep(name, told(answer.replace(address, "<page>"), self.root))

        with (WORK / "page.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "demo", "--port", str(port)], cwd=folder,
                env=self.environment(), stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                _wait_until_ready(process, address, WORK / "page.log")
                ask_page(address, folder, keep)
            finally:
                process.terminate()
                process.wait(timeout=60)
        self.seconds["page"] = time.monotonic() - begun


def _wait_until_ready(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the page did not start: {log.read_text()[-2000:]}")
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{address}/healthz", timeout=5) as answer,
        ):
            if all(json.load(answer).values()):
                return
        time.sleep(0.5)
    raise RuntimeError("the page was not ready after ten minutes")


def record(root: Path, out: Path, only: Sequence[str]) -> None:
    """Record what the build in a checkout answers into a folder.

    Args:
        root: The checkout.
        out: Where; a recording that is there is replaced, as far as `only` goes.
        only: Which cases, `page` among them, as patterns; none is all.
    """
    if out.exists() and any(out.iterdir()) and not (out / ABOUT).exists():
        raise SystemExit(f"{out} holds something that is no recording: give another folder")
    shutil.rmtree(WORK, ignore_errors=True)
    (CACHE / "self-tests.json").unlink(missing_ok=True)
    begun = time.monotonic()
    recorder = Recorder(root)
    verbs = recorder.verbs()
    wanted: queue.SimpleQueue[Case | None] = queue.SimpleQueue()
    for each in (None, *cases(verbs)):
        if _is_among("page" if each is None else each.name, only):
            wanted.put(each)
    failed: list[BaseException] = []
    takers = [
        threading.Thread(target=_take, args=(core, recorder, wanted, failed))
        for core in sorted(os.sched_getaffinity(0))
    ]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    if failed:
        raise failed[0]
    _remove(out, only, recorder.seconds)
    for name, text in recorder.records.items():
        path = out / "records" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    about = {
        "root": str(root),
        "verbs": verbs,
        "kept": sha256(json.dumps(contents(KEPT)).encode()),
        **_here(recorder),
        "seconds": recorder.seconds,
    }
    (out / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
    shutil.rmtree(WORK, ignore_errors=True)
    _say(f"{len(recorder.records)} records in {time.monotonic() - begun:.0f} s: {out}")


def _is_among(name: str, only: Sequence[str]) -> bool:
    return not only or any(fnmatch.fnmatch(name, each) for each in only)


def _remove(out: Path, only: Sequence[str], cases: Iterable[str]) -> None:
    """Remove the records that are made anew: all, or those of some cases."""
    if not only:
        shutil.rmtree(out, ignore_errors=True)
    for name in cases:
        shutil.rmtree(out / "records" / name, ignore_errors=True)
        (out / "records" / f"{name}.txt").unlink(missing_ok=True)


def _take(
    core: int,
    recorder: Recorder,
    wanted: "queue.SimpleQueue[Case | None]",
    failed: list[BaseException],
) -> None:
    """Do what is wanted on one core: what a thread starts stays where the thread is held."""
    os.sched_setaffinity(0, {core})
    forker = None
    try:
        while not failed:
            case = wanted.get_nowait()
            if case is None:
                recorder.page()
                continue
            forker = forker or Forker(recorder.environment())
            recorder.run(case, forker)
    except queue.Empty:
        pass
    except BaseException as error:  # the main thread raises it
        failed.append(error)
    finally:
        if forker is not None:
            forker.close()


def _here(recorder: Recorder) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "core", "info", "--json"], env=recorder.environment(), cwd=WORK,
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    found = json.loads(done.stdout) if done.returncode == 0 else {}
    return {name: found.get(name) for name in ("versions", "machine")}


def read_records(folder: Path) -> dict[str, str]:
    """Read a recording."""
    top = folder / "records"
    if not (folder / ABOUT).is_file():
        raise SystemExit(f"{folder} holds no recording: record makes one")
    return {
        path.relative_to(top).as_posix().removesuffix(".txt"): path.read_text(encoding="utf-8")
        for path in sorted(top.rglob("*.txt"))
    }


def read_wanted(path: Path | None) -> dict[str, str]:
    """Read which records are to differ, and why."""
    wanted: dict[str, str] = {}
    lines = [] if path is None else path.read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.partition(":")
            if not reason.strip():
                raise SystemExit(f"{path} has {line!r}, must be NAME: reason")
            wanted[name.strip()] = reason.strip()
    return wanted


def compare(before: Path, after: Path, only: Sequence[str], wanted: Mapping[str, str]) -> int:
    """Print each difference, and return how many are not wanted."""
    one, other = read_records(before), read_records(after)
    about = [json.loads((each / ABOUT).read_text(encoding="utf-8")) for each in (before, after)]
    for name in ("versions", "machine", "kept"):
        if about[0][name] != about[1][name]:
            _say(f"NOTE: the recordings were made with another {name}")
    unwanted = differing = 0
    for name in sorted(one.keys() | other.keys()):
        if one.get(name) == other.get(name) or not _is_among(name, only):
            continue
        reason = next((why for glob, why in wanted.items() if fnmatch.fnmatch(name, glob)), None)
        differing += 1
        unwanted += reason is None
        _say(f"=== {name}: {'DIFFERS' if reason is None else f'wanted, {reason}'}")
        for line in _difference(one.get(name), other.get(name)):
            _say(line)
    _say(f"{len(one)} and {len(other)} records: {differing} differ, {unwanted} of them unwanted")
    return unwanted


def _difference(one: str | None, other: str | None) -> Iterator[str]:
    if one is None or other is None:
        yield f"only in the {'second' if one is None else 'first'} recording"
        return
    lines = (one.splitlines(), other.splitlines())
    for line in difflib.unified_diff(*lines, "before", "after", lineterm="", n=2):
        yield line if len(line) < 500 else f"{line[:500]} …"


def _say(line: str) -> None:
    print(line)  # noqa: T201 (a script's answer)


def main() -> int:
    """Read the command line, and do what it asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    todo = parser.add_subparsers(dest="todo", required=True)
    recording = todo.add_parser("record", help="record what a build answers")
    recording.add_argument("--root", type=Path, required=True, help="the build's checkout")
    recording.add_argument("--out", type=Path, required=True, help="the recording's folder")
    comparing = todo.add_parser("compare", help="print what differs between two recordings")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("--wanted", type=Path, help="records that are to differ, NAME: reason")
    for each in (recording, comparing):
        each.add_argument(
            "--only", action="append", default=[], metavar="NAME", help="repeat for more; else all"
        )
    given = parser.parse_args()
    if given.todo == "compare":
        return int(compare(given.before, given.after, given.only, read_wanted(given.wanted)) > 0)
    with WORK.with_name(f"{WORK.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two recordings at once would write over each other
        record(given.root.resolve(), given.out.resolve(), given.only)
    return 0


if __name__ == "__main__":
    sys.exit(main())
