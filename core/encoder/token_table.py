"""Which tokens, and which words, make the similarity of two sentences."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.encoder.encoder import Encoder
from core.encoder.tokenizer import Pieces
from core.measures.similarity import similarity_matrix
from core.nearness import metric_named
from core.pooling import WeightedSum, pooling_named


@dataclass(frozen=True, kw_only=True)
class TokenTable:
    """How the pieces of one sentence meet those of another.

    Attributes:
        a: The pieces of the first sentence, special tokens included.
        b: The pieces of the second.
        table: One cell per pair of pieces, (pieces of a, pieces of b).
        score: The similarity that the table is about.
        exact: Whether the cells add up to `score`.
        reason: What the cells are instead, and why; empty where they add up.
        words_a: For each piece of `a` the word it belongs to, or None for a special token.
        words_b: The same for `b`.
        word_texts_a: The words of `a`, in order.
        word_texts_b: The words of `b`, in order.
        truncated: Whether either sentence was longer than the encoder reads.
    """

    a: tuple[str, ...]
    b: tuple[str, ...]
    table: Tensor
    score: float
    exact: bool
    reason: str
    words_a: tuple[int | None, ...]
    words_b: tuple[int | None, ...]
    word_texts_a: tuple[str, ...]
    word_texts_b: tuple[str, ...]
    truncated: bool


@dataclass(frozen=True, kw_only=True)
class WordTable:
    """A `TokenTable` with the pieces of each word added together.

    Special tokens keep a row and a column of their own, as the sum needs them.
    """

    a: tuple[str, ...]
    b: tuple[str, ...]
    table: Tensor


def token_table(encoder: Encoder, a: str, b: str, metric: str = "cosine") -> TokenTable:
    """Split the similarity of two sentences over the pairs of their pieces.

    A linear pooling makes an embedding a sum of one term per token: u = Σᵢ uᵢ and v = Σⱼ vⱼ. Then
    cos(u, v) = Σᵢⱼ uᵢ·vⱼ / (|u| |v|), and the cells add up exactly. A dense projection keeps this
    as long as it is linear: each term carries its share of the bias, wᵢ / Σⱼ wⱼ.

    Args:
        encoder: What embeds them.
        a: The first sentence.
        b: The second.
        metric: `cosine` or `dot` split; of a distance the cosine is shown.

    Returns:
        The table. Where it cannot be exact its cells are the cosines of the tokens' states, and
        `reason` says why.
    """
    pieces_a, states_a = encoder.token_states(a)
    pieces_b, states_b = encoder.token_states(b)
    vectors = encoder.encode([a, b]).vectors.double()  # (2, dimension)
    score = float(similarity_matrix(vectors, metric=metric)[0, 1])
    reason = why_not_exact(encoder, metric)
    if reason:
        table = similarity_matrix(states_a, states_b)  # (pieces of a, pieces of b)
    else:
        terms_a, terms_b = sum_terms(encoder, states_a), sum_terms(encoder, states_b)
        table = terms_a @ terms_b.T  # (pieces of a, pieces of b)
        if metric_named(metric).by_direction or encoder.normalized:
            lengths = terms_a.sum(dim=0).norm() * terms_b.sum(dim=0).norm()
            table = table / lengths.clamp(min=1e-12)
    return _labelled(pieces_a, pieces_b, table, score, reason)


def why_not_exact(encoder: Encoder, metric: str = "cosine") -> str:
    """Say in a sentence why a similarity is no sum over pairs of tokens; empty where it is one."""
    cells = "the cells are the cosines of the tokens' own states"
    if why := pooling_named(encoder.pooling).why_no_sum:
        return f"{encoder.pooling} pooling {why}, so {cells}"
    if not all(projection.is_linear for projection in encoder.projections):
        return f"the encoder ends in a dense layer that is not linear, so {cells}"
    if metric_named(metric).is_distance:
        return f"{metric} distance is no sum over pairs of tokens, so {cells}"
    return ""


@torch.inference_mode()
def sum_terms(encoder: Encoder, states: Tensor) -> Tensor:
    """Write a text's embedding, before normalisation, as one term per token.

    Args:
        encoder: One with a linear pooling and linear projections.
        states: The last layer's state of each token, (tokens, hidden).

    Returns:
        Terms whose sum over tokens is the embedding, fp64, (tokens, dimension).
    """
    mask = torch.ones(1, len(states), dtype=torch.float64)  # (1, tokens)
    pooling = pooling_named(encoder.pooling)
    assert isinstance(pooling, WeightedSum)
    weights = pooling.weights(mask, mask.dtype)[0][:, None]  # (tokens, 1)
    terms, shares = states.double() * weights, weights / weights.sum()  # (tokens, hidden or 1)
    for projection in encoder.projections:
        linear = projection.linear
        bias = None if linear.bias is None else linear.bias.double().cpu()
        terms = F.linear(terms, linear.weight.double().cpu())  # (tokens, outputs)
        terms = terms if bias is None else terms + shares * bias  # (tokens, outputs)
    return terms


def by_word(table: TokenTable) -> WordTable:
    """Add together the cells of the pieces of each word; for an exact table the sum is kept.

    Where the cells are cosines, adding would mean nothing: a word's cell is the mean of its
    pieces' then.
    """
    labels_a, rows = _groups(table.a, table.words_a, table.word_texts_a)
    labels_b, columns = _groups(table.b, table.words_b, table.word_texts_b)
    rows, columns = rows.to(table.table.dtype), columns.to(table.table.dtype)
    if not table.exact:
        rows = rows / rows.sum(dim=1, keepdim=True).clamp(min=1)
        columns = columns / columns.sum(dim=1, keepdim=True).clamp(min=1)
    return WordTable(a=labels_a, b=labels_b, table=rows @ table.table @ columns.T)


def _groups(
    pieces: tuple[str, ...], words: tuple[int | None, ...], texts: tuple[str, ...]
) -> tuple[tuple[str, ...], Tensor]:
    """Return the words' labels and which pieces each holds, (words, pieces) of 0 and 1."""
    labels: list[str] = []
    members: list[list[int]] = []
    last: int | None = None
    for index, (piece, word) in enumerate(zip(pieces, words, strict=True)):
        if word is not None and members and word == last:
            members[-1].append(index)
        else:
            labels.append(piece if word is None else texts[word])
            members.append([index])
        last = word
    held = torch.zeros(len(members), len(pieces))  # (words, pieces)
    for row, indices in enumerate(members):
        held[row, indices] = 1
    return tuple(labels), held


def _labelled(a: Pieces, b: Pieces, table: Tensor, score: float, reason: str) -> TokenTable:
    return TokenTable(
        a=a.texts,
        b=b.texts,
        table=table,
        score=score,
        exact=not reason,
        reason=reason,
        words_a=a.words,
        words_b=b.words,
        word_texts_a=a.word_texts,
        word_texts_b=b.word_texts,
        truncated=a.truncated or b.truncated,
    )
