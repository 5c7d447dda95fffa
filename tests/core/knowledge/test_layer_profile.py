import json
import random

import pytest
import torch

from core.config import FOLDS, DataChoice
from core.data.corpus import load_corpus
from core.data.dataset import read_dataset
from core.encoder.encoder import CancelledError, Encoder
from core.frozen.layer_states import compute_layer_states
from core.knowledge.layer_profile import (
    LayerProfile,
    LayerScore,
    best_in_words,
    deal_folds,
    layer_profile,
    profile_document,
    profile_of,
)
from core.measures.metrics import Interval
from core.task import ENTITIES, SENTIMENT, SHIPPED_TASKS, TOPIC, Example, Task

COLOUR = Task(name="colour", kind="sentence", labels=("red", "blue"))


def some_examples(count: int) -> list[Example]:
    rows = load_corpus()
    random.Random(0).shuffle(rows)
    return [row.example for row in rows[:count]]


@pytest.mark.slow
def test_the_profile_of_the_corpus_beats_chance_and_peaks_below_the_top(
    default_encoder: Encoder,
) -> None:
    profile = layer_profile(default_encoder, some_examples(240), SHIPPED_TASKS)
    for task, chance in ((TOPIC, 0.3), (SENTIMENT, 0.45)):
        scores = profile.tasks[task.name]
        assert len(scores) == default_encoder.layers + 1
        assert scores[profile.best[task.name]].scores["accuracy"].low > chance
    entities = profile.tasks[ENTITIES.name]
    best = profile.best[ENTITIES.name]
    assert 0 < best < default_encoder.layers
    assert entities[best].main > entities[0].main + 0.1
    for layer, score in enumerate(entities):
        assert score.layer == layer
        assert score.scores["f1"].low <= score.main <= score.scores["f1"].high


def test_a_task_written_in_the_words_themselves_is_read_off_the_embeddings(
    default_encoder: Encoder,
) -> None:
    said = {"red": "apple tomato cherry", "blue": "sky ocean jeans"}
    examples = [
        Example(text=f"{word} number {i}", labels={"colour": colour})
        for colour, words in said.items()
        for i in range(8)
        for word in words.split()
    ]
    profile = layer_profile(default_encoder, examples, [COLOUR])
    assert profile.tasks["colour"][0].main > 0.95


def test_rows_without_a_label_take_no_part(default_encoder: Encoder) -> None:
    labelled = [
        Example(text=f"the {'sky' if i % 2 else 'apple'} {i}", labels={"colour": c})
        for i, c in enumerate(["red", "blue"] * 9)
    ]
    unlabelled = [Example(text="no label at all"), Example(text="none", labels={"colour": None})]
    a = layer_profile(default_encoder, labelled, [COLOUR])
    b = layer_profile(default_encoder, [*labelled, *unlabelled], [COLOUR])
    assert a.best == b.best
    for first, second in zip(a.tasks["colour"], b.tasks["colour"], strict=True):
        assert first.main == pytest.approx(second.main)
    texts = [example.text for example in [*labelled, *unlabelled]]
    with compute_layer_states(default_encoder, texts) as known:
        c = layer_profile(default_encoder, [*labelled, *unlabelled], [COLOUR], states=known)
        assert c == b, "states that are known are not computed again, and are still there"
        assert len(known.pooled) == default_encoder.layers + 1


def test_folds_hold_every_labelled_row_once_and_groups_whole() -> None:
    labels = ["red", "blue"] * 15
    examples = [
        Example(text=str(i), labels={"colour": label}, group=f"g{i // 4}")
        for i, label in enumerate(labels)
    ]
    folds = deal_folds(examples, COLOUR, seed=0)
    assert len(folds) == FOLDS
    assert sorted(i for fold in folds for i in fold) == list(range(30))
    where = {i: number for number, fold in enumerate(folds) for i in fold}
    assert all(where[i] == where[i - i % 4] for i in range(30))
    assert deal_folds(examples, COLOUR, seed=0) == folds
    assert deal_folds(examples, COLOUR, seed=1) != folds


def test_too_few_groups_are_refused_in_a_sentence() -> None:
    examples = [Example(text="a", labels={"colour": "red"}, group="g")] * 9
    with pytest.raises(
        ValueError, match=r"task colour has 1 labelled rows .* needs 3 to be tested"
    ):
        deal_folds(examples, COLOUR, seed=0)


def test_of_layers_that_score_the_same_the_lower_is_best() -> None:
    def at(layer: int, score: float) -> LayerScore:
        interval = Interval(mean=score, low=score, high=score)
        return LayerScore(layer=layer, scores={"accuracy": interval})

    profile = LayerProfile(tasks={"colour": (at(0, 0.5), at(1, 0.7), at(2, 0.7))})
    assert profile.best == {"colour": 1}


def test_a_profile_comes_back_from_its_document(tiny_encoder: Encoder) -> None:
    dataset = read_dataset(DataChoice(source="corpus", rows=60))
    document = profile_document(tiny_encoder, dataset)
    back = profile_of(json.loads(json.dumps(document)))
    assert back.best == document["best"]
    for name, scores in back.tasks.items():
        assert best_in_words(name, scores) == document["text"][name]
        above = max(scores[2:], key=lambda score: (score.main, -score.layer)).layer
        assert back.best_from(2)[name] == above


def test_a_profile_stops_when_asked(tiny_encoder: Encoder) -> None:
    with pytest.raises(CancelledError):
        layer_profile(tiny_encoder, some_examples(30), [TOPIC], cancelled=lambda: True)
    assert torch.is_grad_enabled()


def at(layer: int, mean: float, metric: str = "accuracy") -> LayerScore:
    return LayerScore(
        layer=layer, scores={metric: Interval(mean=mean, low=mean - 0.02, high=mean + 0.02)}
    )


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (
            (0.5, 0.81, 0.77),
            "is read best at layer 1: 0.81 (0.79 to 0.83), 4 points above the last",
        ),
        ((0.5, 0.80, 0.79), "1 point above the last, which lies within that interval"),
        ((0.5, 0.8, 0.8), "is read best at layer 1: 0.80 (0.78 to 0.82), level with the last"),
        ((0.5, 0.6, 0.8), "is read best at the last layer, 2: 0.80 (0.78 to 0.82)"),
    ],
)
def test_the_best_layer_is_told_in_words(scores: tuple[float, ...], said: str) -> None:
    for metric in ("accuracy", "f1"):
        listed = [at(layer, mean, metric) for layer, mean in enumerate(scores)]
        assert best_in_words("topic", listed).startswith("topic ")
        assert best_in_words("topic", listed).endswith(said)


def test_near_duplicates_are_never_on_both_sides() -> None:
    texts = [f"{word} is a word of its own number {word}" for word in "abcdefghijkl"]
    examples = [
        Example(text=text + end, labels={"colour": label})
        for text, label in zip(texts, ["red", "blue"] * 6, strict=True)
        for end in ("", "!", "?")
    ]
    where = {i: n for n, fold in enumerate(deal_folds(examples, COLOUR, 0)) for i in fold}
    assert len(where) == 36
    assert all(where[i] == where[i - i % 3] for i in range(36))


def test_given_groups_are_kept_whole() -> None:
    examples = [Example(text=str(i), labels={"colour": ["red", "blue"][i % 2]}) for i in range(12)]
    folds = deal_folds(examples, COLOUR, 0, groups=[i // 4 for i in range(12)])
    assert sorted(folds) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
