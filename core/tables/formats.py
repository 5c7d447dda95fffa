"""The file formats that hold sentences or labelled rows: how a file's name says which it is."""

from collections.abc import Mapping
from pathlib import Path

KINDS = {  # how a file's name ends → how it is read
    "": "txt",
    ".txt": "txt",
    ".text": "txt",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


_ALLOWED = ".txt (one sentence a line), .csv, .tsv, .jsonl or .parquet"


def kind_of(path: Path, kinds: Mapping[str, str], allowed: str) -> str:
    """Judge by a file's name how to read it; refuse what is not there or is no file.

    Args:
        path: The file.
        kinds: How a name ends, and the kind that is.
        allowed: Those endings in words, for the message.

    Raises:
        ValueError: If it is a folder, is not there, is empty or ends otherwise.
        OSError: If the system cannot tell.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder, must be a file of sentences")
    if not path.exists():
        raise ValueError(f"there is no file {path}")
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"{path} ends in {path.suffix}, must be {allowed}")
    if path.is_file() and path.stat().st_size == 0:
        raise ValueError(f"{path} is empty")
    return kind
