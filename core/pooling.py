"""From the states of a text's tokens to one vector: the poolings, all of them masked.

Settings name them before torch is there, so it is imported where tensors are.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Pooling:
    """A way to pool. A new one is a subclass, in `EVERY`.

    Attributes:
        name: How a person types it.
        theirs: What sentence-transformers calls it.
        flag: What its versions 2 to 5 call it in a folder.
        why_no_sum: Why it is no weighted sum over all tokens, behind "pooling"; empty if it is.
    """

    name: ClassVar[str]
    theirs: ClassVar[str]
    flag: ClassVar[str]
    why_no_sum: ClassVar[str] = ""

    def __call__(self, tokens: "Tensor", mask: "Tensor") -> "Tensor":
        """Reduce the states of each text's tokens, (batch, tokens, hidden) to (batch, hidden).

        Args:
            tokens: Encoder output.
            mask: 1 for a real token, 0 for padding on either side, (batch, tokens).
        """
        raise NotImplementedError


class WeightedSum(Pooling):
    """A weighted sum over all tokens, so that what follows splits over them."""

    def weights(self, mask: "Tensor", dtype: "torch.dtype") -> "Tensor":
        """Give each token's weight, 0 on padding, (batch, tokens)."""
        raise NotImplementedError

    def __call__(self, tokens: "Tensor", mask: "Tensor") -> "Tensor":
        import torch

        return torch.einsum("bth,bt->bh", tokens, self.weights(mask, tokens.dtype))


class Mean(WeightedSum):
    """The average of the real tokens.

    Source:
        Reimers & Gurevych 2019, Sentence-BERT, section 3 (arXiv:1908.10084).
    """

    name = "mean"
    theirs = "mean"
    flag = "pooling_mode_mean_tokens"

    def weights(self, mask: "Tensor", dtype: "torch.dtype") -> "Tensor":
        return shares(mask.to(dtype))


class MeanSqrt(WeightedSum):
    """The sum of the real tokens by the square root of how many they are.

    Source:
        Cer et al. 2018, Universal Sentence Encoder, section 3 (arXiv:1803.11175).
    """

    name = "mean-sqrt"
    theirs = "mean_sqrt_len_tokens"
    flag = "pooling_mode_mean_sqrt_len_tokens"

    def weights(self, mask: "Tensor", dtype: "torch.dtype") -> "Tensor":
        real = mask.to(dtype)  # (batch, tokens)
        return real / real.sum(dim=1, keepdim=True).clamp(min=1).sqrt()


class Cls(Pooling):
    """The state of the first real token.

    Source:
        Devlin et al. 2019, BERT, section 3 (arXiv:1810.04805): [CLS] stands for the sequence.
    """

    name = "cls"
    theirs = "cls"
    flag = "pooling_mode_cls_token"
    why_no_sum = "reads one token alone"

    def __call__(self, tokens: "Tensor", mask: "Tensor") -> "Tensor":
        import torch

        return _take(tokens, mask.to(torch.int64).argmax(dim=1))


class Max(Pooling):
    """The largest value of each dimension; a row of padding gives zeros.

    Source:
        Reimers & Gurevych 2019, Sentence-BERT, section 3, "max-over-time" (arXiv:1908.10084).
    """

    name = "max"
    theirs = "max"
    flag = "pooling_mode_max_tokens"
    why_no_sum = "takes each dimension from another token"

    def __call__(self, tokens: "Tensor", mask: "Tensor") -> "Tensor":
        import torch

        real = mask.to(torch.bool)[:, :, None]  # (batch, tokens, 1)
        largest = tokens.masked_fill(~real, float("-inf")).amax(dim=1)  # (batch, hidden)
        return torch.where(real.any(dim=1), largest, torch.zeros_like(largest))  # (batch, hidden)


class WeightedMean(WeightedSum):
    """The average with weight 1 for the first real token, 2 for the second and so on.

    Source:
        Muennighoff 2022, SGPT, equation 2 (arXiv:2202.08904).
    """

    name = "weighted-mean"
    theirs = "weightedmean"
    flag = "pooling_mode_weightedmean_tokens"

    def weights(self, mask: "Tensor", dtype: "torch.dtype") -> "Tensor":
        # Real tokens alone are counted, whichever side the padding is on.
        return shares((mask.cumsum(dim=1) * mask).to(dtype))


class Last(Pooling):
    """The state of the last real token.

    Source:
        Neelakantan et al. 2022, section 2 (arXiv:2201.10005): the last state of a left-to-right
        encoder has read the whole text.
    """

    name = "last"
    theirs = "lasttoken"
    flag = "pooling_mode_lasttoken"
    why_no_sum = "reads one token alone"

    def __call__(self, tokens: "Tensor", mask: "Tensor") -> "Tensor":
        import torch

        positions = torch.arange(mask.shape[1], device=mask.device)  # (tokens,)
        return _take(tokens, (mask.to(torch.int64) * positions).argmax(dim=1))


EVERY: tuple[Pooling, ...] = (Mean(), Cls(), Max(), WeightedMean(), Last(), MeanSqrt())


def pooling_named(name: str) -> Pooling:
    """Find a pooling by its name.

    Raises:
        ValueError: If there is none.
    """
    for pooling in EVERY:
        if pooling.name == name:
            return pooling
    allowed = ", ".join(pooling.name for pooling in EVERY)
    raise ValueError(f"pooling is {name!r}, must be one of: {allowed}")


def pool(tokens: "Tensor", mask: "Tensor", pooling: str) -> "Tensor":
    """Reduce the token states of each text to one vector.

    Args:
        tokens: Encoder output, (batch, tokens, hidden).
        mask: 1 for a real token, 0 for padding on either side, (batch, tokens).
        pooling: Its name.

    Returns:
        One vector per text, (batch, hidden).

    Raises:
        ValueError: If `pooling` is unknown, or `mask` does not hold one flag per token.
    """
    reduce = pooling_named(pooling)
    if mask.shape != tokens.shape[:2]:
        given, allowed = tuple(mask.shape), tuple(tokens.shape[:2])
        raise ValueError(f"mask is {given}, must be {allowed}: pass the tokenizer's attention_mask")
    return reduce(tokens, mask)


def declared_pooling(config: Mapping[str, Any]) -> str:
    """Read which pooling sentence-transformers' configuration of one declares.

    Args:
        config: By its name, as version 6 writes it, or by flags, as versions 2 to 5 do.

    Raises:
        ValueError: If it declares one that is not run, or several.
    """
    known, declared = {each.theirs: each.name for each in EVERY}, config.get("pooling_mode")
    if declared is None:
        declared = [each.theirs for each in EVERY if config.get(each.flag)] or [Mean.theirs]
    modes = [declared] if isinstance(declared, str) else list(declared)
    if len(modes) != 1 or modes[0] not in known:
        raise ValueError(f"pooling is {'+'.join(modes)}, must be one of: {', '.join(known)}")
    return known[modes[0]]


def flags_of(name: str) -> dict[str, bool]:
    """Declare a pooling as sentence-transformers 2 to 5 do, which its version 6 reads too."""
    return {each.flag: each.name == name for each in EVERY}


def shares(weights: "Tensor") -> "Tensor":
    """Divide weights by their sum, (batch, tokens); a row of padding gives zeros, not NaN."""
    return weights / weights.sum(dim=1, keepdim=True).clamp(min=1)


def _take(tokens: "Tensor", positions: "Tensor") -> "Tensor":
    import torch

    rows = torch.arange(tokens.shape[0], device=tokens.device)  # (batch,); len() is fixed in ONNX
    return tokens[rows, positions]  # (batch, hidden)
