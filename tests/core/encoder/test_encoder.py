import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import Qwen2Model

import core.encoder.encoder
from core.config import POOLINGS, EncoderChoice
from core.encoder.bert import Bert
from core.encoder.encoder import (
    CancelledError,
    Encoder,
    TruncationWarning,
    batches_by_length,
    load_encoder,
    pad,
)
from core.encoder.tokenizer import Tokens
from core.pooling import pooling_named
from tests.tiny_models import FAMILIES, write_modules

TEXTS = (
    "The ferry left.",
    "It does not work! Does it, on the longest of all the days in the year when boats sing?",
    "naïve sushi café 東京 مرحبا 🚢",
    "man " * 200,
    "a",
    "The ferry left.",
)
SHARED = [family for family in FAMILIES if family != "stella-1.5b"]  # stella needs code there


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("family", SHARED)
def test_embeddings_equal_sentence_transformers_for_every_family_and_pooling(
    family: str, pooling: str, family_folder: Callable[[str], Path]
) -> None:
    folder = str(family_folder(family))
    theirs = SentenceTransformer(folder, device="cpu")
    theirs[1] = Pooling(theirs[1].embedding_dimension, pooling_mode=pooling_named(pooling).theirs)
    expected = theirs.encode(list(TEXTS), convert_to_tensor=True, batch_size=3)
    ours = load_encoder(EncoderChoice(name=folder, pooling=pooling)).encode(TEXTS).vectors
    assert ours.shape == expected.shape
    assert (1 - F.cosine_similarity(ours, expected)).abs().max() < 1e-5
    torch.testing.assert_close(ours, expected, atol=2e-5, rtol=1e-4)


def test_the_built_in_encoder_equals_sentence_transformers(default_encoder: Encoder) -> None:
    from core.encoder.hub import built_in_folder

    theirs = SentenceTransformer(str(built_in_folder()), device="cpu")
    expected = theirs.encode(list(TEXTS), convert_to_tensor=True)
    ours = default_encoder.encode(TEXTS).vectors
    assert (1 - F.cosine_similarity(ours, expected)).abs().max() < 1e-5
    assert isinstance(default_encoder.backbone, Bert), "needs the forward of our own"


@pytest.mark.parametrize("activation", ["Identity", "Tanh", "ReLU"])
@pytest.mark.parametrize("version", [2, 6])
def test_projections_equal_sentence_transformers(
    activation: str, version: int, family_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(family_folder("mpnet"), tmp_path / "model"))
    place = {"Identity": "linear", "Tanh": "activation", "ReLU": "activation"}[activation]
    dense = (16, 2, f"torch.nn.modules.{place}.{activation}")
    write_modules(folder, dense=dense, version=version)
    expected = SentenceTransformer(str(folder), device="cpu").encode(
        list(TEXTS), convert_to_tensor=True
    )
    ours = load_encoder(str(folder)).encode(TEXTS).vectors
    assert ours.shape == (len(TEXTS), 16)
    assert (1 - F.cosine_similarity(ours, expected)).abs().max() < 1e-5


def test_a_folder_that_sentence_transformers_saved_today_loads_the_same(
    family_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    theirs = SentenceTransformer(str(family_folder("bge-large")), device="cpu")
    theirs.save(str(tmp_path / "saved"))
    ours = load_encoder(str(tmp_path / "saved"))
    assert ours.max_tokens == theirs.max_seq_length
    expected = theirs.encode(list(TEXTS), convert_to_tensor=True)
    torch.testing.assert_close(ours.encode(TEXTS).vectors, expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_base_sized_bert_gives_one_vector_of_768_a_sentence(
    pooling: str, family_folder: Callable[[str], Path]
) -> None:
    choice = EncoderChoice(name=str(family_folder("bert-base")), pooling=pooling)
    assert load_encoder(choice).encode(list(TEXTS)).vectors.shape == (len(TEXTS), 768)


@pytest.mark.parametrize("others", [(), ("a much longer sentence that forces padding",)])
def test_stella_reads_both_ways_so_that_a_later_token_changes_an_earlier_state(
    others: tuple[str, ...], family_folder: Callable[[str], Path]
) -> None:
    encoder = load_encoder(str(family_folder("stella-1.5b")))

    def first_state(text: str) -> torch.Tensor:
        ids, mask = pad([each.ids for each in encoder.tokenizer.encode([text, *others])])
        with torch.inference_mode():
            return encoder.backbone(ids, mask)[0, 0]

    assert (first_state("The ferry left") - first_state("The ferry sang")).abs().max() > 1e-3


def test_the_same_weights_read_left_to_right_where_nothing_asks_for_both_ways(
    family_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(family_folder("stella-1.5b"), tmp_path / "causal"))
    config = json.loads((folder / "config.json").read_text())
    del config["auto_map"]
    (folder / "config.json").write_text(json.dumps(config))
    encoder = load_encoder(str(folder))
    _, left = encoder.token_states("The ferry left")
    _, sang = encoder.token_states("The ferry sang")
    assert torch.allclose(left[0], sang[0], atol=1e-5), "the first token sees none after it"


def test_stella_equals_transformers_own_states_pooled_and_projected_by_hand(
    family_folder: Callable[[str], Path],
) -> None:
    folder = family_folder("stella-1.5b")
    encoder = load_encoder(EncoderChoice(name=str(folder), normalize=True))
    model = Qwen2Model.from_pretrained(folder, attn_implementation="eager")
    model.config.is_causal = False
    ids = torch.tensor([encoder.tokenizer.encode(["The ferry left"])[0].ids])
    everything = torch.zeros(1, 1, ids.shape[1], ids.shape[1])  # nothing is masked
    with torch.inference_mode():
        states = model(ids, attention_mask={"full_attention": everything}).last_hidden_state
        linear = encoder.projections[0].linear
        by_hand = F.normalize(linear(states.mean(dim=1)), dim=1)
    assert by_hand.shape == (1, 1024)
    torch.testing.assert_close(encoder.encode("The ferry left").vectors, by_hand)


@given(
    texts=st.lists(st.sampled_from([*TEXTS, "", "b", "it works"]), max_size=9),
    budget=st.sampled_from([1, 40, 4096]),
)
def test_order_is_kept_whatever_the_batches(
    texts: list[str], budget: int, tiny_encoder: Encoder
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core.encoder.encoder, "TOKENS_PER_BATCH", budget)
        together = tiny_encoder.encode(texts)
    assert len(together.vectors) == len(together.truncated) == len(texts)
    for text, vector in zip(texts, together.vectors, strict=True):
        torch.testing.assert_close(
            vector, tiny_encoder.encode(text).vectors[0], atol=1e-6, rtol=1e-5
        )


@given(lengths=st.lists(st.integers(0, 50), max_size=30), budget=st.integers(1, 200))
def test_batches_hold_every_text_once_within_their_budget(lengths: list[int], budget: int) -> None:
    tokens = [Tokens(ids=[1] * length, truncated=False) for length in lengths]
    batches = list(batches_by_length(tokens, budget))
    assert sorted(i for batch in batches for i in batch) == [i for i, n in enumerate(lengths) if n]
    for batch in batches:
        longest = max(lengths[i] for i in batch)
        assert len(batch) == 1 or longest * len(batch) <= budget


def test_truncation_is_told_and_never_silent(default_encoder: Encoder) -> None:
    encoding = default_encoder.encode(["short", "word " * 300])
    assert encoding.truncated == (False, True)
    with pytest.warns(TruncationWarning, match="1 of 2 texts are longer than the 256 tokens"):
        default_encoder.embed(["short", "word " * 300])


def test_progress_counts_up_to_the_number_of_sentences(
    tiny_encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.encoder.encoder, "TOKENS_PER_BATCH", 40)
    seen: list[tuple[int, int]] = []
    tiny_encoder.encode(TEXTS, progress=lambda done, total: seen.append((done, total)))
    assert len(seen) > 1, "needs several batches"
    assert seen == sorted(seen)
    assert seen[-1] == (len(TEXTS), len(TEXTS))


def test_encoding_stops_between_batches_when_asked(
    tiny_encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.encoder.encoder, "TOKENS_PER_BATCH", 1)
    stop = threading.Event()
    with pytest.raises(CancelledError, match="stopped after 1 of 5 sentences"):
        tiny_encoder.encode(TEXTS, progress=lambda *_: stop.set(), cancelled=stop.is_set)


def test_what_is_not_text_is_refused(tiny_encoder: Encoder) -> None:
    with pytest.raises(TypeError, match="text 1 is a NoneType, must be a string"):
        tiny_encoder.encode(["fine", None])  # type: ignore[list-item]


def test_nothing_to_encode_gives_an_empty_matrix(tiny_encoder: Encoder) -> None:
    assert tiny_encoder.encode([]).vectors.shape == (0, tiny_encoder.dimension)


def test_a_query_prompt_changes_the_query_alone(tiny_encoder: Encoder) -> None:
    plain, asked = tiny_encoder.embed("ferry"), tiny_encoder.embed("ferry", prompt="It works ")
    assert not torch.allclose(plain, asked)
    torch.testing.assert_close(asked, tiny_encoder.embed("It works ferry"))


def test_another_pooling_shares_the_weights(tiny_encoder: Encoder) -> None:
    other = tiny_encoder.with_pooling("cls", normalize=False)
    assert other.backbone is tiny_encoder.backbone
    assert (other.pooling, other.normalized) == ("cls", False)
    assert tiny_encoder.pooling == "mean"


def test_a_few_sentences_never_wait_for_a_self_test(
    tiny_encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        core.encoder.encoder.machine,
        "fastest_threads",
        lambda *_: pytest.fail("waited for a self-test"),
    )
    tiny_encoder.encode(TEXTS)
    told = load_encoder(tiny_encoder.name, threads=1)
    told.encode([f"sentence {i}" for i in range(core.encoder.encoder.FEW_SENTENCES + 1)])


def test_many_sentences_are_encoded_with_the_thread_count_found_best(
    tiny_encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def one(key: str, run: Callable[[], object]) -> int:
        asked.append(key)
        run()
        return 1

    monkeypatch.setattr(core.encoder.encoder.machine, "fastest_threads", one)
    tiny_encoder.encode([f"sentence {i}" for i in range(core.encoder.encoder.FEW_SENTENCES)])
    assert len(asked) == 1


@pytest.mark.parametrize("threads", [0, -1, 10_000])
def test_a_thread_count_that_the_machine_does_not_have_is_refused(threads: int) -> None:
    with pytest.raises(ValueError, match="more than the cores you have makes torch slower"):
        load_encoder("minilm", threads=threads)


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="device 'tpu9' cannot be used here"):
        load_encoder(EncoderChoice(device="tpu9"))


def test_an_encoder_in_use_by_many_threads_gives_each_its_own_answer(
    tiny_encoder: Encoder,
) -> None:
    texts = [f"ferry number {i}" for i in range(24)]
    alone = tiny_encoder.encode(texts).vectors
    found: dict[int, torch.Tensor] = {}

    def ask(index: int) -> None:
        found[index] = tiny_encoder.encode(texts[index]).vectors[0]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, vector in found.items():
        torch.testing.assert_close(vector, alone[index], atol=1e-6, rtol=1e-5)
    assert len(found) == len(texts)
