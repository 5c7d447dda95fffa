import json
from collections.abc import Iterator

import pytest
import torch

from core.encoder.encoder import CancelledError, Encoder, Encoding
from core.measures.similarity import similarity_matrix
from core.model.documents import (
    embed_document,
    encode_in_chunks,
    finite,
    search_document,
    similarity_document,
)
from core.sentences import CHUNK_SENTENCES
from core.tables.stream import Sentences

TEXTS = ["A man is eating food.", "A man is eating a meal.", "The ferry left late."]


def test_the_embed_document_has_the_promised_shape(tiny_encoder: Encoder) -> None:
    document = embed_document(tiny_encoder, [*TEXTS, "ferry " * 200])
    assert list(document) == ["model", "pooling", "dimension", "normalized", "sentences"]
    assert document["pooling"] == "mean"
    assert document["normalized"] is True
    first = document["sentences"][0]
    assert list(first) == ["text", "embedding", "truncated"]
    assert len(first["embedding"]) == document["dimension"] == tiny_encoder.dimension
    truncated = [sentence["truncated"] for sentence in document["sentences"]]
    assert truncated == [False, False, False, True]


def test_the_similarity_document_has_the_promised_shape(tiny_encoder: Encoder) -> None:
    document = similarity_document(tiny_encoder, TEXTS)
    assert document["metric"] == "cosine"
    assert document["sentences"] == TEXTS
    matrix = torch.tensor(document["matrix"])
    assert matrix.shape == (3, 3)
    assert torch.allclose(matrix, matrix.T)
    assert {(pair["a"], pair["b"]) for pair in document["pairs"]} == {(0, 1), (0, 2), (1, 2)}
    scores = [pair["score"] for pair in document["pairs"]]
    assert scores == sorted(scores, reverse=True)
    assert all(document["matrix"][p["a"]][p["b"]] == p["score"] for p in document["pairs"])
    assert "tokens" not in document


def test_the_token_table_of_the_first_two_adds_up_to_their_cosine(tiny_encoder: Encoder) -> None:
    document = similarity_document(tiny_encoder, TEXTS, tokens=True)
    tokens = document["tokens"]
    assert tokens["exact"] is True
    assert (len(tokens["table"]), len(tokens["table"][0])) == (len(tokens["a"]), len(tokens["b"]))
    total = sum(map(sum, tokens["table"]))
    assert total == pytest.approx(document["matrix"][0][1], abs=1e-6)


def test_every_document_is_json(tiny_encoder: Encoder) -> None:
    for document in (
        embed_document(tiny_encoder, TEXTS),
        similarity_document(tiny_encoder, TEXTS, tokens=True),
        search_document(tiny_encoder, "food", TEXTS),
    ):
        assert json.loads(json.dumps(document, allow_nan=False)) == document


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean", "manhattan"])
@pytest.mark.parametrize("top", [1, 2, 100])
def test_search_returns_the_best_of_the_list_best_first(
    metric: str, top: int, tiny_encoder: Encoder
) -> None:
    document = search_document(tiny_encoder, "A meal.", TEXTS, top=top, metric=metric)
    vectors = tiny_encoder.encode(["A meal.", *TEXTS]).vectors
    scores = similarity_matrix(vectors[:1], vectors[1:], metric)[0]
    order = torch.argsort(scores, descending=True)[:top].tolist()
    assert [hit["index"] for hit in document["hits"]] == order
    assert [hit["text"] for hit in document["hits"]] == [TEXTS[i] for i in order]
    found = [hit["score"] for hit in document["hits"]]
    assert found == pytest.approx(scores[order].tolist(), abs=1e-5)
    assert list(document)[:2] == ["query", "metric"]


def test_search_finds_the_same_in_a_stream_of_several_chunks_as_in_a_list(
    tiny_encoder: Encoder,
) -> None:
    texts = [TEXTS[n % 3] if n % 5 else f"ferry {n % 11}" for n in range(2 * CHUNK_SENTENCES + 9)]
    texts[-1] = "Does it work?"  # its best place is in the last chunk
    document = search_document(tiny_encoder, "Does it work?", iter(texts), top=3)
    assert document["hits"][0]["index"] == len(texts) - 1
    assert document["searched"] == len(texts)
    equal = [hit for hit in document["hits"] if hit["text"] == document["hits"][1]["text"]]
    assert [hit["index"] for hit in equal] == sorted(hit["index"] for hit in equal)


def test_a_query_gets_its_prompt_and_the_list_none(tiny_encoder: Encoder) -> None:
    asking = tiny_encoder.with_pooling(None)
    asking.prompts = {"query": "a woman is "}
    document = search_document(asking, "eating", ["a woman is eating", "eating"])
    assert document["query"] == "eating"
    assert document["hits"][0] == {
        "index": 0,
        "text": "a woman is eating",
        "score": pytest.approx(1.0, abs=1e-5),
    }


def test_a_stream_is_read_only_as_far_as_it_is_embedded(tiny_encoder: Encoder) -> None:
    sentences = Sentences("f", ((n, f"ferry {n % 7}") for n in range(10 * CHUNK_SENTENCES)))
    stream = encode_in_chunks(tiny_encoder, sentences)
    texts, encoding = next(stream)
    assert len(texts) == len(encoding.vectors) == sentences.read == CHUNK_SENTENCES


def test_chunks_hold_what_encoding_at_once_gives(tiny_encoder: Encoder) -> None:
    texts = [f"{TEXTS[n % 3]} {n}" for n in range(CHUNK_SENTENCES + 50)]
    parts = [encoding.vectors for _, encoding in encode_in_chunks(tiny_encoder, texts)]
    assert torch.allclose(torch.cat(parts), tiny_encoder.encode(texts).vectors, atol=1e-6)


@pytest.mark.parametrize("streamed", [False, True])
def test_progress_counts_on_over_chunks(streamed: bool, tiny_encoder: Encoder) -> None:
    texts = [f"ferry {n}" for n in range(CHUNK_SENTENCES + 10)]
    told: list[tuple[int, int]] = []
    given: list[str] | Iterator[str] = iter(texts) if streamed else texts
    list(encode_in_chunks(tiny_encoder, given, progress=lambda *done: told.append(done)))
    counts = [done for done, _ in told]
    assert counts == sorted(counts)
    assert told[-1] == (len(texts), len(texts))
    assert told[0][1] == (CHUNK_SENTENCES if streamed else len(texts))


def test_a_search_can_be_stopped(tiny_encoder: Encoder) -> None:
    with pytest.raises(CancelledError):
        search_document(tiny_encoder, "a", TEXTS, cancelled=lambda: True)


def test_bad_input_is_refused(tiny_encoder: Encoder) -> None:
    with pytest.raises(ValueError, match="must be at least one sentence"):
        embed_document(tiny_encoder, [])
    with pytest.raises(ValueError, match="must be at least 2 sentences"):
        similarity_document(tiny_encoder, ["a"])
    with pytest.raises(ValueError, match="there are 1,001 sentences, must be at most 1,000"):
        similarity_document(tiny_encoder, ["a"] * 1_001)
    with pytest.raises(ValueError, match="metric is 'x', must be one of: cosine"):
        similarity_document(tiny_encoder, TEXTS, metric="x")
    with pytest.raises(ValueError, match="metric is 'x', must be one of: cosine"):
        search_document(tiny_encoder, "a", TEXTS, metric="x")
    with pytest.raises(ValueError, match="top is 0"):
        search_document(tiny_encoder, "a", TEXTS, top=0)
    with pytest.raises(ValueError, match="the query is empty"):
        search_document(tiny_encoder, "", TEXTS)
    with pytest.raises(ValueError, match="there is no sentence to search"):
        search_document(tiny_encoder, "a", [])


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_embeddings_that_are_no_numbers_never_leave(broken: float) -> None:
    with pytest.raises(RuntimeError, match="not finite numbers"):
        finite(Encoding(vectors=torch.tensor([[1.0, broken]]), truncated=(False,)))
