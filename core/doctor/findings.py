"""What the doctor says of data, and what it knows when it says it."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from core.data.dataset import Dataset
from core.data.near_duplicates import near_duplicate_groups
from core.encoder.catalogue import CATALOGUE, find_spec
from core.encoder.folder import read_folder
from core.encoder.hub import BUILT_IN, built_in_folder, cached_folder
from core.encoder.tokenizer import Tokenizer, load_tokenizer
from core.task import Task, labels_in

SEVERITIES = ("error", "warning", "note")
"""The worst first: a result cannot be had or would be wrong; would be worse; is good to know."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing about the data that a person should know before training.

    Attributes:
        kind: What it is, one word for scripts: `duplicate`, `conflict`, `leakage` and so on.
        severity: One of `SEVERITIES`.
        message: What it is, what it will do to the result, and what to do.
        rows: The rows it is about, as places in the file, ascending.
        groups: Those rows again, put together as they belong together; empty where they do not.
        task: The task it is about; empty where it is about all.
    """

    kind: str
    severity: str
    message: str
    rows: tuple[int, ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()
    task: str = ""

    @property
    def document(self) -> dict[str, Any]:
        """The finding as JSON holds it."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "message": self.message,
            "rows": list(self.rows),
            "groups": [list(group) for group in self.groups],
            "task": self.task or None,
        }


@dataclass(frozen=True, kw_only=True)
class Reader:
    """What the doctor knows of the encoder that will read the data.

    Attributes:
        name: What people call it.
        languages: What it was trained on, as the catalogue says it; empty where nobody knows.
        max_tokens: What it reads of a text, special tokens included; None where nobody knows.
        tokenizer: Counts its tokens; None where its files are not on this machine.
    """

    name: str = "the encoder"
    languages: str = ""
    max_tokens: int | None = None
    tokenizer: Tokenizer | None = None


def find_reader(name: str) -> Reader:
    """Look up an encoder without loading or downloading it.

    Args:
        name: A short name of the catalogue, a folder, or a hub name that is in the hub's cache.

    Raises:
        ValueError: If nothing has that name here.
    """
    spec, folder = find_spec(name), Path(name).expanduser()
    if spec is not None and spec.name == BUILT_IN:
        found: Path | None = built_in_folder()
    elif spec is not None:
        found = cached_folder(spec.hub_id)
    else:
        found = folder if folder.is_dir() else _in_cache(name)
    if found is None and spec is not None:
        return Reader(name=spec.name, languages=spec.languages, max_tokens=spec.max_tokens)
    if found is None:
        known = ", ".join(each.name for each in CATALOGUE)
        raise ValueError(
            f"there is no encoder {name!r} on this machine, and nothing is downloaded to look at "
            f"data: give one of {known}, or a model folder"
        )
    described = read_folder(found)
    limits = (described.max_tokens, spec.max_tokens if spec else None)
    tokenizer = load_tokenizer(
        described.transformer,
        min((limit for limit in limits if limit), default=None),
        lower_case=described.lower_case,
    )
    return Reader(
        name=spec.name if spec else name,
        languages=spec.languages if spec else "",
        max_tokens=tokenizer.max_tokens,
        tokenizer=tokenizer,
    )


def _in_cache(name: str) -> Path | None:
    from huggingface_hub.errors import HFValidationError

    try:
        return cached_folder(name)
    except HFValidationError:  # a misspelt short name is no hub name either
        return None


@dataclass(frozen=True, kw_only=True)
class Patient:
    """Data under examination: what more than one check needs is worked out once.

    Attributes:
        dataset: The data, rows without text included.
        reader: The encoder that is to read it.
    """

    dataset: Dataset
    reader: Reader

    @cached_property
    def texts(self) -> dict[int, str]:
        """The texts there are, by the example's index."""
        return {
            index: example.text
            for index, example in enumerate(self.dataset.examples)
            if example.text.strip()
        }

    @cached_property
    def _alike_numbers(self) -> list[int]:
        return near_duplicate_groups(list(self.texts.values()), [""] * len(self.texts))

    @cached_property
    def alike(self) -> list[list[int]]:
        """Indices of texts that are the same or nearly so, put together; two or more each."""
        return gathered(zip(self._alike_numbers, self.texts, strict=True))

    @cached_property
    def group_of(self) -> dict[int, int]:
        """The group that each example with a text keeps to in any split, by index."""
        groups = [self.dataset.examples[index].group for index in self.texts]
        numbers = self._alike_numbers
        if any(groups):
            numbers = near_duplicate_groups(list(self.texts.values()), groups)
        return dict(zip(self.texts, numbers, strict=True))

    def with_label(self, task: Task) -> dict[str, list[int]]:
        """List, for each label of a task, the indices of examples with a text that have it.

        For a token task those with at least one span of that label.
        """
        found: dict[str, list[int]] = {label: [] for label in task.labels}
        for index in self.texts:
            for label in set(labels_in(self.dataset.examples[index].labels.get(task.name))):
                found[label].append(index)
        return found

    def places(self, indices: Iterable[int]) -> tuple[int, ...]:
        """Say where examples stand in their file, ascending."""
        return tuple(sorted({self.dataset.places[index] for index in indices}))

    def placed(self, groups: Iterable[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
        """Say where groups of examples stand in their file, the first first."""
        return tuple(sorted(self.places(group) for group in groups))

    def many(self, count: int) -> str:
        """Count rows in words: `1 row`, `3,000 lines`."""
        return counted(count, self.dataset.unit)


def gathered(pairs: Iterable[tuple[Hashable, int]]) -> list[list[int]]:
    """Put indices of one key together, in the order they come; those alone are left out."""
    found: defaultdict[Hashable, list[int]] = defaultdict(list)
    for key, index in pairs:
        found[key].append(index)
    return [indices for indices in found.values() if len(indices) > 1]


def counted(count: int, what: str) -> str:
    """Count things in words: `1 row`, `3,000 rows`, `2 classes`."""
    plural = f"{what}es" if what.endswith("s") else f"{what}s"
    return f"{count:,} {what if count == 1 else plural}"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Name a few things in words, each in quotes: `'a', 'b' and 3 more`."""
    shown = ", ".join(repr(name[:40]) for name in names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown
