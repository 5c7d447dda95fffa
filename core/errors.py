"""Sentences that name settings, and errors told by them: each edge calls a setting its own way."""

import re
from collections.abc import Callable, Mapping
from typing import Any

_OPEN, _CLOSE = "\ufdd0", "\ufdd1"  # no characters at all, kept by Unicode for a program's own use
_MARKED = re.compile(f"{_OPEN}([a-z_]+){_CLOSE}")


def setting(name: str) -> str:
    """Mark a setting in what is then made a `Said` or an `InputError`.

    Args:
        name: Of a dataclass' field, or of a parameter.
    """
    return f"{_OPEN}{name}{_CLOSE}"


class Said(str):
    """A sentence that names settings: by their own names, until an edge words it.

    As text it is what a caller in Python would say: `epochs is 0, must be at least 1`. The terminal
    says `--epochs` in its place, the page the label of its own field.

    Args:
        marked: The sentence, each setting in it marked by `setting`.
    """

    __slots__ = ("marked",)
    marked: str

    def __new__(cls, marked: str) -> "Said":
        said = super().__new__(cls, _MARKED.sub(r"\1", marked))
        said.marked = marked
        return said

    def __str__(self) -> str:  # so that the text of an error is still what was said
        return self

    def __getnewargs__(self) -> tuple[str]:
        return (self.marked,)


class InputError(ValueError):
    """Bad input, by the field that holds it.

    Args:
        marked: As of `Said`; else it says the field, what was given and what is allowed.
        field: The setting concerned; else the first that is marked.
        given: What it was given.
        allowed: What it must be, as in `must be {allowed}`.
    """

    def __init__(
        self, marked: str = "", *, field: str = "", given: object = None, allowed: str = ""
    ) -> None:
        super().__init__(Said(marked or f"{setting(field)} is {given!r}, must be {allowed}"))
        first = _MARKED.search(self.args[0].marked)
        self.field, self.given, self.allowed = field or (first[1] if first else ""), given, allowed

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0].marked,), self.__dict__


def marked(text: str) -> str:
    """Give a text with its settings marked, to stand in another sentence."""
    return text.marked if isinstance(text, Said) else text


def worded(text: str, name_of: Callable[[str], str]) -> str:
    """Write a text as an edge says it, which calls a setting `name_of(setting)`."""
    return _MARKED.sub(lambda found: name_of(found[1]), marked(text))


def worded_all(document: Any, name_of: Callable[[str], str]) -> Any:  # noqa: ANN401 (any JSON)
    """Word every sentence of a document; a list of numbers is left as it is."""
    if isinstance(document, Said):
        return worded(document, name_of)
    if isinstance(document, Mapping):
        return {key: worded_all(each, name_of) for key, each in document.items()}
    if isinstance(document, list | tuple) and document and not isinstance(document[0], int | float):
        return [worded_all(each, name_of) for each in document]
    return document
