"""Texts as token ids, each once, in one order whoever lists them and however often.

What is computed in this order, in these batches, is the same bit for bit for all who ask.
"""

from array import array
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from core.encoder.encoder import batches_by_length
from core.encoder.tokenizer import Tokens


class DistinctTexts:
    """Texts as token ids, each once, in an order that depends on which they are alone.

    Attributes:
        ids: Each text's token ids, the longest text first.
        lengths: Each text's tokens.
        starts: Where each text's tokens begin among all, and where the last one's end.
    """

    def __init__(self, ids: Collection[Sequence[int]]) -> None:
        found = {_key(each) for each in ids}
        self.ids = sorted(map(_ids, found), key=lambda each: (-len(each), each))
        self.lengths = [len(each) for each in self.ids]
        self.starts = [0, *np.cumsum(self.lengths, dtype=np.int64).tolist()]
        self._places = {_key(each): place for place, each in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.ids)

    def places(self, ids: Collection[Sequence[int]]) -> list[int]:
        """Find texts among these.

        Raises:
            ValueError: If one is not there.
        """
        try:
            return [self._places[_key(each)] for each in ids]
        except KeyError:
            missing = sum(_key(each) not in self._places for each in ids)
            raise ValueError(
                f"{missing} of {len(ids)} texts are not in the prefix of {len(self)} texts: make "
                "it of all texts that its runs train and validate on"
            ) from None

    def batches(self, budget: int) -> Iterator[tuple[slice, slice]]:
        """Cut into batches of similar length.

        Args:
            budget: The most tokens in a batch, as `batches_by_length` takes it.

        Yields:
            The places of each batch's texts, and of its tokens among all.
        """
        tokens = [Tokens(ids=each, truncated=False) for each in self.ids]
        for batch in batches_by_length(tokens, budget):
            first, after = batch[0], batch[-1] + 1
            yield slice(first, after), slice(self.starts[first], self.starts[after])


def _key(ids: Sequence[int]) -> bytes:
    return array("q", ids).tobytes()


def _ids(key: bytes) -> list[int]:
    found = array("q")
    found.frombytes(key)
    return found.tolist()
