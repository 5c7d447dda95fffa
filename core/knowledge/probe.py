"""The probe: fixed sentence pairs with grades, and plain sentences, which measure forgetting."""

import math
from dataclasses import dataclass
from pathlib import Path

from core.config import ASSETS

FOLDER = ASSETS / "probe"
COLUMNS = ["grade", "a", "b", "note"]


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Sentences that have nothing to do with what a person trains on.

    Attributes:
        pairs: Two sentences each.
        grades: How alike each pair is in meaning, 0 to 5.
        sentences: Others, without labels.

    Raises:
        ValueError: If the grades do not match the pairs, or there are too few of either.
    """

    pairs: tuple[tuple[str, str], ...]
    grades: tuple[float, ...]
    sentences: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.pairs) != len(self.grades) or len(set(self.grades)) < 2:
            raise ValueError(
                f"the probe has {len(self.grades)} grades for {len(self.pairs)} pairs, must have "
                "one each, and two different ones at least"
            )
        if len(self.sentences) < 3:
            raise ValueError(f"the probe has {len(self.sentences)} sentences, must have 3 or more")


def load_probe(folder: Path = FOLDER) -> Probe:
    """Read the probe's two files.

    Raises:
        ValueError: If a line is not what it must be, with its number.
    """
    lines = (folder / "pairs.tsv").read_text(encoding="utf-8").splitlines()
    pairs, grades = [], []
    for number, line in enumerate(lines, 1):
        cells = line.split("\t")
        if number == 1 and cells == COLUMNS:
            continue
        grade = _grade(cells[0]) if len(cells) == len(COLUMNS) and number > 1 else None
        if grade is None:
            raise ValueError(f"pairs.tsv: line {number} must be {', '.join(COLUMNS)} with tabs")
        grades.append(grade)
        pairs.append((cells[1], cells[2]))
    sentences = (folder / "sentences.txt").read_text(encoding="utf-8").splitlines()
    return Probe(pairs=tuple(pairs), grades=tuple(grades), sentences=tuple(sentences))


def _grade(cell: str) -> float | None:
    try:
        grade = float(cell)
    except ValueError:
        return None
    return grade if math.isfinite(grade) and 0 <= grade <= 5 else None
