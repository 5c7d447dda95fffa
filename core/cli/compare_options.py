"""What is asked of `compare`, and the files that it writes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.options import JSON, Machine, PooledEncoder
from core.config import AdviceChoice, ComparisonSettings, DataChoice
from core.errors import InputError
from core.option import Option
from core.system.files import check_target, replaced_whole

if TYPE_CHECKING:
    from core.comparison.store import FinishedRun
    from core.data.dataset import Dataset


def names_of(typed: str) -> tuple[str, ...]:
    """Read names with commas between them.

    Raises:
        InputError: If one is empty.
    """
    names = tuple(name.strip() for name in typed.split(","))
    if not all(names):
        raise InputError(
            field="strategies", given=typed[:80], allowed="names with commas between them"
        )
    return names


@dataclass(frozen=True, kw_only=True)
class ComparisonFiles:
    """The files that a comparison is asked for, as typed; None where it is not.

    Attributes:
        out: The report as JSON.
        html: The report as a page.
        code: The folder of scripts.
        predictions: What every run predicted.
        train_best: The folder of the advised strategy's model.
    """

    out: str | None = Option("--out", "F.json", "Write the report as JSON too.").field(None)
    html: str | None = Option(
        "--html", "F.html", "Write the report as one page that needs nothing else."
    ).field(None)
    code: str | None = Option(
        "--code",
        "DIR",
        "Write the advised strategy as scripts of plain transformers and of plain "
        "sentence-transformers, which need no Thaw.",
    ).field(None)
    predictions: str | None = Option(
        "--predictions",
        "F",
        "Write what every run predicted for its held-out rows: .csv or .jsonl.",
    ).field(None)
    train_best: str | None = Option(
        "--train-best",
        "DIR",
        "Train the advised strategy on all rows, and write that model's folder.",
    ).field(None)


@dataclass(frozen=True, kw_only=True)
class ComparisonRequest:
    """What is asked of `compare`.

    Attributes:
        data: The rows.
        strategies: What is compared; None is what is compared unless a person says otherwise.
        settings: How often, and what may be spent.
        advice: What is wanted of a strategy.
        files: What is written.
        runs: The folder of runs, as typed; None keeps none.
        resume: Whether the comparison there goes on.
        overwrite: Whether what is there is replaced.
        encoder: Which encoder.
        machine: On what.
        as_json: Whether the report is printed as JSON.
    """

    data: DataChoice
    strategies: tuple[str, ...] | None = Option(
        "--strategies",
        "A,B,C",
        "What is compared, as train --strategy names it; else heads, heads@auto, a third of "
        "the layers frozen read at the last and at the best, two thirds frozen, and full.",
        after="--data",
        read=names_of,
    ).field(None)
    settings: ComparisonSettings
    advice: AdviceChoice
    files: ComparisonFiles
    runs: str | None = Option(
        "--runs", "DIR", "Keep every finished run there at once, to go on with or to open."
    ).field(None)
    resume: bool = Option(
        "--resume",
        help="Go on with the comparison in --runs; more seeds and strategies may be asked for.",
    ).field(False)
    overwrite: bool = Option(
        "--overwrite", help="Replace what --runs and --train-best hold."
    ).field(False)
    encoder: PooledEncoder
    machine: Machine
    as_json: bool = JSON.field(False)


class ComparisonOutputs:
    """Writes the files that a comparison is asked for.

    Args:
        asked: Which: the report as `.json` and as `.html` or `.htm`, predictions, scripts.

    Raises:
        ValueError: If one cannot be written, or its suffix is of no format.
    """

    def __init__(self, asked: ComparisonFiles) -> None:
        from core.comparison.files import PREDICTIONS_SUFFIXES

        self.out = _checked(asked.out, "out", (".json",))
        self.html = _checked(asked.html, "html", (".html", ".htm"))
        self.predictions = _checked(asked.predictions, "predictions", PREDICTIONS_SUFFIXES)
        self.code = None if asked.code is None else Path(asked.code).expanduser().resolve()
        if self.code is not None and self.code.exists() and not self.code.is_dir():
            raise ValueError(f"--code {asked.code} is a file, must be a folder for the scripts")
        self.scripts: list[Path] = []

    @property
    def names(self) -> list[str]:
        """All files, once they are written."""
        files = (self.out, self.html, self.predictions, *self.scripts)
        return [str(each) for each in files if each is not None]

    def write(
        self, document: Mapping[str, Any], dataset: "Dataset", runs: Sequence["FinishedRun"]
    ) -> None:
        """Write what was asked for.

        Args:
            document: The report.
            dataset: The rows it is about.
            runs: All runs that it is of; where there is none, there is nothing to write as code.
        """
        from core.comparison.files import write_predictions

        self.write_report(document)
        if self.code is not None and runs:
            from core.export.code import write_scripts

            self.scripts = write_scripts(document, self.code)
        if self.predictions is not None:
            write_predictions(self.predictions, dataset, runs)

    def write_report(self, document: Mapping[str, Any]) -> list[Path]:
        """Write the report alone, as JSON and as a page where they were asked for.

        Args:
            document: The report, or one of what has finished so far.

        Returns:
            What was written.
        """
        if self.out is not None:
            text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)
            with replaced_whole(self.out) as file:
                file.write(f"{text}\n".encode())
        if self.html is not None:
            from core.report.comparison import comparison_report
            from core.report.page import report_html

            text = report_html(comparison_report(document))
            with replaced_whole(self.html) as file:
                file.write(text.encode(errors="replace"))
        return [each for each in (self.out, self.html) if each is not None]


def _checked(name: str | None, field: str, suffixes: tuple[str, ...]) -> Path | None:
    return None if name is None else check_target(Path(name), suffixes=suffixes, field=field)
