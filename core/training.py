"""The training loop: a generator of typed events, so that a page, a command and a test see one.

What is frozen at the bottom is computed once per sentence and never again (`core.prefix`).
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from core.adamw import AdamW
from core.adapters import add_adapters, has_adapters, merge_adapters
from core.checkpoint import read_checkpoint, write_checkpoint
from core.config import TrainingChoice
from core.draws import Draws
from core.encoder import CancelledError
from core.evaluation import TaskScores
from core.freezing import Adapters, Moment, Part, Strategy
from core.losses import parse_balance
from core.machine import torch_threads
from core.model import MultiTaskModel
from core.observing import gradient_norms, weight_drift
from core.outcome import outcome_notes
from core.prefix import Needs, Prefix, bytes_of
from core.processes import ALONE, Processes, new_prefix
from core.resuming import below, check_same_run, data_hash
from core.scenario import Scenario
from core.scoring import Scorer, needs_of, start_layer
from core.snapshots import Snapshots
from core.steering import Change, Rates, Steering, change_of, steer, steered
from core.step_loss import StepLoss
from core.targets import read_targets
from core.task import Example
from core.thawing import (
    build_optimizer,
    keep_modes,
    model_parts,
    modes_of,
    part_sizes,
    rate_share,
    set_rates,
    thaw,
    trained_parts,
)
from core.training_events import (
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
from core.validation import RowScores, Validation

_WITHOUT_EFFECT = frozenset({"checkpoint_every", "prefix_megabytes"})
"""Choices that no weight depends on: a run may go on with others."""


def train(
    model: MultiTaskModel,
    scenario: Scenario,
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
        scenario: What trains; where the heads read is the model's own.
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
        run = _Training(model, scenario, examples, validation, choice, folder, processes)
        plan = run.plan()
        run.about = {**(about or {}), "plan": event_document(plan)}
        try:
            yield plan
            run.prepare(prefix, cancelled)  # before a checkpoint changes the weights of the start
            run.steering = steering
            if snapshots:
                run.snapshots = run.new_snapshots()
            if resume:
                yield from run.load()
            yield from run.epochs(cancelled)
            yield run.finish()
        finally:
            run.close()


class _Training:
    """One training: its data, its optimiser and how far it is."""

    def __init__(
        self,
        model: MultiTaskModel,
        scenario: Scenario,
        examples: Sequence[Example],
        validation: Sequence[Example],
        choice: TrainingChoice,
        folder: Path | None,
        processes: Processes,
    ) -> None:
        if not examples:
            raise ValueError("there is no row to learn from")
        self.model, self.scenario, self.choice, self.folder = model, scenario, choice, folder
        self.strategy, self.processes = scenario.strategy, processes
        own = self.strategy.head_penalty
        self.head_penalty = own if choice.head_penalty is None else choice.head_penalty
        self.top = model.highest_read
        self.rows = len(examples)
        self.targets = read_targets(model, [*examples, *validation])
        self.lengths = [len(text.ids) for text in self.targets.texts]
        device = model.encoder.device
        self.balance = parse_balance(choice.balance, [t.name for t in model.tasks]).to(device)
        self.started = time.perf_counter()
        self.scorer = Scorer(model, self.targets.texts)
        self.step_loss = StepLoss(model, self.targets, self.rows, choice, self.scorer)
        held_out = range(self.rows, self.rows + len(validation))
        self.validation = Validation(model, self.targets, held_out, self.scorer, processes)
        self.prefix: Prefix | None = None
        self.own_prefix: Prefix | None = None
        self.draws = Draws(choice.seed, device, processes.rank)
        self.sizes = [(p, *part_sizes(model, self.strategy, p)) for p in model_parts(model)]
        if isinstance(self.strategy, Adapters):
            self._adapt(self.strategy)
        self.trained = thaw(model.eval(), self.strategy)
        processes.copy_main(list(self.trained.values()))
        beside = list(self.balance.parameters())
        self.optimizer = build_optimizer(model, self.strategy, choice, beside)
        self._limit_table()
        self.begun = {name: weight.detach().clone() for name, weight in self.trained.items()}
        self.kept, self.kept_score = dict(self.begun), -math.inf
        self.kept_scores: RowScores | None = None
        self.step = self.kept_epoch = self.since_best = 0
        self.epoch = self.place = 0  # epochs done, and steps done of the one after them
        self.tokens, self.steps_here = 0, 0  # since this process began
        self.epoch_loss = dict.fromkeys(model.heads, 0.0)
        self.order = self.draws.order_state()  # as it was before the present epoch was dealt
        self.modes: list[tuple[nn.Module, bool]] = []
        self.modes_at: tuple[Strategy, int] | None = None
        self.identity = self._identity()
        self.about: dict[str, Any] = {}
        self.steering: Steering | None = None
        self.snapshots: Snapshots | None = None
        self.rates = Rates.of(choice, self.strategy)
        self.changes: list[dict[str, Any]] = []

    def _adapt(self, strategy: Adapters) -> None:
        encoder = self.model.encoder
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.choice.seed)
            add_adapters(encoder.backbone, rank=strategy.rank, highest=self.top)
        encoder.to(encoder.device)
        self.sizes = [(p, *part_sizes(self.model, strategy, p)) for p in model_parts(self.model)]

    def _limit_table(self) -> None:
        """Leave the words that no row has out of the gradients and of the optimiser's work."""
        words = self.model.encoder.backbone.word_embeddings()
        table, alone = words.weight, self.processes.count == 1
        used = {0, *(each for text in self.targets.texts for each in text.ids)}  # 0 is the padding
        if self.optimizer and alone and table.requires_grad and 2 * len(used) < len(table):
            words.sparse = True
            self.optimizer.limit_rows(table, torch.tensor(sorted(used)))

    @property
    def moment(self) -> Moment:
        """How far the training is."""
        return self._at(self.epoch)

    def _at(self, epoch: int) -> Moment:
        return Moment(epoch=epoch, epochs=self.choice.epochs, top=self.top)

    @property
    def steps_an_epoch(self) -> int:
        """How many steps make an epoch."""
        return -(-self.rows // self.choice.batch)

    @property
    def steps(self) -> int:
        """How many steps there will be at most."""
        return self.choice.epochs * self.steps_an_epoch if self.optimizer else 0

    def plan(self) -> PlanEvent:
        """Say what is about to be trained."""
        needs = self._needs()
        size = bytes_of(needs, self.lengths, self.model.encoder.hidden)
        return PlanEvent(
            strategy=self.scenario.name,
            read={name: head.shape.read for name, head in self.model.task_heads.items()},
            parts=tuple((str(part), trained, every) for part, trained, every in self.sizes),
            steps=self.steps,
            rows=self.rows,
            validation_rows=len(self.validation),
            prefix=max((each.layer for each in needs), default=None),
            prefix_bytes=size,
            prefix_in_files=self.processes.count > 1 or size > self.choice.prefix_megabytes * 1e6,
            processes=self.processes.count,
        )

    def epochs(self, cancelled: Callable[[], bool] | None) -> Iterator[Event]:
        """Train until the last epoch, or until validation stops improving."""
        if self.snapshots is not None:
            start = self._start(self.epoch)
            self.snapshots.validate(start)
            yield self.snapshots.take(self.epoch, self.step, start)
        if not self.optimizer:
            return
        while self.epoch < self.choice.epochs and self.since_best < self.choice.patience:
            yield from self._train_epoch(self.optimizer, cancelled)
            self.optimizer.settle()
            self.balance.end_epoch(
                {name: total / self.steps_an_epoch for name, total in self.epoch_loss.items()}
            )
            self.epoch, self.place = self.epoch + 1, 0
            self.epoch_loss = dict.fromkeys(self.epoch_loss, 0.0)
            self.order = self.draws.order_state()
            if self.validation:
                yield self._evaluate_epoch()
            else:
                self._keep()
            if self.snapshots is not None:
                yield self.snapshots.take(self.epoch, self.step, self._start_before())
            yield from self._checkpoint()

    def _train_epoch(
        self, optimizer: AdamW, cancelled: Callable[[], bool] | None
    ) -> Iterator[Event]:
        thaw(self.model, self.strategy, self.moment)
        batches = self.draws.batches(self.lengths[: self.rows], self.choice.batch)
        for rows in batches[self.place :]:
            yield from self._steered(cancelled)
            if self.processes.any(cancelled is not None and cancelled()):
                yield from self._checkpoint()
                raise CancelledError(f"stopped at step {self.step} of {self.steps}")
            yield self._train_step(optimizer, rows)
            if self.step % self.choice.checkpoint_every == 0 and self.place < len(batches):
                yield from self._checkpoint()

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
        asked = time.perf_counter()
        changes = self.processes.from_main(steering)
        self.started += time.perf_counter() - asked
        return changes

    def _steer(
        self, change: Change, cancelled: Callable[[], bool] | None = None, *, again: bool = False
    ) -> ChangeEvent:
        """Change rates and what trains from now on.

        Raises:
            ValueError: If it cannot be; nothing is changed.
        """
        if self.optimizer is None:
            raise ValueError("nothing trains in this run, so nothing of it can be changed")
        self.strategy = steered(self.model, self.strategy, change, self.moment)
        self.rates = self.rates.changed(change)
        decay = self.choice.weight_decay
        trained = steer(self.model, self.strategy, self.optimizer, self.rates, decay, self.moment)
        new = {name: weight for name, weight in trained.items() if name not in self.trained}
        self.trained.update(new)
        for name, weight in new.items():  # they are as they were when the run began
            self.begun[name] = self.kept[name] = weight.detach().clone()
        self.since_best = 0
        self.changes.append({"step": self.step, "epoch": self.epoch, **change.document()})
        self.prepare(None, cancelled)
        return self._changed(change, again=again)

    def _changed(self, change: Change, *, refused: str = "", again: bool = False) -> ChangeEvent:
        """Tell of a change."""
        now = self.moment
        return ChangeEvent(
            step=self.step,
            change=change.document(),
            refused=refused,
            encoder_rate=self.rates.encoder,
            head_rate=self.rates.heads,
            training=tuple(
                str(part)
                for part in trained_parts(self.model, self.strategy)
                if self.strategy.rate(part, now) > 0
            ),
            prefix=self._start(self.epoch),
            again=again,
        )

    def _diverged(self, step: int) -> NoReturn:
        self._restore()
        raise DivergedError(
            f"the loss is no longer a number at step {step} of {self.steps}: a learning rate is "
            "too high for this data, or the encoder's weights are broken"
        )

    def _evaluate_epoch(self) -> EvaluationEvent:
        """Judge the validation rows, and keep the weights if they are the best so far."""
        raw = self._validation_scores()
        loss = self.validation.losses(raw)
        drift = weight_drift(self.optimizer, self.trained, self.begun)
        if not all(map(math.isfinite, (*loss.values(), *drift.values()))):
            self._diverged(self.step)
        scores = self.validation.judged(raw)
        score = sum(each.main for each in scores.values()) / len(scores)
        best = score > self.kept_score
        if best:
            self._keep()
            self.kept_score, self.kept_scores = score, raw
        self.since_best = 0 if best else self.since_best + 1
        return EvaluationEvent(
            epoch=self.epoch,
            step=self.step,
            scores=scores,
            loss=loss,
            drift=drift,
            watched=self.validation.watched(raw),
            best=best,
        )

    def _start(self, epoch: int) -> int | None:
        return start_layer(self.model, self.strategy, self._at(epoch))

    def _needs(self) -> Needs:
        """List the states that no step of some epoch will change, as far as they are asked for."""
        if not (self.optimizer or self.validation):
            return frozenset()
        return needs_of(self.model, self.strategy, self.choice.epochs)

    def prepare(self, prefix: Prefix | None, cancelled: Callable[[], bool] | None) -> None:
        """Run what no step of an epoch will change, once for each sentence, unless it was."""
        needs = self._needs()
        if not needs or (self.prefix is not None and needs <= self.prefix.kept):
            return
        if prefix is None:
            ids = [text.ids for text in self.targets.texts]
            memory = self.choice.prefix_megabytes * 1e6
            if self.own_prefix is not None:  # it is of weights that have moved since
                self.own_prefix.close()
            prefix = self.own_prefix = new_prefix(
                self.processes, self.model.encoder, ids, needs, memory, cancelled
            )
        self.scorer.take_from(prefix)
        prefix.compute(needs, cancelled=cancelled)
        self.prefix = prefix

    def _train_step(self, optimizer: AdamW, rows: Sequence[int]) -> StepEvent:
        """Make one update."""
        choice, moment = self.choice, self.moment
        share = rate_share(self.step, self.steps, choice.warmup, choice.schedule)
        set_rates(optimizer, self.strategy, moment, share)
        self._keep_modes()
        optimizer.zero_grad()
        mine = self.processes.share(rows)
        size = max(1, -(-len(mine) // choice.accumulate))
        sums = dict.fromkeys(self.model.heads, 0.0)
        lowest = self._start(self.epoch)
        with self.draws.dropout():
            for start in range(0, len(mine), size):
                losses = self.step_loss.losses(mine[start : start + size], rows, lowest)
                weights = self.balance.weights(losses)
                weighed = [weights[name] * loss for name, loss in losses.items()]
                total = torch.stack(weighed).sum()
                if start == 0 and self.processes.is_main:
                    total = total + self.balance.penalty()
                    total = total + self.step_loss.penalty(self.head_penalty)
                if total.requires_grad:  # everything may have been frozen since it began
                    total.backward()
                for name in losses:
                    sums[name] += float(losses[name].detach())
        self.processes.add_up([*self.trained.values(), *self.balance.parameters()])
        sums = self.processes.total(sums)
        gradient = gradient_norms(optimizer)
        norm = math.hypot(*gradient.values())
        if not all(map(math.isfinite, (norm, *sums.values()))):
            self._diverged(self.step + 1)
        optimizer.step(scale=min(1.0, choice.clip / (norm + 1e-6)))
        self.step, self.place, self.steps_here = self.step + 1, self.place + 1, self.steps_here + 1
        self.tokens += sum(self.lengths[row] for row in rows)
        for name in sums:
            self.epoch_loss[name] += sums[name]
        seconds = time.perf_counter() - self.started
        return StepEvent(
            step=self.step,
            epoch=self.epoch + 1,
            loss=sums,
            rate=share,
            rates={str(g["part"]): g["lr"] for g in optimizer.param_groups if "part" in g},
            gradient=gradient,
            tokens_per_second=self.tokens / seconds,
            seconds=seconds,
            seconds_left=seconds / self.steps_here * (self.steps - self.step),
        )

    def _keep_modes(self) -> None:
        """Put every module into its mode: whoever looked on may have changed it."""
        if not self.choice.dropout:
            self.model.eval()
            return
        now = (self.strategy, self.epoch)
        if self.modes_at != now:
            self.modes, self.modes_at = modes_of(self.model, self.strategy, self.moment), now
        keep_modes(self.modes)

    def _start_before(self) -> int | None:
        # What the last epoch froze is still as it was: nothing below it has moved since.
        return self._start(max(0, self.epoch - 1))

    def new_snapshots(self) -> Snapshots:
        """Begin to look at some sentences."""
        return Snapshots(
            self.model, self.targets, self.rows, self.validation, self.scorer, self.processes
        )

    def _validation_scores(self) -> RowScores:
        start = self._start_before()
        if self.snapshots is not None:
            return self.snapshots.validate(start)
        return self.validation.scores(start)

    def finish(self) -> DoneEvent:
        """Go back to the best epoch, calibrate on the validation rows, and end."""
        judged: Mapping[str, TaskScores] | None = None
        notes: tuple[str, ...] = ()
        if self.validation and self.kept_epoch:
            self._restore()
            # The best epoch may have frozen more than the last one: only its own depth holds.
            self.epoch = self.kept_epoch
        if self.validation:
            scores = self.kept_scores or self._validation_scores()  # a resumed run kept none
            judged = self.validation.judged(scores)
            if self.optimizer:
                some = {n: s for n, s in judged.items() if self.strategy.trains(Part(task=n))}
                notes = outcome_notes(some, self.validation.losses(scores))
            self.validation.calibrate(scores)
        if has_adapters(self.model.encoder.backbone):
            merge_adapters(self.model.encoder.backbone)
        return DoneEvent(
            epoch=self.kept_epoch,
            steps=self.step,
            scores=judged,
            calibration=dict(self.model.calibration),
            seconds=time.perf_counter() - self.started,
            notes=notes,
        )

    @torch.no_grad()
    def _keep(self) -> None:
        """Keep the weights as they are, over those kept before: no third copy of them all."""
        self.kept_epoch = self.epoch
        for name, weight in self.trained.items():
            if self.kept[name] is self.begun[name]:
                self.kept[name] = weight.detach().clone()
            else:
                self.kept[name].copy_(weight)

    @torch.no_grad()
    def _restore(self) -> None:
        if self.optimizer:
            self.optimizer.settle()  # what is pending is of the weights that are given up
        for name, weight in self.trained.items():
            weight.copy_(self.kept[name])

    def close(self) -> None:
        """Let go of the frozen states, and leave a model that is ready to predict."""
        for weight in self.trained.values():
            weight.grad = None
        if self.optimizer:
            self.optimizer.settle()
        self.model.encoder.backbone.word_embeddings().sparse = False
        if has_adapters(self.model.encoder.backbone):
            merge_adapters(self.model.encoder.backbone)
        self.model.requires_grad_(False).eval()
        if not all(name.startswith("heads.") for name in self.trained):
            self.model.encoder.ready()
        if self.own_prefix is not None:
            self.own_prefix.close()

    def _identity(self) -> dict[str, Any]:
        """Say what makes this run the one that it is: nothing of it may differ when it goes on."""
        choice = {n: each for n, each in asdict(self.choice).items() if n not in _WITHOUT_EFFECT}
        return {
            "strategy": self.scenario.name,
            "settings": dict(self.strategy.settings),
            "choice": choice,
            "rows": self.rows,
            "processes": self.processes.count,
            "read": {name: head.shape.read for name, head in self.model.task_heads.items()},
            "data": data_hash(self.targets.examples, self.model.encoder),
        }

    def _checkpoint(self) -> Iterator[CheckpointEvent]:
        """Write down all that the rest of the run depends on, where there is a folder."""
        if self.folder is None or self.optimizer is None:
            return
        tensors: dict[str, Tensor] = {f"weight.{n}": each for n, each in self.trained.items()}
        if self.kept_epoch:
            tensors.update({f"kept.{name}": weight for name, weight in self.kept.items()})
        for name, state in self.draws.tensors().items():
            every = self.processes.all_of(state)
            tensors.update({f"draws.{rank}.{name}": each for rank, each in enumerate(every)})
        tensors.update({f"balance.{n}": each for n, each in self.balance.state_dict().items()})
        moments = self.optimizer.moments()
        tensors.update({f"optimizer.{name}": each for name, each in moments.items()})
        document = {
            "run": self.identity,
            "about": self.about,
            "step": self.step,
            "epoch": self.epoch,
            "place": self.place,
            "kept_epoch": self.kept_epoch,
            "kept_score": self.kept_score if self.kept_epoch and self.validation else None,
            "since_best": self.since_best,
            "epoch_loss": self.epoch_loss,
            "order": self.order,
            "changes": self.changes,
        }
        folder = self.folder
        path = self.processes.from_main(lambda: str(write_checkpoint(folder, tensors, document)))
        yield CheckpointEvent(step=self.step, path=path)

    def load(self) -> Iterator[ChangeEvent]:
        """Go on from the checkpoint, with what was changed before it.

        Raises:
            ValueError: If there is none, or it is of another run.
        """
        if self.folder is None or self.optimizer is None:
            raise ValueError("there is no run to resume: nothing trains, or no folder is given")
        tensors, document = read_checkpoint(self.folder)
        try:
            check_same_run(self.folder, self.identity, document["run"])
            for each in document.get("changes", []):
                self.step, self.epoch = int(each["step"]), int(each["epoch"])
                yield self._steer(change_of(each, model_parts(self.model)), again=True)
            with torch.no_grad():
                for name, weight in self.trained.items():
                    weight.copy_(tensors[f"weight.{name}"])
            self.kept_epoch = int(document["kept_epoch"])
            if self.kept_epoch:
                self.kept = {name: tensors[f"kept.{name}"] for name in self.trained}
            score = document["kept_score"]
            self.kept_score = -math.inf if score is None else float(score)
            self.step, self.epoch, self.place = (
                int(document[name]) for name in ("step", "epoch", "place")
            )
            self.since_best = int(document["since_best"])
            self.epoch_loss = {
                name: float(document["epoch_loss"][name]) for name in self.epoch_loss
            }
            self.order = document["order"]
            self.draws.load_order_state(self.order)
            self.draws.load_tensors(below(tensors, f"draws.{self.processes.rank}."))
            self.balance.load_state_dict(below(tensors, "balance."))
            self.optimizer.load_moments(below(tensors, "optimizer."))
        except (KeyError, TypeError, RuntimeError) as error:
            reason = str(error).splitlines()[0][:150] if str(error) else type(error).__name__
            raise ValueError(
                f"{self.folder} holds a checkpoint that is broken: {reason}"
            ) from error
