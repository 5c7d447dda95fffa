"""Data sets of the Hugging Face Hub, by name: the Parquet files that the hub makes of each."""

import re
from collections.abc import Sequence
from pathlib import Path

from core.tables.cells import first_line, those_there

CONVERTED = "refs/convert/parquet"
"""The branch on which the hub keeps a data set as Parquet: `CONFIGURATION/SPLIT/0000.parquet`."""

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_TRAIN = re.compile(r"([^/]+)/(?:partial-)?train/\d+\.parquet")


def is_hub_name(source: str) -> bool:
    """Say whether a name that is no file may be a data set of the hub."""
    return bool(_NAME.fullmatch(source)) and not Path(source).suffix and not Path(source).exists()


def hub_file(name: str, most_bytes: int) -> Path:
    """Find the training rows of a data set in the hub's cache, or fetch them.

    Args:
        name: Its name, `owner/name`.
        most_bytes: Refuse what is larger, before it is fetched.

    Raises:
        ValueError: If it cannot be had, is too large, or is several tables.
        RuntimeError: If its download breaks midway.
    """
    from huggingface_hub import hf_hub_download

    kept = _cached(name)
    if kept is not None:
        return kept
    sizes = _listed(name)
    path = _only(name, list(sizes))
    if sizes[path] > most_bytes:
        raise ValueError(
            f"{name} has {sizes[path]:,} bytes of training rows, must be at most {most_bytes:,}: "
            "give a file with a part of them"
        )
    try:
        return Path(hf_hub_download(name, path, repo_type="dataset", revision=CONVERTED))
    except Exception as error:  # many types, one answer
        raise RuntimeError(
            f"the download of {name} broke off ({first_line(error)}): run it again"
        ) from error


def _cached(name: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(
            snapshot_download(name, repo_type="dataset", revision=CONVERTED, local_files_only=True)
        )
    except LocalEntryNotFoundError:
        return None
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")]
    return folder / _only(name, files) if any(map(_TRAIN.fullmatch, files)) else None


def _listed(name: str) -> dict[str, int]:
    """Ask the hub for a data set's Parquet files and their bytes."""
    from huggingface_hub import HfApi, RepoFile

    try:
        tree = HfApi().list_repo_tree(name, recursive=True, repo_type="dataset", revision=CONVERTED)
        return {entry.path: entry.size for entry in tree if isinstance(entry, RepoFile)}
    except Exception as error:  # offline, refused, no such data set: many types, one answer
        raise ValueError(
            f"there is no file {name}, and no data set of that name can be had from the Hugging "
            f"Face Hub now ({type(error).__name__}): give a file, or the word corpus"
        ) from error


def _only(name: str, files: Sequence[str]) -> str:
    """Choose the one file of training rows, of the configuration `default` where several are."""
    found = [(path, match[1]) for path in sorted(files) if (match := _TRAIN.fullmatch(path))]
    configurations = sorted({configuration for _, configuration in found})
    if len(configurations) > 1 and "default" in configurations:
        found = [pair for pair in found if pair[1] == "default"]
    elif len(configurations) != 1:
        raise ValueError(
            f"{name} has {len(configurations)} tables of training rows on the hub "
            f"({those_there(configurations)}), must have one: download one, and give its file"
        )
    if len(found) > 1:
        raise ValueError(
            f"{name} has its training rows in {len(found)} files: download one, and give it"
        )
    return found[0][0]
