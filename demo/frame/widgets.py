"""What every tab does alike: how its listeners are set up, how a view is drawn, what is shown."""

from typing import Any

import gradio as gr

PRIVATE: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""The page tells its own progress, and scripts use the named endpoints."""


SEVERAL: dict[str, Any] = {**PRIVATE, "concurrency_limit": 16}
"""One visitor's long work never holds up another's; the encoder takes turns by batch."""


SAVE_JS = "(text) => thaw.save('{name}', '{kind}', text)"


def picture(name: str, script: str, value: dict[str, Any] | None) -> gr.HTML:
    """Return a place where static/*.js draws: the markup never changes, only `value` does."""
    return gr.HTML(
        value,
        html_template=f'<div class="thaw-picture" id="{name}-picture"></div>',
        js_on_load=script,
        elem_id=name,
        elem_classes="picture",
        apply_default_css=False,
    )


Updates = tuple[Any, ...]


SKIP = gr.skip()


STOPPED = '<p class="progress">Stopped; what was there before is still there.</p>'


def shown() -> dict[str, Any]:
    """Make the Stop button appear."""
    return gr.update(visible=True)


def hidden() -> dict[str, Any]:
    """Make the Stop button go."""
    return gr.update(visible=False)
