"""What the events of the Freeze tab do with comparisons: plain values in, plain values out."""

import asyncio
import contextlib
import functools
import json
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from demo.frame.toasts import as_toast
from demo.frame.views import View
from demo.frame.widgets import (
    MEDIA,
    SKIP,
    Updates,
    answered,
    followed,
    given_by,
    hidden,
    soft,
    told,
)
from demo.frame.work import RunningWork, Work, visitor_of
from demo.freeze.examples import EXAMPLE, shipped_comparison
from demo.freeze.form import (
    MOST_ROWS,
    Order,
    asked_by,
    estimate_in_words,
    planned,
    whole_given,
)
from demo.freeze.profiles import ProfileShelf
from demo.freeze.views import advice_view, going_view, result_view
from demo.shelves.best import BEST
from demo.shelves.comparison import Comparison
from demo.shelves.comparisons import MOST_COMPARISONS, TICK_SECONDS, ComparisonShelf
from demo.shelves.kept_comparisons import kept_comparisons, kept_report, kept_runs, run_folder
from demo.shelves.models import ModelShelf
from demo.shelves.working_data import WorkingData

NOTHING: View = {"said": "", "runs": [], "state": "", "going": False}

KEPT = "kept-"


class ComparingEvents:
    """The callbacks.

    Args:
        shelf: Runs and keeps comparisons.
        profiles: Where data and encoders come from.
        models: Where an opened run goes.
        local: Whether only this machine reaches the page: then it may delete what --runs names.
    """

    def __init__(
        self, shelf: ComparisonShelf, profiles: ProfileShelf, models: ModelShelf, *, local: bool
    ) -> None:
        self.shelf, self.profiles, self.models, self.local = shelf, profiles, models, local
        self._estimating = RunningWork()

    def fields(self, working: WorkingData) -> Updates:
        """Offer the working data's tasks and rows: returns the two fields."""

        def look() -> Updates:
            dataset = self.profiles.data.get(working).usable()
            names = [task.name for task in dataset.tasks][:40]
            most = min(MOST_ROWS, len(dataset.examples))
            return (
                gr.update(choices=names, value=names),
                gr.update(maximum=most, value=min(300, most)),
            )

        return answered(look)

    def warm_up(self) -> None:
        """Start the server of worker processes, so that a first comparison need not wait for it."""

        def begin() -> None:
            from core.comparison.choice import WORKERS_IMPORT
            from core.system.workers import warm_up

            warm_up(WORKERS_IMPORT)

        Work(lambda *_: begin())

    async def start(
        self,
        current: str,
        order: Order,
        request: gr.Request,
    ) -> AsyncIterator[Updates]:
        """Compare: yields current, going, advice, result, list, Stop as it goes on."""
        with as_toast():
            asked = asked_by(order, self.profiles)
            comparison = self.shelf.start(asked, visitor_of(request), current)
        async for updates in self._watch(comparison, request):
            yield updates

    async def train_best(self, current: str, request: gr.Request) -> AsyncIterator[Updates]:
        """Train what is advised on all rows: yields as `start`."""
        with as_toast():
            comparison = self.shelf.train_best(current, visitor_of(request))
        async for updates in self._watch(comparison, request):
            yield updates

    def estimate(
        self,
        order: Order,
        request: gr.Request,
    ) -> Iterator[Updates]:
        """Measure steps on this machine and say how long a comparison will take.

        Yields status, Stop.
        """
        with as_toast():
            asked = asked_by(order, self.profiles)
        work = Work(lambda _, cancelled: planned(asked, cancelled))
        plan = yield from followed(
            self._estimating,
            work,
            request,
            lambda _: "Measuring steps on this machine…",
            stopped="",
        )
        if plan is not None:
            yield soft(estimate_in_words(plan)), hidden()

    def stop(self, current: str, request: gr.Request) -> None:
        """Stop what the page waits for: an estimate, or its comparison; finished runs are kept."""
        self._estimating.stop(request)
        for comparison in self.shelf.of(visitor_of(request)):
            if comparison.going:
                comparison.stopping.set()
        del current

    async def resume(self, asked: gr.EventData, request: gr.Request) -> AsyncIterator[Updates]:
        """Find the comparisons that a reloaded page had, and watch one that is still going."""
        ids = given_by(asked).get("ids")
        found = [
            each
            for name in (ids if isinstance(ids, list) else [])[:20]
            if isinstance(name, str) and (each := self.shelf.find(name, visitor_of(request)))
        ]
        if not found:
            yield (SKIP,) * 6
            return
        going = next((each for each in found if each.going), found[0])
        async for updates in self._watch(going, request):
            yield updates

    def open(self, asked: gr.EventData, request: gr.Request) -> Updates:
        """Show another comparison: returns current, going, advice, result, list, Stop."""
        name = str(given_by(asked).get("name"))
        with as_toast():
            view = self._view_of(name, request)
            comparison = self.shelf.find(name)
            going = going_view(comparison, 0) if comparison is not None else NOTHING
            return name, going, advice_view(view), view, self.listing(name, request), hidden()

    def remove(self, current: str, asked: gr.EventData, request: gr.Request) -> Updates:
        """Delete a comparison; returns as `open`, of the shipped one if it was shown."""
        name = str(given_by(asked).get("name"))
        with as_toast():
            if name.startswith(KEPT):
                self._remove_kept(name)
            else:
                self.shelf.delete(name, visitor_of(request))
            if name != current:
                return *[SKIP] * 4, self.listing(current, request), SKIP
            view = self._view_of(EXAMPLE, request)
            listed = self.listing(EXAMPLE, request)
            return EXAMPLE, NOTHING, advice_view(view), view, listed, hidden()

    def use(self, current: str, asked: gr.EventData, request: gr.Request) -> Updates:
        """Open a run as the working model: returns it, and what to say of it."""
        given = given_by(asked)
        with as_toast():
            folder, report = self._opened(current, request)
            strategy, seed = str(given.get("strategy")), given.get("seed")
            if given.get("best"):
                return self._use_best(current, report)
            if seed is None:  # the advised one: its best run by the validation rows
                seed = best_seed(report, strategy, kept_runs(folder, report))
            model = run_folder(folder, strategy, whole_given("seed", seed, 0, 10_000))
            return self._offer(model, f"{strategy}, seed {seed}, of {report['data']}")

    def _use_best(self, current: str, report: dict[str, Any]) -> Updates:
        comparison = self.shelf.find(current)
        if comparison is None or not comparison.best:
            raise ValueError("nothing was trained on all rows here yet")
        name = f"{comparison.best}, trained on all rows of {report['data']}"
        return self._offer(comparison.folder / BEST, name)

    def _offer(self, folder: Path, name: str) -> Updates:
        opened = self.models.offer(folder, name)
        Work(lambda *_: self.models.get(opened)).result()
        where = "Predict now uses it, and Compare can lay its encoder beside another"
        return opened, told(name[:200], f"{where}; the sidebar leads back.")

    def save(self, current: str, asked: gr.EventData, request: gr.Request) -> str:
        """Write the report for a download: `{name, kind, text}` as JSON."""
        given = given_by(asked)
        kind = str(given.get("kind"))
        with as_toast():
            document = self._document(current, request)
            comparison = self.shelf.find(current)

            def write() -> dict[str, str]:
                if kind == "predictions":
                    return predictions_of(comparison)
                if kind == "code":
                    return code_of(document, str(given.get("strategy")), given.get("library"))
                if kind == "html":
                    from core.report.comparison import comparison_report
                    from core.report.page import report_html

                    text = report_html(comparison_report(document))
                    return {"name": "comparison.html", "kind": MEDIA["html"], "text": text}
                text = json.dumps(document, ensure_ascii=False, indent=1)
                return {"name": "comparison.json", "kind": MEDIA["json"], "text": text}

            return json.dumps(Work(lambda *_: write()).result())

    def close(self, request: gr.Request) -> None:
        """Take note that a page was closed."""
        self.shelf.leave(visitor_of(request))

    def listing(self, current: str, request: gr.Request) -> View:
        """List the comparisons that a page may open."""
        own = self.shelf.of(visitor_of(request))
        return {**self._listing(current, own), "ids": [each.id for each in own]}

    def _listing(self, current: str, own: Sequence[Comparison]) -> View:
        rows = [
            {
                "name": each.id,
                "title": f"Yours, of {each.name[:80]}",
                "about": f"{clock(each.begun)}, {each.state}",
                "deletable": True,
            }
            for each in own
        ]
        rows += [
            {
                "name": f"{KEPT}{folder.name}",
                "title": f"From the command line: {folder.name[:80]}",
                "about": clock(folder.stat().st_mtime),
                "deletable": self.local,
            }
            for folder in kept_comparisons(self.shelf.runs)
        ]
        shipped = shipped_comparison()
        if shipped is not None:
            rows.append(
                {
                    "name": EXAMPLE,
                    "title": "The shipped example, of the corpus",
                    "about": shipped["made"],
                    "deletable": False,
                }
            )
        listed = [{**row, "shown": row["name"] == current} for row in rows]
        return {"rows": listed, "kept": kept_how_long(self.shelf.most_bytes)}

    def first_listing(self) -> View:
        """List what a page that has just opened may open."""
        return self._listing(self.first[0], [])

    @functools.cached_property
    def first(self) -> tuple[str, View]:
        """What the tab opens with, its name and view: one named by --runs, or the shipped one."""
        for folder in kept_comparisons(self.shelf.runs):
            with contextlib.suppress(ValueError):
                name = f"{KEPT}{folder.name}"
                made = clock(folder.stat().st_mtime)
                report = kept_report(folder)
                view = result_view(report, name=name, made=made, kept=kept_runs(folder, report))
                return name, view
        return EXAMPLE, example_view()

    async def _watch(self, comparison: Comparison, request: gr.Request) -> AsyncIterator[Updates]:
        """Yield current, going, advice, result, list, Stop whenever something is new."""
        version, report, had = -1, None, None
        while True:
            if comparison.version != version or comparison.state == "waiting":
                first, version = version < 0, comparison.version
                advice: Any = SKIP
                result: Any = SKIP
                has = (comparison.going, comparison.best)
                if comparison.report is not None and (
                    comparison.report is not report or has != had
                ):
                    view = await asyncio.to_thread(self._own_view, comparison)
                    advice = advice_view(view)
                    result = SKIP if comparison.report is report else view
                    report, had = comparison.report, has
                listed_now = self.listing(comparison.id, request)
                going = going_view(comparison, self.shelf.place(comparison))
                stop = gr.update(visible=comparison.going)
                yield (comparison.id if first else SKIP), going, advice, result, listed_now, stop
            if not comparison.going and comparison.version == version:
                return
            await asyncio.sleep(TICK_SECONDS)

    def _own_view(self, comparison: Comparison) -> View:
        assert comparison.report is not None
        made = f"Begun {clock(comparison.begun)} on {comparison.report['machine']}."
        report, kept = comparison.report, kept_runs(comparison.folder, comparison.report)
        view = result_view(report, name=comparison.id, made=made, kept=kept)
        own = comparison.asked is not None
        ended = not comparison.going and own
        view["predictions"] = own
        return {**view, "trained": comparison.best, "trainable": ended and not comparison.best}

    def _view_of(self, name: str, request: gr.Request) -> View:
        if name == EXAMPLE:
            return example_view()
        comparison = self.shelf.find(name)
        if comparison is not None:
            if comparison.report is None:
                raise ValueError("no run of this comparison has finished")
            return self._own_view(comparison)
        folder, report = self._opened(name, request)
        made = clock(folder.stat().st_mtime)
        kept = kept_runs(folder, report)
        return result_view(report, name=name, made=f"Made {made}.", kept=kept)

    def _opened(self, name: str, request: gr.Request) -> tuple[Any, dict[str, Any]]:
        """Find a comparison's folder and report.

        Raises:
            ValueError: If it is not there, or is the shipped one, whose runs are not kept.
        """
        if name.startswith(KEPT):
            for folder in kept_comparisons(self.shelf.runs):
                if f"{KEPT}{folder.name}" == name:
                    return folder, kept_report(folder)
        comparison = self.shelf.find(name)
        if comparison is None or comparison.visitor != visitor_of(request):
            raise ValueError("this comparison's runs are not here: run one of your own")
        if comparison.report is None:
            raise ValueError("no run of this comparison has finished")
        return comparison.folder, comparison.report

    def _document(self, name: str, request: gr.Request) -> dict[str, Any]:
        if name == EXAMPLE:
            shipped = shipped_comparison()
            if shipped is not None:
                return dict(shipped["document"])
        return self._opened(name, request)[1]

    def _remove_kept(self, name: str) -> None:
        from core.comparison.store import remove_comparison

        if not self.local:
            raise ValueError("this page is open to others: delete it on the machine that serves it")
        for folder in kept_comparisons(self.shelf.runs):
            if f"{KEPT}{folder.name}" == name:
                remove_comparison(folder)


def example_view() -> View:
    """Lay out the shipped comparison; nothing, where none is shipped."""
    shipped = shipped_comparison()
    if shipped is None:
        return {"strategies": [], "sections": [], "tasks": [], "made": "", "usable": False}
    view: View = shipped["view"]
    return view


def best_seed(report: dict[str, Any], strategy: str, kept: Collection[tuple[str, int]]) -> int:
    """Name the seed of a strategy's run that scored highest on its validation rows.

    Args:
        report: The comparison's.
        strategy: By name.
        kept: Runs whose weights are there; those of others count only where it has none of them.

    Raises:
        ValueError: If it has no run.
    """
    from core.measures.scores import main_figure

    def validated(run: dict[str, Any]) -> float:
        scores = [main_figure(each) for each in (run["validation"] or {}).values()]
        known = [score for score in scores if score is not None]
        return sum(known) / len(known) if known else 0.0

    runs = [run for run in report["runs"] if run["strategy"] == strategy]
    if not runs:
        raise ValueError(f"there is no run of {strategy[:60]}")
    there = [run for run in runs if (strategy, run["seed"]) in kept]
    return int(max(there or runs, key=lambda run: (validated(run), -run["seed"]))["seed"])


def predictions_of(comparison: Comparison | None) -> dict[str, str]:
    """Write what every run predicted for its held-out rows for a download: `{name, kind, text}`.

    Raises:
        ValueError: If the comparison was not made on this page, which has its rows.
    """
    if comparison is None or comparison.asked is None or comparison.report is None:
        raise ValueError(
            "the rows of this comparison are not here: python -m core compare --predictions F "
            "writes what was predicted"
        )
    from core.comparison.files import write_predictions
    from core.comparison.folds import compared_data
    from core.comparison.store import read_runs

    told = {(run["strategy"], run["seed"]) for run in comparison.report["runs"]}
    runs = [run for run in read_runs(comparison.folder) if run.key in told]
    dataset = compared_data(comparison.asked.dataset()).dataset
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions.csv"
        write_predictions(path, dataset, runs)
        text = path.read_bytes().decode()  # as it is, line ends included
    return {"name": path.name, "kind": "text/csv", "text": text}


def code_of(document: dict[str, Any], strategy: str, library: object) -> dict[str, str]:
    """Write a strategy as a script for a download: `{name, kind, text}`.

    Raises:
        ValueError: If there is none; it says why.
    """
    from core.export.code import scripts_of

    script = next((s for s in scripts_of(document, strategy) if s.library == library), None)
    if script is None or not script.text:
        raise ValueError(script.note if script else f"there is no code for {str(library)[:40]}")
    return {"name": script.file, "kind": "text/x-python", "text": script.text}


def kept_how_long(most_bytes: int) -> str:
    """Say how long a visitor's comparisons are kept."""
    return (
        "Yours stay until this page's server ends. Past "
        f"{MOST_COMPARISONS} comparisons, those of all visitors together, the oldest is removed, "
        f"and past {most_bytes / 1e9:g} GB the oldest runs' weights are; figures stay. To keep "
        "more, download the report."
    )


def clock(at: float) -> str:
    """Write a moment: 2026-11-21 19:03."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
