"""Which column of a table holds the sentences: the one that was named, or the likeliest."""

from collections.abc import Sequence

from core.errors import InputError, Said, setting

MAX_COLUMNS = 10_000

COLUMN_NAMES = (
    *("text", "sentence", "sentences", "content", "body", "review", "comment", "message"),
    *("question", "query", "headline", "title", "description", "document", "utterance", "tweet"),
)
"""Names by which a column of sentences is guessed, the likeliest first."""


def first_line(error: BaseException) -> str:
    """Say what went wrong in one short line, whatever a library wrote."""
    return (str(error).splitlines() or [type(error).__name__])[0][:150]


def choose_column(name: str, columns: Sequence[str], asked: str | None, notes: list[str]) -> int:
    """Find the column of sentences by the name asked for, or guess it.

    Args:
        name: What the file is called in messages.
        columns: The names it has, in order.
        asked: The one wanted, or None to guess: by `COLUMN_NAMES`, or the only one there is.
        notes: A guess is added here, in words.

    Returns:
        Its place in `columns`.

    Raises:
        ValueError: If it is not there, is there twice, or none can be guessed; the sentence
            names those there are.
    """
    check_columns(name, columns)
    there = those_there(columns)
    if asked is None:
        lowered = [each.strip().lower() for each in columns]
        known = next((each for each in COLUMN_NAMES if each in lowered), None)
        if known is None and len(columns) != 1:
            raise InputError(
                f"{name}: no column is called {', '.join(COLUMN_NAMES[:3])} or the like; name "
                f"one with {setting('column')}: it has {there}"
            )
        place = lowered.index(known) if known else 0
        other = f"guessed; {setting('column')} names another"
        how = other if len(columns) > 1 else "the only one"
        notes.append(Said(f"{name}: reading column {columns[place][:40]!r} ({how})"))
        return place
    matches = [place for place, each in enumerate(columns) if each == asked]
    if len(matches) != 1:
        often = f"{len(matches)} columns" if matches else "no column"
        raise ValueError(f"{name} has {often} {asked!r}; it has {there}")
    return matches[0]


def check_columns(name: str, columns: Sequence[str]) -> None:
    """Refuse more columns than a table of sentences can have.

    Raises:
        ValueError: Saying how many there are and how many may be.
    """
    if len(columns) > MAX_COLUMNS:
        raise ValueError(f"{name} has {len(columns):,} columns, must be at most {MAX_COLUMNS:,}")


def those_there(names: Sequence[str]) -> str:
    """List names for a message: the first of them, and how many more there are."""
    more = f" and {len(names) - 12:,} more" if len(names) > 12 else ""
    return (", ".join(repr(each[:40]) for each in names[:12]) or "none") + more
