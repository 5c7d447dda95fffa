"""How the page and a script call what core says: settings by the page's fields, or by their own."""

from pathlib import Path

from core.errors import worded

_FIELDS = {
    "text_column": "Text",
    "label_columns": "Labels",
    "group_column": "Kept together",
    "split_column": "Splits",
    "renames": "Rename labels",
    "tasks": "Tasks",
    "rows": "Rows",
    "column": "Column",
    "encoder_rate": "Layers' learning rate",
    "head_rate": "Heads' learning rate",
    "balance": "Balance of the tasks",
    "metric": "Measure",
    "dimensions": "Axes",
    "budget_seconds": "Time limit",
}
"""By the setting, the page's field that is not called as it is."""


def field_of(setting: str) -> str:
    """Name the page's field that holds a setting."""
    label = _FIELDS.get(setting, setting.replace("_", " ").capitalize())
    return f"“{label}”"


def as_page_says(message: str, source: str = "") -> str:
    """Write a sentence as the page says it: its own fields, and of a file its name alone."""
    return _named(worded(message, field_of), source)


def as_script_says(message: str, source: str = "") -> str:
    """Write a sentence as who calls an endpoint reads it: settings are its parameters."""
    return _named(worded(message, str), source)


def as_sentence(said: str | Exception, source: str = "") -> str:
    """Write what core says or refuses as the page's: a capital first, a full stop last."""
    text = as_page_says(str(said), source)[:600]
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _named(message: str, source: str) -> str:
    return message.replace(source, f"“{Path(source).name}”") if source else message
