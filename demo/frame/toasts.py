"""How an error reaches a visitor: one sentence, escaped, and never a traceback."""

import contextlib
import html
import logging
from collections.abc import Callable, Iterator

import gradio as gr

from demo.frame.spoken import as_page_says

LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def as_toast(words: Callable[[str], str] = as_page_says) -> Iterator[None]:
    """Turn what core refuses into a toast, and what nobody expected into an apology and a log.

    Args:
        words: How whoever asked calls settings.

    Raises:
        gr.Error: Whenever the block raises.
    """
    try:
        yield
    except (ValueError, RuntimeError) as error:
        raise toast(words(str(error))) from error
    except gr.Error:
        raise  # it is one already
    except Exception as error:
        LOG.exception("a callback failed")
        raise gr.Error(
            "this should not have happened: the server's log says why, the page goes on",
            title="Not done",
            print_exception=False,
        ) from error


def toast(sentence: str) -> gr.Error:
    """Put an error's sentence into a toast; toasts render HTML, so its text is escaped."""
    text = html.escape(sentence[:1].upper() + sentence[1:600])
    return gr.Error(text, title="Not done", print_exception=False)
