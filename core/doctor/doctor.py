"""The doctor: looks labelled data over before anything is trained on it, and says what it finds."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from core.config import DataChoice
from core.data.dataset import Dataset, dataset_of, labelled_table
from core.doctor import label_checks, repeat_checks, text_checks
from core.doctor.findings import SEVERITIES, Finding, Patient, Reader
from core.errors import Said, setting

CHECKS: tuple[Callable[[Patient], Iterator[Finding]], ...] = (
    repeat_checks.leaks,
    label_checks.small_classes,
    label_checks.missing_classes,
    repeat_checks.conflicts,
    repeat_checks.duplicates,
    label_checks.twin_labels,
    label_checks.cut_spans,
    text_checks.empty_texts,
    text_checks.too_long_texts,
    text_checks.odd_encodings,
    text_checks.markup,
    text_checks.other_languages,
    label_checks.few_rows,
    repeat_checks.near_duplicates,
    label_checks.imbalance,
    label_checks.unlabelled,
    text_checks.short_texts,
)
"""Everything that is looked for; within a severity, findings come in this order."""


SPLIT_COLUMNS = ("split", "subset", "partition", "set")
"""Names by which a column of splits is looked for, the likeliest first."""


def read_for_examination(choice: DataChoice) -> Dataset:
    """Read data as a training would, and its splits too, where a column's name gives them away.

    A training takes splits only from a column that a person names. To look for leaks a guess is
    enough: it changes nothing but what is found.

    Raises:
        ValueError: As `read_dataset` does; a guess that is none is dropped.
    """
    table = labelled_table(choice)
    dataset = dataset_of(table, choice)
    lowered = {name.lower(): name for name in reversed(dataset.columns)}
    guess = next((lowered[name] for name in SPLIT_COLUMNS if name in lowered), None)
    if choice.split_column is not None or guess is None:
        return dataset
    looked = replace(choice, split_column=guess)
    try:  # a column that nothing named is not held where all others were
        split = dataset_of(table if guess in table.columns else labelled_table(looked), looked)
    except ValueError:  # it holds something else than splits
        return dataset
    other = f"{setting('split_column')} names another"
    note = Said(f"splits are looked at in column {guess!r} (guessed; {other})")
    return replace(dataset, splits=split.splits, notes=(*dataset.notes, note))


def examine(dataset: Dataset, reader: Reader | None = None) -> list[Finding]:
    """Look data over.

    Args:
        dataset: The data, rows without text included.
        reader: The encoder that is to read it; None leaves out what depends on it.

    Returns:
        The findings, the gravest first; none for data that is well.
    """
    patient = Patient(dataset=dataset, reader=reader or Reader(languages="any"))
    found = [finding for check in CHECKS for finding in check(patient)]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def cleaned(dataset: Dataset) -> list[int]:
    """List the indices of the rows to keep: those with text, and of exact repeats the first."""
    patient = Patient(dataset=dataset, reader=Reader())
    again = {index for group in repeat_checks.exact_repeats(patient) for index in group[1:]}
    return [index for index in patient.texts if index not in again]


def check_document(dataset: Dataset, reader: Reader | None = None) -> dict[str, Any]:
    """Describe data and what the doctor finds in it.

    Args:
        dataset: The data, rows without text included.
        reader: The encoder that is to read it, or None.

    Returns:
        `{data, rows, unit, columns, text_column, tasks: {TASK: {kind, column, rows, labels:
        {LABEL: rows}}}, splits: {SPLIT: rows} or null, encoder, fingerprint, findings: [{kind,
        severity, message, rows, groups, task}]}`. Rows of a task are those with a text that are
        labelled for it; of a token task's label those with a span of it.
    """
    patient = Patient(dataset=dataset, reader=reader or Reader())
    splits = Counter(split for split in dataset.splits if split)
    return {
        "data": dataset.name,
        "rows": len(dataset.examples),
        "unit": dataset.unit,
        "columns": list(dataset.columns),
        "text_column": dataset.text_column,
        "tasks": {
            task.name: {
                "kind": task.kind,
                "column": dataset.label_columns.get(task.name),
                "rows": sum(
                    dataset.examples[index].labels.get(task.name) is not None
                    for index in patient.texts
                ),
                "labels": {label: len(rows) for label, rows in patient.with_label(task).items()},
            }
            for task in dataset.tasks
        },
        "splits": dict(splits) or None,
        "encoder": reader.name if reader else None,
        "fingerprint": dataset.fingerprint,
        "findings": [finding.document for finding in examine(dataset, reader)],
    }
