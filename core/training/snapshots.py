"""Where the same few sentences stand at moments of a run: what the heads read, and what they say.

The validation rows are scored after each epoch anyway, so that looking at them costs nothing; a
few rows that are learned from are scored beside them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from core.frozen.processes import Processes
from core.frozen.scoring import Reading, Scorer
from core.model.model import MultiTaskModel
from core.task import Label
from core.training.events import SnapshotEvent
from core.training.targets import Targets
from core.training.validation import BATCH, RowScores, Validation

MOST_SENTENCES = 200
LEARNED_SHARE = 0.05
"""Of the rows that are learned from: an epoch's updates cost about sixty times as much."""


class Snapshots:
    """Takes snapshots of a run.

    Args:
        model: What is trained.
        targets: All rows of the run.
        rows: How many of them, the first ones, are learned from.
        validation: The others.
        scorer: Scores rows of the run.
        processes: Who shares the scoring of the validation rows.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        targets: Targets,
        rows: int,
        validation: Validation,
        scorer: Scorer,
        processes: Processes,
    ) -> None:
        self._model, self._targets, self._scorer = model, targets, scorer
        self._validation, self._processes = validation, processes
        self.held_out = _spread(validation.rows, MOST_SENTENCES)
        room = MOST_SENTENCES - len(self.held_out)
        self.learned = _spread(range(rows), min(room, max(1, round(LEARNED_SHARE * rows))))
        self.layer = model.highest_read
        forms = (
            head.pools
            for head in model.task_heads.values()
            if head.pools is not None and head.highest_read == self.layer
        )
        self._pooling = next(forms, "mean")
        self._seen: dict[int, Tensor] = {}  # by row, (hidden,)
        self._scores: RowScores = {name: [] for name in model.heads}

    def validate(self, start: int | None) -> RowScores:
        """Score the validation rows as `Validation.scores` does, and remember what was read."""
        self._seen = {}
        if len(self._validation):
            self._scores = self._validation.scores(start, self._see)
        return self._scores

    def _see(self, rows: Sequence[int], reading: Reading) -> None:
        pooled = reading.of(self.layer, self._pooling).cpu()  # (batch, hidden)
        self._seen.update(zip(rows, pooled, strict=True))

    @torch.no_grad()
    def take(self, epoch: int, step: int, start: int | None) -> SnapshotEvent:
        """Take one of the model as it was when `validate` was last called.

        Args:
            epoch: Epochs done.
            step: Steps done.
            start: The layer that the network runs from, as `Scorer.read` takes it.
        """
        self._model.eval()
        nothing = torch.zeros(self._model.encoder.hidden)
        found = [self._seen.get(row, nothing) for row in self.held_out]
        states = [self._processes.joined(torch.stack(found))] if found else []
        places = [row - self._validation.rows.start for row in self.held_out]
        scores = {n: [each[k] for k in places] for n, each in self._scores.items() if places}
        every = {name: list(scores.get(name, [])) for name in self._model.heads}
        for first in range(0, len(self.learned), BATCH):
            rows = self.learned[first : first + BATCH]
            reading = self._scorer.read(rows, start)
            states.append(reading.of(self.layer, self._pooling).cpu())
            for name, each in self._model.score(*reading).items():
                head = self._model.task_heads[name]
                sizes = [head.rows_of(tokens) for tokens in reading.lengths.tolist()]
                every[name].extend(each.float().cpu().split(sizes))
        return self._event(epoch, step, every, torch.cat(states))

    def _event(self, epoch: int, step: int, scores: RowScores, states: Tensor) -> SnapshotEvent:
        rows = [*self.held_out, *self.learned]
        predicted: dict[str, tuple[Label, ...]] = {}
        probabilities = {}
        for name, head in self._model.task_heads.items():
            texts = [self._targets.texts[row] for row in rows]
            pairs = zip(texts, scores[name], strict=True)
            predicted[name] = tuple(head.said(head.task, text, found) for text, found in pairs)
            if head.task.of_kind.one_label:
                shares = torch.cat(list(scores[name])).softmax(dim=1)  # (sentences, labels)
                probabilities[name] = shares.numpy()
        return SnapshotEvent(
            epoch=epoch,
            step=step,
            examples=tuple(self._targets.examples[row] for row in rows),
            held_out=len(self.held_out),
            predicted=predicted,
            probabilities=probabilities,
            layer=self.layer,
            states=states.numpy(),
        )


def _spread(rows: range, most: int) -> list[int]:
    """Take at most so many rows, evenly from all of them."""
    count = min(len(rows), max(0, most))
    return [rows[k * len(rows) // count] for k in range(count)]
