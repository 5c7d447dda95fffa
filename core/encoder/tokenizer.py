"""From text to token ids, and back to the pieces and words a person reads."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import tokenizers
from tokenizers import normalizers
from tokenizers.processors import TemplateProcessing

_WORD = re.compile(
    r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]"  # a Chinese, Japanese or Korean character
    r"|\w+(?:['’\-.,]\w+)*"
    r"|[^\w\s]"
)


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """One text as the encoder reads it.

    Attributes:
        ids: Token ids, special tokens included.
        truncated: Whether the text went on after the last token read.
    """

    ids: list[int]
    truncated: bool


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """One text cut into what the encoder reads, for people.

    Attributes:
        ids: Token ids, special tokens included.
        texts: Each token as the vocabulary writes it, such as `##ing` or `[CLS]`.
        special: Whether each token was added by the tokenizer.
        spans: Where each token lies in the text, (start, end) in characters.
        words: For each token the index of its word in `word_texts`, or None for a special one.
        word_texts: The words and punctuation marks of what was read, in order.
        truncated: Whether the text went on after the last token read.
    """

    ids: tuple[int, ...]
    texts: tuple[str, ...]
    special: tuple[bool, ...]
    spans: tuple[tuple[int, int], ...]
    words: tuple[int | None, ...]
    word_texts: tuple[str, ...]
    truncated: bool


class Tokenizer:
    """A `tokenizer.json` with the encoder's own limits. It never pads.

    Args:
        backend: The tokenizer itself; this object changes its truncation and padding.
        max_tokens: How many tokens to keep of a text, special ones included.
    """

    def __init__(self, backend: tokenizers.Tokenizer, max_tokens: int) -> None:
        if not max_tokens > 0:
            raise ValueError(f"max_tokens is {max_tokens}, must be at least 1")
        backend.no_padding()  # published files may pad to 128
        backend.enable_truncation(max_length=max_tokens)
        self.backend = backend
        self.max_tokens = max_tokens

    def encode(self, texts: Sequence[str]) -> list[Tokens]:
        """Turn texts into token ids, one entry a text, in order."""
        found = self.backend.encode_batch_fast(list(texts))
        return [Tokens(ids=each.ids, truncated=bool(each.overflowing)) for each in found]

    @property
    def folds_case(self) -> bool:
        """Whether it lower-cases its text, so that the encoder never sees a capital."""
        upper, lower = self.encode(["Anna", "anna"])
        return upper.ids == lower.ids

    def is_unreadable(self, ids: Sequence[int]) -> bool:
        """Tell whether a text's ids hold no token of the vocabulary, special ones aside.

        To the encoder all such texts of one length are the same: an emoji that it does not know,
        one word of a thousand letters, or nothing at all.
        """
        return all(each in self._wordless for each in ids)

    @cached_property
    def _wordless(self) -> frozenset[int]:
        """The tokens that say nothing of a text: those around it, the unknown one, a space."""
        unknown = getattr(self.backend.model, "unk_token", None) or "<unk>"
        named = (self.backend.token_to_id(token) for token in (unknown, "▁"))
        around = self.backend.encode("").ids
        return frozenset([*around, *(each for each in named if each is not None)])

    def pieces(self, text: str) -> Pieces:
        """Cut one text into the pieces that the encoder reads, with their words."""
        found = self.backend.encode(text)
        spans = [(start, end) for start, end in found.offsets]
        special = [bool(flag) for flag in found.special_tokens_mask]
        words = [match.span() for match in _WORD.finditer(text)]
        owners = [
            None if flag else _word_at(words, span)
            for flag, span in zip(special, spans, strict=True)
        ]
        seen = [owner for owner in owners if owner is not None]
        kept = words[: max(seen) + 1] if seen else []
        return Pieces(
            ids=tuple(found.ids),
            texts=tuple(self._readable(found.tokens)),
            special=tuple(special),
            spans=tuple(spans),
            words=tuple(owners),
            word_texts=tuple(text[start:end] for start, end in kept),
            truncated=bool(found.overflowing),
        )

    def _readable(self, tokens: list[str]) -> list[str]:
        """Undo the byte alphabet of byte-level vocabularies (`Ġcafé` is ` cafÃ©` there)."""
        if '"ByteLevel"' not in self._decoder:
            return tokens
        return [self.backend.decoder.decode([token]) or token for token in tokens]

    @property
    def _decoder(self) -> str:
        decoder = self.backend.decoder
        return decoder.__getstate__().decode() if decoder is not None else ""


def _word_at(words: list[tuple[int, int]], span: tuple[int, int]) -> int | None:
    """Find the word that holds a token's last character; a token may start with a space."""
    last = span[1] - 1
    for index, (start, end) in enumerate(words):
        if start <= last < end:
            return index
    return None


def load_tokenizer(folder: Path, max_tokens: int | None, *, lower_case: bool = False) -> Tokenizer:
    """Load the tokenizer of a model folder.

    Args:
        folder: Where `tokenizer.json` lies, or the older vocabulary files.
        max_tokens: The limit that the folder's other files declare, or None; the tokenizer's own
            limit is used then.
        lower_case: Whether to lower-case before anything else, as older folders ask.

    Returns:
        A tokenizer that truncates at the smaller of the declared limits.

    Raises:
        ValueError: If the folder holds no tokenizer that can be read.
    """
    declared = _read_json(folder / "tokenizer_config.json")
    if (folder / "tokenizer.json").is_file():
        backend = _read_backend(folder / "tokenizer.json")
    else:
        backend = _convert_older(folder)
    if declared.get("add_eos_token"):
        _end_with_eos(backend, declared)
    if lower_case:
        steps = [normalizers.Lowercase()]
        backend.normalizer = normalizers.Sequence(
            steps if backend.normalizer is None else [*steps, backend.normalizer]
        )
    own = declared.get("model_max_length")
    limits = [n for n in (max_tokens, own) if isinstance(n, int) and 0 < n < 1_000_000]
    return Tokenizer(backend, min(limits) if limits else 512)


def _read_backend(path: Path) -> tokenizers.Tokenizer:
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception for any malformed file
        raise ValueError(f"{path} is not a tokenizer that can be read: {error}") from error


def _convert_older(folder: Path) -> tokenizers.Tokenizer:
    """Let transformers build a fast tokenizer from `vocab.txt`, `merges.txt` and their like."""
    from transformers import AutoTokenizer

    try:
        made = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, use_fast=True)
        return made.backend_tokenizer
    except Exception as error:  # transformers raises many types for one missing vocabulary
        raise ValueError(f"{folder} holds no tokenizer: tokenizer.json is missing") from error


def _end_with_eos(backend: tokenizers.Tokenizer, declared: dict[str, object]) -> None:
    """End each text with the end token where the configuration asks and the file does not do it.

    Stella's and gte-Qwen2's own tokenizer class did this in Python, which is never run here.
    """
    eos = declared.get("eos_token")
    eos = eos.get("content") if isinstance(eos, dict) else eos
    number = backend.token_to_id(eos) if isinstance(eos, str) else None
    if not isinstance(eos, str) or number is None or backend.encode("a").ids[-1] == number:
        return
    backend.post_processor = TemplateProcessing(
        single=f"$A {eos}", pair=f"$A {eos} $B {eos}", special_tokens=[(eos, number)]
    )


def _read_json(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}
