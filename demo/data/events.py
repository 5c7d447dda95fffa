"""What the events of the Data tab do: plain values in, plain values out."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from core.config import EncoderChoice
from demo.data.downloads import cleaned_copy, findings_as
from demo.data.form import choice_from, with_rename, without_rename
from demo.data.rows import ALL, read_query, rows_view
from demo.data.views import look_over, unread
from demo.frame.spoken import as_page_says, field_of
from demo.frame.toasts import as_toast
from demo.frame.views import View
from demo.frame.widgets import SKIP, STOPPED, Updates, answered, given_by, hidden, told, warning
from demo.frame.widgets import shown as stoppable
from demo.frame.work import RunningWork, Work, progress_line, visitor_of
from demo.shelves.working_data import CORPUS_DATA, DataShelf, TooMuchError, WorkingData
from demo.sidebar.sidebar import data_line

NO_ROWS: View = {"rows": []}
AFFECTS = "Whatever learns from labels uses it now; Compare and Predict keep their sentences."


class DataEvents:
    """The callbacks.

    Those that show data yield shown, overview, rows, status, Stop.

    Args:
        shelf: Where visitors' data is kept.
    """

    def __init__(self, shelf: DataShelf) -> None:
        self.shelf = shelf
        self._running = RunningWork()
        self.stop = self._running.stop

    def open(
        self,
        opened: bool,
        shown: WorkingData,
        working: WorkingData,
        choice: EncoderChoice,
        request: gr.Request,
    ) -> Iterator[Updates]:
        """Show data when the tab is first opened; yields opened, then as the others."""
        if opened:
            yield (SKIP,) * 6
            return
        yield True, *[SKIP] * 5
        with as_toast():
            for updates in self._show(shown, working, choice, request):
                yield SKIP, *updates

    def again(
        self,
        opened: bool,
        shown: WorkingData,
        working: WorkingData,
        choice: EncoderChoice,
        request: gr.Request,
    ) -> Iterator[Updates]:
        """Look the same data over for another encoder; the rows stay as they are."""
        if not opened:
            yield (SKIP,) * 5
            return
        with contextlib.suppress(ValueError):  # its columns are still to be chosen
            for _, view, _, status, stop in self._show(shown, working, choice, request):
                yield SKIP, view, SKIP, status, stop

    def upload(
        self,
        path: str | None,
        shown: WorkingData,
        working: WorkingData,
        choice: EncoderChoice,
        request: gr.Request,
    ) -> Iterator[Updates]:
        """Show an uploaded file; what cannot be read leaves what was shown, and says why."""
        if path is None:
            yield (SKIP,) * 5
            return
        visitor, data = visitor_of(request), WorkingData()
        try:
            data = self.shelf.take(path, visitor)
            for updates in self._show(data, working, choice, request):
                shown = next((new for new in updates[:1] if isinstance(new, WorkingData)), shown)
                yield updates
        except ValueError as error:
            said = as_page_says(str(error), data.choice.source)
            said = said.replace(f"{field_of('label_columns')} names one; ", "")  # it is not shown
            said = f"{said}. The page keeps what it showed before."
            yield SKIP, SKIP, SKIP, warning(said[:1].upper() + said[1:1_000]), hidden()
        finally:
            self.shelf.keep_only(visitor, shown, working)

    def change(
        self,
        shown: WorkingData,
        working: WorkingData,
        choice: EncoderChoice,
        given: gr.EventData,
        request: gr.Request,
    ) -> Iterator[Updates]:
        """Read the same file with other columns or labels; what is refused is told in a toast."""
        form = given_by(given)
        with as_toast():
            try:
                changed = Work(lambda *_: self._changed(shown, form)).result()
                yield from self._show(changed, working, choice, request, guess=False)
            except ValueError as error:
                yield SKIP, SKIP, SKIP, "", hidden()
                raise ValueError(as_page_says(str(error), shown.choice.source)) from error

    def rows(self, shown: WorkingData, choice: EncoderChoice, given: gr.EventData) -> View:
        """Show the rows that were asked for: searched, filtered, of a finding, another page."""
        with as_toast():
            query = read_query(given_by(given))

            def page() -> View:
                looked = look_over(self.shelf, shown, choice.name)
                return rows_view(looked.dataset, looked.document, query)

            return Work(lambda *_: page()).result()

    def use(self, shown: WorkingData, choice: EncoderChoice, request: gr.Request) -> Updates:
        """Make what is shown the working data: returns working, its line, overview, status."""
        looked = answered(lambda: look_over(self.shelf, shown, choice.name))
        self.shelf.keep_only(visitor_of(request), shown)
        name = "The corpus" if shown.is_corpus else shown.name[:80]
        line, view = data_line(shown, looked.document), {**looked.view, "inUse": True}
        return shown, line, view, told(name, AFFECTS)

    def back(self, choice: EncoderChoice, request: gr.Request) -> Iterator[Updates]:
        """Go back to the corpus, here and in every tab: yields working, its line, then as usual.

        The visitor's file is removed.
        """
        self.shelf.keep_only(visitor_of(request))
        with as_toast():
            for updates in self._show(CORPUS_DATA, CORPUS_DATA, choice, request):
                yield SKIP, SKIP, *updates
        yield CORPUS_DATA, data_line(CORPUS_DATA), *[SKIP] * 3, told("The corpus", AFFECTS), SKIP

    def save(self, shown: WorkingData, choice: EncoderChoice, given: gr.EventData) -> str:
        """Write a download, `{name, kind, text}` as JSON: the cleaned copy, or the findings."""
        asked = given_by(given)
        what, kind = str(asked.get("what")), str(asked.get("kind"))

        def write() -> str:
            looked = look_over(self.shelf, shown, choice.name)
            if what == "cleaned":
                return json.dumps(cleaned_copy(self.shelf, shown, kind))
            return json.dumps(findings_as(looked.document, kind))

        return answered(write)

    def close(self, request: gr.Request) -> None:
        """Remove what the visitor of a page that was closed left behind."""
        self.shelf.keep_only(visitor_of(request))

    def _show(
        self,
        data: WorkingData,
        working: WorkingData,
        choice: EncoderChoice,
        request: gr.Request,
        *,
        guess: bool = True,
    ) -> Iterator[Updates]:
        """Look data over and show it; where columns cannot be guessed, ask for them.

        Raises:
            ValueError: If it cannot be shown.
        """
        work = Work(lambda *_: self._looked(data, choice.name, guess=guess))
        for step in self._running.steps(work, request):
            line = progress_line(f"Reading {data.name} and looking it over…", step)
            yield SKIP, SKIP, SKIP, line, stoppable()
        if work.stopped:
            yield SKIP, SKIP, SKIP, STOPPED, hidden()
            return
        view, rows = work.result()
        yield data, {**view, "inUse": data == working}, rows, "", hidden()

    def _looked(self, data: WorkingData, encoder: str, *, guess: bool) -> tuple[View, View]:
        try:
            looked = look_over(self.shelf, data, encoder)
        except TooMuchError:
            raise
        except ValueError as error:
            from core.tables.table_files import read_table

            if not guess or data.is_corpus:
                raise
            names = read_table(data.choice.source).names  # raises for a file that is broken
            if len(names) < 2:
                raise
            return unread(data, names, str(error)), NO_ROWS
        return looked.view, rows_view(looked.dataset, looked.document, ALL)

    def _changed(self, shown: WorkingData, form: dict[str, Any]) -> WorkingData:
        before = shown.choice
        if "undo" in form:
            return shown.reading(without_rename(form, before))
        if "after" in form:
            plain = shown.reading(replace(before, renames=()))
            return shown.reading(with_rename(form, before, self.shelf.get(plain).tasks))
        return shown.reading(choice_from(form, before))
