"""Settings that a person or a caller chooses, checked where they are made."""

from dataclasses import dataclass
from pathlib import Path

ASSETS = Path(__file__).resolve().parents[1] / "assets"

POOLINGS = ("mean", "cls", "max", "weighted-mean", "last")
METRICS = ("cosine", "dot", "euclidean", "manhattan")
PRECISIONS = ("exact", "fast")

MAX_SENTENCE_CHARACTERS = 100_000
"""What one sentence may hold anywhere; far more than any encoder reads before it truncates."""

MAX_MATRIX_SENTENCES = 1_000
"""The matrix of more, with its pairs, would be over 50 MB of JSON, which nobody reads."""


@dataclass(frozen=True, kw_only=True)
class EncoderChoice:
    """Which encoder, and how its token states become an embedding.

    Attributes:
        name: A name of the catalogue, a folder, or a hub name such as `owner/model`.
        pooling: One of `POOLINGS`, or None for what the encoder itself declares.
        normalize: Whether embeddings get length one, or None for what the encoder declares.
        precision: `exact` is fp32; `fast` is the machine's fast mode, where it has one.
        device: A torch device, or None for the best there is.

    Raises:
        ValueError: If pooling or precision is not one of those allowed.
    """

    name: str = "minilm"
    pooling: str | None = None
    normalize: bool | None = None
    precision: str = "exact"
    device: str | None = None

    def __post_init__(self) -> None:
        if self.pooling is not None:
            check_choice("pooling", self.pooling, POOLINGS)
        check_choice("precision", self.precision, PRECISIONS)
        if not self.name.strip():
            raise ValueError(
                "the encoder's name is empty: give a name of the catalogue or a folder"
            )


def check_choice(what: str, given: str, allowed: tuple[str, ...]) -> None:
    """Refuse a value that is not one of the allowed ones.

    Raises:
        ValueError: Naming what was given and every allowed value.
    """
    if given not in allowed:
        raise ValueError(f"{what} is {given!r}, must be one of: {', '.join(allowed)}")
