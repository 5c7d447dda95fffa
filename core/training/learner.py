"""What learns in a run: its weights and their optimiser, one update at a time.

Between two updates it can be changed: rates, and what is frozen. What is frozen at the bottom is
computed once per sentence and never again (`core.frozen.prefix`).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.config import TrainingChoice
from core.encoder.adapters import add_adapters, has_adapters, merge_adapters
from core.frozen.prefix import Needs, Prefix
from core.frozen.processes import Processes, new_prefix
from core.frozen.scoring import Scorer, needs_of
from core.model.model import MultiTaskModel
from core.strategy.thaw_plan import ThawPlan
from core.training.draws import Draws
from core.training.losses import parse_balance
from core.training.observing import gradient_norms
from core.training.run_weights import RunWeights
from core.training.steering import Change, Rates, steer, steered
from core.training.targets import StepLoss, Targets
from core.training.thawing import Thawing, keep_modes


@dataclass(frozen=True, kw_only=True)
class Update:
    """What one update showed.

    Attributes:
        loss: Each task's, in nats per label.
        gradient: The norm of each part's gradient, before it was clipped.
        rates: The learning rate of each part that trains.
    """

    loss: Mapping[str, float]
    gradient: Mapping[str, float]
    rates: Mapping[str, float]

    @property
    def norm(self) -> float:
        """The norm of the whole gradient."""
        return math.hypot(*self.gradient.values())

    @property
    def is_finite(self) -> bool:
        """Whether the losses and the gradient are numbers, so that the weights were updated."""
        return all(map(math.isfinite, (self.norm, *self.loss.values())))


class Learner:
    """What learns in a run.

    Args:
        model: Trained in place.
        plan: What trains of it, and when.
        choice: Rates, batch, balance, seed.
        targets: All rows of the run, those to learn from first.
        rows: How many of them are to learn from.
        processes: Who makes each update together.

    Attributes:
        thawing: What trains of it as it is now.
        optimizer: None where nothing trains.
        weights: What ever trains.
        scorer: Scores rows of the run.
        draws: What chance decides.
        rates: The full learning rates as they are now.
        prefix: The frozen bottom, once there is one.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        plan: ThawPlan,
        choice: TrainingChoice,
        targets: Targets,
        rows: int,
        processes: Processes,
    ) -> None:
        self.model, self.choice = model, choice
        self._processes = processes
        own = plan.strategy.head_penalty
        self._head_penalty = own if choice.head_penalty is None else choice.head_penalty
        self._ids = [text.ids for text in targets.texts]
        self._has_validation = rows < len(self._ids)
        device = model.encoder.device
        self.balance = parse_balance(choice.balance, [t.name for t in model.tasks]).to(device)
        self.scorer = Scorer(model, targets.texts)
        self._step_loss = StepLoss(model, targets, rows, choice, self.scorer)
        self.draws = Draws(choice.seed, device, processes.rank)
        if plan.strategy.adapter_rank is not None:
            self._adapt(plan.strategy.adapter_rank, plan.top)
        self.thawing = Thawing(model.eval(), plan)
        self.thawing.thaw()
        self.weights = RunWeights(self.thawing.trained)
        processes.copy_main(list(self.weights.trained.values()))
        beside = list(self.balance.parameters())
        self.optimizer = self.thawing.optimizer(choice, beside)
        self._limit_table()
        self.rates = Rates.of(choice, plan.strategy)
        self.prefix: Prefix | None = None
        self._own_prefix: Prefix | None = None
        self._modes: list[tuple[nn.Module, bool]] = []
        self._modes_at: tuple[Thawing, int] | None = None

    def _adapt(self, rank: int, highest: int) -> None:
        encoder = self.model.encoder
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.choice.seed)
            add_adapters(encoder.backbone, rank=rank, highest=highest)
        encoder.to(encoder.device)

    def _limit_table(self) -> None:
        """Leave the words that no row has out of the gradients and of the optimiser's work."""
        words = self.model.encoder.backbone.word_embeddings()
        table, alone = words.weight, self._processes.count == 1
        used = {0, *(each for ids in self._ids for each in ids)}  # 0 is the padding
        if self.optimizer and alone and table.requires_grad and 2 * len(used) < len(table):
            words.sparse = True
            self.optimizer.limit_rows(table, torch.tensor(sorted(used)))

    @property
    def plan(self) -> ThawPlan:
        """What trains, and when, as it is now."""
        return self.thawing.plan

    def parts_training(self, epoch: int) -> tuple[str, ...]:
        """Name the parts that train in an epoch."""
        return tuple(str(each) for each in self.plan.trained if self.plan.shares[each][epoch] > 0)

    def needs(self) -> Needs:
        """List the states that no step of some epoch will change, as far as they are asked for."""
        if not (self.optimizer or self._has_validation):
            return frozenset()
        return needs_of(self.model, self.plan.starts[: self.plan.epochs])

    def prepare(self, prefix: Prefix | None, cancelled: Callable[[], bool] | None) -> None:
        """Run what no step of an epoch will change, once for each sentence, unless it was.

        Args:
            prefix: Where to keep it; None makes one for this run alone.
            cancelled: Asked before each batch; True stops.

        Raises:
            CancelledError: If `cancelled` answered True.
        """
        needs = self.needs()
        if not needs or (self.prefix is not None and needs <= self.prefix.kept):
            return
        if prefix is None:
            memory = self.choice.prefix_megabytes * 1e6
            if self._own_prefix is not None:  # it is of weights that have moved since
                self._own_prefix.close()
            prefix = self._own_prefix = new_prefix(
                self._processes, self.model.encoder, self._ids, needs, memory, cancelled
            )
        self.scorer.take_from(prefix)
        prefix.compute(needs, cancelled=cancelled)
        self.prefix = prefix

    def begin_epoch(self, epoch: int) -> None:
        """Let gradients reach what trains in an epoch, and nothing else."""
        self.thawing.thaw(epoch)

    def update(self, rows: Sequence[int], epoch: int, share: float) -> Update:
        """Make one update, unless its losses or its gradient are no numbers.

        Args:
            rows: What to learn from.
            epoch: Epochs done.
            share: Of the full learning rates.

        Raises:
            ValueError: If nothing trains.
        """
        optimizer = self.optimizer
        if optimizer is None:
            raise ValueError("nothing trains in this run, so there is no update to make")
        self.thawing.set_rates(optimizer, epoch, share)
        self._keep_modes(epoch)
        optimizer.zero_grad()
        found = Update(
            loss=self._backward(rows, self.plan.starts[epoch]),
            gradient=gradient_norms(optimizer),
            rates={str(g["part"]): g["lr"] for g in optimizer.param_groups if "part" in g},
        )
        if found.is_finite:
            optimizer.step(scale=min(1.0, self.choice.clip / (found.norm + 1e-6)))
        return found

    def _backward(self, rows: Sequence[int], start: int | None) -> dict[str, float]:
        """Leave the gradient of a step's rows in the weights; give each task's loss on them."""
        mine = self._processes.share(rows)
        size = max(1, -(-len(mine) // self.choice.accumulate))
        sums = dict.fromkeys(self.model.heads, 0.0)
        with self.draws.dropout():
            for first in range(0, len(mine), size):
                losses = self._step_loss.losses(mine[first : first + size], rows, start)
                weights = self.balance.weights(losses)
                total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
                if first == 0 and self._processes.is_main:
                    total = total + self.balance.penalty()
                    total = total + self._step_loss.penalty(self._head_penalty)
                if total.requires_grad:  # everything may have been frozen since it began
                    total.backward()
                for name in losses:
                    sums[name] += float(losses[name].detach())
        self._processes.add_up([*self.weights.trained.values(), *self.balance.parameters()])
        return self._processes.total(sums)

    def _keep_modes(self, epoch: int) -> None:
        """Put every module into its mode: whoever looked on may have changed it."""
        if not self.choice.dropout:
            self.model.eval()
            return
        now = (self.thawing, epoch)
        if self._modes_at != now:
            self._modes, self._modes_at = self.thawing.modes(epoch), now
        keep_modes(self._modes)

    def end_epoch(self, losses: Mapping[str, float]) -> None:
        """Bring the weights up to date, and tell the balance each task's mean loss."""
        if self.optimizer:
            self.optimizer.settle()
        self.balance.end_epoch(losses)

    def steer(self, change: Change, epoch: int) -> None:
        """Change rates and what trains from now on; what is frozen is to be prepared anew.

        Raises:
            ValueError: If it cannot be; nothing is changed.
        """
        if self.optimizer is None:
            raise ValueError("nothing trains in this run, so nothing of it can be changed")
        self.thawing = steered(self.thawing, change, epoch)
        self.rates = self.rates.changed(change)
        steer(self.thawing, self.optimizer, self.rates, self.choice.weight_decay, epoch)
        self.weights.add(self.thawing.trained)

    def go_back(self) -> None:
        """Make the weights what they were when they were kept, or when the run began."""
        if self.optimizer:
            self.optimizer.settle()  # what is pending is of the weights that are given up
        self.weights.go_back()

    def tensors(self, *, kept: bool) -> dict[str, Tensor]:
        """Name all that the next updates depend on, for a checkpoint.

        Args:
            kept: Whether to add the weights that were kept.
        """
        found = self.weights.tensors(kept=kept)
        for name, state in self.draws.tensors().items():
            every = self._processes.all_of(state)
            found.update({f"draws.{rank}.{name}": each for rank, each in enumerate(every)})
        found.update({f"balance.{n}": each for n, each in self.balance.state_dict().items()})
        moments = self.optimizer.moments() if self.optimizer else {}
        found.update({f"optimizer.{name}": each for name, each in moments.items()})
        return found

    def load(self, tensors: Mapping[str, Tensor], *, kept: bool) -> None:
        """Go on from what `tensors` named.

        Raises:
            KeyError: If they are of other weights.
            RuntimeError: If one has another shape.
        """
        self.weights.load(tensors, kept=kept)
        self.draws.load_tensors(_below(tensors, f"draws.{self._processes.rank}."))
        self.balance.load_state_dict(_below(tensors, "balance."))
        if self.optimizer:
            self.optimizer.load_moments(_below(tensors, "optimizer."))

    def merge(self) -> None:
        """Add what adapters learned to the weights beside them, if there are any."""
        if has_adapters(self.model.encoder.backbone):
            merge_adapters(self.model.encoder.backbone)

    def close(self) -> None:
        """Let go of the frozen states, and leave a model that is ready to predict."""
        for weight in self.weights.trained.values():
            weight.grad = None
        if self.optimizer:
            self.optimizer.settle()
        self.model.encoder.backbone.word_embeddings().sparse = False
        self.merge()
        self.model.requires_grad_(False).eval()
        if not all(name.startswith("heads.") for name in self.weights.trained):
            self.model.encoder.ready()
        if self._own_prefix is not None:
            self._own_prefix.close()


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Take the tensors whose names begin with a prefix, without it."""
    return {n.removeprefix(prefix): each for n, each in tensors.items() if n.startswith(prefix)}
