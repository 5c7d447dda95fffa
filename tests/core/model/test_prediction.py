import itertools
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers.processors import TemplateProcessing

from core.config import MIX
from core.encoder.encoder import CancelledError, Encoder
from core.model.model import Calibration, MultiTaskModel
from core.model.prediction import TOKENS_PER_BATCH, Prediction, predict
from core.model.reading import decode_tags
from core.task import Task
from tests.tiny_models import FAMILIES
from tests.tiny_tasks import EXAMPLES, HOSTILE_TEXTS, KIND, NAMES, TRAINED_FAMILIES, tiny_model

Folder = Callable[[str], Path]
TEXTS = [each.text for each in EXAMPLES]
TINY = Task(name="t", kind="token", labels=("A", "B"))


def eager(model: MultiTaskModel) -> MultiTaskModel:
    """Let the token head find many entities, which an untrained one does not."""
    with torch.no_grad():
        model.task_heads["names"].score.weight.mul_(20)
        model.task_heads["names"].score.bias[0] = -1.0
    return model


def same(a: Prediction, b: Prediction) -> None:
    assert a.text == b.text
    assert a.truncated == b.truncated
    for name, label in a.labels.items():
        assert label.scores == pytest.approx(b.labels[name].scores, abs=1e-5)
    for name, entities in a.entities.items():
        assert [each.span for each in entities] == [each.span for each in b.entities[name]]


def cost(likely: torch.Tensor, tags: tuple[str, ...], task: Task) -> float:
    """Add up the nats of a sequence, on the scale that `decode_tags` uses."""
    places = [task.classes.index(tag) for tag in tags]
    rows = likely.double().clamp(min=1e-12)
    return -sum(math.log(rows[row, place]) for row, place in enumerate(places))


def is_valid(tags: tuple[str, ...], special: list[bool]) -> bool:
    for place, tag in enumerate(tags):
        before = tags[place - 1] if place else "O"
        if tag.startswith("I-") and before[2:] != tag[2:]:
            return False
        if special[place] and tag != "O":
            return False
    return True


@given(
    special=st.lists(st.booleans(), min_size=1, max_size=5),
    seed=st.integers(0, 9999),
    sharpness=st.sampled_from([0.0, 1.0, 30.0]),
)
def test_decoding_finds_the_likeliest_of_all_sequences_that_are_ones(
    special: list[bool], seed: int, sharpness: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(len(special), len(TINY.classes), generator=generator) * sharpness
    likely = scores.softmax(dim=1)
    found = tuple(decode_tags(likely, TINY, special))
    assert is_valid(found, special)
    every = itertools.product(TINY.classes, repeat=len(special))
    best = min(cost(likely, tags, TINY) for tags in every if is_valid(tags, special))
    assert cost(likely, found, TINY) == pytest.approx(best, abs=1e-9)


def test_decoding_prefers_a_whole_valid_sequence_to_each_tokens_best() -> None:
    #                        O    B-A   I-A   B-B   I-B
    likely = torch.tensor([[0.1, 0.40, 0.45, 0.03, 0.02], [0.1, 0.1, 0.7, 0.05, 0.05]])
    assert decode_tags(likely, TINY, [False, False]) == ["B-A", "I-A"]


def test_decoding_nothing_gives_nothing() -> None:
    assert decode_tags(torch.zeros(0, 5), TINY, []) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_found_entities_slice_to_words_of_any_text(family: str, family_folder: Folder) -> None:
    model = eager(tiny_model(family_folder, family))
    found = predict(model, [*HOSTILE_TEXTS, *TEXTS])
    entities = 0
    for prediction in found:
        text, before = prediction.text, 0
        for each in prediction.entities["names"]:
            surface = text[each.span.start : each.span.end]
            assert surface
            assert surface == surface.strip()
            assert each.span.label in NAMES.labels
            assert each.span.start >= before, "in order, and none over another"
            assert 0 < each.confidence <= 1
            before = each.span.end
            entities += 1
    assert entities > 20, "needs entities"


@pytest.mark.parametrize(
    "text", ["  Anna met Lee 👩‍👩‍👧 in e\u0301tretat", "سافر أحمد إلى القاهرة"]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_span_of_a_named_word_is_that_very_word(
    family: str, text: str, family_folder: Folder
) -> None:
    model = tiny_model(family_folder, family, tasks=(NAMES,))
    word = text.split()[1]
    start = text.index(word)
    pieces = model.encoder.tokenizer.pieces(text)
    head = model.task_heads["names"]
    inside = [
        place
        for place, (first, last) in enumerate(pieces.spans)
        if last > start and first < start + len(word) and first < last
    ]
    wanted = ["O"] * len(pieces.ids)
    for place in inside:
        wanted[place] = "I-PER"
    wanted[inside[0]] = "B-PER"
    marks = torch.tensor([head.task.classes.index(tag) for tag in wanted])

    def say(*_: object) -> torch.Tensor:
        return 9 * torch.nn.functional.one_hot(marks, 5).float()

    head.score.register_forward_hook(say)
    (found,) = predict(model, [text])
    (entity,) = found.entities["names"]
    assert text[entity.span.start : entity.span.end] == word


@pytest.mark.parametrize("family", TRAINED_FAMILIES)
def test_what_else_is_predicted_changes_no_prediction(family: str, family_folder: Folder) -> None:
    model = eager(tiny_model(family_folder, family, spelling=True))
    texts = [*TEXTS, *HOSTILE_TEXTS]
    together = predict(model, texts)
    assert [each.text for each in together] == texts, "the order is kept"
    for text, one in zip(texts, together, strict=True):
        same(predict(model, [text])[0], one)
    for a, b in zip(predict(model, texts[::-1]), together[::-1], strict=True):
        same(a, b)


def test_many_texts_take_several_batches_and_report_until_all_are_done(
    family_folder: Folder,
) -> None:
    model = tiny_model(family_folder)
    texts = TEXTS * 40
    seen: list[tuple[int, int]] = []
    found = predict(model, texts, progress=lambda *at: seen.append(at))
    assert len(seen) > 1, f"needs more than {TOKENS_PER_BATCH} tokens"
    assert seen == sorted(seen)
    assert seen[-1] == (len(texts), len(texts))
    for one, again in zip(found, found[len(TEXTS) :], strict=False):
        same(one, again)


def without_marks(model: MultiTaskModel) -> MultiTaskModel:
    """Let an empty text have no token at all."""
    model.encoder.tokenizer.backend.post_processor = TemplateProcessing(
        single="$A", pair="$A $B", special_tokens=[]
    )
    return model


def test_texts_without_a_token_are_predicted_explained_and_counted(family_folder: Folder) -> None:
    model = without_marks(tiny_model(family_folder, "stella-1.5b"))
    texts = ["", "It works.", ""]
    assert not model.read(texts)[0].ids, "needs a text of no token"
    seen: list[tuple[int, int]] = []
    found = predict(model, texts, explain=True, progress=lambda *at: seen.append(at))
    assert seen[-1] == (3, 3)
    for empty in (found[0], found[2]):
        assert empty.entities["names"] == ()
        said = empty.labels["kind"]
        assert said.words is not None
        assert said.words.words == ()
        bias = model.task_heads["kind"].score.bias.double()
        torch.testing.assert_close(said.words.total, bias)
    assert predict(model, []) == []


def test_a_text_that_goes_on_after_the_last_token_is_said_to(family_folder: Folder) -> None:
    model = tiny_model(family_folder)
    short, long = predict(model, ["It works.", "Anna went to Oslo. " * 60])
    assert not short.truncated
    assert long.truncated


@pytest.mark.parametrize("family", FAMILIES)
def test_a_text_of_which_the_encoder_knows_no_token_is_told(
    family: str, family_folder: Folder
) -> None:
    model = tiny_model(family_folder, family)
    spells_bytes = family in ("roberta-base", "stella-1.5b")  # their vocabularies know every byte
    texts = ["It works.", "\U0001f9ff", "It works \U0001f9ff", "\U0001f9ff \U0001f9ff", ""]
    found = predict(model, texts)
    told = [not spells_bytes] * 2
    assert [each.unreadable for each in found] == [False, told[0], False, told[1], True]


def test_one_word_of_thousands_of_letters_is_told_to_be_unreadable(
    default_encoder: Encoder,
) -> None:
    tokenizer = default_encoder.tokenizer
    texts = ["x" * 99_999, "🦜", "A parrot 🦜.", "naïve", "\u200b"]
    told = [tokenizer.is_unreadable(each.ids) for each in tokenizer.encode(texts)]
    assert told == [True, True, False, False, True]


def test_probabilities_sum_to_one_and_the_label_is_the_likeliest(family_folder: Folder) -> None:
    model = tiny_model(family_folder)
    for prediction in predict(model, TEXTS):
        for task in model.tasks[:2]:
            said = prediction.labels[task.name]
            assert list(said.scores) == list(task.labels)
            assert sum(said.scores.values()) == pytest.approx(1, abs=1e-6)
            assert said.confidence == max(said.scores.values()) == said.scores[said.label]


def test_a_higher_temperature_makes_a_head_less_sure_and_changes_no_label(
    family_folder: Folder,
) -> None:
    model = eager(tiny_model(family_folder))
    before = predict(model, TEXTS)
    for name in model.calibration:
        model.calibration[name] = Calibration(temperature=5.0)
    for cold, hot in zip(before, predict(model, TEXTS), strict=True):
        assert hot.labels["kind"].label == cold.labels["kind"].label
        assert hot.labels["kind"].confidence < cold.labels["kind"].confidence


def test_a_prediction_below_the_threshold_is_unsure(family_folder: Folder) -> None:
    model = eager(tiny_model(family_folder))
    for prediction in predict(model, TEXTS, threshold=0.6):
        for said in (prediction.labels["kind"], *prediction.entities["names"]):
            assert said.unsure == (said.confidence < 0.6)
    for prediction in predict(model, TEXTS, threshold=0.0):
        assert not prediction.labels["kind"].unsure
        assert not any(each.unsure for each in prediction.entities["names"])
    model.calibration["kind"] = Calibration(threshold=1.0)
    (own,) = predict(model, TEXTS[:1])
    assert own.labels["kind"].unsure
    assert not own.labels["mood"].unsure


@pytest.mark.parametrize("threshold", [-0.1, 1.1, math.nan])
def test_a_threshold_that_is_no_probability_is_refused(
    threshold: float, family_folder: Folder
) -> None:
    with pytest.raises(ValueError, match="must be 0 to 1"):
        predict(tiny_model(family_folder), TEXTS, threshold=threshold)


def test_predicting_stops_when_asked_to(family_folder: Folder) -> None:
    with pytest.raises(CancelledError, match=f"stopped after 0 of {len(TEXTS)}"):
        predict(tiny_model(family_folder), TEXTS, cancelled=lambda: True)


def test_broken_weights_are_an_error_in_words_and_leave_the_model_usable(
    family_folder: Folder,
) -> None:
    model = tiny_model(family_folder).train()
    with torch.no_grad():
        model.task_heads["kind"].score.bias[0] = math.nan
    with pytest.raises(RuntimeError, match="its weights are broken"):
        predict(model, TEXTS)
    assert model.training
    assert not model.encoder.busy.locked()


def test_a_model_in_training_predicts_without_dropout_and_goes_on_training(
    family_folder: Folder,
) -> None:
    model = tiny_model(family_folder)
    expected = predict(model, TEXTS)
    model.encoder.backbone.layers()[1].train()
    model.heads.train()
    modes = [module.training for module in model.modules()]
    for a, b in zip(predict(model, TEXTS), expected, strict=True):
        assert a.labels == b.labels
    assert [module.training for module in model.modules()] == modes


@pytest.mark.parametrize("read", [1, 3, MIX])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_the_words_add_sums_to_the_scores(
    family: str, read: int | str, family_folder: Folder
) -> None:
    model = tiny_model(family_folder, family, read=read)
    texts = [*TEXTS, *HOSTILE_TEXTS]
    with torch.no_grad():
        scores = model(model.batch(model.read(texts)))["kind"].double()
    for row, prediction in enumerate(predict(model, texts, explain=True)):
        words = prediction.labels["kind"].words
        assert prediction.labels["kind"].reason == ""
        assert words is not None
        torch.testing.assert_close(words.total, scores[row], atol=1e-5, rtol=1e-5)
        for word in words.words:
            assert prediction.text[word.start : word.end] == word.text


@pytest.mark.parametrize(
    ("shape", "reason"),
    [({"pooling": "cls"}, "cls pooling"), ({"hidden_units": 4}, "hidden layer")],
)
def test_where_scores_do_not_split_a_reason_is_given(
    shape: dict[str, object], reason: str, family_folder: Folder
) -> None:
    model = tiny_model(family_folder, tasks=(KIND,), **shape)
    (said,) = (each.labels["kind"] for each in predict(model, TEXTS[:1], explain=True))
    assert said.words is None
    assert reason in said.reason
