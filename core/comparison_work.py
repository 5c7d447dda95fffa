"""What a worker of a comparison does: it trains, tests and keeps one run after another."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.comparison_folds import Deal
from core.comparison_runs import TOKEN_SCORES, FinishedRun, RunRecord, keep_run
from core.comparison_shared import Prepared, Setting, failed
from core.config import TrainingChoice
from core.dealing import DealtRows
from core.encoder import batches_by_length, load_encoder
from core.evaluation import evaluate_scores, read_entities
from core.freezing import Strategy, frozen_depth
from core.held_out import HeldOut, TaskPredictions
from core.model import MultiTaskModel, ReadText
from core.model_folder import save_tensors
from core.peak_memory import peak_memory_bytes
from core.prediction import predict
from core.prefix import Prefix, open_prefix
from core.runs import Run
from core.scenario import Scenario
from core.scoring import Scorer
from core.task import Example, Label
from core.tokenizer import Tokens
from core.training_events import (
    DoneEvent,
    EvaluationEvent,
    Event,
    PlanEvent,
    StepEvent,
)

TIMED_SENTENCES = 96
"""How many sentences the speed of predicting is measured on."""

SECONDS_BETWEEN_STEPS = 0.1
"""Steps are told no more often than that: nobody reads faster."""

CURVE_POINTS = 200
TOKENS_PER_BATCH = 2048
STATES = "thaw-states-"
"""What the folder of a shared prefix begins with: its files are counted off a run's memory."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run to be done.

    Attributes:
        scenario: What trains, and where the heads read.
        deal: Its rows.
        read: By task, the layer its head reads.
        choices: How to train: of several, the one that the validation rows like best.
        profile_seconds: What finding `read` cost.
        prefix: The states of what is frozen, and what they would cost it on its own.
        measure: Whether to measure memory and the speed of predicting too.
        folder: Where the run is kept; None for nowhere.
        notes: What is known of it already.
    """

    scenario: Scenario
    deal: Deal
    read: Mapping[str, int | str]
    choices: tuple[TrainingChoice, ...]
    profile_seconds: float
    prefix: Prepared
    measure: bool
    folder: Path | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Step:
    """How far a run is."""

    step: int
    steps: int
    epoch: int
    loss: Mapping[str, float]


def do_runs(pipe: Connection, setting: Setting) -> None:
    """Train and test what comes through a pipe, one run after another, until it is closed."""
    setting.begin()
    prefixes: dict[str, Prefix] = {}
    while True:
        job: Job = pipe.recv()
        try:
            folder = job.prefix.folder
            if folder is not None and folder not in prefixes:
                prefixes[folder] = open_prefix(Path(folder))
            for message in _run(setting, job, None if folder is None else prefixes[folder]):
                pipe.send(message)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:  # told to whoever asked, who decides
            pipe.send(failed(error))


def _run(setting: Setting, job: Job, prefix: Prefix | None) -> Iterator[Step | FinishedRun]:
    """Train, test and keep one run."""
    begun = time.perf_counter()
    best: _Trained | None = None
    for choice in job.choices:
        trained = _Trained(setting, job, choice, prefix)
        yield from trained.train()
        if best is None or trained.validated > best.validated:
            best = trained
    assert best is not None  # a job has a choice
    peak = peak_memory_bytes(apart=STATES) if job.measure else None
    model = best.run.model
    texts = [setting.data.dataset.examples[row].text for row in job.deal.tested]
    read = model.read(texts)
    scores = score_texts(model, read, job.scenario.strategy, prefix)
    tested = [setting.data.dataset.examples[row] for row in job.deal.tested]
    judged = evaluate_scores(model.tasks, read, tested, scores)
    record = best.record(
        judged={name: each.document() for name, each in judged.items()},
        peak=peak,
        rate=_sentences_per_second(model, texts) if job.measure else None,
        wall=time.perf_counter() - begun,
    )
    run = FinishedRun(
        record=record,
        held_out=_held_out(job, model, read, tested, scores),
        folder=job.folder,
    )
    if job.folder is not None:
        building = job.folder.with_name(f".{job.folder.name}")
        best.run.save(building, command=setting.command, overwrite=True)
        save_tensors({name: torch.cat(list(scores[name])) for name in scores},
                     building / TOKEN_SCORES)  # fmt: skip
        keep_run(building, job.folder, run)
    yield run


class _Trained:
    """One training: its model, and what it told on the way."""

    def __init__(
        self, setting: Setting, job: Job, choice: TrainingChoice, prefix: Prefix | None
    ) -> None:
        self.job, self.choice, self.prefix = job, choice, prefix
        encoder = load_encoder(setting.encoder, threads=setting.threads)
        dataset, deal = setting.data.dataset, job.deal
        rows = DealtRows(
            training=tuple(dataset.examples[row] for row in deal.training),
            validation=tuple(dataset.examples[row] for row in deal.validation),
            notes=deal.notes,
        )
        self.run = Run(dataset, rows, encoder, job.scenario, choice, dict(job.read))
        self.plan: PlanEvent | None = None
        self.done: DoneEvent | None = None
        self.step_seconds = self.first_seconds = 0.0
        self.losses: list[tuple[int, Mapping[str, float]]] = []
        self.epochs: list[dict[str, Any]] = []
        self.validated = 0.0

    def train(self) -> Iterator[Step]:
        """Train, telling how far it is."""
        told = 0.0
        for seconds, event in _timed(self.run.train(prefix=self.prefix)):
            if isinstance(event, PlanEvent):
                self.plan = event
            elif isinstance(event, StepEvent):
                self.step_seconds += seconds
                self.first_seconds = self.first_seconds or seconds
                self.losses.append((event.step, event.loss))
                if time.perf_counter() - told > SECONDS_BETWEEN_STEPS:
                    told = time.perf_counter()
                    steps = self.plan.steps if self.plan else event.step
                    yield Step(step=event.step, steps=steps, epoch=event.epoch, loss=event.loss)
            elif isinstance(event, EvaluationEvent):
                self._evaluated(event)
            elif isinstance(event, DoneEvent):
                self.done = event

    def _evaluated(self, event: EvaluationEvent) -> None:
        scores = {name: each.main for name, each in event.scores.items()}
        self.validated = max(self.validated, sum(scores.values()) / len(scores))
        self.epochs.append(
            {"epoch": event.epoch, "step": event.step, "scores": scores, "loss": dict(event.loss)}
        )

    @property
    def converged(self) -> bool | None:
        """Whether validation stopped improving before the last epoch."""
        if self.done is None or not self.epochs:
            return None
        return self.done.epoch < self.epochs[-1]["epoch"]

    def record(
        self,
        *,
        judged: Mapping[str, Any],
        peak: int | None,
        rate: float | None,
        wall: float,
    ) -> RunRecord:
        """Say what it cost and how it went, with its figures on the tested rows."""
        assert self.plan is not None
        assert self.done is not None
        deal, strategy, steps = self.job.deal, self.job.scenario.strategy, self.done.steps
        # A process's first step pays for what is set up once.
        later = self.step_seconds - self.first_seconds
        each = later / (steps - 1) if steps > 1 else self.first_seconds
        metrics = self.done.scores
        return RunRecord(
            strategy=self.job.scenario.name,
            settings=dict(strategy.settings),
            seed=deal.seed,
            fold=deal.fold,
            repetition=deal.repetition,
            read=dict(self.job.read),
            rates={
                "encoder": self.choice.encoder_rate or strategy.encoder_rate,
                "head": self.choice.head_rate or strategy.head_rate,
            },
            epochs=self.epochs[-1]["epoch"] if self.epochs else self.done.epoch,
            best_epoch=self.done.epoch,
            converged=self.converged,
            steps=steps,
            trainable_parameters=self.plan.trainable_parameters,
            seconds=self.job.prefix.seconds + self.job.profile_seconds + each * steps,
            wall_seconds=wall,
            seconds_per_step=each if steps else 0.0,
            prefix_seconds=self.job.prefix.seconds,
            profile_seconds=self.job.profile_seconds,
            peak_memory_bytes=peak,
            inference_sentences_per_second=rate,
            drift=None,
            forgetting=None,
            scores=judged,
            validation=None if metrics is None else {n: m.document() for n, m in metrics.items()},
            curves={"loss": _thinned(self.losses), "epochs": self.epochs},
            temperature={n: c.temperature for n, c in self.run.model.calibration.items()},
            threads=torch.get_num_threads(),
            notes=(*self.job.notes, *self.run.notes),
        )


def _timed(events: Iterator[Event]) -> Iterator[tuple[float, Event]]:
    """Give each event with the seconds that went into it, and none of what its reader did."""
    while True:
        before = time.perf_counter()
        event = next(events, None)
        if event is None:
            return
        yield time.perf_counter() - before, event


def _thinned(losses: Sequence[tuple[int, Mapping[str, float]]]) -> list[dict[str, Any]]:
    """Keep so many points of a curve as a picture shows, each the mean of those it stands for."""
    size = -(-len(losses) // CURVE_POINTS) or 1
    points = []
    for start in range(0, len(losses), size):
        some = losses[start : start + size]
        mean = {name: sum(loss[name] for _, loss in some) / len(some) for name in some[0][1]}
        points.append({"step": some[-1][0], "loss": mean})
    return points


@torch.inference_mode()
def score_texts(
    model: MultiTaskModel, texts: Sequence[ReadText], strategy: Strategy, prefix: Prefix | None
) -> dict[str, list[Tensor]]:
    """Score each text by itself.

    Args:
        model: Trained.
        texts: As it reads them.
        strategy: What trained; what never did is taken from the prefix.
        prefix: Of the pretrained encoder; None runs all of the network.

    Returns:
        By task, (1, labels) or (tokens, classes) a text.
    """
    found: dict[str, dict[int, Tensor]] = {name: {} for name in model.heads}
    tokens = [Tokens(ids=list(each.ids), truncated=each.truncated) for each in texts]
    batches = list(batches_by_length(tokens, TOKENS_PER_BATCH))
    batches += [[index] for index, each in enumerate(texts) if not each.ids]
    depth, scorer = frozen_depth(strategy, model.encoder.layers), Scorer(model, texts)
    if prefix is not None:
        scorer.take_from(prefix)
    start = None if depth is None or prefix is None else min(depth, model.highest_read)
    for rows in batches:
        scores = scorer.scores(rows, start)
        for task in model.tasks:
            sizes = [len(texts[row].ids) if task.kind == "token" else 1 for row in rows]
            parts = scores[task.name].float().cpu().split(sizes)
            found[task.name].update(zip(rows, parts, strict=True))
    return {name: [by[row] for row in range(len(texts))] for name, by in found.items()}


def _held_out(
    job: Job,
    model: MultiTaskModel,
    texts: Sequence[ReadText],
    tested: Sequence[Example],
    scores: Mapping[str, Sequence[Tensor]],
) -> HeldOut:
    """Say what a model predicts for the tested rows, beside what is true."""
    tasks = {}
    for task in model.tasks:
        own, predicted = scores[task.name], []
        for text, each in zip(texts, own, strict=True):
            said: Label = (
                task.labels[int(each.argmax())]
                if task.kind == "sentence"
                else read_entities(text, each, task)
            )
            predicted.append(said)
        tasks[task.name] = TaskPredictions(
            task=task,
            actual=tuple(example.labels.get(task.name) for example in tested),
            predicted=tuple(predicted),
            scores=tuple(tuple(each[0].tolist()) for each in own)
            if task.kind == "sentence"
            else None,
        )
    return HeldOut(
        strategy=job.scenario.name,
        seed=job.deal.seed,
        fold=job.deal.fold,
        repetition=job.deal.repetition,
        rows=job.deal.tested,
        tasks=tasks,
    )


def _sentences_per_second(model: MultiTaskModel, texts: Sequence[str]) -> float | None:
    """Measure how many sentences a second are predicted, as a person who predicts would have it."""
    some = list(texts[:TIMED_SENTENCES])
    predict(model, some[:8])  # the first batch of a shape pays for choosing its kernels
    before = time.perf_counter()
    predict(model, some)
    seconds = time.perf_counter() - before
    return len(some) / seconds if seconds else None
