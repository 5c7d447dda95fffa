"""The most memory that this process has held, where the system can tell."""

import contextlib
import re
from pathlib import Path

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
