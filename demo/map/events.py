"""What the events of the Map tab do: plain values in, plain values out."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from core.config import EncoderChoice, MapSettings
from demo.frame.asking import Asked, Report, number, whole_number
from demo.frame.files import as_csv
from demo.frame.toasts import as_toast
from demo.frame.views import View
from demo.frame.widgets import SKIP, Updates, answered, followed, given_by, hidden
from demo.frame.work import RunningWork, Waiting, Work, visitor_of
from demo.map.drawing import (
    OWN,
    MapQuestion,
    grouped,
    lay_out,
    predicted,
    prepare,
)
from demo.map.placing import place_on
from demo.map.shelf import SHIPPED, DrawnMap, MapShelf
from demo.map.views import Shown, column_view, map_view, point_view
from demo.shelves.models import OWN_MODEL, WorkingModel
from demo.shelves.working_data import WorkingData

METHODS = {"UMAP": "umap", "PCA": "pca"}
AXES = {"2-D": 2, "3-D": 3}
FEW_POINTS = 300
"""A map of so few is there before anybody could look at a first picture of it."""

MOST_ROWS = 10_000


class MapEvents:
    """The callbacks.

    Args:
        shelf: Keeps the maps.
    """

    def __init__(self, shelf: MapShelf) -> None:
        self.shelf = shelf
        self._running = RunningWork()
        self.stop = self._running.stop

    def open(self, key: str, choice: EncoderChoice, request: gr.Request) -> Iterator[Updates]:
        """Show the shipped map when the tab is opened first: yields map, key, status, Stop.

        Meanwhile the process that draws gets ready.
        """
        self.shelf.get_ready()
        if key:
            yield (SKIP,) * 4
            return
        with as_toast():
            if self.shelf.has_shipped(choice):
                drawn = self.shelf.shipped()
                shown = Shown(key=SHIPPED, colour="topic")
                yield map_view(drawn, shown), SHIPPED, "", hidden()
                return
        fields = ("Corpus", "", "Pretrained", "UMAP", "2-D", 0, 1.0, "cosine", 0)
        yield from self.draw(*fields, "", choice, WorkingData(), OWN_MODEL, request)

    def draw(
        self,
        source: str,
        text: str,
        encoders: str,
        method: str,
        axes: str,
        neighbours: float,
        spread: float,
        metric: str,
        seed: float,
        key: str,
        choice: EncoderChoice,
        data: WorkingData,
        model: WorkingModel,
        request: gr.Request,
    ) -> Iterator[Updates]:
        """Draw a map: yields map, key, status, Stop. PCA comes first where UMAP takes a while."""
        with as_toast():
            settings = MapSettings(
                method=METHODS.get(str(method), str(method)),
                dimensions=AXES.get(str(axes), 0),
                neighbours=whole_number(neighbours) or None,
                spread=number("spread", spread),
                metric=str(metric),
                seed=whole_number(seed),
            )
        question = MapQuestion(
            source=source,
            text=text,
            encoders=encoders,
            settings=settings,
            choice=choice,
            data=data,
            model=model,
        )

        def task(progress: Report, cancelled: Asked) -> Any:  # noqa: ANN401 (both)
            found = prepare(self.shelf, question, progress, cancelled)
            return found, _first(found, self.shelf, settings, cancelled)

        embedding = yield from self._followed(task, self._says("Embedding"), request, here=True)
        if embedding is None:
            return
        prepared, first = embedding
        if first is not None:
            soon = "By PCA for now: UMAP is " + (
                "laying it out." if self.shelf.is_ready() else "being made ready."
            )
            kept = self.shelf.keep(first, visitor_of(request))
            shown = Shown(key=kept, notes=(soon,), final=settings.method == "pca")
            if settings.method == "pca":
                shown = replace(shown, notes=())
            yield map_view(first, shown), kept, SKIP, SKIP
            key = kept
        if settings.method == "umap":
            last = yield from self._followed(
                lambda p, c: lay_out(prepared, self.shelf, at_once=False, progress=p, cancelled=c),
                self._says("UMAP"),
                request,
            )
            if last is None:
                return
            key = self.shelf.keep(last, visitor_of(request))
            yield map_view(last, Shown(key=key)), key, "", hidden()
        self.shelf.forget(visitor_of(request), key)

    def place(self, text: str, key: str, request: gr.Request) -> Iterator[Updates]:
        """Place sentences on the map that is shown: yields as `draw`."""
        with as_toast():
            drawn = self.shelf.get(key or SHIPPED)
        says = self._says("Placing", waits=drawn.settings.method == "umap")
        found = yield from self._followed(
            lambda p, c: place_on(self.shelf, drawn, text, p, c), says, request
        )
        if found is not None:
            kept = self.shelf.keep(found, visitor_of(request))
            count = f"{found.placed:,} sentence{'s' if found.placed > 1 else ''}"
            said = f"{count} placed on it, marked by a ring."
            shown = Shown(key=kept, notes=(said, *found.placed_notes))
            yield map_view(found, shown), kept, "", hidden()
            self.shelf.forget(visitor_of(request), kept)

    def colour(
        self, key: str, model: WorkingModel, asked: gr.EventData, request: gr.Request
    ) -> Iterator[Updates]:
        """Add columns that are computed when first wanted: yields columns, key, status, Stop."""
        what = given_by(asked).get("what")
        with as_toast():
            drawn = self.shelf.get(key or SHIPPED)
            if what not in ("groups", "predictions"):
                raise ValueError("a map is coloured by groups, predictions or a column of its own")

        def task(progress: Report, cancelled: Asked) -> DrawnMap:
            if what == "groups":
                return grouped(self.shelf, drawn, cancelled)
            return predicted(self.shelf, drawn, model, progress, cancelled)

        says = self._says("Grouping" if what == "groups" else "Predicting")
        found = yield from self._followed(task, says, request)
        if found is None:
            return
        new = self.shelf.keep(found, visitor_of(request))
        added = [column for column in found.columns if column not in drawn.columns]
        added = added or list(found.columns[-2:])  # the same as before
        view = {"key": new, "columns": [column_view(column) for column in added]}
        yield view, new, "", hidden()
        self.shelf.forget(visitor_of(request), new)

    def pick(self, key: str, working: WorkingModel, asked: gr.EventData) -> View:
        """Tell of a point: text, labels, predictions, its nearest by true cosine."""
        with as_toast():
            drawn = self.shelf.get(key or SHIPPED)
            point = whole_number(given_by(asked).get("i"))
            if not 0 <= point < len(drawn.texts):
                raise ValueError(f"there is no point {point}, must be 0 to {len(drawn.texts) - 1}")

        def task() -> View:
            from core.model.documents import predict_document

            view, model = point_view(drawn, point), self.shelf.models.get(working)
            known = {each["name"]: each["value"] for each in view["facts"]}
            row = predict_document(model, [drawn.texts[point]])[0]
            view["predictions"] = [
                {
                    "name": task.name,
                    "label": row[task.name]["label"],
                    "confidence": row[task.name]["confidence"],
                    "unsure": row[task.name]["unsure"],
                    "true": known.get(task.name),
                }
                for task in model.tasks
                if task.of_kind.one_label
            ]
            return view

        return answered(task)

    def save(self, key: str, asked: gr.EventData) -> str:
        """Write some points of the map, or all, as CSV that a spreadsheet may open safely."""
        with as_toast():
            drawn = self.shelf.get(key or SHIPPED)
            given = given_by(asked).get("points")
            points = range(len(drawn.texts)) if given is None else _points(given, drawn)
            axes = "xyz"[: drawn.settings.dimensions]
            after = [f"{axis}_after" for axis in axes] if drawn.after is not None else []
            names = [column.name for column in drawn.columns]
            rows = (
                [
                    point + 1,
                    drawn.texts[point],
                    *(column.value(point) or "" for column in drawn.columns),
                    *drawn.places[point].tolist(),
                    *(drawn.after.places[point].tolist() if drawn.after is not None else []),
                ]
                for point in points
            )
            return as_csv(("row", "text", *names, *axes, *after), rows)

    def close(self, request: gr.Request) -> None:
        """Forget what a page that has closed had drawn."""
        self.shelf.forget(visitor_of(request))

    def _says(self, what: str, *, waits: bool = False) -> Callable[[int, int], str]:
        """Say what is being done; `waits`: by the process that draws, once all is embedded."""

        def say(done: int, total: int) -> str:
            embedded = waits and total and done == total
            if what in ("UMAP", "Grouping") or embedded:
                if not self.shelf.is_ready():
                    return "UMAP is being made ready…"
                before = self.shelf.worker.waiting
                if before and (embedded or not done):
                    return f"Waiting for {before} other map{'s' if before > 1 else ''}…"
                if what == "UMAP":
                    return "UMAP lays it out…"
                return "Finding groups…" if what == "Grouping" else "Placing…"
            return f"{what} {done:,} of {total:,}" if total else f"{what}…"

        return say

    def _followed(
        self,
        task: Callable[[Report, Asked], Any],
        says: Callable[[int, int], str],
        request: gr.Request,
        *,
        here: bool = False,
    ) -> Any:  # noqa: ANN401 (a generator that returns what the task does)
        """Run some work, telling how far it is; None of it where it was stopped.

        `here` is for what never waits for the process that draws.
        """
        work = Work(task, None if here else self.shelf.threads)

        def say(step: Waiting) -> str:
            return says(step.done, step.total)

        found = yield from followed(self._running, work, request, say, around=(2, 0))
        if found is not None:
            yield SKIP, SKIP, "", hidden()
        return found


def _first(prepared: Any, shelf: MapShelf, settings: MapSettings, cancelled: Asked) -> Any:  # noqa: ANN401
    """Draw by PCA what UMAP would take a while for; all, where PCA is what was asked for."""
    if settings.method == "umap" and len(prepared.texts) < FEW_POINTS and shelf.is_ready():
        return None
    return lay_out(
        prepared,
        shelf,
        at_once=settings.method == "umap",
        progress=lambda *_: None,
        cancelled=cancelled,
    )


def _points(given: object, drawn: DrawnMap) -> list[int]:
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_ROWS + len(drawn.texts):
        raise ValueError("there are no points to save: draw a lasso round some")
    found = [whole_number(each) for each in given]
    if not all(0 <= each < len(drawn.texts) for each in found):
        raise ValueError(f"a point is out of range, must be 0 to {len(drawn.texts) - 1}")
    return found


def box_needed(source: str) -> dict[str, Any]:
    """Say what the box of sentences is for, as the source says."""
    info = "These are drawn, one a line; at least 3" if source == OWN else "Placed on the map"
    return gr.update(info=info)
