"""Files that a comparison gives away: what every run predicted for its held-out rows."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from core.comparison.store import FinishedRun
from core.data.dataset import Dataset
from core.system.files import replaced_whole, spreadsheet_safe
from core.task import Label

PREDICTIONS_SUFFIXES = (".csv", ".jsonl")


def write_predictions(path: Path, dataset: Dataset, runs: Sequence[FinishedRun]) -> None:
    """Write what runs predicted for the rows they were tested on, a line for each run and row.

    Args:
        path: Its suffix, one of `PREDICTIONS_SUFFIXES`, says the format.
        dataset: The rows.
        runs: Of one comparison.
    """
    with replaced_whole(path) as file:
        rows = held_out_rows(dataset, runs)
        if path.suffix.lower() == ".jsonl":
            for row in rows:
                text = json.dumps(row, ensure_ascii=False, allow_nan=False)
                file.write(f"{text}\n".encode())
            return
        tasks = [task.name for task in dataset.tasks]
        heads = [f"{task}{end}" for task in tasks for end in ("", "_predicted", "_wrong")]
        file.write(_line(["strategy", "seed", "fold", dataset.unit, "text", *heads]))
        for row in rows:
            fold = "" if row["fold"] is None else str(row["fold"])
            cells = [row["strategy"], str(row["seed"]), fold, str(row[dataset.unit]), row["text"]]
            for task in tasks:
                said = row["tasks"].get(task)
                if said is None:
                    cells += ["", "", ""]
                else:
                    cells += [_cell(said["actual"]), _cell(said["predicted"])]
                    cells.append(json.dumps(said["wrong"]))
            file.write(_line(cells))


def held_out_rows(dataset: Dataset, runs: Sequence[FinishedRun]) -> Iterator[dict[str, Any]]:
    """Give each run's predictions row by row: `{strategy, seed, fold, …, text, tasks}`."""
    for run in runs:
        held = run.held_out
        for place, row in enumerate(held.rows):
            tasks = {}
            for name, each in held.tasks.items():
                if each.actual[place] is not None:
                    tasks[name] = {
                        "actual": _plain(each.actual[place]),
                        "predicted": _plain(each.predicted[place]),
                        "wrong": each.wrong[place],
                    }
            yield {
                "strategy": held.strategy,
                "seed": held.seed,
                "fold": held.fold,
                "repetition": held.repetition,
                dataset.unit: dataset.places[row],
                "text": dataset.examples[row].text,
                "tasks": tasks,
            }


def _plain(label: Label) -> Any:  # noqa: ANN401 (any JSON)
    return [span._asdict() for span in label] if isinstance(label, tuple) else label


def _cell(label: Any) -> str:  # noqa: ANN401 (any JSON)
    return label if isinstance(label, str) else json.dumps(label, ensure_ascii=False)


def _line(cells: Sequence[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(map(spreadsheet_safe, cells))
    return line.getvalue().encode()
