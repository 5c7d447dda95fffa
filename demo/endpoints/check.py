"""`/check` for scripts: the doctor on an uploaded file or the corpus."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import api
from gradio.utils import get_upload_folder

from core.config import DataChoice
from demo.frame.asking import whole_number
from demo.frame.spoken import as_script_says
from demo.frame.toasts import as_toast
from demo.frame.work import Work
from demo.shelves.encoders import EncoderShelf
from demo.shelves.shelves import Shelves
from demo.shelves.working_data import CORPUS, DataShelf, WorkingData

MOST_NAMES = 1_000
MOST_NAME_CHARACTERS = 1_000


def check_with(shelf: EncoderShelf, data: DataShelf) -> Callable[..., dict[str, Any]]:
    """Make the function that `/check` calls.

    Args:
        shelf: Whose default encoder reads the texts.
        data: Holds what may be read at once within its bounds.
    """

    def check(
        file: gr.FileData | str,
        text_column: str = "",
        label_columns: list[str] | None = None,
        tasks: list[str] | None = None,
        renames: list[str] | None = None,
        split_column: str = "",
        group_column: str = "",
        rows: int | None = None,
        encoder: str = "",
    ) -> dict[str, Any]:
        """Look labelled data over, as `python -m core check --json` does.

        Answers {rows, findings: [{kind, severity, message, rows, groups, task}], tasks, splits, …}.

        Args:
            file: An uploaded CSV, TSV, JSONL, Parquet or CoNLL file, or the word corpus.
            text_column: Which column holds the sentences; empty guesses.
            label_columns: Which hold labels, each as NAME or TASK=NAME; none guesses.
            tasks: Which of the tasks to keep; none keeps all.
            renames: Labels to rename, each as FROM=TO or TASK:FROM=TO.
            split_column: Which column says train, validation or test.
            group_column: Which column says what belongs together.
            rows: Look at a stratified sample of so many.
            encoder: A name of the catalogue; empty for the page's default.
        """

        def run() -> dict[str, Any]:
            from core.doctor.doctor import check_document, read_for_examination
            from core.doctor.findings import find_reader

            columns = columns_given(
                (label_columns, tasks, renames), (text_column, split_column, group_column)
            )
            choice = replace(columns, rows=None if rows is None else whole_number(rows))
            name = text_given("encoder", encoder)
            reader = find_reader(known_encoder(shelf, name) if name else shelf.default.name)
            try:
                dataset = data.read(given.reading(choice), read_for_examination)
            except ValueError as error:
                raise ValueError(as_script_says(str(error), given.choice.source)) from error
            return check_document(dataset, reader)

        with as_toast(as_script_says):
            caller, given = secrets.token_hex(8), WorkingData()
            if file != CORPUS:
                given = data.take(str(uploaded(file)), caller)
            try:
                return Work(lambda *_: run()).result()
            finally:
                data.keep_only(caller)

    return check


def columns_given(names: Sequence[object], texts: Sequence[object]) -> DataChoice:
    """Take a caller's choice of columns.

    Args:
        names: Label columns, tasks and renames.
        texts: The columns of text, split and group.

    Raises:
        ValueError: If one is something else than names or text.
    """
    lists = zip(("label_columns", "tasks", "renames"), names, strict=True)
    columns = zip(("text_column", "split_column", "group_column"), texts, strict=True)
    settings: dict[str, Any] = {name: names_given(name, given) for name, given in lists}
    settings |= {name: text_given(name, given) or None for name, given in columns}
    return DataChoice(source=CORPUS, **settings)


def uploaded(given: object) -> Path:
    """Find the file that a caller uploaded; nothing else on this machine can be named.

    Raises:
        ValueError: If it is no upload.
    """
    path = given.get("path") if isinstance(given, dict) else getattr(given, "path", None)
    folder = Path(get_upload_folder()).resolve()
    if isinstance(path, str) and len(path) < 4_096:
        found = Path(path).resolve()
        if found.is_relative_to(folder) and found.is_file():
            return found
    raise ValueError(
        "file must be the word corpus, or a file that is uploaded with the call: with Python, "
        "gradio_client.handle_file(path)"
    )


def build_check_endpoint(shelves: Shelves) -> None:
    """Add `/check` to the page; call inside `gr.Blocks`, before a listener takes its name."""
    api(check_with(shelves.encoders, shelves.data), api_name="check", concurrency_limit=2)


def text_given(name: str, given: object) -> str:
    """Take a caller's text; nothing is "".

    Raises:
        ValueError: If it is no text, or too long.
    """
    if given is None:
        return ""
    if not isinstance(given, str) or len(given) > MOST_NAME_CHARACTERS:
        raise ValueError(
            f"{name} is {str(given)[:40]!r}, must be text of at most {MOST_NAME_CHARACTERS:,} "
            "characters"
        )
    return given


def names_given(name: str, given: object) -> tuple[str, ...]:
    """Take a caller's list of names; nothing is none.

    Raises:
        ValueError: If it is no list, or too long.
    """
    if given is None:
        return ()
    if not isinstance(given, list) or len(given) > MOST_NAMES:
        raise ValueError(f"{name} is {str(given)[:40]!r}, must be a list of up to {MOST_NAMES:,}")
    return tuple(text_given(name, each) for each in given)


def known_encoder(shelf: EncoderShelf, name: str) -> str:
    """Take the name of an encoder that any caller may ask for.

    Raises:
        ValueError: If it is another one.
    """
    from core.encoder.catalogue import CATALOGUE, find_spec

    if find_spec(name) is None and name != shelf.default.name:
        known = ", ".join(spec.name for spec in CATALOGUE)
        raise ValueError(f"there is no encoder {name!r} here: give one of {known}")
    return name
