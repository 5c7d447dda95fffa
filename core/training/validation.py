"""What a run says of the rows it does not learn from: scores, losses, single rows, calibration."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from core.errors import Said, setting
from core.frozen.processes import Processes
from core.frozen.scoring import Reading, Scorer
from core.model.evaluation import TaskScores, calibrate, evaluate_scores
from core.model.model import MultiTaskModel
from core.training.events import Watched
from core.training.observing import watch
from core.training.targets import Targets

BATCH = 64
WATCHED_ROWS = 8
"""How many rows are told one by one at each evaluation."""

RowScores = Mapping[str, Sequence[Tensor]]
"""By task, each row's own scores, (1, labels) or (tokens, classes)."""

See = Callable[[Sequence[int], Reading], None]


class Validation:
    """The validation rows of a run; there may be none.

    Args:
        model: What scores them.
        targets: All rows of the run.
        rows: Which of them validate.
        scorer: Scores rows of the run.
        processes: Who shares the scoring.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        targets: Targets,
        rows: range,
        scorer: Scorer,
        processes: Processes,
    ) -> None:
        self.model, self.targets, self.rows = model, targets, rows
        self._scorer, self._processes = scorer, processes

    def __len__(self) -> int:
        return len(self.rows)

    @torch.no_grad()
    def scores(self, start: int | None, see: See | None = None) -> RowScores:
        """Score each row by itself.

        Args:
            start: The layer that the network runs from, as `Scorer.read` takes it.
            see: Shown each batch, as far as this process scores it, and what the heads read of it.
        """
        self.model.eval()
        order = sorted(self.rows, key=self._length)
        found: dict[str, dict[int, Tensor]] = {name: {} for name in self.model.heads}
        for first in self._processes.share(range(0, len(order), BATCH)):
            rows = order[first : first + BATCH]
            reading = self._scorer.read(rows, start)
            scores = self.model.score(*reading)
            if see is not None:
                see(rows, reading)
            for name in self.model.heads:
                parts = scores[name].float().cpu().split(self._sizes(name, rows))
                found[name].update(zip(rows, parts, strict=True))
        return {name: self._joined(name, each) for name, each in found.items()}

    def _length(self, row: int) -> int:
        return len(self.targets.texts[row].ids)

    def _sizes(self, task: str, rows: Sequence[int]) -> list[int]:
        """Give how many rows of scores each row has."""
        head = self.model.task_heads[task]
        return [head.rows_of(self._length(row)) for row in rows]

    def _joined(self, task: str, found: Mapping[int, Tensor]) -> list[Tensor]:
        """Put together what the processes found of a task's scores, one tensor a row."""
        sizes = self._sizes(task, self.rows)
        classes = len(self.model.task_heads[task].task.classes)
        nothing = torch.zeros(max(sizes, default=0), classes)
        pairs = zip(self.rows, sizes, strict=True)
        laid = torch.cat([found.get(row, nothing[:size]) for row, size in pairs])
        return list(self._processes.joined(laid).split(sizes))  # (labels,) or (tokens, classes)

    def losses(self, scores: RowScores) -> dict[str, float]:
        """Give each task's plain loss, in nats per label."""
        return {
            name: float(head.loss(torch.cat(list(scores[name])), self.targets.of(name, self.rows)))
            for name, head in self.model.task_heads.items()
        }

    def judged(self, scores: RowScores) -> dict[str, TaskScores]:
        """Judge the scores of the rows."""
        texts = [self.targets.texts[row] for row in self.rows]
        examples = [self.targets.examples[row] for row in self.rows]
        return evaluate_scores(self.model.tasks, texts, examples, scores)

    def watched(self, scores: RowScores) -> tuple[Watched, ...]:
        """Tell predicted against actual for a few of the rows, the same ones each time."""
        step = max(1, len(self.rows) // WATCHED_ROWS)
        return tuple(
            watch(
                self.model,
                self.targets.texts[self.rows[place]],
                self.targets.examples[self.rows[place]],
                {name: each[place] for name, each in scores.items()},
            )
            for place in range(0, len(self.rows), step)[:WATCHED_ROWS]
        )

    def calibrate(self, scores: RowScores) -> None:
        """Fit each head's temperature and threshold."""
        for name, head in self.model.task_heads.items():
            every = torch.cat(list(scores[name]))  # (rows, classes)
            labels = self.targets.of(name, self.rows)
            self.model.calibration[name] = calibrate(head.task, every, labels)


FAR_ABOVE = 1.5
"""A loss of so many times that of even odds is no chance of a few rows: the model is sure, and
wrong. MiniLM at a rate of 1 has two to three times it, after two epochs at its own rate 1.1."""


def outcome_notes(scores: Mapping[str, TaskScores], losses: Mapping[str, float]) -> tuple[str, ...]:
    """Say of which tasks a model knows no more than someone who never read a sentence.

    Args:
        scores: By task, on the validation rows.
        losses: By task, there too, in nats per label.

    Returns:
        A sentence for each task that is no better than its commonest label, or without any span
        found; where its loss is far above that of even odds, with the likely cause.
    """
    notes = []
    for name, each in scores.items():
        told = _nothing_known(each)
        if told is None:
            continue
        odds = math.log(len(each.task.classes))
        cause = "give it more rows or epochs, or another strategy"
        if losses[name] > FAR_ABOVE * odds:
            cause = (
                f"its loss is {losses[name]:.2f}, that of even odds {odds:.2f}: a learning rate "
                f"may be too high, give a lower {setting('encoder_rate')} or "
                f"{setting('head_rate')}"
            )
        notes.append(Said(f"{name} has learned nothing that helps: {told}; {cause}"))
    return tuple(notes)


def _nothing_known(scores: TaskScores) -> str | None:
    if scores.confusion is None:
        spans = scores.spans
        found_none = spans is not None and spans.rows > 0 and spans.f1 == 0
        return f"none of {spans.rows:,} spans is found" if spans and found_none else None
    counts = scores.confusion.sum(axis=1)  # (labels,)
    if not scores.rows or scores.main > counts.max() / scores.rows:
        return None
    commonest = scores.task.labels[int(counts.argmax())][:40]
    return (
        f"on {scores.rows:,} validation rows its accuracy is {scores.main:.3f}, and always saying "
        f"{commonest!r} has {counts.max() / scores.rows:.3f}"
    )
