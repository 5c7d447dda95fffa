"""Environments that a slow test makes for itself and throws away: other versions of a package.

What they do not bring themselves, torch above all, they take from the environment of the tests.
"""

import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest


def environment(folder: Path, packages: Sequence[str]) -> Path:
    """Make an environment with some packages on top of this one's; skip where pip cannot.

    Args:
        folder: Where, not there yet.
        packages: As pip takes them; what they need must be among them, or be here.

    Returns:
        Its Python.
    """
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip(f"no environment can be made here: {made.stderr.strip()[-200:]}")
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    site = Path(own.stdout.strip())
    (site / "zz_tests.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    installed = subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps",
         "--ignore-installed", "--only-binary=:all:", *packages],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if installed.returncode:
        said = (installed.stderr.strip().splitlines() or ["pip is not here"])[-1]
        pytest.skip(f"pip cannot install {packages[0]} here: {said[:200]}")
    return python
