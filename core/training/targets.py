"""What the heads should say: labels as the numbers that their losses take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.model.model import MultiTaskModel, ReadText
from core.task import IGNORED, Example, Task, tags_of


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
        """Return the targets of some texts as a head's scores are laid out.

        Args:
            task: Its name.
            rows: Which texts.

        Returns:
            Class numbers: (batch,) of a sentence task, (tokens,) of a token task, text after text.
        """
        if task in self.sentence:
            return self.sentence[task][list(rows)]  # (batch,)
        return torch.cat([self.token[task][row] for row in rows])  # (tokens,)


def read_targets(model: MultiTaskModel, examples: Sequence[Example]) -> Targets:
    """Turn labelled sentences into what a model reads and what it should say.

    Raises:
        ValueError: If a label is none of its task's, or of its kind.
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
    if spans is None:
        return torch.full((len(text.ids),), IGNORED)  # (tokens,)
    known = set(task.labels)
    if isinstance(spans, str) or text.pieces is None or any(s.label not in known for s in spans):
        allowed = ", ".join(task.labels)
        raise ValueError(f"{spans!r} are no spans of {task.name}, whose labels are: {allowed}")
    tags = [number[tag] for tag in tags_of(text.pieces.spans, spans)]
    found = torch.tensor(tags, dtype=torch.int64)  # (tokens,)
    found[torch.tensor(text.pieces.special, dtype=torch.bool)] = IGNORED
    return found
