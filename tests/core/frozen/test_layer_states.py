import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from core.encoder.encoder import CancelledError, Encoder, load_encoder
from core.frozen.layer_states import compute_layer_states
from tests.tiny_models import TEXTS

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
