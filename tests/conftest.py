"""How a run is shared by two processes, and fixtures for all tests: tiny real models."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # a thread that waits leaves its core to others
os.environ["HF_HUB_OFFLINE"] = "1"  # before huggingface_hub is imported: no test is online
if "PYTEST_XDIST_WORKER" in os.environ:  # each has one core: a second thread would wait for it
    for library in ("OMP", "MKL", "OPENBLAS"):  # before torch and numpy are imported
        os.environ[f"{library}_NUM_THREADS"] = "1"

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from xdist.scheduler.loadfile import LoadFileScheduling

if TYPE_CHECKING:
    from core.encoder.encoder import Encoder  # the process that hands out tests needs no torch

settings.register_profile("thaw", deadline=None, max_examples=40)
settings.load_profile("thaw")

WORKER = "PYTEST_XDIST_WORKER" in os.environ
WORKERS = 2
FEW_FILES = 12
BROWSER = "tests/browser"


class ByFile(LoadFileScheduling):
    """Hand out tests a file at a time, and those in the browser all to one: they share a page."""

    def _split_scope(self, nodeid: str) -> str:
        return BROWSER if nodeid.startswith(BROWSER) else super()._split_scope(nodeid)


@pytest.hookimpl
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Share many files' tests between two processes; a few run in this one, at once."""
    places = [Path(each.partition("::")[0]) for each in config.args]
    files = sum(len([*place.rglob("test_*.py")]) if place.is_dir() else 1 for place in places)
    return min(WORKERS, os.cpu_count() or 1) if files > FEW_FILES else 0


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile | None:
    """Hand out files in the order in which they were collected; any other --dist is xdist's."""
    config.option.loadscopereorder = False
    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that the processes end together: browser, then slow files."""
    if not WORKER:
        return
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    browser = {item.path for item in items if item.get_closest_marker("browser")}
    items.sort(key=lambda item: (item.path not in browser, -slow[item.path]))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep self-test results out of the home folder."""
    before = os.environ.get("THAW_CACHE_DIR")
    os.environ["THAW_CACHE_DIR"] = str(tmp_path_factory.mktemp("thaw-cache"))
    yield
    if before is None:
        del os.environ["THAW_CACHE_DIR"]
    else:
        os.environ["THAW_CACHE_DIR"] = before


@pytest.fixture(scope="session", autouse=True)
def _server_of_processes() -> None:
    """Let all runs' processes come from a server that knows torch, whoever asks for one first."""
    if WORKER:
        from core.comparison.choice import WORKERS_IMPORT
        from core.system.workers import warm_up
        from demo.train.sessions import PRELOAD

        warm_up((*WORKERS_IMPORT, *PRELOAD))


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a folder with a tiny random model of a family, built once per session."""
    from tests.tiny_models import FAMILIES, save_family

    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            assert family in FAMILIES
            made[family] = save_family(family, tmp_path_factory.mktemp(family))
        return made[family]

    return folder


@pytest.fixture(scope="session")
def tiny_encoder(family_folder: Callable[[str], Path]) -> "Encoder":
    """Return a real three-layer BERT encoder with random weights."""
    from core.encoder.encoder import load_encoder

    return load_encoder(str(family_folder("minilm")))


@pytest.fixture(scope="session")
def default_encoder() -> "Encoder":
    """Return the built-in encoder, loaded once."""
    from core.encoder.encoder import load_encoder

    return load_encoder("minilm")
