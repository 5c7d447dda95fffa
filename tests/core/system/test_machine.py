import time
from pathlib import Path

import pytest
import torch

from core.system import machine
from core.system.machine import fastest_threads, recall, remember, torch_threads, usable_cores


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THAW_CACHE_DIR", str(tmp_path))


@pytest.mark.parametrize(
    ("written", "cores"),
    [("200000 100000", 2), ("150000 100000", 2), ("max 100000", None), ("nonsense", None)],
)
def test_a_containers_quota_counts_as_whole_cores(
    written: str, cores: int | None, tmp_path: Path
) -> None:
    (tmp_path / "cpu.max").write_text(written)
    assert machine._cgroup_quota(tmp_path) == cores


def test_there_is_at_least_one_core() -> None:
    assert usable_cores() >= 1


def test_threads_go_back_to_what_they_were_even_after_an_error() -> None:
    before = torch.get_num_threads()
    seen: list[int] = []

    def fail() -> None:
        with torch_threads(1):
            seen.append(torch.get_num_threads())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert seen == [1]
    assert torch.get_num_threads() == before


def test_a_result_is_kept_for_this_machine_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    remember("speed", {"threads": 2.0})
    assert recall("speed") == {"threads": 2.0}
    assert recall("other") is None
    monkeypatch.setattr(machine, "machine_name", lambda: "another")
    assert recall("speed") is None


@pytest.mark.parametrize("content", ["", "[]", "{", '{"x": 1}'])
def test_a_broken_file_of_results_is_as_good_as_none(content: str) -> None:
    machine.kept_results().write_text(content)
    assert recall("speed") is None
    remember("speed", {"threads": 1.0})
    assert recall("speed") == {"threads": 1.0}


def test_the_fastest_thread_count_is_measured_once_and_then_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "usable_cores", lambda: 2)
    runs = []

    def slower_with_two() -> None:
        runs.append(torch.get_num_threads())
        time.sleep(0.01 * torch.get_num_threads())

    assert fastest_threads("work", slower_with_two) == 1
    assert {1, 2} == set(runs), "needs both counts tried"
    runs.clear()
    assert fastest_threads("work", slower_with_two) == 1
    assert not runs


def test_one_core_needs_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "usable_cores", lambda: 1)
    assert fastest_threads("work", lambda: pytest.fail("was run")) == 1
