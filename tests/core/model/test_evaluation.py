import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from core.config import DataChoice
from core.data.dataset import Dataset, read_dataset
from core.encoder.tokenizer import Pieces
from core.model.evaluation import (
    calibrate,
    evaluate_document,
    evaluate_scores,
    score_labels,
    score_spans,
)
from core.model.model import Calibration, MultiTaskModel
from core.model.prediction import predict
from core.model.reading import ReadText, decode_tags
from core.task import IGNORED, Example, Span, tags_of
from tests.tiny_tasks import EXAMPLES, KIND, MOOD, NAMES, TASKS, tiny_model

Folder = Callable[[str], Path]
LABELS = st.sampled_from(KIND.labels)


@given(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=40))
def test_a_sentence_task_s_figures_are_scikit_learn_s(pairs: list[tuple[str, str]]) -> None:
    true, said = map(list, zip(*pairs, strict=True))
    scores = score_labels(KIND, true, said)
    document = scores.document()
    assert scores.main == document["accuracy"] == pytest.approx(accuracy_score(true, said))
    occurring = [label for label in KIND.labels if label in true or label in said]
    expected = f1_score(true, said, labels=occurring, average="macro", zero_division=0)
    assert document["macro_f1"] == pytest.approx(expected)
    matrix = confusion_matrix(true, said, labels=list(KIND.labels))
    assert document["confusion"] == matrix.tolist(), "true by predicted, in the order of labels"
    by_label = f1_score(true, said, labels=list(KIND.labels), average=None, zero_division=0)
    for label, f1 in zip(KIND.labels, by_label, strict=True):
        assert document["per_label"][label]["f1"] == pytest.approx(f1)
        assert document["per_label"][label]["rows"] == true.count(label)


@given(st.data())
def test_span_scores_by_label_are_those_of_the_label_alone(data: st.DataObject) -> None:
    def spans() -> tuple[Span, ...]:
        starts = data.draw(st.lists(st.integers(0, 5), unique=True, max_size=4))
        return tuple(Span(s, s + 1, data.draw(st.sampled_from(NAMES.labels))) for s in starts)

    texts = [(spans(), spans()) for _ in range(data.draw(st.integers(1, 4)))]
    true, said = [list(each) for each in zip(*texts, strict=True)]
    document = score_spans(NAMES, true, said).document()
    assert document["entities"] == sum(each["rows"] for each in document["per_label"].values())
    for label, each in document["per_label"].items():
        wanted = [[s for s in spans if s.label == label] for spans in true]
        found = [[s for s in spans if s.label == label] for spans in said]
        alone = score_spans(NAMES, wanted, found).document()
        assert each["predicted"] == sum(map(len, found))
        assert [each[m] for m in ("precision", "recall", "f1")] == [
            alone[m] for m in ("precision", "recall", "f1")
        ]


def words_of(count: int) -> ReadText:
    """Build a text of one-letter words, a token each."""
    text = " ".join("abcdefghij"[:count])
    pieces = Pieces(
        ids=tuple(range(count)),
        texts=tuple(text.split()),
        special=(False,) * count,
        spans=tuple((2 * i, 2 * i + 1) for i in range(count)),
        words=tuple(range(count)),
        word_texts=tuple(text.split()),
        truncated=False,
    )
    return ReadText(text=text, ids=pieces.ids, truncated=False, pieces=pieces)


@given(
    sizes=st.lists(st.integers(1, 8), min_size=1, max_size=6),
    seed=st.integers(0, 9999),
)
def test_a_token_task_s_figures_are_seqeval_s_strict_ones(sizes: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    texts = [words_of(size) for size in sizes]
    plain = (False,) * 10

    def draw(size: int) -> tuple[torch.Tensor, list[str]]:
        scores = torch.randn(size, len(NAMES.classes), generator=generator) * 2
        return scores, decode_tags(scores.softmax(dim=1), NAMES, plain[:size])

    from core.task import spans_of

    said = [draw(size) for size in sizes]
    true = [draw(size)[1] for size in sizes]
    examples = []
    for text, tags in zip(texts, true, strict=True):
        assert text.pieces is not None
        spans = tuple(spans_of(text.text, text.pieces.spans, tags))
        assert tags_of(text.pieces.spans, spans) == tags
        examples.append(Example(text=text.text, labels={"names": spans}))
    found = evaluate_scores([NAMES], texts, examples, {"names": [scores for scores, _ in said]})
    spans_found = found["names"].spans
    assert spans_found is not None
    tags_said = [tags for _, tags in said]
    report = (
        classification_report(
            true, tags_said, mode="strict", scheme=IOB2, output_dict=True, zero_division=0
        )
        if any(tag != "O" for tags in (*true, *tags_said) for tag in tags)
        else None
    )
    expected = report["micro avg"]["f1-score"] if report else 0.0
    assert spans_found.f1 == pytest.approx(expected)
    assert found["names"].main == spans_found.f1


def test_rows_without_a_label_count_for_nothing() -> None:
    texts = [words_of(2)] * 3
    examples = [
        Example(text="a b", labels={"kind": "work"}),
        Example(text="a b", labels={"kind": None}),
        Example(text="a b"),
    ]
    scores = {"kind": [torch.tensor([[0.0, 1.0, 0.0]])] * 3}
    found = evaluate_scores([KIND], texts, examples, scores)["kind"]
    assert (found.rows, found.main) == (1, 1.0)
    none = evaluate_scores([KIND], texts[1:], examples[1:], {"kind": scores["kind"][1:]})["kind"]
    assert (none.rows, none.main) == (0, 0.0)
    assert none.document()["accuracy"] is None


def sure_rows(rows: int, right: int, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.arange(rows) % 3
    said = torch.where(torch.arange(rows) < right, labels, (labels + 1) % 3)
    return scale * torch.nn.functional.one_hot(said, 3).float(), labels


def test_a_head_that_is_too_sure_gets_a_higher_temperature() -> None:
    scores, labels = sure_rows(200, 150, scale=10.0)
    found = calibrate(KIND, scores, labels)
    # By hand: right in 3 of 4 rows, so exp(10/T) / (exp(10/T) + 2) = 0.75, T = 10 / ln 6.
    assert found.temperature == pytest.approx(10 / math.log(6), rel=1e-3)
    assert found.error == pytest.approx(0, abs=1e-3)


def test_calibration_of_nothing_and_of_perfection_is_a_calibration() -> None:
    assert calibrate(KIND, torch.zeros(0, 3), torch.zeros(0).long()) == Calibration()
    ignored = torch.full((5,), IGNORED)
    assert calibrate(KIND, torch.randn(5, 3), ignored) == Calibration()
    scores, labels = sure_rows(60, 60, scale=500.0)
    found = calibrate(KIND, scores, labels)
    assert isinstance(found, Calibration)
    likely = (scores / found.temperature).softmax(dim=1)
    assert torch.isfinite(likely).all()


def test_a_head_that_was_never_wrong_is_as_sure_as_that_allows() -> None:
    labels = torch.tensor([0, 1] * 9)
    scores = torch.nn.functional.one_hot(labels, 2) * 5.0
    # By hand: right 18 times of 18 gives (18 + 1) / (18 + 2) = 0.95, so 5 / T = ln 19.
    assert calibrate(MOOD, scores, labels).temperature == pytest.approx(5 / math.log(19))
    # By hand: right 19 times of 20 is a share of 0.95 too, with no rule but the rows'.
    labels = torch.tensor([0, 1] * 10)
    scores = torch.nn.functional.one_hot(labels, 2) * 5.0
    scores[0] = scores[0].flip(0)
    assert calibrate(MOOD, scores, labels).temperature == pytest.approx(5 / math.log(19))


def test_scores_of_no_row_are_null() -> None:
    document = score_labels(MOOD, [], []).document()
    assert (document["rows"], document["accuracy"], document["macro_f1"]) == (0, None, None)
    assert document["confusion"] == [[0, 0], [0, 0]]


def test_a_token_task_is_unsure_by_its_entities_alone() -> None:
    scores = torch.zeros(100, 5)
    scores[:, 0] = 9.0  # all outside, and sure of it
    found = calibrate(NAMES, scores, torch.zeros(100).long())
    assert 0 <= found.threshold <= 1


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    rows = [
        "text,kind,mood",
        *(
            f'"{each.text}",{each.labels.get("kind") or ""},{each.labels.get("mood") or ""}'
            for each in EXAMPLES
        ),
    ]
    (tmp_path / "data.csv").write_text("\n".join(rows), encoding="utf-8")
    return read_dataset(
        DataChoice(
            source=str(tmp_path / "data.csv"),
            text_column="text",
            label_columns=("kind", "mood"),
        )
    )


def test_the_document_scores_what_predict_says(family_folder: Folder, dataset: Dataset) -> None:
    model = tiny_model(family_folder)
    document = evaluate_document(model, dataset)
    assert list(document["tasks"]) == ["kind", "mood"], "the data labels no names"
    assert document["rows"] == len(EXAMPLES)
    found = predict(model, [example.text for example in dataset.examples])
    for task in (KIND, MOOD):
        pairs = [
            (example.labels[task.name], one.labels[task.name].label)
            for example, one in zip(dataset.examples, found, strict=True)
            if example.labels.get(task.name) is not None
        ]
        right = np.mean([a == b for a, b in pairs])
        figures = document["tasks"][task.name]
        assert figures["rows"] == len(pairs)
        assert figures["accuracy"] == pytest.approx(right)
        interval = figures["accuracy_interval"]
        assert interval["low"] <= right <= interval["high"]


def test_data_of_other_tasks_or_labels_is_refused_in_words(
    family_folder: Folder, dataset: Dataset
) -> None:
    names: MultiTaskModel = tiny_model(family_folder, tasks=(NAMES,))
    with pytest.raises(ValueError, match="must have labelled rows for one of the model's: names"):
        evaluate_document(names, dataset)
    from core.task import Task

    fewer = tiny_model(
        family_folder, tasks=(Task(name="kind", kind="sentence", labels=("work", "food")),)
    )
    with pytest.raises(ValueError, match=r"'travel' in the data, the model has: work, food"):
        evaluate_document(fewer, dataset)
    token = tiny_model(family_folder, tasks=(Task(name="kind", kind="token", labels=("X",)),))
    with pytest.raises(ValueError, match="a sentence task in the data, a token task in the model"):
        evaluate_document(token, dataset)


def test_all_tasks_are_evaluated_from_their_own_scores(family_folder: Folder) -> None:
    model = tiny_model(family_folder)
    texts = model.read([each.text for each in EXAMPLES])
    scores: dict[str, list[torch.Tensor]] = {task.name: [] for task in TASKS}
    with torch.no_grad():
        for text in texts:
            for name, found in model(model.batch([text])).items():
                scores[name].append(found)
    found_all = evaluate_scores(TASKS, texts, EXAMPLES, scores)
    assert {name: each.rows for name, each in found_all.items()} == {
        "kind": 14,
        "mood": 12,
        "names": 14,
    }
