"""A shared encoder with a head per task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from core.encoder.encoder import Encoder, pad
from core.model.heads import HeadShape, TaskHead, build_head
from core.model.reading import ReadText
from core.model.spelling import spelling_features
from core.task import Task

TEMPERATURES = (0.01, 100.0)
"""Beyond these, which no fit gives, scores overflow or every class is as likely as any other."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How a head's scores become probabilities, and when they are too low to be believed.

    Attributes:
        temperature: Scores are divided by it.
        threshold: Below this confidence a prediction is unsure, 0 to 1.
        error: The expected calibration error that remains, or None where nobody measured it.
    """

    temperature: float = 1.0
    threshold: float = 0.0
    error: float | None = None

    def __post_init__(self) -> None:
        low, high = TEMPERATURES
        if not low <= self.temperature <= high:
            raise ValueError(f"temperature is {self.temperature}, must be {low} to {high}")
        for name in ("threshold", "error"):
            share = getattr(self, name)
            if not (share is None and name == "error") and not 0 <= share <= 1:
                raise ValueError(f"{name} is {share}, must be 0 to 1")


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Some texts, ready for the network.

    Attributes:
        ids: Padded token ids, (batch, tokens).
        mask: 1 for a real token, (batch, tokens).
        lengths: Each text's tokens, (batch,).
        spelling: Of all real tokens, one text after another, (all tokens, features), or None.
    """

    ids: Tensor
    mask: Tensor
    lengths: Tensor
    spelling: Tensor | None


NOTHING_POOLED: Mapping[tuple[int, str], Tensor] = {}


class HeadsByTask(nn.ModuleDict):
    """Heads by their task's name, which may be that of a module's own method, such as `type`."""

    def __setitem__(self, key: str, module: nn.Module) -> None:
        self._modules[key] = module  # add_module refuses such a name


class MultiTaskModel(nn.Module):
    """One encoder and, for each task, a head that reads one of its layers.

    The encoder's own embedding stays that of its full depth; to predict, layers above the
    highest one read are not run.

    Args:
        encoder: The network; its weights belong to this model from now on.
        shapes: One head a task.

    Raises:
        ValueError: If there is no head, two have one name, or one reads a layer that is not there.
    """

    def __init__(self, encoder: Encoder, shapes: Sequence[HeadShape]) -> None:
        super().__init__()
        names = [shape.task.name for shape in shapes]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"heads are for {names}, must be one each for one task or more")
        self.encoder = encoder
        self.heads = HeadsByTask(
            {s.task.name: build_head(s, encoder.hidden, encoder.layers) for s in shapes}
        )
        self.calibration = {name: Calibration() for name in names}
        self.name = encoder.name

    @property
    def task_heads(self) -> dict[str, TaskHead]:
        """The heads by task's name."""
        return {name: cast(TaskHead, head) for name, head in self.heads.items()}

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What it predicts, in order."""
        return tuple(head.task for head in self.task_heads.values())

    @property
    def highest_read(self) -> int:
        """The highest layer that a head reads; those above are not run."""
        return max(head.highest_read for head in self.task_heads.values())

    @property
    def layers_read(self) -> list[int]:
        """All layers that some head reads, the lowest first."""
        return sorted({k for head in self.task_heads.values() for k in head.layers_read})

    def read(self, texts: Sequence[str], *, pieces: bool = False) -> list[ReadText]:
        """Cut texts into what the heads need of them, and into pieces if asked to."""
        heads = self.task_heads.values()
        if not pieces and not any(head.task.of_kind.by_token for head in heads):
            tokens = self.encoder.tokenizer.encode(texts)
            pairs = zip(texts, tokens, strict=True)
            return [ReadText(text=t, ids=k.ids, truncated=k.truncated) for t, k in pairs]
        spelled = any(head.shape.spelling for head in heads)
        found = []
        for text in texts:
            cut = self.encoder.tokenizer.pieces(text)
            found.append(
                ReadText(
                    text=text,
                    ids=cut.ids,
                    truncated=cut.truncated,
                    pieces=cut,
                    spelling=spelling_features(text, cut) if spelled else None,
                )
            )
        return found

    def batch(self, texts: Sequence[ReadText]) -> Batch:
        """Lay texts side by side on the model's device."""
        ids, mask = pad([text.ids for text in texts])  # (batch, tokens) each
        device = self.encoder.device
        return Batch(
            ids=ids.to(device),
            mask=mask.to(device),
            lengths=torch.tensor([len(text.ids) for text in texts], device=device),  # (batch,)
            spelling=self.spelling(texts),
        )

    def spelling(self, texts: Sequence[ReadText]) -> Tensor | None:
        """Lay how some texts are written one after another, (all tokens, features), if known."""
        some = [text.spelling for text in texts if text.spelling is not None]
        return torch.cat(some).to(self.encoder.device) if some else None

    def states(self, batch: Batch) -> dict[int, Tensor]:
        """Run the network as high as a head reads: by layer, packed states, (tokens, hidden)."""
        backbone = self.encoder.backbone
        embedded = backbone.embed_packed(batch.ids, batch.mask)  # (tokens, hidden)
        lengths = batch.lengths.tolist()
        return dict(enumerate(backbone.packed_layers(embedded, lengths, 0, self.highest_read)))

    def score(
        self,
        layers: Mapping[int, Tensor],
        lengths: Tensor,
        spelling: Tensor | None = None,
        pooled: Mapping[tuple[int, str], Tensor] = NOTHING_POOLED,
    ) -> dict[str, Tensor]:
        """Score packed states of the layers that the heads read.

        Args:
            layers: By layer, (tokens, hidden), the texts one after another.
            lengths: Each text's tokens, (batch,).
            spelling: How the words are written, (tokens, features), if a head reads it.
            pooled: By layer and pooling, (batch, hidden), for sentence heads that need no more.

        Returns:
            By task, (batch, labels) of a sentence task, (tokens, classes) of a token task.
        """
        scores = {}
        for name, head in self.task_heads.items():
            own = {k: pooled[k, how] for k, how in pooled if how == head.pools}
            if own.keys() >= set(head.layers_read):
                scores[name] = head.classify(head.read(own).float())  # (batch, labels)
                continue
            state = head.read(layers).float()[: int(lengths.sum())]  # (tokens, hidden)
            scores[name] = head.classify(head.features(state, lengths, spelling))  # (rows, classes)
        return scores

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return self.score(self.states(batch), batch.lengths, batch.spelling)


def default_shapes(
    encoder: Encoder, tasks: Sequence[Task], read: Mapping[str, int | str]
) -> list[HeadShape]:
    """Give each task a linear head on mean-pooled states.

    A token head also reads how words are written, where the tokenizer hides it.

    Args:
        encoder: What the heads will read.
        tasks: What to predict.
        read: By task's name, the layer to read, or `MIX`; the last where it is missing.
    """
    folds = encoder.tokenizer.folds_case
    return [
        HeadShape(
            task=task,
            read=read.get(task.name, encoder.layers),
            spelling=folds and task.of_kind.by_token,
        )
        for task in tasks
    ]
