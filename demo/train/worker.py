"""What a live run's own process does: it trains, waits where it is told to, and tells of it.

It imports core alone: a worker never holds the page.
"""

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.config import EncoderChoice, TrainingChoice
from core.errors import worded_all
from core.knowledge.probe import load_probe
from core.measures.drift import spearman
from demo.frame.spoken import field_of
from demo.train.run_map import RunMapTelling

if TYPE_CHECKING:  # torch is behind it, and the page is on screen before torch
    from core.data.dataset import Dataset
    from core.encoder.encoder import Encoder
    from core.training.events import Event
    from core.training.run import Run
    from core.training.steering import Change

TELL_SECONDS = 0.1
"""Steps are told together, so often: as often as a page draws them."""

NICENESS = 5
"""The page's own answers go before a run."""

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """What a live run trains.

    Attributes:
        dataset: Its rows.
        encoder: On top of which.
        strategy: What trains, as a person types it.
        choice: Epochs, rates, batch, seed.
        first: What is changed before the first step, a `core.training.steering.Change`.
        experiment: Which guided experiment it is; empty for a person's own.
        known_similarity: By fingerprint of an encoder, what `similarity_agreement` gave for it.
        map: Whether to map some sentences at each moment of the run.
    """

    dataset: "Dataset"
    encoder: EncoderChoice
    strategy: str
    choice: TrainingChoice
    first: Mapping[str, Any] = field(default_factory=dict)
    experiment: str = ""
    known_similarity: Mapping[str, float] = field(default_factory=dict)
    map: bool = True

    def copyable(self) -> "TrainingJob":
        """Give the same job with plain dicts, as processes can hand them on."""
        plain = replace(
            self.dataset,
            label_columns=dict(self.dataset.label_columns),
            facets=dict(self.dataset.facets),
        )
        return replace(
            self,
            dataset=plain,
            first=dict(self.first),
            known_similarity=dict(self.known_similarity),
        )


def serve_training(pipe: Connection, job: TrainingJob, folder: str) -> None:
    """Train as told over a pipe, and tell what happens over it.

    It takes `go`, `pause`, `step` and `{"change": …}`, and begins to train at once. It sends
    documents: what it is doing, a plan, steps, changes, evaluations, the end, and `paused`.

    Args:
        pipe: To whoever started it.
        job: What to train.
        folder: Where the model goes; not there yet.
    """
    with contextlib.suppress(OSError, AttributeError):  # no such thing on Windows
        os.nice(NICENESS)
    telling = _Telling(pipe)
    try:
        _train(telling, job, Path(folder))
    except (ValueError, RuntimeError) as error:
        telling.say({"event": "failed", "text": str(error)[:1_000]})
    except MemoryError:
        telling.say({"event": "failed", "text": "memory ran out: take fewer rows or freeze more"})


def _train(telling: "_Telling", job: TrainingJob, folder: Path) -> None:
    from core.encoder.encoder import load_encoder
    from core.strategy.scenario import parse_strategy
    from core.system.machine import usable_cores
    from core.training.events import SnapshotEvent
    from core.training.run import begin_run

    telling.say({"event": "doing", "text": "Loading the encoder…"})
    threads = job.choice.threads or usable_cores()
    encoder = load_encoder(replace(job.encoder, precision="exact"), threads=threads)
    tasks = [task.name for task in job.dataset.tasks]
    scenario = parse_strategy(job.strategy, encoder.layers, tasks)
    telling.say({"event": "doing", "text": "Dealing the rows…"})
    choice = replace(job.choice, threads=threads)
    run = begin_run(job.dataset, encoder, scenario, choice)
    steering, moments = _Steering(telling, run, job.first), RunMapTelling()
    for event in run.train(steering=steering, snapshots=job.map):
        if isinstance(event, SnapshotEvent):
            telling.say(moments.document(event))
            continue
        for document in _documents(run, event):
            telling.tell(document)
    telling.say({"event": "doing", "text": "Writing the model down…"})
    run.save(folder, command=_command(job))
    telling.say({"event": "doing", "text": "Measuring what the encoder forgot…"})
    telling.say({"event": "saved", **_after(run, job)})


def _moved_parts(run: "Run") -> set[str]:
    from core.training.thawing import model_parts, part_parameters

    changed = run.changed()
    return {
        str(part)
        for part in model_parts(run.model)
        if part.layer is not None and changed.keys() & part_parameters(run.model, part).keys()
    }


def similarity_agreement(encoder: "Encoder") -> float:
    """Give Spearman's correlation of an encoder's similarities with the probe's grades."""
    probe = load_probe()
    first, second = (
        encoder.encode([pair[side] for pair in probe.pairs]).vectors for side in (0, 1)
    )
    # (pairs, dimension) each
    cosine = (first * second).sum(dim=1) / (first.norm(dim=1) * second.norm(dim=1))  # (pairs,)
    return spearman(np.array(probe.grades), cosine.double().numpy())


def _command(job: TrainingJob) -> str:
    """Say the command that trains alike; what was steered stands beside it in the document."""
    data = job.dataset.name
    return (
        f"python -m core train --data {data} --rows {len(job.dataset.examples)} "
        f"--strategy {job.strategy} --epochs {job.choice.epochs} --seed {job.choice.seed}"
    )


def _after(run: "Run", job: TrainingJob) -> Document:
    """Tell what became of the encoder: how much of it moved, and what it forgot."""
    from core.encoder.encoder import load_encoder

    document: Document = {"base": run.base, "moved": sorted(_moved_parts(run))}
    if not document["moved"]:
        return document
    known = job.known_similarity.get(run.base)
    if known is None:
        fresh = load_encoder(replace(job.encoder, precision="exact"), threads=job.choice.threads)
        known = similarity_agreement(fresh)
    return document | {
        "similarity": {"before": known, "after": similarity_agreement(run.model.encoder)}
    }


class _Telling:
    """Sends documents, the many steps of a moment together."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self._steps: list[Document] = []
        self._told = 0.0

    def tell(self, document: Document) -> None:
        """Tell of something; a step may wait a moment for others."""
        if document["event"] != "step":
            self.say(document)
            return
        self._steps.append(document)
        if time.monotonic() - self._told > TELL_SECONDS:
            self.flush()

    def say(self, document: Document) -> None:
        """Tell of something at once, and of the steps before it."""
        self.flush()
        self.pipe.send(worded_all(document, field_of))

    def flush(self) -> None:
        """Tell of the steps that wait."""
        if self._steps:
            self.pipe.send({"event": "steps", "steps": _compact(self._steps)})
            self._steps = []
        self._told = time.monotonic()


def _compact(steps: Sequence[Document]) -> list[Document]:
    last = steps[-1]
    plain = [{"step": each["step"], "loss": each["loss"]} for each in steps[:-1]]
    return [*plain, last]


class _Steering:
    """Answers a training that asks what changes: waits while it is paused.

    Args:
        telling: Where to tell that it waits, and whose pipe says what to do.
        run: What is trained.
        first: What is changed before the first step.
    """

    def __init__(self, telling: _Telling, run: "Run", first: Mapping[str, Any]) -> None:
        self._telling, self._run = telling, run
        self._going, self._steps, self._waiting = True, 0, False
        self._changes: list[Mapping[str, Any]] = [first] if first else []

    def __call__(self) -> "list[Change]":
        while True:
            self._read(wait=not self._going and not self._steps and not self._changes)
            if self._changes:
                return self._taken()
            if self._going or self._steps:
                self._steps = max(0, self._steps - 1)
                self._waiting = False
                return []

    def _read(self, *, wait: bool) -> None:
        pipe = self._telling.pipe
        if wait and not self._waiting:
            self._waiting = True
            self._telling.say({"event": "paused"})
        while wait or pipe.poll():
            said = pipe.recv()
            if isinstance(said, dict):
                self._changes.append(said["change"])
            elif said == "step":
                self._going, self._steps = False, 1
            else:
                self._going, self._steps = said == "go", 0
            wait = False

    def _taken(self) -> "list[Change]":
        from core.training.steering import change_of
        from core.training.thawing import model_parts

        found, parts = [], model_parts(self._run.model)
        for document in self._changes:
            try:
                found.append(change_of(document, parts))
            except ValueError as error:
                self._telling.say({"event": "refused", "text": str(error)})
        self._changes = []
        if found and self._waiting:  # states may have to be computed again
            self._telling.say({"event": "doing", "text": "Changing the run…"})
        return found


def _documents(run: "Run", event: "Event") -> list[Document]:
    from core.training.events import ChangeEvent, PlanEvent, event_document
    from core.training.plan import model_facts, plan_document
    from core.training.steering import change_in_words

    if isinstance(event, PlanEvent):
        plan = plan_document(run, event) | model_facts(run)
        frozen = {"event": "doing", "text": "Running what is frozen, once for each sentence…"}
        return [plan, *([] if event.prefix is None else [frozen])]
    document = event_document(event)
    if isinstance(event, ChangeEvent):
        return [document | {"text": change_in_words(event.change, event.refused)}]
    return [_brief(document) if document["event"] == "step" else document]


def _brief(value: Any) -> Any:  # noqa: ANN401 (a part of a document)
    """Drop the digits that nobody reads: a step travels ten times a second."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    return {key: _brief(each) for key, each in value.items()} if isinstance(value, dict) else value
