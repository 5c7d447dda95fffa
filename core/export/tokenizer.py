"""A tokenizer as files that transformers reads just as Thaw does."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tokenizers

from core.encoder.precision import SELF_TEST_SENTENCES
from core.encoder.tokenizer import Tokenizer

_SPECIAL = tuple(f"{use}_token" for use in ("pad", "unk", "cls", "sep", "mask", "bos", "eos"))

_TRICKY = ("", "E-mail A.B. at 3.5%, DON'T!", "Zoë flew to São Paulo 🎉", "李雷去了北京。")


def write_tokenizer(
    tokenizer: Tokenizer, source: Path, config: Mapping[str, Any], folder: Path
) -> None:
    """Write a tokenizer as it works here: lower-casing and end tokens are in the file.

    Args:
        tokenizer: What to write.
        source: The folder it came from, which declares its special tokens.
        config: The transformer's `config.json`.
        folder: Where to write, there already.
    """
    backend = tokenizers.Tokenizer.from_str(tokenizer.backend.to_str())
    backend.no_truncation()
    backend.no_padding()
    written = json.loads(backend.to_str())
    merges = written["model"].get("merges")
    if merges and not any(" " in part for pair in merges for part in pair):
        # As one string each, which tokenizers before 0.20 read too, and so transformers 4.44.
        written["model"]["merges"] = [" ".join(pair) for pair in merges]
    text = json.dumps(written, ensure_ascii=False)
    (folder / "tokenizer.json").write_text(text, encoding="utf-8")
    special = _special_tokens(backend, source, config)
    declared = {
        "tokenizer_class": "PreTrainedTokenizerFast",  # others build another from the vocabulary
        "model_max_length": tokenizer.max_tokens,
        "model_input_names": ["input_ids", "attention_mask"],  # some families take no types
        "padding_side": "right",
        "truncation_side": "right",
        "clean_up_tokenization_spaces": False,
        **special,
    }
    write_json(folder / "tokenizer_config.json", declared)
    write_json(folder / "special_tokens_map.json", special)


def _special_tokens(
    backend: tokenizers.Tokenizer, source: Path, config: Mapping[str, Any]
) -> dict[str, str]:
    """Name the special tokens that a folder declares and its vocabulary has; padding always."""
    found: dict[str, str] = {}
    for file in ("special_tokens_map.json", "tokenizer_config.json"):
        declared = _read_json(source / file)
        for name in _SPECIAL:
            token = declared.get(name)
            token = token.get("content") if isinstance(token, dict) else token
            if isinstance(token, str) and backend.token_to_id(token) is not None:
                found[name] = token
    number = config.get("pad_token_id")
    pad = backend.id_to_token(number) if isinstance(number, int) and number >= 0 else None
    # RoBERTa counts positions by which ids are padding: the configuration's wins.
    pad = pad or found.get("pad_token") or backend.id_to_token(0)
    return {**found, "pad_token": pad} if pad else found


def check_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """See that transformers reads a written tokenizer as Thaw does.

    It puts a class of its own in the place of some families' files.

    Raises:
        ValueError: If it cuts a text into other pieces.
    """
    from transformers import AutoTokenizer

    made = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    texts = [*_TRICKY, *SELF_TEST_SENTENCES]
    for text, ours in zip(texts, tokenizer.encode(texts), strict=True):
        theirs = made(text, truncation=True, max_length=tokenizer.max_tokens)["input_ids"]
        if list(theirs) != ours.ids:
            raise ValueError(
                f"the tokenizer cannot be written for transformers: its {type(made).__name__} "
                f"cuts {text!r} into other pieces than the file says"
            )


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}


def write_json(path: Path, content: object) -> None:
    """Write JSON for people to read, with the folders that lead to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8")
