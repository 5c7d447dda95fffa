"""Which words made a prediction: a linear head's scores, split exactly over the words.

What a word adds is what the state *at* that word adds. The states are contextual: a word's state
has taken in its neighbours, so that "not" may push a score through the word that it negates. The
split says where the score was read, not what would happen without the word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from core.encoder.tokenizer import Pieces
from core.pooling import pooling_named


class Word(NamedTuple):
    """A word or punctuation mark, and where it lies; `sentence[start:end]` is its text."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class WordContributions:
    """The scores of one text before temperature and softmax, split into what adds up to them.

    Attributes:
        words: The words that were read, in order; one that a tokenizer drops, or joins to the
            word after it, is left out.
        contributions: What each word adds to each label's score, fp64, (words, labels).
        special: What the tokens of no word add, such as `[CLS]` and white space, (labels,).
        bias: What the head adds to every text, (labels,).
    """

    words: tuple[Word, ...]
    contributions: Tensor
    special: Tensor
    bias: Tensor

    @property
    def total(self) -> Tensor:
        """All of it together: the head's own scores, (labels,)."""
        return self.contributions.sum(dim=0) + self.special + self.bias  # (labels,)


def split_logits(
    states: Tensor, weight: Tensor, bias: Tensor, pieces: Pieces, text: str
) -> WordContributions:
    """Split the scores of a linear head on mean-pooled states over the words.

    The mean of n token states hₜ makes each score a sum of one term a token:
    w·(Σₜ hₜ / n) + b = Σₜ (w·hₜ / n) + b. A word's share is that of its tokens. Where the head
    reads a mix of layers, `states` are the mixed ones: a mix is linear too.

    Args:
        states: Every token's state where the head reads, special tokens' too, (tokens, hidden).
        weight: The head's, (labels, hidden).
        bias: The head's, (labels,).
        pieces: The text's tokens.
        text: What the pieces were cut from.

    Raises:
        ValueError: If the shapes do not fit together, or the pieces are another text's.
    """
    tokens = len(pieces.ids)
    labels = len(bias)
    if states.ndim != 2 or len(states) != tokens or weight.shape != (labels, states.shape[1]):
        given = f"{tuple(states.shape)} and {tuple(weight.shape)}"
        raise ValueError(
            f"states and weight are {given}, must be ({tokens}, hidden) and ({labels}, hidden): "
            "one state a token, one row a label"
        )
    terms = states.detach().cpu().double() @ weight.detach().cpu().double().T  # (tokens, labels)
    terms = terms / max(1, tokens)  # (tokens, labels); of no tokens the pooled state is 0
    owned = sorted({word for word in pieces.words if word is not None})
    sums = _by_word(terms, pieces, owned)  # (words + 1, labels)
    places = word_places(text, pieces)
    return WordContributions(
        words=tuple(places[word] for word in owned),
        contributions=sums[:-1],
        special=sums[-1],
        bias=bias.detach().cpu().double(),
    )


def _by_word(terms: Tensor, pieces: Pieces, owned: Sequence[int]) -> Tensor:
    """Add up terms, (tokens, labels), by word; the last row is of tokens that belong to none."""
    rows = {word: row for row, word in enumerate(owned)}
    none = len(owned)
    owners = torch.tensor(
        [none if word is None else rows[word] for word in pieces.words], dtype=torch.int64
    )  # (tokens,)
    return terms.new_zeros(none + 1, terms.shape[1]).index_add(0, owners, terms)


def word_places(text: str, pieces: Pieces) -> list[Word]:
    """Find the words of `pieces` in their text, in order.

    The tokens' own places would not do: a token may begin at the space before its word, a
    tokenizer may drop characters, and the last word read may be cut off.

    Raises:
        ValueError: If the text does not hold them, or holds anything but white space between.
    """
    places: list[Word] = []
    at = 0
    for word in pieces.word_texts:
        start = text.find(word, at)
        if start < 0 or text[at:start].strip():
            raise ValueError(f"the text has no {word!r} at {at}: give the text of these pieces")
        at = start + len(word)
        places.append(Word(word, start, at))
    return places


def why_not_exact(pooling: str, hidden_units: int | None) -> str:
    """Say in a sentence why a head's scores do not split over words; empty where they do.

    Args:
        pooling: How the head pools, one of `POOLINGS`.
        hidden_units: The width of its hidden layer; None for a linear head.

    Raises:
        ValueError: If the pooling is unknown.
    """
    pooling_named(pooling)
    if hidden_units is not None:
        return "the head has a hidden layer, which is not linear, so its scores are no sum of words"
    if pooling != "mean":
        return (
            f"the head reads {pooling} pooling, not the mean of all tokens, so its scores are no "
            "sum of words"
        )
    return ""
