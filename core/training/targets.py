"""What the heads should say, as the numbers that losses take, and what a step loses by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.config import TrainingChoice
from core.frozen.scoring import Scorer
from core.model.model import MultiTaskModel
from core.model.reading import ReadText
from core.task import IGNORED, Example


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What the heads should say of some texts.

    Attributes:
        texts: The texts as the model reads them.
        examples: Their labels as they were given.
        labels: By task and text, class numbers, `IGNORED` where there is none, (rows,) as a head's
            scores of the text are laid out.
    """

    texts: Sequence[ReadText]
    examples: Sequence[Example]
    labels: Mapping[str, Sequence[Tensor]]

    def of(self, task: str, rows: Sequence[int]) -> Tensor:
        """Return the targets of some texts as a head's scores are laid out.

        Args:
            task: Its name.
            rows: Which texts.

        Returns:
            Class numbers, text after text, (rows,).
        """
        return torch.cat([self.labels[task][row] for row in rows])  # (rows,)


def read_targets(model: MultiTaskModel, examples: Sequence[Example]) -> Targets:
    """Turn labelled sentences into what a model reads and what it should say.

    Raises:
        ValueError: If a label is none of its task's, or of its kind.
    """
    texts = model.read([example.text for example in examples])
    pairs = list(zip(texts, examples, strict=True))
    labels = {
        name: [head.targets(head.task, text, example) for text, example in pairs]
        for name, head in model.task_heads.items()
    }
    return Targets(texts=texts, examples=examples, labels=labels)


class StepLoss:
    """Scores rows that a run learns from, and gives each task's loss.

    Args:
        model: What trains.
        targets: All rows of the run, those to learn from first.
        rows: How many of them are to learn from.
        choice: Class weights, smoothing, precision.
        scorer: Scores rows of the run.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        targets: Targets,
        rows: int,
        choice: TrainingChoice,
        scorer: Scorer,
    ) -> None:
        self.model, self.targets, self.choice = model, targets, choice
        self._scorer = scorer
        self._class_weights = self._weigh_classes(rows)

    def _weigh_classes(self, rows: int) -> dict[str, Tensor | None]:
        """Weigh the classes of tasks of a label a row by how rare they are, if that is chosen."""
        found: dict[str, Tensor | None] = dict.fromkeys(self.model.heads)
        if self.choice.class_weights == "none":
            return found
        for name, head in self.model.task_heads.items():
            if not head.task.of_kind.one_label:
                continue
            labels = self.targets.of(name, range(rows))  # (rows,)
            some, classes = labels[labels != IGNORED], head.task.classes
            counts = torch.bincount(some, minlength=len(classes))  # (classes,)
            weights = len(some) / (len(counts) * counts.clamp(min=1)).float()  # (classes,)
            found[name] = weights.to(self.model.encoder.device)
        return found

    def penalty(self, strength: float) -> Tensor | float:
        """Give what the matrices of the heads that train cost by themselves.

        It is in no task's loss. Unlike AdamW's decay it is divided by the gradient's scale as the
        losses are, so that the two find the balance of a penalised regression.

        Args:
            strength: Nats per squared weight, halved.

        Source:
            Bishop 2006, Pattern Recognition and Machine Learning, section 4.3.4; Loshchilov &
            Hutter 2019, section 2, for the difference (arXiv:1711.05101).
        """
        if not strength:
            return 0.0
        matrices = [
            weight
            for head in self.model.task_heads.values()
            for weight in head.parameters()
            if weight.ndim > 1 and weight.requires_grad
        ]
        return strength / 2 * sum(matrix.square().sum() for matrix in matrices)

    def losses(
        self, rows: Sequence[int], share_of: Sequence[int], start: int | None
    ) -> dict[str, Tensor]:
        """Give each task's loss on some rows of a step, in nats per label of the whole step.

        Args:
            rows: Which.
            share_of: All rows of the step.
            start: The layer that the network runs from, as `Scorer.scores` takes it.

        Returns:
            By task, a number each, with gradients.
        """
        device = self.model.encoder.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.choice.bf16):
            scores = self._scorer.scores(rows, start)
        losses = {}
        for name, head in self.model.task_heads.items():
            labels = self.targets.of(name, rows).to(device)
            loss = head.loss(
                scores[name].float(),
                labels,
                weights=self._class_weights[name],
                smoothing=self.choice.smoothing,
            )
            if len(rows) < len(share_of):
                every = int((self.targets.of(name, share_of) != IGNORED).sum())
                loss = loss * (int((labels != IGNORED).sum()) / max(1, every))
            losses[name] = loss
        return losses
