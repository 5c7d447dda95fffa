"""What a worker of a comparison does: it trains, tests and keeps one run after another."""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.advice.held_out import HeldOut, TaskPredictions
from core.comparison.folds import Deal
from core.comparison.shared import Failed, Prepared, Setting, failed
from core.comparison.store import FinishedRun, RunRecord, keep_run
from core.config import TrainingChoice
from core.data.dataset import Dataset
from core.data.dealing import DealtRows
from core.encoder.encoder import batches_by_length, load_encoder
from core.encoder.tokenizer import Tokens
from core.frozen.prefix import TOKENS_PER_BATCH, Prefix, open_prefix
from core.frozen.scoring import Scorer
from core.knowledge.forgetting import Retention, Yardstick, own_sample, untouched
from core.knowledge.probe import load_probe
from core.model.evaluation import calibrate, evaluate_scores
from core.model.heads import head_for
from core.model.model import MultiTaskModel
from core.model.prediction import predict
from core.model.reading import ReadText
from core.strategy.thaw_plan import ThawPlan
from core.system.machine import peak_memory_bytes, use_threads
from core.task import Example
from core.training.events import (
    DivergedError,
    DoneEvent,
    EvaluationEvent,
    Event,
    PlanEvent,
    StepEvent,
)
from core.training.run import Run
from core.training.targets import Targets, read_targets

TIMED_SENTENCES = 96
"""How many sentences the speed of predicting is measured on."""

SECONDS_BETWEEN_STEPS = 0.1
"""Steps are told no more often than that: nobody reads faster."""

CURVE_POINTS = 200
STATES = "thaw-states-"
"""What the folder of a shared prefix begins with: its files are counted off a run's memory."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run to be done.

    Attributes:
        plan: What trains when, and where the heads of its tasks read.
        deal: Its rows.
        choices: How to train: of several, the one that the validation rows like best.
        profile_seconds: What finding where they read cost.
        prefix: The states of what is frozen, and what they would cost it on its own.
        measure: Whether to measure memory and the speed of predicting too.
        retention: The states of the pretrained encoder to measure drift and forgetting by; None
            measures neither.
        folder: Where the run is kept; None for nowhere.
        keep_model: Whether its model is kept too.
        waited_seconds: What was spent on it before it began.
        notes: What is known of it already.
    """

    plan: ThawPlan
    deal: Deal
    choices: tuple[TrainingChoice, ...]
    profile_seconds: float
    prefix: Prepared
    measure: bool
    retention: Prepared | None
    folder: Path | None
    keep_model: bool = True
    waited_seconds: float = 0.0
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
    opened: dict[str, Prefix] = {}
    while True:
        for message in do_run(setting, pipe.recv(), opened):
            pipe.send(message)


def do_run(
    setting: Setting, job: Job, opened: dict[str, Prefix]
) -> Iterator[Step | FinishedRun | Failed]:
    """Train and test one run.

    Args:
        setting: What all runs share.
        job: Which run.
        opened: By folder, what this process has mapped already; more is added.

    Yields:
        How far it is, and at last the run, or why it did not come to its end.
    """
    try:
        yield from _Running(setting, job, opened).run()
    except Exception as error:  # told to whoever asked, who decides
        yield failed(error)


def do_run_elsewhere(
    setting: Setting, job: Job, opened: dict[str, Prefix]
) -> Iterator[Step | FinishedRun | Failed]:
    """Train and test one run in a process that was not started by `do_runs`; see `do_run`."""
    use_threads(setting.threads)
    yield from do_run(setting, job, opened)


class _Running:
    """One run: its rows, its trainings, its figures."""

    def __init__(self, setting: Setting, job: Job, opened: dict[str, Prefix]) -> None:
        self.setting, self.job = setting, job
        self.opened = opened  # what this process has mapped already
        data = setting.data.dataset
        self.dataset = replace(data, tasks=tuple(t for t in data.tasks if t.name in job.plan.read))
        self.tested = [data.examples[row] for row in job.deal.tested]
        self.prefix = self._open(job.prefix)

    def _open(self, prepared: Prepared | None) -> Prefix | None:
        if prepared is None or prepared.folder is None:
            return None
        if prepared.folder not in self.opened:
            self.opened[prepared.folder] = open_prefix(Path(prepared.folder))
        return self.opened[prepared.folder]

    def run(self) -> Iterator[Step | FinishedRun]:
        """Train, test and keep it."""
        begun = time.perf_counter()
        trained = yield from self._train()
        job, model = self.job, trained.run.model
        peak = peak_memory_bytes(apart=STATES) if job.measure else None
        targets = read_targets(model, self.tested)
        texts, read = [example.text for example in self.tested], targets.texts
        scores = score_texts(model, read, job.plan, self.prefix)
        judged = evaluate_scores(model.tasks, read, self.tested, scores)
        kept = self._retained(model)
        record = trained.record(
            scores={name: each.document() for name, each in judged.items()},
            tested_calibration=self._calibration(model, targets, scores),
            peak_memory_bytes=peak,
            inference_sentences_per_second=_sentences_per_second(model, texts)
            if job.measure
            else None,
            drift=None if kept is None else kept.document()["drift"],
            forgetting=None if kept is None else vars(kept.forgetting).copy(),
            wall_seconds=job.waited_seconds + time.perf_counter() - begun,
        )
        held_out = _held_out(job, model, read, self.tested, scores)
        run = FinishedRun(
            record=record, held_out=held_out, folder=job.folder if job.keep_model else None
        )
        if job.folder is not None:
            building = job.folder.with_name(f".{job.folder.name}")
            if job.keep_model:
                trained.run.save(building, command=self.setting.command, overwrite=True)
            keep_run(building, job.folder, run)
        yield run

    def _train(self) -> Generator[Step, None, "_Trained"]:
        """Train by each choice of rates, and take the one that the validation rows like best."""
        found: list[_Trained] = []
        diverged: DivergedError | None = None
        for choice in self.job.choices:
            trained = _Trained(self.setting, self.job, self.dataset, choice, self.prefix)
            try:
                yield from trained.train()
            except DivergedError as error:  # another rate may do
                diverged = error
                continue
            if not found or trained.validated > found[0].validated:
                found = [trained]
        if not found:
            assert diverged is not None  # a job has a choice
            raise diverged
        return found[0]

    def _retained(self, model: MultiTaskModel) -> Retention | None:
        """Hold the tuned encoder against the pretrained one, where that is asked for."""
        if self.job.retention is None:
            return None
        texts = [example.text for example in self.dataset.examples]
        prefix = self._open(self.job.retention)
        if prefix is None:  # nothing of the encoder was tuned
            return untouched(model.encoder.layers, len(own_sample(texts)))
        yardstick = Yardstick(load_probe(), texts, model.encoder.tokenizer)
        return yardstick.measure(model.encoder, prefix, self.job.plan.depth)

    def _calibration(
        self, model: MultiTaskModel, targets: Targets, scores: Mapping[str, list[Tensor]]
    ) -> dict[str, dict[str, float | None]]:
        """Calibrate on the tested rows: for a model that is trained on all rows later."""
        return {
            task.name: vars(
                calibrate(
                    task,
                    torch.cat(scores[task.name]),
                    targets.of(task.name, range(len(self.tested))),
                )
            ).copy()
            for task in model.tasks
        }


class _Trained:
    """One training: its model, and what it told on the way."""

    def __init__(
        self,
        setting: Setting,
        job: Job,
        dataset: Dataset,
        choice: TrainingChoice,
        prefix: Prefix | None,
    ) -> None:
        self.job, self.choice, self.prefix = job, choice, prefix
        encoder, deal = load_encoder(setting.encoder, threads=setting.threads), job.deal
        rows = DealtRows(
            training=tuple(dataset.examples[row] for row in deal.training),
            validation=tuple(dataset.examples[row] for row in deal.validation),
            notes=deal.notes,
        )
        self.run = Run(dataset, rows, encoder, job.plan, choice)
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

    def record(self, **measured: Any) -> RunRecord:  # noqa: ANN401 (fields of a record)
        """Say what it cost and how it went, with what was measured after it."""
        assert self.plan is not None
        assert self.done is not None
        deal, plan, steps = self.job.deal, self.job.plan, self.done.steps
        # A process's first step pays for what is set up once.
        later = self.step_seconds - self.first_seconds
        each = later / (steps - 1) if steps > 1 else self.first_seconds
        own = self.job.prefix.folder is None and self.plan.prefix is not None
        # A run that shares no prefix computes its own before its first step.
        prefix = max(0.0, self.first_seconds - each) if own else self.job.prefix.seconds
        metrics = self.done.scores
        return RunRecord(
            strategy=plan.scenario.name,
            settings=dict(plan.strategy.settings),
            seed=deal.seed,
            fold=deal.fold,
            repetition=deal.repetition,
            read=dict(plan.read),
            rates={
                "encoder": self.choice.encoder_rate or plan.strategy.encoder_rate,
                "head": self.choice.head_rate or plan.strategy.head_rate,
            },
            epochs=self.epochs[-1]["epoch"] if self.epochs else self.done.epoch,
            best_epoch=self.done.epoch,
            converged=self.converged,
            training_rows=len(deal.training),
            steps=steps,
            trainable_parameters=self.plan.trainable_parameters,
            seconds=prefix + self.job.profile_seconds + each * steps,
            seconds_per_step=each if steps else 0.0,
            prefix_seconds=prefix,
            profile_seconds=self.job.profile_seconds,
            validation=None if metrics is None else {n: m.document() for n, m in metrics.items()},
            curves={"loss": _thinned(self.losses), "epochs": self.epochs},
            temperature={n: c.temperature for n, c in self.run.model.calibration.items()},
            threads=torch.get_num_threads(),
            notes=(*self.job.notes, *self.run.notes),
            **measured,
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
    model: MultiTaskModel, texts: Sequence[ReadText], plan: ThawPlan, prefix: Prefix | None
) -> dict[str, list[Tensor]]:
    """Score each text by itself.

    Args:
        model: Trained.
        texts: As it reads them.
        plan: What trained; what never did is taken from the prefix.
        prefix: Of the pretrained encoder; None runs all of the network.

    Returns:
        By task, (1, labels) or (tokens, classes) a text.
    """
    found: dict[str, dict[int, Tensor]] = {name: {} for name in model.heads}
    tokens = [Tokens(ids=list(each.ids), truncated=each.truncated) for each in texts]
    batches = list(batches_by_length(tokens, TOKENS_PER_BATCH))
    batches += [[index] for index, each in enumerate(texts) if not each.ids]
    scorer = Scorer(model, texts)
    if prefix is not None:
        scorer.take_from(prefix)
    start = None if prefix is None else plan.start
    for rows in batches:
        scores = scorer.scores(rows, start)
        for task in model.tasks:
            sizes = [head_for(task).rows_of(len(texts[row].ids)) for row in rows]
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
        own, head = scores[task.name], model.task_heads[task.name]
        pairs = zip(texts, own, strict=True)
        tasks[task.name] = TaskPredictions(
            task=task,
            actual=tuple(example.labels.get(task.name) for example in tested),
            predicted=tuple(head.said(task, text, each) for text, each in pairs),
            scores=tuple(tuple(each[0].tolist()) for each in own)
            if task.of_kind.one_label
            else None,
        )
    return HeldOut(
        strategy=job.plan.scenario.name,
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
