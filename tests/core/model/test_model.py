from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from core.config import MIX
from core.encoder.encoder import load_encoder
from core.model.heads import HeadShape
from core.model.model import Calibration, MultiTaskModel
from core.task import Task
from tests.tiny_models import FAMILIES, LAYERS
from tests.tiny_tasks import (
    EXAMPLES,
    HOSTILE_TEXTS,
    KIND,
    MOOD,
    NAMES,
    TRAINED_FAMILIES,
    model_on,
    tiny_model,
)

Folder = Callable[[str], Path]
TEXTS = [each.text for each in EXAMPLES]


@torch.no_grad()
def scores_of(model: MultiTaskModel, texts: Sequence[str]) -> dict[str, torch.Tensor]:
    return model(model.batch(model.read(texts)))


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_the_heads_on_the_states_of_each_text_alone(
    family: str, pooling: str, family_folder: Folder
) -> None:
    model = tiny_model(family_folder, family, pooling=pooling, read=2)
    found = scores_of(model, TEXTS)
    assert found["kind"].shape == (len(TEXTS), 3)
    at = 0
    for row, text in enumerate(TEXTS):
        ids = torch.tensor([model.encoder.tokenizer.encode([text])[0].ids])
        with torch.no_grad():
            states = model.encoder.backbone.layer_states(ids, torch.ones_like(ids), 2)[2][0]
        pooled = states.mean(dim=0) if pooling == "mean" else states[0]
        for name in ("kind", "mood"):
            expected = model.task_heads[name].score(pooled)
            torch.testing.assert_close(found[name][row], expected, atol=2e-6, rtol=1e-4)
        expected = model.task_heads["names"].score(states)
        found_here = found["names"][at : at + len(states)]
        torch.testing.assert_close(found_here, expected, atol=2e-6, rtol=1e-4)
        at += len(states)
    assert at == len(found["names"])


@pytest.mark.parametrize("read", [0, 1, 2, LAYERS, MIX])
@pytest.mark.parametrize("family", TRAINED_FAMILIES)
def test_no_layer_above_the_highest_one_read_is_run(
    family: str, read: int | str, family_folder: Folder
) -> None:
    model = tiny_model(family_folder, family, read=read)
    scores_of(model, TEXTS[:2])  # a family is looked at once
    linear = [
        next(m for m in layer.modules() if isinstance(m, torch.nn.Linear))
        for layer in model.encoder.backbone.layers()
    ]
    ran: list[int] = []
    for number, module in enumerate(linear, 1):
        module.register_forward_hook(lambda *_, number=number: ran.append(number))
    scores_of(model, TEXTS)
    assert model.highest_read == (LAYERS if read == MIX else read)
    assert ran == list(range(1, model.highest_read + 1))


@pytest.mark.parametrize("family", TRAINED_FAMILIES)
def test_heads_of_one_model_may_read_different_layers(family: str, family_folder: Folder) -> None:
    encoder = load_encoder(str(family_folder(family)))
    shapes = [
        HeadShape(task=KIND, read=1),
        HeadShape(task=MOOD, read=MIX),
        HeadShape(task=NAMES, read=0),
    ]
    model = MultiTaskModel(encoder, shapes).eval()
    assert model.layers_read == [0, 1, 2, 3]
    ids = [token.ids for token in encoder.tokenizer.encode(TEXTS)]
    found = scores_of(model, TEXTS)
    with torch.no_grad():
        for row, each in enumerate(ids):
            one = torch.tensor([each])
            layers = encoder.backbone.layer_states(one, torch.ones_like(one), LAYERS)
            pooled = [layer[0].mean(dim=0) for layer in layers]
            expected = model.task_heads["kind"].score(pooled[1])
            torch.testing.assert_close(found["kind"][row], expected, atol=2e-6, rtol=1e-4)
            mixed = model.task_heads["mood"].score(torch.stack(pooled).mean(dim=0))
            torch.testing.assert_close(found["mood"][row], mixed, atol=2e-6, rtol=1e-4)


@pytest.mark.parametrize("spelling", [False, True])
@pytest.mark.parametrize("family", TRAINED_FAMILIES)
def test_hostile_texts_are_read_beside_others_without_changing_them(
    family: str, spelling: bool, family_folder: Folder
) -> None:
    model = tiny_model(family_folder, family, spelling=spelling)
    alone = scores_of(model, TEXTS)["kind"]
    together = scores_of(model, [*HOSTILE_TEXTS, *TEXTS])["kind"]
    assert torch.isfinite(together).all()
    torch.testing.assert_close(together[len(HOSTILE_TEXTS) :], alone, atol=1e-5, rtol=1e-4)


def test_texts_that_give_no_token_score_what_the_bias_says(family_folder: Folder) -> None:
    model = tiny_model(family_folder, "stella-1.5b")
    from tokenizers.processors import TemplateProcessing

    model.encoder.tokenizer.backend.post_processor = TemplateProcessing(
        single="$A", pair="$A $B", special_tokens=[]
    )
    for texts in (["", ""], ["", "It works."]):
        found = scores_of(model, texts)
        torch.testing.assert_close(found["kind"][0], model.task_heads["kind"].score.bias)
    assert len(scores_of(model, ["", ""])["names"]) == 0


def test_a_sentence_model_reads_no_pieces_and_says_the_same_with_them(
    family_folder: Folder,
) -> None:
    model = tiny_model(family_folder, tasks=(KIND,))
    plain, cut = model.read(TEXTS), model.read(TEXTS, pieces=True)
    assert all(text.pieces is None for text in plain)
    assert [list(text.ids) for text in plain] == [list(text.ids) for text in cut]


def test_a_model_needs_one_head_a_task(family_folder: Folder) -> None:
    encoder = load_encoder(str(family_folder("minilm")))
    for shapes in ([], [HeadShape(task=KIND, read=1)] * 2):
        with pytest.raises(ValueError, match="must be one each for one task or more"):
            MultiTaskModel(encoder, shapes)
    with pytest.raises(ValueError, match="kind is to read layer 4, must be 0 to 3"):
        MultiTaskModel(encoder, [HeadShape(task=KIND, read=4)])


def test_a_task_called_as_a_part_of_torch_is_predicted_like_any_other(
    family_folder: Folder,
) -> None:
    names = ["type", "items", "train", "_modules", "pop"]
    tasks = [Task(name=name, kind="sentence", labels=("a", "b")) for name in names]
    model = tiny_model(family_folder, tasks=tasks)
    assert [task.name for task in model.tasks] == names
    assert set(scores_of(model, TEXTS)) == set(names)


def test_the_encoder_s_own_embedding_is_still_the_full_depth_s(family_folder: Folder) -> None:
    encoder = load_encoder(str(family_folder("minilm")))
    before = encoder.embed(TEXTS)
    model = model_on(encoder, read=1)
    assert torch.equal(model.encoder.embed(TEXTS), before)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": float("inf")}, "temperature is inf"),
        ({"temperature": 1e-300}, "temperature is 1e-300"),
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"error": float("nan")}, "error is nan"),
        ({"error": 2.0}, "error is 2.0"),
    ],
)
def test_a_calibration_that_is_none_is_refused(given: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Calibration(**given)
