"""What a tab is: what its folder declares of itself, and what the page gives it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from demo.shelves.shelves import Shelves


class WorkingSet(NamedTuple):
    """What every tab works with.

    Attributes:
        choice: The state that holds the visitor's `EncoderChoice`.
        data: The state that holds their `WorkingData`.
        data_line: Where the sidebar names that.
        model: The state that holds their `WorkingModel`.
    """

    choice: gr.State
    data: gr.State
    data_line: gr.HTML
    model: gr.State


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a tab is built with.

    Attributes:
        app: The page, whose loading and closing a tab may hear of.
        shelves: What visitors share.
        working: What the visitor works with.
        shown: What the tabs before show to those after them, by its class.
    """

    app: gr.Blocks
    shelves: Shelves
    working: WorkingSet
    shown: dict[type, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Tab:
    """What a tab's folder declares of itself.

    Attributes:
        build: Lays the tab out and wires its events; called inside `gr.Tabs`.
        files: Its scripts and sheets, in the order in which they are loaded.
    """

    build: Callable[[Page], None]
    files: tuple[Path, ...]
