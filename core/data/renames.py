"""Labels renamed, as typed: `FROM=TO` for every task that has it, or `TASK:FROM=TO`."""

from collections.abc import Mapping, Sequence

from core.errors import InputError, setting
from core.tables.cells import those_there
from core.tables.labels import label_text
from core.task import Label, labels_in, relabelled

Labels = Mapping[str, Sequence[Label]]
"""By task's name, each row's label, spans or None."""


def renamed(labels: Labels, typed: Sequence[str]) -> dict[str, list[Label]]:
    """Rename labels, all at once: what one renaming gives, another does not change.

    Args:
        labels: By task's name, each row's label, spans or None.
        typed: The renamings. A task or label may itself hold `:` or `=`: what is there decides.

    Raises:
        ValueError: If one is not of that form, renames what is not there, or two rename the same.
    """
    there = {task: labels_there(rows) for task, rows in labels.items()}
    changes: dict[str, dict[str, str]] = {task: {} for task in labels}
    for given in typed:
        tasks, before, after = _read(given, there)
        for task in tasks:
            if changes[task].setdefault(before, after) != after:
                raise InputError(
                    f"{setting('renames')} renames {before!r} twice, the second time as {given!r}"
                )
    return {
        task: [relabelled(label, changes[task]) for label in rows] for task, rows in labels.items()
    }


def labels_there(rows: Sequence[Label]) -> list[str]:
    """List the different labels, sorted; numbers by their size."""
    found = {label for row in rows for label in labels_in(row)}
    try:
        return sorted(found, key=lambda label: (float(label), label))
    except ValueError:
        return sorted(found)


def _read(given: str, there: Mapping[str, Sequence[str]]) -> tuple[list[str], str, str]:
    """Say which tasks a renaming is for, what it renames, and how."""
    places = [place for place, character in enumerate(given) if character == "="]
    if not places:
        raise InputError(field="renames", given=given, allowed="FROM=TO or TASK:FROM=TO")
    for place in places:
        before, after = label_text(given[:place]), label_text(given[place + 1 :])
        tasks = [task for task, labels in there.items() if before in labels]
        if before is None or not tasks:
            task, _, before = given[:place].partition(":")
            before = label_text(before)
            tasks = [task] if before in there.get(task, ()) else []
        if tasks and before is not None:
            if after is None:
                raise InputError(
                    f"{setting('renames')} {given!r} renames {before!r} to nothing: give a label"
                )
            return tasks, before, after
    known = "; ".join(f"{task} has {those_there(labels)}" for task, labels in there.items())
    raise InputError(f"{setting('renames')} {given!r} renames a label that is not there: {known}")
