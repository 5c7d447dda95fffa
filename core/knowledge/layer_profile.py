"""What can be read off each layer: the accuracy of a linear head, layer by layer, no training.

One pass over the data, then one convex fit per layer, task and fold.

Source:
    Alain & Bengio 2016, "Understanding intermediate layers using linear classifier probes"
    (arXiv:1610.01644); Tenney et al. 2019 (arXiv:1905.05950) for the picture by layer.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from core.config import FOLDS
from core.data.dataset import Dataset
from core.data.near_duplicates import groups_of
from core.data.rare_labels import without_rare_labels
from core.data.splits import iterative_folds
from core.encoder.encoder import CancelledError, Encoder, Progress
from core.frozen.layer_states import LayerStates, compute_layer_states
from core.knowledge.logistic import fit_logistic
from core.measures.metrics import Interval
from core.measures.scores import Score, score_in, scores_of
from core.model.spelling import spelling_features
from core.system.machine import one_thread
from core.task import IGNORED, Example, Label, Span, Task, spans_of, tags_of

PENALTY, TOKEN_PENALTY = 0.1, 0.01
"""L2 penalties on standardised states, the same for every layer, so that layers compare."""


@dataclass(frozen=True, kw_only=True)
class LayerScore:
    """What a linear head that reads one layer reaches on rows it did not see.

    Attributes:
        layer: 0 is the embeddings.
        scores: By the key of each score of its task, such as `accuracy` and `macro_f1`.
    """

    layer: int
    scores: dict[str, Interval]

    @property
    def main(self) -> float:
        """The score that layers are compared by."""
        return self.told.mean

    @property
    def told(self) -> Interval:
        """The same with its interval."""
        return self.scores[self.score.key]

    @property
    def score(self) -> Score:
        """Which score that is."""
        return score_in(self.scores)


@dataclass(frozen=True, kw_only=True)
class LayerProfile:
    """The scores of every layer for every task.

    Attributes:
        tasks: By task's name, layers 0 to the last.
    """

    tasks: dict[str, tuple[LayerScore, ...]]

    @property
    def best(self) -> dict[str, int]:
        """The layer with the highest score for each task; of equal ones the lower."""
        return self.best_from(0)

    def best_from(self, lowest: int) -> dict[str, int]:
        """The same among the layers from `lowest` on."""
        return {
            name: max(scores[lowest:], key=lambda score: (score.main, -score.layer)).layer
            for name, scores in self.tasks.items()
        }


def layer_profile(
    encoder: Encoder,
    examples: Sequence[Example],
    tasks: Sequence[Task],
    *,
    groups: Sequence[int] | None = None,
    seed: int = 0,
    states: LayerStates | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> LayerProfile:
    """Cross-validate a linear head on every layer, for every task.

    Args:
        encoder: The network, frozen.
        examples: Labelled sentences; any may lack any label.
        tasks: What to predict.
        groups: A number for each example; those of one number stay in one fold. None finds
            near-duplicates and the examples' own groups.
        seed: Deals the groups into folds.
        states: Of these examples, where they are known; None runs the network.
        progress: Called while the sentences run through the network.
        cancelled: Asked now and then; True stops.

    Raises:
        ValueError: If a task has too few labelled groups to deal into folds.
        CancelledError: If `cancelled` answered True.
    """
    tokens = any(task.of_kind.by_token for task in tasks)
    texts = [example.text for example in examples]
    groups = groups_of(examples) if groups is None else groups
    profile: dict[str, tuple[LayerScore, ...]] = {}
    with contextlib.ExitStack() as stack:
        if states is None:
            states = compute_layer_states(
                encoder, texts, tokens=tokens, progress=progress, cancelled=cancelled
            )
            stack.enter_context(states)
        say_spans = partial(_say_spans, spelled=_spelling(encoder, states, examples))
        for task in tasks:
            scores = []
            folds = deal_folds(examples, task, seed, groups)
            say = say_spans if task.of_kind.by_token else _say_labels
            for layer in range(states.layer_count + 1):
                if cancelled is not None and cancelled():
                    raise CancelledError(f"stopped at layer {layer} of {task.name}")
                with one_thread():
                    said = say(states, examples, task, folds, layer)
                    found = _scored(examples, task, said)
                scores.append(LayerScore(layer=layer, scores=found))
            profile[task.name] = tuple(scores)
    return LayerProfile(tasks=profile)


def best_in_words(name: str, scores: Sequence[LayerScore]) -> str:
    """Say where a task is read best, and how far that is from the last layer."""
    best = max(scores, key=lambda score: (score.main, -score.layer))
    told = best.told
    figure = f"{told.mean:.2f} ({told.low:.2f} to {told.high:.2f})"
    last = scores[-1]
    if best is last:
        return f"{name} is read best at the last layer, {last.layer}: {figure}"
    points = round(100 * (best.main - last.main))
    beside = f"{points} point{'s' * (points != 1)} above" if points else "level with"
    within = points and last.main >= told.low
    doubt = ", which lies within that interval" if within else ""
    return f"{name} is read best at layer {best.layer}: {figure}, {beside} the last{doubt}"


def profile_document(
    encoder: Encoder,
    dataset: Dataset,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Profile data: `{tasks: {TASK: [{layer, accuracy, macro_f1}]}, best: {TASK: layer}, …}`.

    Of a token task a layer has `f1` instead. Labels too rare to be tested are left out, and
    `notes` says so.

    Raises:
        ValueError: If a task has too few rows to be tested.
        CancelledError: If `cancelled` answered True.
    """
    dataset = dataset.usable()
    groups = groups_of(dataset.examples)
    tested = without_rare_labels(dataset.examples, dataset.tasks, groups, FOLDS)
    profile = layer_profile(
        encoder,
        tested.examples,
        tested.tasks,
        groups=groups,
        seed=seed,
        progress=progress,
        cancelled=cancelled,
    )
    return {
        "encoder": encoder.name,
        "layers": encoder.layers,
        "data": dataset.name,
        "rows": len(dataset.examples),
        "folds": FOLDS,
        "seed": seed,
        "tasks": {
            name: [
                {"layer": each.layer, **{m: vars(i).copy() for m, i in each.scores.items()}}
                for each in scores
            ]
            for name, scores in profile.tasks.items()
        },
        "best": profile.best,
        "text": {name: best_in_words(name, scores) for name, scores in profile.tasks.items()},
        "notes": list(tested.notes),
    }


def profile_of(document: Mapping[str, Any]) -> LayerProfile:
    """Read a profile back from its document."""
    return LayerProfile(
        tasks={
            name: tuple(
                LayerScore(
                    layer=each["layer"],
                    scores={m: Interval(**each[m]) for m in each if m != "layer"},
                )
                for each in layers
            )
            for name, layers in document["tasks"].items()
        }
    )


def deal_folds(
    examples: Sequence[Example], task: Task, seed: int, groups: Sequence[int] | None = None
) -> list[list[int]]:
    """Deal the examples that carry a task's label into folds, groups whole, labels even.

    Args:
        examples: Labelled sentences; those without this task's label take no part.
        task: Which labels to share out.
        seed: Draws among what is equally good.
        groups: A number for each example; None as `groups_of` finds them.

    Returns:
        The indices of each fold's examples.

    Raises:
        ValueError: If fewer groups than folds carry a label.
    """
    groups = groups_of(examples) if groups is None else groups
    labelled = [
        i for i, example in enumerate(examples) if example.labels.get(task.name) is not None
    ]
    own = [groups[i] for i in labelled]
    if len(set(own)) < FOLDS:
        raise ValueError(
            f"task {task.name} has {len(set(own))} labelled rows that are not near-duplicates of "
            f"each other or of one group, needs {FOLDS} to be tested: label more"
        )
    dealt = iterative_folds([examples[i] for i in labelled], [task], own, FOLDS, seed)
    return [[labelled[place] for place in fold] for fold in dealt]


def _scored(
    examples: Sequence[Example], task: Task, said: Mapping[int, Label]
) -> dict[str, Interval]:
    """Give every score of a task of what was said of the rows held out."""
    rows = sorted(said)
    true, found = [examples[i].labels[task.name] for i in rows], [said[i] for i in rows]
    return {each.key: each.interval(true, found, task.labels) for each in scores_of(task.of_kind)}


def _say_labels(
    states: LayerStates, examples: Sequence[Example], task: Task, folds: list[list[int]], layer: int
) -> dict[int, Label]:
    number = {label: index for index, label in enumerate(task.labels)}
    labels = torch.full((len(examples),), IGNORED)  # (examples,)
    for i in (i for fold in folds for i in fold):
        labels[i] = number[str(examples[i].labels[task.name])]
    said: dict[int, Label] = {}
    for held_out in folds:
        train = labels.clone()
        train[held_out] = IGNORED
        fitted = fit_logistic(states.pooled[layer], train, len(number), penalty=PENALTY)
        best = fitted.scores(states.pooled[layer][held_out]).argmax(dim=1).tolist()
        said.update(zip(held_out, (task.labels[each] for each in best), strict=True))
    return said


def _spelling(encoder: Encoder, states: LayerStates, examples: Sequence[Example]) -> Tensor:
    """Describe how all words are written, as token heads read it, (all tokens, features)."""
    if not states.pieces or not encoder.tokenizer.folds_case:
        return torch.zeros(int(states.starts[-1]), 0)
    pairs = zip(examples, states.pieces, strict=True)
    return torch.cat([spelling_features(example.text, pieces) for example, pieces in pairs])


def _say_spans(
    states: LayerStates,
    examples: Sequence[Example],
    task: Task,
    folds: list[list[int]],
    layer: int,
    *,
    spelled: Tensor,
) -> dict[int, Label]:
    assert states.tokens is not None
    features = torch.cat([states.tokens[layer].float(), spelled], dim=1)  # (all tokens, inputs)
    number = {tag: index for index, tag in enumerate(task.classes)}
    labels = torch.full((states.tokens.shape[1],), IGNORED)  # (all tokens,)
    for i in (i for fold in folds for i in fold):
        spans, pieces = examples[i].labels[task.name], states.pieces[i]
        own = spans if isinstance(spans, tuple) else ()
        tags = torch.tensor([number[tag] for tag in tags_of(pieces.spans, own)])  # (tokens,)
        tags[torch.tensor(pieces.special)] = IGNORED
        labels[states.starts[i] : states.starts[i + 1]] = tags
    said: dict[int, Label] = {}
    for held_out in folds:
        train = labels.clone()
        train[states.token_rows(held_out)] = IGNORED
        fitted = fit_logistic(features, train, len(number), penalty=TOKEN_PENALTY, steps=40)
        for i in held_out:
            scores = fitted.scores(features[states.starts[i] : states.starts[i + 1]])
            said[i] = read_spans(examples[i].text, states.pieces[i].spans, scores, task)
    return said


def read_spans(
    text: str, pieces: Sequence[tuple[int, int]], scores: Tensor, task: Task
) -> tuple[Span, ...]:
    """Read spans off a token head's scores, (tokens, classes), by each token's best tag."""
    tags = [task.classes[best] for best in scores.argmax(dim=1).tolist()]
    return tuple(spans_of(text, pieces, tags))
