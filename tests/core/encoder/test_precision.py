from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import core.encoder.precision
from core.config import EncoderChoice
from core.encoder.encoder import Encoder, load_encoder
from core.encoder.precision import FastMode, kept_fast_mode, measure_fast_mode
from core.measures.similarity import similarity_matrix


def test_a_mode_is_offered_from_its_gain_on_and_never_below() -> None:
    assert not FastMode(speedup=1.19, cosine_error=0.0).offered
    assert FastMode(speedup=1.2, cosine_error=0.0).offered


def test_the_measured_error_is_the_largest_difference_of_a_cosine(
    tiny_encoder: Encoder, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("THAW_CACHE_DIR", str(tmp_path_factory.mktemp("fresh")))
    exact, fast = tiny_encoder, tiny_encoder._in_bf16()
    mode = measure_fast_mode(
        "tiny", lambda t: exact.encode(t).vectors, lambda t: fast.encode(t).vectors
    )
    texts = list(core.encoder.precision.SELF_TEST_SENTENCES)
    wrong = similarity_matrix(exact.encode(texts).vectors)
    wrong = wrong - similarity_matrix(fast.encode(texts).vectors)
    assert mode.cosine_error == pytest.approx(wrong.abs().max().item(), abs=1e-4)
    assert 0 < mode.cosine_error < 0.05
    assert mode.speedup > 0
    assert kept_fast_mode("tiny") == mode


def test_a_kept_result_is_not_measured_again(
    tiny_encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    mode = tiny_encoder.fast_mode()
    monkeypatch.setattr(Encoder, "_in_bf16", lambda _: pytest.fail("copied the weights again"))
    assert tiny_encoder.fast_mode() == mode


def test_other_weights_of_the_same_shape_and_another_pooling_are_measured_for_themselves(
    family_folder: Callable[[str], Path],
) -> None:
    first, second = (load_encoder(str(family_folder("minilm"))) for _ in range(2))
    assert first.fast_key == second.fast_key
    assert first.with_pooling("cls").fast_key != first.fast_key
    with torch.no_grad():
        second.backbone.encoder["layer"][1].output.dense.weight[0, 0] += 1
    assert first.fast_key != second.fast_key


@pytest.mark.parametrize("speedup", [0.12, 3.0])
def test_fast_precision_is_had_where_it_is_fast_and_refused_elsewhere(
    speedup: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    mode = FastMode(speedup=speedup, cosine_error=0.003)
    monkeypatch.setattr(Encoder, "fast_mode", lambda _: mode)
    choice = EncoderChoice(precision="fast")
    if not mode.offered:
        with pytest.raises(ValueError, match=r"0\.1× the speed of exact.*: use exact"):
            load_encoder(choice)
        return
    fast = load_encoder(choice)
    assert fast.precision == "fast"
    assert next(fast.parameters()).dtype == torch.bfloat16
    vectors = fast.encode("The ferry left").vectors
    assert vectors.dtype == torch.float32
    exact = load_encoder("minilm").encode("The ferry left").vectors
    assert (vectors @ exact.T).item() > 0.99
