"""What every tab does alike: listeners, running work, what is shown of it, buttons, pictures."""

import html
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any, TypeVar

import gradio as gr

from core.tables.json_lines import JsonLines
from core.tables.separated import Csv
from demo.frame.toasts import as_toast
from demo.frame.work import RunningWork, Waiting, Work, progress_line

Result = TypeVar("Result")

Updates = tuple[Any, ...]

SKIP = gr.skip()

PRIVATE: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""The page tells its own progress, and scripts use the named endpoints."""

SEVERAL: dict[str, Any] = {**PRIVATE, "concurrency_limit": 16}
"""One visitor's long work never holds up another's; the encoder takes turns by batch."""

LATEST: dict[str, Any] = {**SEVERAL, "trigger_mode": "always_last"}
"""Of several changes while one is answered, the last is answered too."""

MEDIA = {
    "csv": Csv.media,
    "jsonl": JsonLines.media,
    "json": "application/json",
    "html": "text/html",
}
"""What browsers call the kinds of file that are downloaded."""

SAVE_WRITTEN = (
    "(written) => { const it = JSON.parse(written); thaw.save(it.name, it.kind, it.text); }"
)
"""Saves `{name, kind, text}`."""

STOPPED = '<p class="progress">Stopped; what was there before is still there.</p>'


def shown() -> dict[str, Any]:
    """Make the Stop button appear."""
    return gr.update(visible=True)


def hidden() -> dict[str, Any]:
    """Make the Stop button go."""
    return gr.update(visible=False)


def soft(text: str) -> str:
    """Write a sentence of plain text in small letters."""
    return f'<p class="soft">{html.escape(text)}</p>'


def warning(text: str) -> str:
    """Write a sentence that a screen reader says at once."""
    return f'<p class="warn" role="alert">{html.escape(text)}</p>'


def told(name: str, what: str) -> str:
    """Say what is used now, and what that changes."""
    return f'<p class="soft"><b>{html.escape(name)}.</b> {html.escape(what)}</p>'


def given_by(event: gr.EventData) -> dict[str, Any]:
    """Return what a script of the page sent with an event."""
    return event._data or {}


def answered(task: Callable[[], Result]) -> Result:
    """Run some short work on a thread of the page's; what is refused becomes a toast.

    Raises:
        gr.Error: If it fails.
    """
    with as_toast():
        return Work(lambda *_: task()).result()


def followed(
    running: RunningWork,
    work: Work[Result],
    request: gr.Request,
    says: Callable[[Waiting], str],
    *,
    around: tuple[int, int] = (0, 0),
    stopped: str = STOPPED,
) -> Generator[Updates, None, Result | None]:
    """Tell how far some work is until it ends, with a Stop button; return what came of it.

    Args:
        running: What keeps the work in reach of the button.
        work: Which work.
        request: Whose page waits for it.
        says: What is being done.
        around: How many outputs stand before status and Stop, and after them.
        stopped: What the status says of work that was stopped, for which None is returned.

    Raises:
        gr.Error: If it fails.
    """
    before, after = ([SKIP] * count for count in around)
    for step in running.steps(work, request):
        yield *before, progress_line(says(step), step), shown(), *after
    if work.failed:
        yield *before, stopped if work.stopped else "", hidden(), *after
    if work.stopped:
        return None
    with as_toast():
        return work.result()


def picture(name: str, script: str, value: dict[str, Any] | None) -> gr.HTML:
    """Return a place where a script draws: the markup never changes, only `value` does."""
    return gr.HTML(
        value,
        html_template=f'<div class="thaw-picture" id="{name}-picture"></div>',
        js_on_load=script,
        elem_id=name,
        elem_classes="picture",
        apply_default_css=False,
    )


def status_row(name: str, *, stop: str | None = None, more: str = "") -> tuple[gr.HTML, gr.Button]:
    """Lay out a line of status and its Stop button.

    Args:
        name: The status' id.
        stop: The button's.
        more: Another class of the row.
    """
    with gr.Row(elem_classes=f"status-row {more}".strip()):
        status = gr.HTML("", elem_classes="status", elem_id=name)
        button = gr.Button("Stop", variant="stop", size="sm", scale=0, visible=False, elem_id=stop)
    return status, button


def chips(label: str, titles: Sequence[str]) -> list[gr.Button]:
    """Lay out a row of small buttons, such as worked examples."""
    with gr.Row(elem_classes="chips"):
        gr.HTML(f"<span>{html.escape(label)}</span>", elem_classes="try")
        return [
            gr.Button(title, size="sm", elem_classes="chip", scale=0, min_width=0)
            for title in titles
        ]


def save_text(name: str, kind: str) -> str:
    """Return the script that saves a text as a file of one of `MEDIA`."""
    return f"(text) => thaw.save('{name}.{kind}', '{MEDIA[kind]}', text)"


def downloads(
    name: str, label: str, kinds: Sequence[str], write: Callable[..., Any], given: Sequence[Any]
) -> None:
    """Lay out a button for each kind of file, and wire it.

    The text goes through a hidden field to the browser, which saves it: no file is ever written
    on the server, so none has to be guarded or removed.

    Args:
        name: The file's, without its ending.
        label: What the buttons say before the kind.
        kinds: Of `MEDIA`.
        write: Takes the inputs and, by name, `kind`; returns the text.
        given: The inputs.
    """
    for kind in kinds:
        text = gr.Textbox(visible=False)
        button = gr.Button(f"{label}, {kind.upper()}", size="sm", scale=0, min_width=0)
        button.click(partial(write, kind=kind), list(given), text, **SEVERAL).success(
            None, text, None, js=save_text(name, kind)
        )
