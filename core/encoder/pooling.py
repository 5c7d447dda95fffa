"""From the states of a text's tokens to one vector: the poolings, all of them masked."""

from collections.abc import Callable

import torch
from torch import Tensor

from core.config import POOLINGS, check_choice

LINEAR_POOLINGS = ("mean", "weighted-mean")
"""Poolings that are a weighted sum over all tokens, so that what follows splits over them."""


def pool(tokens: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """Reduce the token states of each text to one vector.

    Args:
        tokens: Encoder output, (batch, tokens, hidden).
        mask: 1 for a real token, 0 for padding on either side, (batch, tokens).
        pooling: One of `POOLINGS`.

    Returns:
        One vector per text, (batch, hidden).

    Raises:
        ValueError: If `pooling` is unknown, or `mask` does not hold one flag per token.
    """
    check_choice("pooling", pooling, POOLINGS)
    if mask.shape != tokens.shape[:2]:
        given, allowed = tuple(mask.shape), tuple(tokens.shape[:2])
        raise ValueError(f"mask is {given}, must be {allowed}: pass the tokenizer's attention_mask")
    return _POOLS[pooling](tokens, mask)


def mean_pool(tokens: Tensor, mask: Tensor) -> Tensor:
    """Average the real tokens of each text, (batch, tokens, hidden) to (batch, hidden).

    Source:
        Reimers & Gurevych 2019, Sentence-BERT, section 3 (arXiv:1908.10084).
    """
    return _weighted_sum(tokens, mask.to(tokens.dtype))


def cls_pool(tokens: Tensor, mask: Tensor) -> Tensor:
    """Take the state of each text's first real token, (batch, tokens, hidden) to (batch, hidden).

    Source:
        Devlin et al. 2019, BERT, section 3 (arXiv:1810.04805): [CLS] stands for the sequence.
    """
    return _take(tokens, mask.to(torch.int64).argmax(dim=1))


def max_pool(tokens: Tensor, mask: Tensor) -> Tensor:
    """Take the largest value of each dimension, (batch, tokens, hidden) to (batch, hidden).

    A row of padding gives zeros.

    Source:
        Reimers & Gurevych 2019, Sentence-BERT, section 3, "max-over-time" (arXiv:1908.10084).
    """
    real = mask.to(torch.bool)[:, :, None]  # (batch, tokens, 1)
    largest = tokens.masked_fill(~real, float("-inf")).amax(dim=1)  # (batch, hidden)
    return torch.where(real.any(dim=1), largest, torch.zeros_like(largest))  # (batch, hidden)


def weighted_mean_pool(tokens: Tensor, mask: Tensor) -> Tensor:
    """Average with weight 1 for the first real token, 2 for the second and so on.

    (batch, tokens, hidden) to (batch, hidden).

    Source:
        Muennighoff 2022, SGPT, equation 2 (arXiv:2202.08904).
    """
    return _weighted_sum(tokens, pooling_weights(mask, "weighted-mean").to(tokens.dtype))


def last_pool(tokens: Tensor, mask: Tensor) -> Tensor:
    """Take the state of each text's last real token, (batch, tokens, hidden) to (batch, hidden).

    Source:
        Neelakantan et al. 2022, section 2 (arXiv:2201.10005): the last state of a left-to-right
        encoder has read the whole text.
    """
    positions = torch.arange(mask.shape[1], device=mask.device)  # (tokens,)
    return _take(tokens, (mask.to(torch.int64) * positions).argmax(dim=1))


def pooling_weights(mask: Tensor, pooling: str) -> Tensor:
    """Give each token's share of a linear pooling, before division by their sum.

    Args:
        mask: 1 for a real token, 0 for padding, (batch, tokens).
        pooling: One of `LINEAR_POOLINGS`.

    Returns:
        Non-negative weights, 0 on padding, (batch, tokens).

    Raises:
        ValueError: If `pooling` is not a weighted sum over tokens.
    """
    check_choice("pooling", pooling, LINEAR_POOLINGS)
    if pooling == "mean":
        return mask
    return mask.cumsum(dim=1) * mask  # (batch, tokens); counts real tokens only, from either side


def _weighted_sum(tokens: Tensor, weights: Tensor) -> Tensor:
    total = weights.sum(dim=1, keepdim=True).clamp(min=1)  # (batch, 1); padding only: 0, not NaN
    return torch.einsum("bth,bt->bh", tokens, weights / total)  # (batch, hidden)


def _take(tokens: Tensor, positions: Tensor) -> Tensor:
    rows = torch.arange(tokens.shape[0], device=tokens.device)  # (batch,); len() is fixed in ONNX
    return tokens[rows, positions]  # (batch, hidden)


_POOLS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": mean_pool,
    "cls": cls_pool,
    "max": max_pool,
    "weighted-mean": weighted_mean_pool,
    "last": last_pool,
}
