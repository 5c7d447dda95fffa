import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from core.encoder import CancelledError, Encoder, load_encoder
from core.prefix import compute_frozen_states, compute_layer_states
from tests.tiny_models import LAYERS, TEXTS

SENTENCES = (*TEXTS, "It works.", "a", "man " * 100, "It works.")


@pytest.mark.parametrize("family", ["minilm", "distilbert", "mpnet", "stella-1.5b"])
def test_the_kept_states_are_those_of_each_text_alone(
    family: str, family_folder: Callable[[str], Path]
) -> None:
    encoder = load_encoder(str(family_folder(family)))
    with compute_layer_states(encoder, SENTENCES, tokens=True) as states:
        assert states.pooled.shape == (encoder.layers + 1, len(SENTENCES), encoder.hidden)
        assert states.tokens is not None
        for index, text in enumerate(SENTENCES):
            pieces, last = encoder.token_states(text)
            assert states.pieces[index] == pieces
            kept = states.tokens[-1, states.token_rows([index])]
            torch.testing.assert_close(kept.float(), last, atol=2e-3, rtol=2e-3)  # fp16
            pooled = states.pooled[-1, index]
            torch.testing.assert_close(pooled, last.mean(dim=0), atol=1e-5, rtol=1e-4)


def test_the_same_texts_give_the_same_states_bit_for_bit(tiny_encoder: Encoder) -> None:
    first = compute_layer_states(tiny_encoder, SENTENCES, tokens=True)
    second = compute_layer_states(tiny_encoder, SENTENCES, tokens=True)
    assert torch.equal(first.pooled, second.pooled)
    assert first.tokens is not None
    assert second.tokens is not None
    assert torch.equal(first.tokens, second.tokens)


def test_past_its_budget_a_store_lies_in_files_and_leaves_none_behind(
    tiny_encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    in_memory = compute_layer_states(tiny_encoder, SENTENCES, tokens=True)
    assert not list(tmp_path.iterdir())
    with compute_layer_states(tiny_encoder, SENTENCES, tokens=True, memory_bytes=0) as states:
        assert list(tmp_path.rglob("*.f16")), "needs a file"
        assert states.tokens is not None
        assert in_memory.tokens is not None
        assert torch.equal(states.tokens, in_memory.tokens)
    assert not list(tmp_path.iterdir())


def test_a_stopped_pass_leaves_nothing_behind(
    tiny_encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(CancelledError, match=f"stopped after 0 of {len(SENTENCES)}"):
        compute_layer_states(
            tiny_encoder, SENTENCES, tokens=True, memory_bytes=0, cancelled=lambda: True
        )
    assert not list(tmp_path.iterdir())


def test_only_the_layers_wanted_are_kept_and_others_refused(tiny_encoder: Encoder) -> None:
    assert compute_layer_states(tiny_encoder, SENTENCES, highest=1).layer_count == 1
    with pytest.raises(ValueError, match="layer is 9, must be 0 to 3"):
        compute_layer_states(tiny_encoder, SENTENCES, highest=9)


def test_progress_ends_at_the_number_of_texts(tiny_encoder: Encoder) -> None:
    seen: list[tuple[int, int]] = []
    compute_layer_states(tiny_encoder, SENTENCES, progress=lambda *at: seen.append(at))
    assert seen[-1] == (len(SENTENCES), len(SENTENCES))


def ids_of(encoder: Encoder, texts: tuple[str, ...] = SENTENCES) -> list[list[int]]:
    return [tokens.ids for tokens in encoder.tokenizer.encode(texts)]


@pytest.mark.parametrize(
    "family", ["minilm", "distilbert", "roberta-base", "mpnet", "stella-1.5b", "bge-large"]
)
def test_frozen_states_are_those_of_each_text_alone_in_any_order(
    family: str, family_folder: Callable[[str], Path]
) -> None:
    encoder = load_encoder(str(family_folder(family)))
    ids = ids_of(encoder)
    with compute_frozen_states(encoder, ids, [3, 0, 2, 2]) as states:
        assert states.layers == (0, 2, 3)
        assert states.lengths.tolist() == [len(each) for each in ids]
        for rows in ([4], [7, 0, 3], list(range(len(ids)))[::-1]):
            taken = states.take(rows)
            at = 0
            for row in rows:
                one = torch.tensor([ids[row]])
                with torch.no_grad():
                    alone = encoder.backbone.layer_states(one, torch.ones_like(one), LAYERS)
                for layer in states.layers:
                    found = taken[layer][at : at + len(ids[row])]
                    torch.testing.assert_close(found, alone[layer][0], atol=2e-6, rtol=2e-5)
                at += len(ids[row])
            assert all(len(each) == at for each in taken.values())


def test_frozen_states_take_part_in_training_and_no_layer_above_them_is_run(
    tiny_encoder: Encoder,
) -> None:
    ran: list[int] = []
    hooks = [
        layer.register_forward_hook(lambda *_, number=number: ran.append(number))
        for number, layer in enumerate(tiny_encoder.backbone.layers(), 1)
    ]
    with compute_frozen_states(tiny_encoder, ids_of(tiny_encoder), [1]) as states:
        for hook in hooks:
            hook.remove()
        assert set(ran) == {1}
        kept = states.take([0])[1]
        assert not kept.requires_grad
        weight = torch.ones(tiny_encoder.hidden, requires_grad=True)
        (kept @ weight).sum().backward()  # what inference mode made would refuse
        assert weight.grad is not None


def test_frozen_states_past_the_budget_lie_in_files_are_the_same_and_leave_none_behind(
    tiny_encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ids = ids_of(tiny_encoder)
    rows = [5, 0, 8]
    in_memory = compute_frozen_states(tiny_encoder, ids, [0, 2])
    assert not in_memory.in_files
    assert not list(tmp_path.iterdir())
    with compute_frozen_states(tiny_encoder, ids, [0, 2], memory_bytes=1) as in_files:
        assert in_files.in_files
        assert len(list(tmp_path.rglob("*.f32"))) == 2
        for layer, kept in in_files.take(rows).items():
            assert torch.equal(kept, in_memory.take(rows)[layer])
    assert not list(tmp_path.iterdir())
    in_files.close()  # twice does no harm


def test_a_stopped_or_failed_pass_over_frozen_layers_leaves_nothing_behind(
    tiny_encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ids = ids_of(tiny_encoder)

    def fail(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(CancelledError, match=f"stopped after 0 of {len(ids)}"):
        compute_frozen_states(tiny_encoder, ids, [1], memory_bytes=1, cancelled=lambda: True)
    with pytest.raises(KeyboardInterrupt):
        compute_frozen_states(tiny_encoder, ids, [1], memory_bytes=1, progress=fail)
    assert not list(tmp_path.iterdir())
    assert not tiny_encoder.busy.locked()


@pytest.mark.parametrize("layers", [[], [-1], [0, 4]])
def test_frozen_layers_that_are_not_there_are_refused(
    layers: list[int], tiny_encoder: Encoder
) -> None:
    with pytest.raises(ValueError, match="must be some of 0 to 3"):
        compute_frozen_states(tiny_encoder, ids_of(tiny_encoder), layers)


def test_texts_without_a_token_take_no_room_in_frozen_states(tiny_encoder: Encoder) -> None:
    with compute_frozen_states(tiny_encoder, [[], [2, 5, 3], []], [2]) as states:
        assert len(states.take([0, 2])[2]) == 0
        assert len(states.take([0, 1, 2])[2]) == 3
    with compute_frozen_states(tiny_encoder, [[]], [2], memory_bytes=-1) as states:
        assert len(states.take([0])[2]) == 0, "no file can be mapped that holds nothing"
