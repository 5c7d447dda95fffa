"""The files that `compare` is asked for: refused before anything is computed, written at its end.

What is heavy is imported where it is first needed, so that a bad name is answered before torch is
there.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.system.files import check_target, replaced_whole

if TYPE_CHECKING:
    from core.comparison.store import FinishedRun
    from core.data.dataset import Dataset


class ComparisonOutputs:
    """The files that a comparison is asked for, each None where it is not.

    Args:
        out: Where the report goes, as typed: `.json`.
        html: Where its page goes: `.html` or `.htm`.
        predictions: Where the held-out predictions go.
        code: The folder where scripts go.

    Raises:
        ValueError: If one cannot be written, or its suffix is of no format.
    """

    def __init__(
        self, out: str | None, html: str | None, predictions: str | None, code: str | None
    ) -> None:
        from core.comparison.files import PREDICTIONS_SUFFIXES

        self.out = _checked(out, "--out", (".json",))
        self.html = _checked(html, "--html", (".html", ".htm"))
        self.predictions = _checked(predictions, "--predictions", PREDICTIONS_SUFFIXES)
        self.code = None if code is None else Path(code).expanduser().resolve()
        if self.code is not None and self.code.exists() and not self.code.is_dir():
            raise ValueError(f"--code {code} is a file, must be a folder for the scripts")
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
            from core.report.comparison_page import comparison_html

            with replaced_whole(self.html) as file:
                file.write(comparison_html(document).encode(errors="replace"))
        return [each for each in (self.out, self.html) if each is not None]


def _checked(name: str | None, option: str, suffixes: tuple[str, ...]) -> Path | None:
    return None if name is None else check_target(Path(name), suffixes=suffixes, option=option)
