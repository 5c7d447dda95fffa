import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from core.config import HEAD_POOLINGS, MIX
from core.encoder.packed import pool_packed
from core.encoder.tokenizer import Pieces
from core.model.heads import (
    HEADS,
    HeadShape,
    SentenceHead,
    TaskHead,
    TokenHead,
    build_head,
    head_for,
)
from core.model.reading import ReadText
from core.model.spelling import FEATURES
from core.pooling import pool
from core.task import IGNORED, KINDS, Example, Span, Task
from tests.tiny_tasks import KIND, NAMES

HIDDEN, LAYERS = 6, 3
ALONE = torch.tensor([4])
PIECES = Pieces(
    ids=(1, 5, 6, 2),
    texts=("[CLS]", "ada", "left.", "[SEP]"),
    special=(True, False, False, True),
    spans=((0, 0), (0, 3), (4, 9), (0, 0)),
    words=(None, 0, 1, None),
    word_texts=("Ada", "left."),
    truncated=False,
)


def head(task: Task = KIND, read: int | str = 2, **shape: object) -> TaskHead:
    torch.manual_seed(0)
    return build_head(HeadShape(task=task, read=read, **shape), HIDDEN, LAYERS)  # type: ignore[arg-type]


@pytest.mark.parametrize("pooling", HEAD_POOLINGS)
@given(lengths=st.lists(st.integers(0, 7), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_packed_texts_pool_as_padded_ones_do(pooling: str, lengths: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(sum(lengths), HIDDEN, generator=generator)
    mask = (torch.arange(7) < torch.tensor(lengths)[:, None]).long()
    padded = torch.zeros(len(lengths), 7, HIDDEN)
    padded[mask.bool()] = states
    found = pool_packed(states, torch.tensor(lengths), pooling)
    torch.testing.assert_close(found, pool(padded, mask, pooling), atol=1e-6, rtol=1e-6)


def test_a_head_reads_its_own_layer() -> None:
    layers = {layer: torch.full((2, HIDDEN), float(layer)) for layer in range(LAYERS + 1)}
    for layer in range(LAYERS + 1):
        one = head(read=layer)
        assert one.highest_read == layer
        assert list(one.layers_read) == [layer]
        assert torch.equal(one.read({layer: layers[layer]}), layers[layer]), "needs no other"


def test_an_untrained_mix_is_the_mean_of_all_layers_and_learns_from_each() -> None:
    mixed = head(read=MIX)
    layers = {
        layer: torch.full((2, HIDDEN), float(layer), requires_grad=True)
        for layer in range(LAYERS + 1)
    }
    assert list(mixed.layers_read) == [0, 1, 2, 3]
    found = mixed.read(layers)
    torch.testing.assert_close(found, torch.full((2, HIDDEN), 1.5))  # by hand: (0+1+2+3) / 4
    found.sum().backward()
    assert all(state.grad is not None and state.grad.any() for state in layers.values())
    assert mixed.mix is not None
    assert mixed.mix.weights.grad is not None
    assert mixed.mix.weights.grad.any()
    with torch.no_grad():
        mixed.mix.weights.copy_(torch.tensor([-100.0, 100.0, -100.0, -100.0]))
        mixed.mix.scale.fill_(2.0)
    torch.testing.assert_close(mixed.read(layers), 2 * layers[1])


@given(
    labels=st.lists(st.sampled_from([IGNORED, 0, 1, 2]), min_size=1, max_size=9),
    seed=st.integers(0, 99),
)
def test_the_loss_is_torchs_mean_over_the_labelled_rows(labels: list[int], seed: int) -> None:
    scores = torch.randn(len(labels), 3, generator=torch.Generator().manual_seed(seed))
    targets = torch.tensor(labels)
    found = head().loss(scores, targets)
    if (targets == IGNORED).all():
        assert found == 0
    else:
        expected = F.cross_entropy(scores, targets, ignore_index=IGNORED)
        torch.testing.assert_close(found, expected)


def test_a_head_that_knows_nothing_of_three_classes_costs_log_three() -> None:
    loss = head().loss(torch.zeros(2, 3), torch.tensor([0, 2]))  # by hand: -ln(1/3)
    assert loss.item() == pytest.approx(math.log(3))


def test_a_batch_without_a_label_costs_nothing_and_moves_nothing() -> None:
    one = head()
    loss = one.loss(one.classify(torch.randn(3, HIDDEN)), torch.full((3,), IGNORED))
    assert loss == 0
    loss.backward()
    for name, weight in one.score.named_parameters():
        assert weight.grad is not None, name
        assert not weight.grad.any(), name


def test_an_ignored_row_has_no_gradient() -> None:
    scores = torch.randn(3, 3, requires_grad=True)
    head().loss(scores, torch.tensor([1, IGNORED, 2])).backward()
    assert scores.grad is not None
    assert not scores.grad[1].any()
    assert scores.grad[0].any()


@pytest.mark.parametrize("hidden_units", [None, 5])
def test_dropout_acts_in_training_alone(hidden_units: int | None) -> None:
    one = head(dropout=0.5, hidden_units=hidden_units)
    features = torch.randn(4, HIDDEN)
    one.eval()
    assert torch.equal(one.classify(features), one.classify(features))
    one.train()
    assert not torch.equal(one.classify(features), one.classify(features))


def test_a_linear_head_is_a_matrix_and_a_bias() -> None:
    one = head().eval()
    features = torch.randn(4, HIDDEN)
    expected = features @ one.score.weight.T + one.score.bias
    torch.testing.assert_close(one.classify(features), expected)


def test_a_hidden_layer_stands_between_features_and_scores() -> None:
    one = head(hidden_units=5).eval()
    assert one.hidden is not None
    assert one.hidden.weight.shape == (5, HIDDEN)
    features = torch.randn(4, HIDDEN)
    expected = one.score(F.gelu(one.hidden(features)))
    torch.testing.assert_close(one.classify(features), expected)


def test_a_token_head_scores_outside_and_the_two_tags_of_each_label() -> None:
    one = head(NAMES)
    assert isinstance(one, TokenHead)
    assert one.classify(torch.zeros(7, HIDDEN)).shape == (7, 5)
    assert isinstance(head(KIND), SentenceHead)


def test_a_head_that_reads_spelling_takes_it_beside_the_states() -> None:
    one = head(NAMES, spelling=True)
    assert isinstance(one, TokenHead)
    states, spelling = torch.randn(4, HIDDEN), torch.ones(4, len(FEATURES))
    features = one.features(states, ALONE, spelling)
    assert torch.equal(features, torch.cat([states, spelling], dim=1))
    assert one.classify(features).shape == (4, 5)
    plain = head(NAMES)
    assert isinstance(plain, TokenHead)
    assert torch.equal(plain.features(states, ALONE, spelling), states), (
        "another head may ask for it"
    )


def test_a_head_that_reads_spelling_is_never_run_without_it() -> None:
    one = head(NAMES, spelling=True)
    assert isinstance(one, TokenHead)
    with pytest.raises(ValueError, match="reads how words are written"):
        one.features(torch.randn(4, HIDDEN), ALONE, None)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"read": -1}, "layer is -1, must be a whole number from 0"),
        ({"read": "top"}, "must be one of: mix"),
        ({"read": 1.5}, "layer is 1.5, must be a whole number"),
        ({"read": math.inf}, "must be a whole number"),
        ({"read": True}, "must be a whole number"),
        ({"read": None}, "must be a whole number"),
        ({"pooling": "max"}, "must be one of: mean, cls"),
        ({"hidden_units": 0}, "hidden_units is 0"),
        ({"hidden_units": 2.5}, "hidden_units is 2.5"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"dropout": math.nan}, "dropout is nan"),
        ({"spelling": True}, "reads no spelling"),
    ],
)
def test_a_shape_that_is_none_is_refused(shape: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HeadShape(**{"task": KIND, "read": 1, **shape})  # type: ignore[arg-type]


def test_a_layer_that_is_not_there_is_refused_by_naming_those_that_are() -> None:
    with pytest.raises(ValueError, match="kind is to read layer 4, must be 0 to 3"):
        head(read=4)


@pytest.mark.parametrize(
    ("shape", "linear"),
    [
        ({}, True),
        ({"pooling": "cls"}, False),
        ({"hidden_units": 4}, False),
        ({"task": NAMES, "pooling": "cls"}, True),
    ],
)
def test_a_head_knows_whether_its_scores_are_a_sum_over_tokens(
    shape: dict[str, object], linear: bool
) -> None:
    assert HeadShape(**{"task": KIND, "read": 1, **shape}).is_linear is linear  # type: ignore[arg-type]


def test_every_kind_of_task_has_a_head_that_lays_out_targets_as_it_scores() -> None:
    assert {kind.kind for kind in HEADS} == {type(kind) for kind in KINDS}
    text = ReadText(text="Ada left.", ids=[1, 5, 6, 2], truncated=False, pieces=PIECES)
    example = Example(
        text=text.text, labels={"kind": KIND.labels[1], "names": (Span(0, 3, NAMES.labels[0]),)}
    )
    for task in (KIND, NAMES):
        one, states = head(task), torch.randn(4, HIDDEN)
        scores = one.classify(one.features(states, ALONE, None))
        targets = one.targets(task, text, example)
        assert len(targets) == len(scores) == one.rows_of(4)
        sure = F.one_hot(targets.clamp(min=0), len(task.classes)).float() * 9
        assert one.said(task, text, sure) == example.labels[task.name]
        assert head_for(task).targets(task, text, Example(text=text.text)).unique() == IGNORED


def test_what_is_outside_claims_nothing_and_any_label_does() -> None:
    best = torch.tensor([0, 2, 0, 1])
    assert TokenHead.claims(best).tolist() == [False, True, False, True]
    assert SentenceHead.claims(best).all()
