"""What the Data tab lets be downloaded: a cleaned copy of a file, and what the doctor found."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from demo.frame.files import as_csv, as_json
from demo.frame.widgets import MEDIA
from demo.shelves.working_data import DataShelf, WorkingData

COPY_KINDS = ("csv", "jsonl")
FINDING_KINDS = ("csv", "json")


def cleaned_copy(shelf: DataShelf, data: WorkingData, kind: str) -> dict[str, str]:
    """Write a file again without empty and exactly repeated rows: `{name, kind, text}`.

    Cells that a spreadsheet would run as a formula get an apostrophe before them in CSV.

    Raises:
        ValueError: If it is the corpus, the kind is none of `COPY_KINDS`, or nothing is left.
    """
    from core.doctor.doctor import cleaned
    from core.tables.cleaned import write_copy

    _check_kind(kind, COPY_KINDS)
    folder, dataset = shelf.folder_of(data), shelf.get(data)
    kept = [dataset.places[index] for index in cleaned(dataset)]
    if not kept:
        raise ValueError(f"{data.name} has no text in any row: there is nothing to write")
    target = folder / f"{secrets.token_hex(8)}.{kind}"
    try:
        write_copy(data.choice.source, kept, target, for_spreadsheets=True)
        text = target.read_text(encoding="utf-8")
    finally:
        target.unlink(missing_ok=True)
    mark = "\ufeff" if kind == "csv" else ""  # makes Excel read it as UTF-8
    name = f"{Path(data.name).stem}-cleaned.{kind}"
    return {"name": name, "kind": MEDIA[kind], "text": mark + text}


def findings_as(document: dict[str, Any], kind: str) -> dict[str, str]:
    """Write what the doctor found: as CSV a line a finding, as JSON the command line's document.

    Raises:
        ValueError: If the kind is none of `FINDING_KINDS`.
    """
    _check_kind(kind, FINDING_KINDS)
    if kind == "json":
        text = as_json(document)
    else:
        found = document["findings"]
        rows = (
            (f["severity"], f["kind"], f["task"] or "", f["message"], " ".join(map(str, f["rows"])))
            for f in found
        )
        text = as_csv(("severity", "kind", "task", "message", f"{document['unit']}s"), rows)
    return {"name": f"findings.{kind}", "kind": MEDIA[kind], "text": text}


def _check_kind(kind: str, allowed: Sequence[str]) -> None:
    if kind not in allowed:
        raise ValueError(f"the kind is {kind[:20]!r}, must be one of: {', '.join(allowed)}")
