"""The training loop: a generator of typed events, so that a page, a command and a test see one.

What an update is, and what learns, is `core.training.learner`'s: here is when, and what is told of
it.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch

from core.config import TrainingChoice
from core.encoder.encoder import CancelledError
from core.frozen.prefix import Prefix, bytes_of
from core.frozen.processes import ALONE, Processes
from core.model.evaluation import TaskScores
from core.model.model import MultiTaskModel
from core.strategy.strategy import Part
from core.strategy.thaw_plan import ThawPlan
from core.system.machine import torch_threads
from core.task import Example
from core.training.checkpoint import read_checkpoint, write_checkpoint
from core.training.events import (
    ChangeEvent,
    CheckpointEvent,
    DivergedError,
    DoneEvent,
    EvaluationEvent,
    Event,
    PlanEvent,
    StepEvent,
    event_document,
)
from core.training.learner import Learner
from core.training.observing import weight_drift
from core.training.pace import Pace
from core.training.resuming import RunProgress, broken_if_lacking, check_identity, run_identity
from core.training.snapshots import Snapshots
from core.training.steering import Change, Steering, change_of
from core.training.targets import read_targets
from core.training.thawing import rate_share
from core.training.validation import RowScores, Validation, outcome_notes


def train(
    model: MultiTaskModel,
    plan: ThawPlan,
    examples: Sequence[Example],
    validation: Sequence[Example],
    choice: TrainingChoice,
    *,
    folder: Path | None = None,
    resume: bool = False,
    cancelled: Callable[[], bool] | None = None,
    about: Mapping[str, Any] | None = None,
    prefix: Prefix | None = None,
    processes: Processes = ALONE,
    steering: Steering | None = None,
    snapshots: bool = False,
) -> Iterator[Event]:
    """Train a model in place, telling what happens.

    The frozen bottom runs once; what lies above the highest layer read never runs. Where there
    are validation rows the best epoch's weights are kept and the temperature is fitted on them.
    However it ends, also when the generator is closed, nothing is left in training mode.

    Args:
        model: Its heads already read where they should.
        plan: What trains when, of a model whose heads read where these do.
        examples: What to learn from; any may lack any label.
        validation: Held-out rows; may be empty.
        choice: Epochs, rates, batch, seed, threads.
        folder: Where checkpoints go, at each epoch's end and every so many steps; None for none.
        resume: Whether to go on from the checkpoint in `folder`, bit for bit as if never stopped.
        cancelled: Asked before each step; True stops.
        about: What a checkpoint is to say of the run beside what it needs, as JSON.
        prefix: The frozen bottom, shared with other runs: of this encoder as it is now, and of
            all these texts at least. None makes one for this run alone.
        processes: Who trains: each of them calls this with the same arguments, sees the same
            events, and ends with the same weights. The main one alone writes.
        steering: Asked before each step, again and again until nothing changes of the run. While
            it does not answer, the run waits, and no clock of the run's goes on.
        snapshots: Whether to tell where some sentences stand, before the first step and after
            each epoch. Nothing else of the run depends on it.

    Yields:
        A plan, steps, changes, an evaluation after each epoch, snapshots, checkpoints, and an end.

    Raises:
        ValueError: If there is nothing to learn from, a label is none of its task's, the
            checkpoint is of another run, or the prefix of another encoder or other texts.
        DivergedError: If the loss or its gradient is no longer a number; the model holds the
            weights of the last good epoch.
        RuntimeError: If a checkpoint cannot be written; the one before it is intact.
        CancelledError: If `cancelled` answered True, after a checkpoint where there is a folder.
    """
    if prefix is not None:
        prefix.check_encoder(model.encoder)
    threads = processes.threads(choice.threads) if choice.threads else torch.get_num_threads()
    with torch_threads(threads):
        run = _Training(model, plan, examples, validation, choice, folder, processes)
        planned = run.plan()
        run.about = {**(about or {}), "plan": event_document(planned)}
        try:
            yield planned
            # Before a checkpoint changes the weights that it is of.
            run.learner.prepare(prefix, cancelled)
            run.steering = steering
            if snapshots:
                run.begin_snapshots()
            if resume:
                yield from run.load()
            yield from run.epochs(cancelled)
            yield run.finish()
        finally:
            run.learner.close()


class _Training:
    """One training: when it updates, evaluates and writes, and how far it is."""

    def __init__(
        self,
        model: MultiTaskModel,
        plan: ThawPlan,
        examples: Sequence[Example],
        validation: Sequence[Example],
        choice: TrainingChoice,
        folder: Path | None,
        processes: Processes,
    ) -> None:
        if not examples:
            raise ValueError("there is no row to learn from")
        self.model, self.choice, self.folder = model, choice, folder
        self.processes, self.rows = processes, len(examples)
        self.targets = read_targets(model, [*examples, *validation])
        self.lengths = [len(text.ids) for text in self.targets.texts]
        self.pace = Pace()
        self.learner = Learner(model, plan, choice, self.targets, self.rows, processes)
        held_out = range(self.rows, len(self.lengths))
        self.validation = Validation(model, self.targets, held_out, self.learner.scorer, processes)
        self.progress = RunProgress(
            epoch_loss=dict.fromkeys(model.heads, 0.0), order=self.learner.draws.order_state()
        )
        self.identity = run_identity(
            model, plan.scenario, choice, examples, validation, processes.count
        )
        self.about: dict[str, Any] = {}
        self.kept_scores: RowScores | None = None
        self.steering: Steering | None = None
        self.snapshots: Snapshots | None = None

    @property
    def steps_an_epoch(self) -> int:
        """How many steps make an epoch."""
        return -(-self.rows // self.choice.batch)

    @property
    def steps(self) -> int:
        """How many steps there will be at most."""
        return self.choice.epochs * self.steps_an_epoch if self.learner.optimizer else 0

    def plan(self) -> PlanEvent:
        """Say what is about to be trained."""
        needs, thawing = self.learner.needs(), self.learner.thawing
        size = bytes_of(needs, self.lengths, self.model.encoder.hidden)
        return PlanEvent(
            strategy=thawing.plan.scenario.name,
            read={name: head.shape.read for name, head in self.model.task_heads.items()},
            parts=tuple((str(part), *thawing.sizes(part)) for part in thawing.plan.parts),
            steps=self.steps,
            rows=self.rows,
            validation_rows=len(self.validation),
            prefix=max((each.layer for each in needs), default=None),
            prefix_bytes=size,
            prefix_in_files=self.processes.count > 1 or size > self.choice.prefix_megabytes * 1e6,
            processes=self.processes.count,
        )

    def begin_snapshots(self) -> None:
        """Look at some sentences from now on."""
        scorer = self.learner.scorer
        self.snapshots = Snapshots(
            self.model, self.targets, self.rows, self.validation, scorer, self.processes
        )

    def epochs(self, cancelled: Callable[[], bool] | None) -> Iterator[Event]:
        """Train until the last epoch, or until validation stops improving."""
        now = self.progress
        if self.snapshots is not None:
            start = self.learner.plan.starts[now.epoch]
            self.snapshots.validate(start)
            yield self.snapshots.take(now.epoch, now.step, start)
        if not self.learner.optimizer:
            return
        while now.epoch < self.choice.epochs and now.since_best < self.choice.patience:
            yield from self._train_epoch(cancelled)
            self.learner.end_epoch(
                {name: total / self.steps_an_epoch for name, total in now.epoch_loss.items()}
            )
            now.epoch, now.place = now.epoch + 1, 0
            now.epoch_loss = dict.fromkeys(now.epoch_loss, 0.0)
            now.order = self.learner.draws.order_state()
            if self.validation:
                yield self._evaluate_epoch()
            else:
                self._keep()
            if self.snapshots is not None:
                yield self.snapshots.take(now.epoch, now.step, self._start_before())
            yield from self._checkpoint()

    def _train_epoch(self, cancelled: Callable[[], bool] | None) -> Iterator[Event]:
        now = self.progress
        self.learner.begin_epoch(now.epoch)
        batches = self.learner.draws.batches(self.lengths[: self.rows], self.choice.batch)
        for rows in batches[now.place :]:
            yield from self._steered(cancelled)
            if self.processes.any(cancelled is not None and cancelled()):
                yield from self._checkpoint()
                raise CancelledError(f"stopped at step {now.step} of {self.steps}")
            yield self._train_step(rows)
            if now.step % self.choice.checkpoint_every == 0 and now.place < len(batches):
                yield from self._checkpoint()

    def _train_step(self, rows: Sequence[int]) -> StepEvent:
        """Make one update."""
        now, choice = self.progress, self.choice
        share = rate_share(now.step, self.steps, choice.warmup, choice.schedule)
        found = self.learner.update(rows, now.epoch, share)
        if not found.is_finite:
            self._diverged(now.step + 1)
        now.step, now.place = now.step + 1, now.place + 1
        self.pace.count_step(sum(self.lengths[row] for row in rows))
        for name, loss in found.loss.items():
            now.epoch_loss[name] += loss
        seconds = self.pace.seconds
        return StepEvent(
            step=now.step,
            epoch=now.epoch + 1,
            loss=found.loss,
            rate=share,
            rates=found.rates,
            gradient=found.gradient,
            tokens_per_second=self.pace.tokens_per_second(seconds),
            seconds=seconds,
            seconds_left=self.pace.seconds_left(seconds, self.steps - now.step),
        )

    def _diverged(self, step: int) -> NoReturn:
        self.learner.go_back()
        raise DivergedError(
            f"the loss is no longer a number at step {step} of {self.steps}: a learning rate is "
            "too high for this data, or the encoder's weights are broken"
        )

    def _steered(self, cancelled: Callable[[], bool] | None) -> Iterator[Event]:
        """Ask what changes before the next step, and change it; what is refused changes nothing."""
        if self.steering is None:
            return
        while changes := self._asked(self.steering):
            for change in changes:
                try:
                    yield self._steer(change, cancelled)
                except ValueError as error:
                    yield self._changed(change, refused=str(error))
                else:
                    yield from self._checkpoint()

    def _asked(self, steering: Steering) -> Sequence[Change]:
        """Ask what changes; the time until the answer is not the run's."""
        with self.pace.waiting():
            return self.processes.from_main(steering)

    def _steer(
        self, change: Change, cancelled: Callable[[], bool] | None = None, *, again: bool = False
    ) -> ChangeEvent:
        """Change rates and what trains from now on.

        Raises:
            ValueError: If it cannot be; nothing is changed.
        """
        now = self.progress
        self.learner.steer(change, now.epoch)
        now.since_best = 0
        now.changes.append({"step": now.step, "epoch": now.epoch, **change.document()})
        self.learner.prepare(None, cancelled)
        return self._changed(change, again=again)

    def _changed(self, change: Change, *, refused: str = "", again: bool = False) -> ChangeEvent:
        """Tell of a change."""
        epoch = self.progress.epoch
        return ChangeEvent(
            step=self.progress.step,
            change=change.document(),
            refused=refused,
            encoder_rate=self.learner.rates.encoder,
            head_rate=self.learner.rates.heads,
            training=self.learner.parts_training(epoch),
            prefix=self.learner.plan.starts[epoch],
            again=again,
        )

    def _evaluate_epoch(self) -> EvaluationEvent:
        """Judge the validation rows, and keep the weights if they are the best so far."""
        now, weights = self.progress, self.learner.weights
        raw = self._validation_scores()
        loss = self.validation.losses(raw)
        drift = weight_drift(self.learner.optimizer, weights.trained, weights.begun)
        if not all(map(math.isfinite, (*loss.values(), *drift.values()))):
            self._diverged(now.step)
        scores = self.validation.judged(raw)
        score = sum(each.main for each in scores.values()) / len(scores)
        best = score > now.kept_score
        if best:
            self._keep()
            now.kept_score, self.kept_scores = score, raw
        now.since_best = 0 if best else now.since_best + 1
        return EvaluationEvent(
            epoch=now.epoch,
            step=now.step,
            scores=scores,
            loss=loss,
            drift=drift,
            watched=self.validation.watched(raw),
            best=best,
        )

    def _keep(self) -> None:
        self.progress.kept_epoch = self.progress.epoch
        self.learner.weights.keep()

    def _start_before(self) -> int | None:
        # What the last epoch froze is still as it was: nothing below it has moved since.
        return self.learner.plan.starts[max(0, self.progress.epoch - 1)]

    def _validation_scores(self) -> RowScores:
        start = self._start_before()
        if self.snapshots is not None:
            return self.snapshots.validate(start)
        return self.validation.scores(start)

    def finish(self) -> DoneEvent:
        """Go back to the best epoch, calibrate on the validation rows, and end."""
        now = self.progress
        judged: Mapping[str, TaskScores] | None = None
        notes: tuple[str, ...] = ()
        if self.validation and now.kept_epoch:
            self.learner.go_back()
            # The best epoch may have frozen more than the last one: only its own depth holds.
            now.epoch = now.kept_epoch
        if self.validation:
            scores = self.kept_scores or self._validation_scores()  # a resumed run kept none
            judged = self.validation.judged(scores)
            if self.learner.optimizer:
                trained = self.learner.plan.trained
                some = {name: each for name, each in judged.items() if Part(task=name) in trained}
                notes = outcome_notes(some, self.validation.losses(scores))
            self.validation.calibrate(scores)
        self.learner.merge()
        return DoneEvent(
            epoch=now.kept_epoch,
            steps=now.step,
            scores=judged,
            calibration=dict(self.model.calibration),
            seconds=self.pace.seconds,
            notes=notes,
        )

    def _checkpoint(self) -> Iterator[CheckpointEvent]:
        """Write down all that the rest of the run depends on, where there is a folder."""
        if self.folder is None or self.learner.optimizer is None:
            return
        folder, now = self.folder, self.progress
        tensors = self.learner.tensors(kept=bool(now.kept_epoch))
        document = {"run": self.identity, "about": self.about, **now.document()}
        path = self.processes.from_main(lambda: str(write_checkpoint(folder, tensors, document)))
        yield CheckpointEvent(step=now.step, path=path)

    def load(self) -> Iterator[ChangeEvent]:
        """Go on from the checkpoint, with what was changed before it.

        Raises:
            ValueError: If there is none, or it is of another run.
        """
        if self.folder is None or self.learner.optimizer is None:
            raise ValueError("there is no run to resume: nothing trains, or no folder is given")
        now = self.progress
        tensors, document = read_checkpoint(self.folder)
        with broken_if_lacking(self.folder):
            check_identity(self.folder, self.identity, document["run"])
            for each in document.get("changes", []):
                now.step, now.epoch = int(each["step"]), int(each["epoch"])
                yield self._steer(change_of(each, self.learner.plan.parts), again=True)
            now.load(document)
            self.learner.load(tensors, kept=bool(now.kept_epoch))
            self.learner.draws.load_order_state(now.order)
