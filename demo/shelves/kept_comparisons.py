"""Comparisons that lie in a folder: their reports, and the runs that can be opened from them."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def run_folder(folder: Path, strategy: str, seed: int) -> Path:
    """Find the folder of a run whose weights are kept.

    Args:
        folder: A comparison's.
        strategy: The run's strategy, by name.
        seed: The run's seed.

    Raises:
        ValueError: If there is no such run, or its weights were put away.
    """
    from core.comparison.store import RUN, read_run

    found = None
    for path in folder.glob(f"runs/*/seed-{seed}/{RUN}"):
        with contextlib.suppress(ValueError):  # one that cannot be read is not the one asked for
            run = read_run(path.parent)
            if run.key == (strategy, seed):
                found = run
    if found is None:
        raise ValueError(f"there is no run of {strategy[:60]}, seed {seed}")
    if found.folder is None:
        raise ValueError(
            f"the weights of {strategy}, seed {seed}, were put away to make room: run it again, "
            "or compare fewer strategies"
        )
    return found.folder


def kept_runs(folder: Path, report: Mapping[str, Any]) -> set[tuple[str, int]]:
    """Name the runs of a report, strategy and seed, whose weights are in a comparison's folder."""
    from core.comparison.store import RUNS, run_name
    from core.model.manifest import MANIFEST

    found = set()
    for run in report["runs"]:
        strategy, seed = str(run["strategy"]), int(run["seed"])
        of_strategy = folder / RUNS / run_name(strategy, run["settings"])
        if (of_strategy / f"seed-{seed}" / MANIFEST).is_file():
            found.add((strategy, seed))
    return found


def kept_comparisons(runs: Path | None) -> list[Path]:
    """List the comparisons in a folder: itself, or those in it; the newest first."""
    if runs is None:
        return []  # without torch, which is behind the next line: the page is up before it
    from core.comparison.store import INDEX

    found = [runs] if (runs / INDEX).is_file() else [p.parent for p in runs.glob(f"*/{INDEX}")]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def kept_report(folder: Path) -> dict[str, Any]:
    """Read the report in a comparison's folder.

    Raises:
        ValueError: If it has none, or it cannot be read.
    """
    from core.comparison.store import FORMAT, REPORT, read_index

    read_index(folder)
    try:
        document: Mapping[str, Any] = json.loads((folder / REPORT).read_text("utf-8"))
        version = document["thaw_format"]
    except FileNotFoundError as error:
        raise ValueError(
            f"{folder} has no {REPORT} yet: go on with it by python -m core compare --resume"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"the report in {folder} cannot be read: {str(error)[:200]}") from error
    if version != FORMAT:
        raise ValueError(f"the report in {folder} is of format {version}, must be {FORMAT}")
    return dict(document)
