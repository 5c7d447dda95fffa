"""Predictions as files: CSV for people and spreadsheets, JSONL for programs."""

import contextlib
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from core.system.files import replaced_whole, spreadsheet_safe
from core.task import Task

PREDICTION_SUFFIXES = (".csv", ".jsonl")

Row = Mapping[str, Any]
"""A row of `core.model.documents.predict_document`."""


@contextlib.contextmanager
def predictions_file(path: Path, tasks: Sequence[Task]) -> Iterator["PredictionWriter"]:
    """Open a file of predictions; it is there, whole, when the block ends, and else not at all.

    Args:
        path: Its suffix, one of `PREDICTION_SUFFIXES`, says the format. Check it first, with
            `core.system.files.check_target`.
        tasks: What the model predicts, in its order.
    """
    with replaced_whole(path) as file:
        yield PredictionWriter(file, path.suffix.lower(), tasks)


def predictions_text(rows: Iterable[Row], suffix: str, tasks: Sequence[Task]) -> str:
    """Write rows as the text of a file, for a download. For the arguments see the writer."""
    file = io.BytesIO()
    PredictionWriter(file, suffix, tasks).write(rows)
    return file.getvalue().decode()


class PredictionWriter:
    """Writes rows of `predict_document` as they come.

    CSV has the columns `text`; of a sentence task `TASK`, `TASK_confidence` and `TASK_unsure`;
    of a token task `TASK`, its entities as JSON. A cell that a spreadsheet would run as a formula
    gets an apostrophe before it. JSONL has the row itself, a line each.

    Args:
        file: Takes UTF-8.
        suffix: One of `PREDICTION_SUFFIXES`.
        tasks: What the rows hold, in the order of the columns.

    Raises:
        ValueError: If the suffix is none of those.
    """

    def __init__(self, file: BinaryIO, suffix: str, tasks: Sequence[Task]) -> None:
        if suffix not in PREDICTION_SUFFIXES:
            allowed = " or ".join(PREDICTION_SUFFIXES)
            raise ValueError(f"predictions are to end in {suffix!r}, must be {allowed}")
        self._file = file
        self._tasks = tuple(tasks)
        self._line = self._json_line if suffix == ".jsonl" else self._csv_line
        if suffix == ".csv":
            names = [name for task in self._tasks for name in column_names(task)]
            file.write(_csv_text(["text", *names]))

    def write(self, rows: Iterable[Row]) -> None:
        """Add rows."""
        for row in rows:
            self._file.write(self._line(row))

    def _json_line(self, row: Row) -> bytes:
        return f"{json.dumps(row, ensure_ascii=False, allow_nan=False)}\n".encode()

    def _csv_line(self, row: Row) -> bytes:
        cells = [row["text"]]
        for task in self._tasks:
            said = row[task.name]
            if task.of_kind.one_label:
                unsure = json.dumps(said["unsure"])
                cells += [said["label"], f"{said['confidence']:.6f}", unsure]
            else:
                cells.append(json.dumps(said, ensure_ascii=False, allow_nan=False))
        return _csv_text(cells)


def column_names(task: Task) -> list[str]:
    """Name the CSV columns of a task."""
    if not task.of_kind.one_label:
        return [task.name]
    return [task.name, f"{task.name}_confidence", f"{task.name}_unsure"]


def _csv_text(cells: Sequence[str]) -> bytes:
    line = io.StringIO()
    # Of a text's own line ends Python's csv quotes only those that end its rows.
    csv.writer(line, lineterminator="\r\n").writerow(map(spreadsheet_safe, cells))
    return line.getvalue().encode()
