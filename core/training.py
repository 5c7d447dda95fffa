"""The training loop: a generator of typed events, so that a page, a command and a test see one.

What is frozen at the bottom is computed once per sentence and never again (`core.prefix`).
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from core.config import TrainingChoice
from core.draws import Draws
from core.encoder import CancelledError
from core.evaluation import TaskScores, calibrate, evaluate_scores
from core.freezing import frozen_depth
from core.heads import TokenHead
from core.machine import torch_threads
from core.model import MultiTaskModel
from core.prefix import FrozenStates, compute_frozen_states
from core.scenario import Scenario
from core.targets import read_targets
from core.task import Example
from core.thawing import (
    build_optimizer,
    model_parts,
    rate_share,
    set_modes,
    thaw,
    trained_parts,
    weights_in,
)
from core.training_events import (
    DivergedError,
    DoneEvent,
    EvaluationEvent,
    Event,
    PlanEvent,
    StepEvent,
)

VALIDATION_BATCH = 64


def train(
    model: MultiTaskModel,
    scenario: Scenario,
    examples: Sequence[Example],
    validation: Sequence[Example],
    choice: TrainingChoice,
    *,
    cancelled: Callable[[], bool] | None = None,
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
        cancelled: Asked before each step; True stops.

    Yields:
        A plan, steps, an evaluation after each epoch, and an end.

    Raises:
        ValueError: If there is nothing to learn from, or a label is none of its task's.
        DivergedError: If the loss or its gradient is no longer a number; the model holds the
            weights of the last good epoch.
        CancelledError: If `cancelled` answered True.
    """
    run = _Training(model, scenario, examples, validation, choice)
    with torch_threads(choice.threads or torch.get_num_threads()):
        try:
            yield run.plan()
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
    ) -> None:
        if not examples:
            raise ValueError("there is no row to learn from")
        self.model, self.scenario, self.choice = model, scenario, choice
        self.rows = len(examples)
        self.targets = read_targets(model, [*examples, *validation])
        self.lengths = [len(text.ids) for text in self.targets.texts]
        self.validation = range(self.rows, self.rows + len(validation))
        self.started = time.perf_counter()
        self.step = self.kept_epoch = 0
        self.frozen: FrozenStates | None = None
        self.draws = Draws(choice.seed, model.encoder.device)
        self.trained = thaw(model.eval(), scenario.strategy)
        self.optimizer = build_optimizer(model, scenario.strategy, choice)
        self.kept = self._snapshot()
        self.kept_score = -math.inf

    @property
    def steps(self) -> int:
        """How many steps there will be at most."""
        a_epoch = -(-self.rows // self.choice.batch)
        return self.choice.epochs * a_epoch if self.optimizer else 0

    def plan(self) -> PlanEvent:
        """Say what is about to be trained."""
        trained = trained_parts(self.model, self.scenario.strategy)
        parts = model_parts(self.model)
        return PlanEvent(
            strategy=self.scenario.name,
            read={name: head.shape.read for name, head in self.model.task_heads.items()},
            parts=tuple((str(p), p in trained, weights_in(self.model, [p])) for p in parts),
            steps=self.steps,
            rows=self.rows,
            validation_rows=len(self.validation),
        )

    def epochs(self, cancelled: Callable[[], bool] | None) -> Iterator[Event]:
        """Train until the last epoch, or until validation stops improving."""
        if self.optimizer or self.validation:
            self._compute_frozen(cancelled)
        if not self.optimizer:
            return
        since_best = 0
        for epoch in range(1, self.choice.epochs + 1):
            for rows in self.draws.batches(self.lengths[: self.rows], self.choice.batch):
                if cancelled is not None and cancelled():
                    raise CancelledError(f"stopped at step {self.step} of {self.steps}")
                yield self._train_step(self.optimizer, rows, epoch)
            if not self.validation:
                self.kept, self.kept_epoch = self._snapshot(), epoch
                continue
            scores = self._evaluate(self._validation_scores())
            score = sum(each.main for each in scores.values()) / len(scores)
            best = score > self.kept_score
            if best:
                self.kept, self.kept_score, self.kept_epoch = self._snapshot(), score, epoch
            since_best = 0 if best else since_best + 1
            yield EvaluationEvent(epoch=epoch, step=self.step, scores=scores, best=best)
            if since_best >= self.choice.patience:
                return

    def _compute_frozen(self, cancelled: Callable[[], bool] | None) -> None:
        """Run what no step will change, once for each sentence."""
        depth = frozen_depth(self.scenario.strategy, self.model.encoder.layers)
        if depth is None:
            return
        start = min(depth, self.model.highest_read)
        layers = {start, *(k for k in self.model.layers_read if k <= start)}
        ids = [text.ids for text in self.targets.texts]
        self.frozen = compute_frozen_states(
            self.model.encoder, ids, sorted(layers), cancelled=cancelled
        )

    def _scores(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """Score some rows, the frozen part from its store."""
        model = self.model
        batch = model.batch([self.targets.texts[row] for row in rows])
        if self.frozen is None:
            return model(batch)
        kept = self.frozen.take(rows)
        layers = {layer: each.to(model.encoder.device) for layer, each in kept.items()}
        start = self.frozen.layers[-1]
        upper = model.encoder.backbone.packed_layers(
            layers[start], batch.lengths.tolist(), start, model.highest_read
        )
        layers.update(enumerate(upper, start))
        return model.score(layers, batch.lengths, batch.spelling)

    def _losses(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """Give each task's loss on some rows, in nats per label."""
        device = self.model.encoder.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.choice.bf16):
            scores = self._scores(rows)
        return {
            name: head.loss(scores[name].float(), self.targets.of(name, rows).to(device))
            for name, head in self.model.task_heads.items()
        }

    def _train_step(
        self, optimizer: torch.optim.Optimizer, rows: Sequence[int], epoch: int
    ) -> StepEvent:
        """Make one update."""
        share = rate_share(self.step, self.steps, self.choice.warmup)
        for group in optimizer.param_groups:
            group["lr"] = group["full_lr"] * share
        set_modes(self.model, self.scenario.strategy)  # whoever looked on may have changed them
        optimizer.zero_grad(set_to_none=True)
        with self.draws.dropout():
            losses = self._losses(rows)
            total = torch.stack(list(losses.values())).sum()
            total.backward()
        norm = nn.utils.clip_grad_norm_(list(self.trained.values()), self.choice.clip)
        if not torch.isfinite(total.detach() + norm):
            self._restore()
            raise DivergedError(
                f"the loss is no longer a number at step {self.step + 1} of {self.steps}: a "
                "learning rate is too high for this data, or the encoder's weights are broken"
            )
        optimizer.step()
        self.step += 1
        return StepEvent(
            step=self.step,
            epoch=epoch,
            loss={name: float(loss.detach()) for name, loss in losses.items()},
            rate=share,
            seconds=time.perf_counter() - self.started,
        )

    @torch.no_grad()
    def _validation_scores(self) -> dict[str, list[Tensor]]:
        """Score each validation row by itself: by task, one tensor a row."""
        self.model.eval()
        order = sorted(self.validation, key=self.lengths.__getitem__)
        found: dict[str, dict[int, Tensor]] = {name: {} for name in self.model.heads}
        for start in range(0, len(order), VALIDATION_BATCH):
            rows = order[start : start + VALIDATION_BATCH]
            scores = self._scores(rows)
            for name, head in self.model.task_heads.items():
                tokens = isinstance(head, TokenHead)
                sizes = [self.lengths[row] if tokens else 1 for row in rows]
                parts = scores[name].float().cpu().split(sizes)
                found[name].update(zip(rows, parts, strict=True))
        return {name: [by_row[row] for row in self.validation] for name, by_row in found.items()}

    def _evaluate(self, scores: Mapping[str, Sequence[Tensor]]) -> dict[str, TaskScores]:
        """Judge the scores of the validation rows."""
        texts = [self.targets.texts[row] for row in self.validation]
        examples = [self.targets.examples[row] for row in self.validation]
        return evaluate_scores(self.model.tasks, texts, examples, scores)

    def finish(self) -> DoneEvent:
        """Go back to the best epoch, calibrate on the validation rows, and end."""
        judged: Mapping[str, TaskScores] | None = None
        if self.validation:
            if self.kept_epoch:
                self._restore()
            scores = self._validation_scores()
            judged = self._evaluate(scores)
            for name, head in self.model.task_heads.items():
                labels = self.targets.of(name, self.validation)
                every = torch.cat(scores[name])  # (rows, classes)
                self.model.calibration[name] = calibrate(head.task, every, labels)
        return DoneEvent(
            epoch=self.kept_epoch,
            steps=self.step,
            scores=judged,
            calibration=dict(self.model.calibration),
            seconds=time.perf_counter() - self.started,
        )

    def _snapshot(self) -> dict[str, Tensor]:
        return {name: weight.detach().clone() for name, weight in self.trained.items()}

    @torch.no_grad()
    def _restore(self) -> None:
        for name, weight in self.trained.items():
            weight.copy_(self.kept[name])

    def close(self) -> None:
        """Let go of the frozen states, and leave a model that is ready to predict."""
        for weight in self.trained.values():
            weight.grad = None
        self.model.requires_grad_(False).eval()
        self.model.encoder.ready()
        if self.frozen is not None:
            self.frozen.close()
