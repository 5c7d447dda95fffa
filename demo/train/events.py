"""What the events of the Train tab do: plain values in, plain values out."""

import functools
import html
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from core.config import EncoderChoice
from demo.frame.spoken import as_sentence
from demo.frame.toasts import as_toast
from demo.frame.views import View
from demo.frame.widgets import SKIP, Updates, answered, given_by, soft
from demo.frame.work import RunningWork, Work, progress_line
from demo.shelves.encoders import name_of
from demo.shelves.model_uploads import ModelUploads
from demo.shelves.models import WorkingModel
from demo.shelves.shelves import Shelves
from demo.shelves.working_data import CORPUS_DATA, WorkingData
from demo.train.archive import zip_piece
from demo.train.ask import Experiment, TrainingAsk
from demo.train.charts import figures_of
from demo.train.sessions import Sessions
from demo.train.words import estimate_in_words, summary_of

if TYPE_CHECKING:  # torch is behind it
    from core.training.estimate import Estimates


class TrainingEvents:
    """The callbacks.

    Args:
        shelves: Where encoders and data come from, and where models go.
        sessions: The live runs.
    """

    def __init__(self, shelves: Shelves, sessions: Sessions) -> None:
        self.shelf, self.data, self.models = shelves.encoders, shelves.data, shelves.models
        self.sessions = sessions
        self.uploads = ModelUploads(local=self.shelf.local)
        self._running = RunningWork()

    @functools.cached_property
    def estimates(self) -> "Estimates":
        """What says how long a run takes; it comes with torch, so on first use."""
        from core.training.estimate import Estimates

        return Estimates(self.sessions.knows)

    def start(
        self,
        choice: EncoderChoice,
        working: WorkingData,
        request: gr.Request,
        *given: Any,  # noqa: ANN401 (the fields)
    ) -> Iterator[Updates]:
        """Start a run of what the fields hold: yields the run, status."""
        with as_toast():
            ask = TrainingAsk.of(given)

        def begin() -> str:
            encoder = self.shelf.get(choice)
            dataset = self.data.get(ask.data(working))
            job = ask.job(dataset, choice)
            _check(job.strategy, encoder.layers, [task.name for task in dataset.tasks])
            return self.sessions.start(job)

        yield from self._start(begin, request)

    def experiment(self, experiment: Experiment) -> Callable[..., Iterator[Updates]]:
        """Return the callback of a guided experiment's button; it yields as `start`."""

        def begin() -> str:
            dataset = self.data.get(experiment.ask.data(CORPUS_DATA))
            return self.sessions.start(experiment.job(dataset, EncoderChoice()))

        def run(request: gr.Request) -> Iterator[Updates]:
            yield from self._start(begin, request)

        return run

    def _start(self, begin: Callable[[], str], request: gr.Request) -> Iterator[Updates]:
        work = Work(lambda *_: begin())
        for step in self._running.steps(work, request):
            yield SKIP, progress_line("Reading the data…", step)
        with as_toast():
            try:
                token = work.result()
            except Exception:
                yield SKIP, ""
                raise
        yield {"token": token}, ""

    def estimate(self, choice: EncoderChoice, working: WorkingData, *given: Any) -> str:  # noqa: ANN401
        """Say how long what the fields hold would take here; what cannot be is said too."""

        def say() -> str:
            ask = TrainingAsk.of(given)
            encoder = self.shelf.get(choice)
            dataset = self.data.get(ask.data(working))
            job = ask.job(dataset, choice)
            scenario = _check(job.strategy, encoder.layers, [t.name for t in dataset.tasks])
            found = self.estimates.document(encoder, scenario, job.dataset, job.choice)
            return estimate_in_words(found)

        try:
            return soft(Work(lambda *_: say()).result())
        except (ValueError, RuntimeError) as error:
            return f'<p class="warn">{html.escape(as_sentence(error))}</p>'
        finally:
            self.sessions.warm_up()  # after the measurement, which it would disturb

    def look(self, asked: Any) -> View:  # noqa: ANN401 (whatever a browser sent)
        """Tell a browser how its run is and what is new of it."""
        token, since = _token(asked), asked.get("since", 0)
        since = since if isinstance(since, int) and not isinstance(since, bool) else 0
        seen = self.sessions.look(token, since)
        if figures := figures_of(seen["events"]):
            seen["figures"] = figures
        if seen["state"] == "done" and since < seen["next"]:
            log = self.sessions.look(token)["events"]
            seen["summary"] = summary_of(log, self.sessions.job_of(token))
        return seen

    def act(self, asked: Any) -> View:  # noqa: ANN401 (whatever a browser sent)
        """Do what a browser asks of its run: `{refused}`, empty where it was done."""
        try:
            token, what = _token(asked), str(asked.get("what", ""))
            if what == "forget":
                self.sessions.remove(token)
                return {"refused": ""}
            change = asked.get("change")
            self.sessions.act(token, what, change if isinstance(change, dict) else None)
        except ValueError as error:
            return {"refused": as_sentence(error)}
        return {"refused": ""}

    def use(self, asked: gr.EventData) -> Updates:
        """Make a run's model the working model: returns it, status."""
        given = given_by(asked)

        def load() -> WorkingModel:
            token = _token(given)
            folder, job = self.sessions.model_of(token), self.sessions.job_of(token)
            model = self.models.offer(folder, f"{job.strategy}, trained here")
            self.models.get(model)
            return model

        said = "Predict uses this model now, and Compare lays its encoder beside the other one."
        return answered(load), soft(said)

    def put(self, asked: Any) -> View:  # noqa: ANN401 (whatever a browser sent)
        """Take a piece of a model's zip: `{upload, whole}`, or `{refused}`."""
        try:
            if not isinstance(asked, dict):
                raise ValueError("no file is named")
            upload, size, piece = (asked.get(name) for name in ("upload", "size", "piece"))
            if not (isinstance(upload, str) and isinstance(piece, str) and type(size) is int):
                raise ValueError("no file is named")
            name, whole = self.uploads.put(upload, size, piece)
            return {"upload": name, "whole": whole}
        except ValueError as error:
            return {"refused": as_sentence(error)}

    def opened(self, asked: gr.EventData) -> Updates:
        """Make a model that was brought back the working model: returns it, status."""
        given = given_by(asked)

        def load() -> WorkingModel:
            folder = self.uploads.open(str(given.get("upload", ""))[:100])
            model = self.models.offer(folder, str(given.get("name", "") or "your model")[:80])
            self.models.get(model)
            return model

        return answered(load), soft("It is the working model now: Predict uses it.")

    def piece(self, asked: Any) -> View:  # noqa: ANN401 (whatever a browser sent)
        """Give a piece of a model folder as a zip file: `{piece, size}`, or `{refused}`."""
        try:
            token, at = _token(asked), asked.get("at", 0)
            if isinstance(at, bool) or not isinstance(at, int) or at < 0:
                raise ValueError("no place in the file is named")
            kind, folder = str(asked.get("kind", "")), self.sessions.model_of(token)
            return Work(lambda *_: zip_piece(folder, kind, at)).result()
        except (ValueError, RuntimeError) as error:
            return {"refused": as_sentence(error)}

    def tasks_of(self, choice: EncoderChoice, working: WorkingData) -> Updates:
        """Return the fields that depend on the working data: which data, tasks."""

        def read() -> tuple[str, list[str]]:
            dataset = self.data.get(working)
            return _data_line(working, len(dataset.examples), choice), [
                task.name for task in dataset.tasks
            ]

        line, names = answered(read)
        return line, gr.update(choices=names, value=names)


def _check(strategy: str, layers: int, tasks: list[str]) -> Any:  # noqa: ANN401 (a Scenario)
    from core.strategy.scenario import parse_strategy

    return parse_strategy(strategy, layers, tasks)


def _data_line(working: WorkingData, rows: int, choice: EncoderChoice) -> str:
    name = "the corpus" if working.is_corpus else working.name[:80]
    said = f"{name[:1].upper()}{name[1:]}, {rows:,} rows, on {name_of(choice)}"
    return soft(f"{said}. Another under Data and in the sidebar.")


def _token(asked: object) -> str:
    if not isinstance(asked, dict) or not isinstance(asked.get("token"), str):
        raise ValueError("no run is named")
    return str(asked["token"])[:100]
