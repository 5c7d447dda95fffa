"""The training loop: a generator of typed events, so that a page, a command and a test see one.

What is frozen at the bottom is computed once per sentence and never again (`core.prefix`).
"""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from core.config import TrainingChoice
from core.encoder import CancelledError
from core.evaluation import TaskScores, calibrate, evaluate_scores
from core.freezing import Part, Scenario, frozen_depth, parts_of
from core.heads import TokenHead
from core.machine import torch_threads
from core.model import Calibration, MultiTaskModel, ReadText
from core.prefix import FrozenStates, compute_frozen_states
from core.task import IGNORED, Example, Task, tags_of

BATCHES_SORTED_TOGETHER = 16
"""Batches drawn at random are sorted by length among this many, so that each has little spread."""


@dataclass(frozen=True, kw_only=True)
class PlanEvent:
    """What is about to be trained.

    Attributes:
        strategy: Its name.
        read: By task, the layer its head reads.
        parts: Each part of the model, whether it trains, and how many weights it has.
        steps: How many steps there will be at most.
        rows: How many sentences are trained on.
        validation_rows: How many are held out to validate.
    """

    strategy: str
    read: Mapping[str, int | str]
    parts: tuple[tuple[str, bool, int], ...]
    steps: int
    rows: int
    validation_rows: int

    @property
    def trainable_parameters(self) -> int:
        """How many weights train."""
        return sum(size for _, trains, size in self.parts if trains)

    @property
    def total_parameters(self) -> int:
        """How many weights there are."""
        return sum(size for _, _, size in self.parts)


@dataclass(frozen=True, kw_only=True)
class StepEvent:
    """One update.

    Attributes:
        step: From 1.
        epoch: From 1.
        loss: By task, in nats per label.
        rate: The share of the full learning rates that this step used.
        seconds: Since training began.
    """

    step: int
    epoch: int
    loss: Mapping[str, float]
    rate: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class EvaluationEvent:
    """The scores on the validation rows after an epoch.

    Attributes:
        epoch: From 1.
        step: The steps done.
        scores: By task.
        best: Whether it is the best so far.
    """

    epoch: int
    step: int
    scores: Mapping[str, TaskScores]
    best: bool


@dataclass(frozen=True, kw_only=True)
class DoneEvent:
    """Training has ended; the model holds the best weights.

    Attributes:
        epoch: The epoch whose weights were kept.
        steps: The steps done.
        scores: By task, on the validation rows; None where none were held out.
        calibration: By task.
        seconds: In all.
    """

    epoch: int
    steps: int
    scores: Mapping[str, TaskScores] | None
    calibration: Mapping[str, Calibration]
    seconds: float


class DivergedError(RuntimeError):
    """The loss is no longer a number; the model holds the weights of the last good epoch."""


Event = PlanEvent | StepEvent | EvaluationEvent | DoneEvent


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What the heads should say of some texts.

    Attributes:
        texts: The texts as the model reads them.
        examples: Their labels as they were given.
        sentence: By sentence task, class numbers, `IGNORED` where there is none, (texts,).
        token: By token task and text, class numbers, (tokens,).
    """

    texts: Sequence[ReadText]
    examples: Sequence[Example]
    sentence: Mapping[str, Tensor]
    token: Mapping[str, Sequence[Tensor]]

    def of(self, task: str, rows: Sequence[int]) -> Tensor:
        """Return the targets of some texts as a head's scores are laid out."""
        if task in self.sentence:
            return self.sentence[task][list(rows)]  # (batch,)
        return torch.cat([self.token[task][row] for row in rows])  # (tokens,)


def read_targets(model: MultiTaskModel, examples: Sequence[Example]) -> Targets:
    """Turn labelled sentences into what a model reads and what it should say.

    Raises:
        ValueError: If a label is none of its task's.
    """
    texts = model.read([example.text for example in examples])
    sentence: dict[str, Tensor] = {}
    token: dict[str, list[Tensor]] = {}
    for task in model.tasks:
        number = {label: index for index, label in enumerate(task.classes)}
        if task.kind == "sentence":
            found = [_number(example, task, number) for example in examples]
            sentence[task.name] = torch.tensor(found)  # (texts,)
        else:
            pairs = zip(examples, texts, strict=True)
            token[task.name] = [_tags(example, text, task, number) for example, text in pairs]
    return Targets(texts=texts, examples=examples, sentence=sentence, token=token)


def _number(example: Example, task: Task, number: Mapping[str, int]) -> int:
    label = example.labels.get(task.name)
    if label is None:
        return IGNORED
    if str(label) not in number:
        raise ValueError(f"{label!r} is no label of {task.name}: {', '.join(task.labels)}")
    return number[str(label)]


def _tags(example: Example, text: ReadText, task: Task, number: Mapping[str, int]) -> Tensor:
    spans = example.labels.get(task.name)
    pieces = text.pieces
    if pieces is None or not isinstance(spans, tuple):
        return torch.full((len(text.ids),), IGNORED)  # (tokens,)
    tags = torch.tensor([number[tag] for tag in tags_of(pieces.spans, spans)])  # (tokens,)
    tags[torch.tensor(pieces.special, dtype=torch.bool)] = IGNORED
    return tags


def part_parameters(model: MultiTaskModel, part: Part) -> dict[str, nn.Parameter]:
    """List a part's weights by name.

    What lies beside the layers belongs to the embeddings, as MPNet's shared position bias does;
    a norm after the last layer belongs to that layer.
    """
    if part.layer is None:
        return dict(model.heads[part.task].named_parameters(prefix=f"heads.{part.task}"))
    backbone = model.encoder.backbone
    layers = backbone.layers()
    if part.layer > 0:
        own = {id(weight) for weight in layers[part.layer - 1].parameters()}
    else:
        inside = {id(weight) for layer in layers for weight in layer.parameters()}
        own = {id(weight) for weight in backbone.parameters()} - inside
    last = {
        id(weight)
        for name, weight in backbone.named_parameters()
        if name.removeprefix("model.") in ("norm.weight", "norm.bias")
    }
    own = own - last if part.layer == 0 else own | (last if part.layer == len(layers) else set())
    return {name: each for name, each in backbone.named_parameters() if id(each) in own}


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
        ValueError: If there is nothing to learn from.
        DivergedError: If the loss is no longer a number; the model holds the last good epoch.
        CancelledError: If `cancelled` answered True.
    """
    run = _Run(model, scenario, examples, validation, choice)
    with torch_threads(choice.threads or torch.get_num_threads()):
        try:
            yield run.plan()
            yield from run.epochs(cancelled)
            yield run.finish()
        finally:
            run.close()


class _Run:
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
        self.validation = list(range(self.rows, self.rows + len(validation)))
        self.parts = parts_of(model.encoder.layers, [task.name for task in model.tasks])
        self.depth = frozen_depth(scenario.strategy, model.encoder.layers)
        self.started = time.perf_counter()
        self.step = self.kept_epoch = 0
        self.frozen: FrozenStates | None = None
        self.optimizer = self._thaw()
        self.kept = self._snapshot()
        self.kept_score = -math.inf
        self.kept_scores: Mapping[str, TaskScores] | None = None
        self.random = random.Random(choice.seed)
        torch.manual_seed(choice.seed)

    def _thaw(self) -> torch.optim.Optimizer | None:
        """Let gradients reach what trains and nothing else, and give the optimiser all of it."""
        strategy, choice = self.scenario.strategy, self.choice
        self.model.requires_grad_(False).eval()
        groups: list[dict[str, Any]] = []
        highest = self.model.highest_read
        for part in self.parts:
            runs = part.layer is None or part.layer <= highest
            if not (strategy.trains(part) and runs):
                continue
            head = part.layer is None
            rate = (
                choice.head_rate or strategy.head_rate
                if head
                else (choice.encoder_rate or strategy.encoder_rate)
            )
            weights = part_parameters(self.model, part)
            for weight in weights.values():
                weight.requires_grad_(True)
            decayed = [w for w in weights.values() if w.ndim > 1]
            plain = [w for w in weights.values() if w.ndim <= 1]  # biases and norms
            groups.append({"params": decayed, "lr": rate, "weight_decay": choice.weight_decay})
            groups.append({"params": plain, "lr": rate, "weight_decay": 0.0})
        groups = [{**group, "full_lr": group["lr"]} for group in groups if group["params"]]
        return torch.optim.AdamW(groups, fused=True) if groups else None

    @property
    def trained(self) -> dict[str, nn.Parameter]:
        """The weights that train, by name."""
        return {name: w for name, w in self._named().items() if w.requires_grad}

    def _named(self) -> dict[str, nn.Parameter]:
        return {n: w for part in self.parts for n, w in part_parameters(self.model, part).items()}

    def _snapshot(self) -> dict[str, Tensor]:
        return {name: weight.detach().clone() for name, weight in self.trained.items()}

    @property
    def steps(self) -> int:
        """How many steps there will be at most."""
        a_epoch = -(-self.rows // self.choice.batch)
        return self.choice.epochs * a_epoch if self.optimizer else 0

    def plan(self) -> PlanEvent:
        """Say what is about to be trained."""
        parts = []
        trained = {id(weight) for weight in self.trained.values()}
        for part in self.parts:
            weights = list(part_parameters(self.model, part).values())
            size = sum(weight.numel() for weight in weights)
            parts.append((str(part), any(id(w) in trained for w in weights), size))
        return PlanEvent(
            strategy=self.scenario.name,
            read={name: head.shape.read for name, head in self.model.task_heads.items()},
            parts=tuple(parts),
            steps=self.steps,
            rows=self.rows,
            validation_rows=len(self.validation),
        )

    def epochs(self, cancelled: Callable[[], bool] | None) -> Iterator[Event]:
        """Train until the last epoch, or until validation stops improving."""
        self._compute_frozen(cancelled)
        since_best = 0
        for epoch in range(1, self.choice.epochs + 1 if self.optimizer else 1):
            for batch in self._batches():
                if cancelled is not None and cancelled():
                    raise CancelledError(f"stopped at step {self.step} of {self.steps}")
                yield self._train_step(batch, epoch)
            if not self.validation:
                self.kept_epoch = epoch
                continue
            scores = self.evaluate()
            score = sum(each.main for each in scores.values()) / len(scores)
            best = score > self.kept_score
            if best:
                self.kept, self.kept_score, self.kept_epoch = self._snapshot(), score, epoch
                self.kept_scores = scores
            since_best = 0 if best else since_best + 1
            yield EvaluationEvent(epoch=epoch, step=self.step, scores=scores, best=best)
            if since_best >= self.choice.patience:
                return

    def _compute_frozen(self, cancelled: Callable[[], bool] | None) -> None:
        if self.depth is None:
            return
        highest = self.model.highest_read
        start = min(self.depth, highest)
        layers = {start, *(k for k in self.model.layers_read if k <= start)}
        ids = [text.ids for text in self.targets.texts]
        self.frozen = compute_frozen_states(
            self.model.encoder, ids, sorted(layers), cancelled=cancelled
        )

    def _batches(self) -> Iterator[list[int]]:
        """Deal the rows into batches: at random, then by length among some batches."""
        order = list(range(self.rows))
        self.random.shuffle(order)
        size = self.choice.batch
        some = size * BATCHES_SORTED_TOGETHER
        batches = []
        for start in range(0, self.rows, some):
            near = sorted(order[start : start + some], key=self._length)
            batches += [near[at : at + size] for at in range(0, len(near), size)]
        self.random.shuffle(batches)
        yield from batches

    def _length(self, row: int) -> int:
        return len(self.targets.texts[row].ids)

    def scores(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """Score some rows, the frozen part from its store."""
        batch = self.model.batch([self.targets.texts[row] for row in rows])
        if self.frozen is None:
            return self.model(batch)
        layers = {
            k: each.to(self.model.encoder.device) for k, each in self.frozen.take(rows).items()
        }
        start = self.frozen.layers[-1]
        lengths = batch.lengths.tolist()
        upper = self.model.encoder.backbone.packed_layers(
            layers[start], lengths, start, self.model.highest_read
        )
        layers.update(enumerate(upper, start))
        return self.model.score(layers, batch.lengths, batch.spelling)

    def _train_step(self, rows: list[int], epoch: int) -> StepEvent:
        assert self.optimizer is not None
        self._modes()
        rate = self._rate(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["full_lr"] * rate
        device = self.model.encoder.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.choice.bf16):
            scores = self.scores(rows)
        losses = {
            name: head.loss(scores[name].float(), self.targets.of(name, rows).to(device))
            for name, head in self.model.task_heads.items()
        }
        total = sum(losses.values(), torch.zeros((), device=device))
        if not torch.isfinite(total):
            self._restore()
            raise DivergedError(
                f"the loss is no longer a number at step {self.step + 1} of {self.steps}: a "
                "learning rate is too high for this data, or the encoder's weights are broken"
            )
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(list(self.trained.values()), self.choice.clip)
        self.optimizer.step()
        self.step += 1
        return StepEvent(
            step=self.step,
            epoch=epoch,
            loss={name: float(loss.detach()) for name, loss in losses.items()},
            rate=rate,
            seconds=time.perf_counter() - self.started,
        )

    def _modes(self) -> None:
        """Put what trains into training mode: what is frozen runs without dropout."""
        self.model.eval()
        layers = self.model.encoder.backbone.layers()
        for part in self.parts:
            if not self.scenario.strategy.trains(part):
                continue
            if part.layer is None:
                self.model.heads[part.task].train()
            elif part.layer > 0:
                layers[part.layer - 1].train()

    def _rate(self, step: int) -> float:
        """Give the share of the full rate: a linear rise, then a linear fall."""
        rise = max(1, round(self.choice.warmup * self.steps))
        return min((step + 1) / rise, (self.steps - step) / max(1, self.steps - rise), 1.0)

    @torch.no_grad()
    def evaluate(self) -> dict[str, TaskScores]:
        """Score the validation rows."""
        return evaluate_scores(
            self.model.tasks,
            [self.targets.texts[row] for row in self.validation],
            [self.targets.examples[row] for row in self.validation],
            self._validation_scores(),
        )

    def _validation_scores(self) -> dict[str, list[Tensor]]:
        """Score each validation row alone: by task, one tensor a row."""
        self.model.eval()
        found: dict[str, list[Tensor]] = {name: [] for name in self.model.heads}
        order = sorted(range(len(self.validation)), key=lambda i: self._length(self.validation[i]))
        by_row: dict[str, dict[int, Tensor]] = {name: {} for name in self.model.heads}
        for start in range(0, len(order), 64):
            places = order[start : start + 64]
            rows = [self.validation[place] for place in places]
            scores = self.scores(rows)
            lengths = [self._length(row) for row in rows]
            for name, head in self.model.task_heads.items():
                sizes = lengths if isinstance(head, TokenHead) else [1] * len(rows)
                parts = scores[name].float().cpu().split(sizes)
                by_row[name].update(zip(places, parts, strict=True))
        for name, rows_found in by_row.items():
            found[name] = [rows_found[place] for place in range(len(self.validation))]
        return found

    def _restore(self) -> None:
        with torch.no_grad():
            for name, weight in self.trained.items():
                weight.copy_(self.kept[name])

    @torch.no_grad()
    def finish(self) -> DoneEvent:
        """Go back to the best epoch, calibrate on the validation rows, and end."""
        if self.validation:
            if self.optimizer and self.kept_epoch:
                self._restore()
            scores = self._validation_scores()
            self.kept_scores = evaluate_scores(
                self.model.tasks,
                [self.targets.texts[row] for row in self.validation],
                [self.targets.examples[row] for row in self.validation],
                scores,
            )
            for name in self.model.heads:
                labels = self.targets.of(name, self.validation)
                head = self.model.task_heads[name]
                every = torch.cat(scores[name])  # (rows, classes)
                self.model.calibration[name] = calibrate(head.task, every, labels)
        self.model.requires_grad_(False).eval()
        return DoneEvent(
            epoch=self.kept_epoch,
            steps=self.step,
            scores=self.kept_scores,
            calibration=dict(self.model.calibration),
            seconds=time.perf_counter() - self.started,
        )

    def close(self) -> None:
        """Let go of the frozen states."""
        if self.frozen is not None:
            self.frozen.close()
