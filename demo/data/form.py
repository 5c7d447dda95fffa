"""From what a visitor sets in the form of columns to a choice of data, and its words."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from core.config import DataChoice

if TYPE_CHECKING:
    from core.task import Task

MOST_FIELD_CHARACTERS = 1_000
Form = Mapping[str, Any]


def choice_from(form: Form, before: DataChoice) -> DataChoice:
    """Read the form: which column is what, and what the tasks are called.

    Args:
        form: `{text, labels: [{column, task}], group, split}` as the browser sent it; an empty
            group is guessed, an empty split is none.
        before: The choice that it changes; renamings of tasks that are still there stay.

    Raises:
        ValueError: If a field is no text, or no column is chosen for the labels.
    """
    labels = form.get("labels")
    if not isinstance(labels, list) or not labels:
        raise ValueError("no column is chosen for labels: tick one at least")
    pairs = [(_text(each, "task"), _text(each, "column")) for each in labels]
    unnamed = next((column for task, column in pairs if not task.strip()), None)
    if unnamed is not None:
        raise ValueError(f"the task of column {unnamed!r} has no name: write one")
    odd = next((task for task, _ in pairs if "=" in task), None)
    if odd is not None:
        raise ValueError(f"task name is {odd!r}, must be without “=”: write another")
    tasks = tuple(f"{task.strip()}:" for task, _ in pairs)
    return replace(
        before,
        text_column=_text(form, "text") or None,
        label_columns=tuple(f"{task.strip()}={column}" for task, column in pairs),
        group_column=_text(form, "group") or None,
        split_column=_text(form, "split") or None,
        renames=tuple(each for each in before.renames if each.startswith(tasks)),
    )


def with_rename(form: Form, before: DataChoice, original: Sequence["Task"]) -> DataChoice:
    """Rename a label as it is shown, which earlier renamings may have made of several.

    Args:
        form: `{task, before, after}` as the browser sent it.
        before: The choice that it changes.
        original: The tasks without any renaming.

    Raises:
        ValueError: If a field is no text, or there is no such task or label.
    """
    name, shown, after = (_text(form, key) for key in ("task", "before", "after"))
    task = next((each for each in original if each.name == name), None)
    if task is None:
        raise ValueError(f"there is no task {name!r}")
    if not after.strip():
        raise ValueError(f"{shown!r} has no new name: write one")
    now = dict(renames_of(before, original).get(name, ()))
    found = [label for label in task.labels if now.get(label, label) == shown]
    if not found:
        raise ValueError(f"{name} has no label {shown!r}")
    now.update(dict.fromkeys(found, after.strip()))
    kept = tuple(each for each in before.renames if not each.startswith(f"{name}:"))
    made = tuple(f"{name}:{old}={new}" for old, new in now.items() if old != new)
    return replace(before, renames=kept + made)


def without_rename(form: Form, before: DataChoice) -> DataChoice:
    """Take a renaming back, by its number.

    Raises:
        ValueError: If there is none of that number.
    """
    number = form.get("undo")
    if not isinstance(number, int) or not 0 <= number < len(before.renames):
        raise ValueError("there is no such renaming to take back")
    kept = before.renames[:number] + before.renames[number + 1 :]
    return replace(before, renames=kept)


def renames_of(choice: DataChoice, original: Sequence["Task"]) -> dict[str, list[tuple[str, str]]]:
    """Take the renamings that the page wrote apart: by task, each old label and its new one."""
    found: dict[str, list[tuple[str, str]]] = {}
    for task in original:
        written = [each[len(task.name) + 1 :] for each in choice.renames
                   if each.startswith(f"{task.name}:")]  # fmt: skip
        for each in written:
            fits = [label for label in task.labels if each.startswith(f"{label}=")]
            if fits:
                old = max(fits, key=len)
                found.setdefault(task.name, []).append((old, each[len(old) + 1 :]))
    return found


def _text(form: Any, key: str) -> str:  # noqa: ANN401 (whatever a browser sent)
    given = form.get(key, "") if isinstance(form, Mapping) else None
    if not isinstance(given, str):
        raise ValueError(f"{key} is {str(given)[:40]!r}, must be text")
    if len(given) > MOST_FIELD_CHARACTERS:
        raise ValueError(
            f"{key} has {len(given):,} characters, must be at most {MOST_FIELD_CHARACTERS:,}"
        )
    return given
