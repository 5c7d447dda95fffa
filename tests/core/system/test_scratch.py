import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from core.system.scratch import own_prefix

pytestmark = pytest.mark.skipif(os.name != "posix", reason="no process can be asked for elsewhere")
ROOT = Path(__file__).resolve().parents[3]


def test_what_a_killed_process_left_goes_and_what_a_living_one_holds_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    dead = tmp_path / f"thaw-states-{ended.pid}-x"
    others = [
        tmp_path / f"thaw-states-{os.getpid()}-x",
        tmp_path / "thaw-states-mine",
        tmp_path / f"thaw-runs-{ended.pid}-x",
        tmp_path / f"thaw-states-{2**80}-x",
    ]
    for folder in (dead, *others):
        folder.mkdir()
    assert own_prefix("thaw-states-") == f"thaw-states-{os.getpid()}-"
    assert not dead.exists()
    assert all(folder.exists() for folder in others)


def test_states_in_files_are_removed_by_the_next_run_where_their_own_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import tempfile, time; from core.system.scratch import own_prefix;"
        "folder = tempfile.TemporaryDirectory(prefix=own_prefix('thaw-states-'));"
        "print(folder.name, flush=True); time.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    with process, process.stdout:
        left = Path(process.stdout.readline().strip())
        process.send_signal(signal.SIGKILL)
    assert left.is_dir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    own_prefix("thaw-states-")
    assert not left.exists()
