import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertConfig, BertModel

from core.encoder.bert import ROWS_STEP, Bert, BertShape, Run, equal_length_runs
from core.encoder.folder import read_folder
from core.encoder.loading import load_backbone


def same_twice() -> tuple[Bert, BertModel]:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=50,
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=40,
        max_position_embeddings=20,
    )
    theirs = BertModel(config, add_pooling_layer=False).eval()
    shape = BertShape.from_config(config.to_dict())
    assert shape is not None
    ours = Bert(shape).eval()
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


OURS, THEIRS = same_twice()


@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_the_packed_forward_equals_transformers_on_any_lengths(
    lengths: list[int], seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 50, (len(lengths), max(lengths)), generator=generator)
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    with torch.inference_mode():
        ours = OURS(ids, mask)
        theirs = THEIRS(input_ids=ids, attention_mask=mask).last_hidden_state
    real = mask.bool()
    torch.testing.assert_close(ours[real], theirs[real], atol=2e-6, rtol=1e-5)
    assert not ours[~real].any(), "padding gets zeros"


def test_a_large_batch_is_rounded_up_for_inference_and_equals_transformers() -> None:
    lengths = [3 + n % 15 for n in range(60)]
    ids = torch.randint(0, 50, (60, 17), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(17) < torch.tensor(lengths)[:, None]).long()
    assert sum(lengths) > ROWS_STEP, "needs a large batch"
    with torch.inference_mode():
        states, _ = OURS.embed(ids, mask)
        assert len(states) % ROWS_STEP == 0
        ours = OURS(ids, mask)
        theirs = THEIRS(input_ids=ids, attention_mask=mask).last_hidden_state
        found = OURS.layer_states(ids, mask, 3)
    real = mask.bool()
    torch.testing.assert_close(ours[real], theirs[real], atol=2e-6, rtol=1e-5)
    assert not ours[~real].any(), "padding gets zeros"
    torch.testing.assert_close(found[3], ours)
    assert len(OURS.embed(ids, mask)[0]) == sum(lengths), "no row more with gradients"


def test_gradients_equal_those_of_transformers() -> None:
    ours, theirs = same_twice()
    ids = torch.tensor([[1, 2, 3, 4], [5, 6, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    (ours(ids, mask) ** 2).sum().backward()
    out = theirs(input_ids=ids, attention_mask=mask).last_hidden_state * mask[..., None]
    (out**2).sum().backward()
    expected = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        assert parameter.grad is not None, name
        assert expected[name].grad is not None, name
        torch.testing.assert_close(parameter.grad, expected[name].grad, atol=2e-4, rtol=1e-3)


def test_layers_can_be_run_from_any_one_to_any_other() -> None:
    runs = equal_length_runs([4, 4, 2])
    states = torch.randn(10, 24)
    with torch.inference_mode():
        whole = OURS.run_layers(states, runs, 0, 3)
        halfway = OURS.run_layers(states, runs, 0, 1)
        torch.testing.assert_close(OURS.run_layers(halfway, runs, 1, 3), whole)
        assert OURS.run_layers(states, runs, 2, 2) is states


def test_neighbours_of_one_length_become_one_block() -> None:
    assert equal_length_runs([5, 5, 3, 0, 3, 5]) == [Run(0, 2, 5), Run(10, 2, 3), Run(16, 1, 5)]


def test_a_batch_of_nothing_but_padding_gives_zeros() -> None:
    assert not OURS(torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 3)).any()


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "roberta"},
        {"hidden_act": "relu"},
        {"is_decoder": True},
        {"position_embedding_type": "relative_key"},
    ],
)
def test_a_configuration_that_this_forward_does_not_do_is_left_to_transformers(
    change: dict[str, object],
) -> None:
    assert BertShape.from_config({"model_type": "bert"} | change) is None


def test_weights_that_do_not_fit_the_configuration_are_refused_in_a_sentence(
    family_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(family_folder("bert-base"), tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 5}))
    with pytest.raises(ValueError, match=r"does not fit its config\.json"):
        load_backbone(read_folder(folder))


def test_a_large_packed_batch_has_a_row_for_each_real_token_and_no_more() -> None:
    lengths = [3 + n % 15 for n in range(60)]
    ids = torch.randint(0, 50, (60, 17), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(17) < torch.tensor(lengths)[:, None]).long()
    assert sum(lengths) > ROWS_STEP, "needs a large batch"
    with torch.no_grad():
        embedded = OURS.embed_packed(ids, mask)
        found = OURS.packed_layers(embedded, lengths, 0, 3)
        padded = OURS.layer_states(ids, mask, 3)
    for ours, expected in zip(found, padded, strict=True):
        assert len(ours) == sum(lengths)
        torch.testing.assert_close(ours, expected[mask.bool()], atol=2e-6, rtol=1e-5)
