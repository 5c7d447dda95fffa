"""What this machine can do: its cores, and short self-tests whose results are kept per machine."""

import contextlib
import importlib.metadata
import json
import os
import platform
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from platformdirs import user_cache_path

KEPT = "THAW_CACHE_DIR"
"""The environment variable that moves the folder where self-test results are kept."""


def usable_cores() -> int:
    """Count the cores this process may use, by affinity and by the container's CPU quota."""
    try:
        allowed = len(os.sched_getaffinity(0))  # type: ignore[attr-defined,unused-ignore]
    except AttributeError:  # macOS and Windows have no affinity to ask for
        allowed = os.cpu_count() or 1
    quota = _cgroup_quota(Path("/sys/fs/cgroup"))
    return max(1, min(allowed, quota) if quota else allowed)


def _cgroup_quota(root: Path) -> int | None:
    """Read the CPU quota in whole cores, rounded up; None where there is none."""
    try:
        if (root / "cpu.max").is_file():  # cgroup 2: "200000 100000" or "max 100000"
            given, period = (root / "cpu.max").read_text().split()
        else:
            given = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
    except (OSError, ValueError):
        return None
    if not given.isdigit() or not period.isdigit() or int(period) == 0:
        return None
    return -(-int(given) // int(period))


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Run a block with this many torch threads, then go back to as many as before."""
    before = torch.get_num_threads()
    if count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Run a block on one thread, in torch's products and in scipy's, then go back.

    Small products gain nothing by a second thread, and scipy's keep waiting for the next product
    at full speed: on the two halves of one core, a fit took half as long again.
    """
    import scipy.optimize  # noqa: F401 (a BLAS that is loaded later would not be told)
    from threadpoolctl import threadpool_limits

    with torch_threads(1), threadpool_limits(1, user_api="blas"):
        yield


def use_threads(count: int) -> None:
    """Give this process so many threads, in torch's products and in numpy's and scipy's."""
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(count)
    threadpool_limits(count, user_api="blas")
    os.environ["OPENBLAS_NUM_THREADS"] = str(count)  # of what is loaded later


def best_device() -> str:
    """Name the fastest device that torch can use here."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def machine_name() -> str:
    """Describe what a self-test's result depends on: processor, cores, torch, device."""
    processor = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                processor = line.split(":", 1)[1].strip()
                break
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{processor}, {capability}, {usable_cores()} cores, torch {torch.__version__}"


def versions(packages: Sequence[str]) -> dict[str, str | None]:
    """Name the versions of Python and of some packages; None where one is missing."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def kept_results() -> Path:
    """Return the file in which this machine's self-test results are kept."""
    folder = os.environ.get(KEPT)
    return (Path(folder) if folder else user_cache_path("thaw")) / "self-tests.json"


def recall(key: str) -> dict[str, float] | None:
    """Return a self-test's kept result on this very machine, or None."""
    try:
        kept = json.loads(kept_results().read_text(encoding="utf-8"))
        found = kept[machine_name()][key]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not isinstance(found, dict):
        return None
    numbers = {str(name): n for name, n in found.items() if isinstance(n, int | float)}
    return {name: float(n) for name, n in numbers.items()}


def remember(key: str, result: dict[str, float]) -> None:
    """Keep a self-test's result for this machine; a folder that cannot be written is no error."""
    path = kept_results()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            kept = {}
        kept = kept if isinstance(kept, dict) else {}
        kept.setdefault(machine_name(), {})[key] = result
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".json")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(kept, file, indent=1)
        Path(temporary).replace(path)


def fastest_threads(key: str, run: Callable[[], object]) -> int:
    """Find how many torch threads do some work fastest, once per machine.

    Each count is tried three times in turn and its best time taken; one more thread has to be
    worth a tenth, as it is one core less for everybody else.

    Args:
        key: Names the kind of work in the kept results.
        run: Does a small piece of it, a few tenths of a second.
    """
    cores = usable_cores()
    if cores == 1:
        return 1
    kept = recall(key)
    if kept is not None and 1 <= kept.get("threads", 0) <= cores:
        return int(kept["threads"])
    times = _time_threads(sorted({1, max(1, cores // 2), cores}), run)
    best = min(times)
    for count, seconds in sorted(times.items()):
        if seconds < 0.9 * times[best]:
            best = count
    remember(key, {"threads": best, **{f"seconds_{n}": times[n] for n in times}})
    return best


def _time_threads(counts: list[int], run: Callable[[], object]) -> dict[int, float]:
    times = dict.fromkeys(counts, float("inf"))
    for attempt in range(4):
        for count in counts:
            with torch_threads(count):
                start = time.perf_counter()
                run()
                if attempt > 0:  # the first warms up
                    times[count] = min(times[count], time.perf_counter() - start)
    return times


_STATUS, _MAPS = Path("/proc/self/status"), Path("/proc/self/smaps")


def peak_memory_bytes(apart: str = "") -> int | None:
    """Read how much memory this process has held at most, since it began.

    Args:
        apart: Files mapped into memory whose name holds this are counted off, as they are at
            the time of asking: other processes share them.

    Returns:
        Bytes; None where the system does not tell.
    """
    try:
        told = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        return None
    if told is None:
        return None
    return max(0, 1024 * (int(told[1]) - (_mapped_kilobytes(apart) if apart else 0)))


def _mapped_kilobytes(name: str) -> int:
    """Count what is in memory of the mapped files whose name holds something."""
    total, inside = 0, False
    with contextlib.suppress(OSError), _MAPS.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                inside = name in line
            elif inside and line.startswith("Rss:"):
                total += int(line.split()[1])
    return total
