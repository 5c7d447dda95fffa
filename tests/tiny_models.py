"""Tiny random models, each saved in the layout that its family has on the hub.

They are real transformers with real tokenizers; only their sizes and weights are not the hub's.
"""

import json
from pathlib import Path
from typing import Any

import tokenizers
import torch
from safetensors.torch import save_file
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

from core.pooling import EVERY

TEXTS = (
    "The ferry left late again, and the boats behind it were delayed by fog.",
    "It works. It does not work! Does it work?",
    "A man is eating food; a woman is eating a meal with naïve sushi chefs.",
    "Shares in the chip maker fell nine per cent after it cut its forecast.",
    "She sang the last verse without the band, and nobody in the hall breathed.",
)
FAMILIES = (
    "minilm",
    "mpnet",
    "bert-base",
    "distilbert",
    "roberta-base",
    "bge-large",
    "stella-1.5b",
    "multilingual-minilm",
)
HIDDEN = {"bert-base": 768}  # the base size's own width; the others are narrower than on the hub
LAYERS = 3


def save_family(family: str, folder: Path) -> Path:
    """Write a model folder for one encoder of the catalogue, and return it."""
    torch.manual_seed(0)
    hidden = HIDDEN.get(family, 32)
    _WRITERS[family](folder, hidden)
    return folder


def _save(folder: Path, model: Any, tokenizer: tokenizers.Tokenizer, **declared: Any) -> None:  # noqa: ANN401 (any family)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    _write(folder / "tokenizer_config.json", declared)


def _bert_like(folder: Path, hidden: int, kind: str, tokenizer: tokenizers.Tokenizer) -> None:
    import transformers as t

    size = tokenizer.get_vocab_size()
    common = {"vocab_size": size, "pad_token_id": tokenizer.token_to_id("[PAD]") or 0}
    wide = {
        "hidden_size": hidden,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "intermediate_size": 64,
    }
    if kind == "bert":
        config = t.BertConfig(**common, **wide, max_position_embeddings=64)
        model = t.BertModel(config)
    elif kind == "distilbert":
        config = t.DistilBertConfig(
            **common,
            dim=hidden,
            n_layers=LAYERS,
            n_heads=4,
            hidden_dim=64,
            max_position_embeddings=64,
        )
        model = t.DistilBertModel(config)
    elif kind == "mpnet":
        common["pad_token_id"] = 1
        config = t.MPNetConfig(**common, **wide, max_position_embeddings=66)
        model = t.MPNetModel(config)
    else:
        common["pad_token_id"] = 1
        config = t.RobertaConfig(**common, **wide, max_position_embeddings=66, type_vocab_size=1)
        model = t.RobertaModel(config)
    _shake(model)
    names = {
        "bert": "BertTokenizer",
        "distilbert": "DistilBertTokenizer",
        "mpnet": "MPNetTokenizer",
    }
    name = names.get(kind, "RobertaTokenizer")
    marks = {
        "mpnet": ("<pad>", "<s>", "</s>", "[UNK]"),
        "roberta": ("<pad>", "<s>", "</s>", "<unk>"),
    }
    pad, cls, sep, unk = marks.get(kind, ("[PAD]", "[CLS]", "[SEP]", "[UNK]"))
    _save(
        folder,
        model,
        tokenizer,
        tokenizer_class=name,
        model_max_length=64,
        pad_token=pad,
        cls_token=cls,
        sep_token=sep,
        unk_token=unk,
    )


def _shake(model: torch.nn.Module) -> None:
    """Move every parameter off its initial value, so that no bias or scale is a 0 or 1."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)


def word_pieces(
    pad_to: int | None = None, marks: tuple[str, ...] = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
) -> tokenizers.Tokenizer:
    """Train a small WordPiece tokenizer; `marks` are padding, unknown, first and last token."""
    pad, unknown, first, last = marks
    made = tokenizers.Tokenizer(models.WordPiece(unk_token=unknown))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=160, special_tokens=list(marks), show_progress=False
    )
    made.train_from_iterator(TEXTS, trainer)
    ends = [(first, made.token_to_id(first)), (last, made.token_to_id(last))]
    made.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", special_tokens=ends
    )
    made.decoder = tokenizers.decoders.WordPiece()
    if pad_to:  # the published MiniLM pads and truncates in its tokenizer.json
        made.enable_padding(length=pad_to, pad_id=made.token_to_id(pad), pad_token=pad)
        made.enable_truncation(pad_to)
    return made


def byte_pieces(marks: tuple[str, ...], template: str | None) -> tokenizers.Tokenizer:
    """Train a small byte-level BPE tokenizer, as RoBERTa's and Qwen2's are."""
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=340, special_tokens=list(marks), initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(TEXTS, trainer)
    made.decoder = tokenizers.decoders.ByteLevel()
    if template:
        ends = [(mark, made.token_to_id(mark)) for mark in marks if mark in template]
        made.post_processor = processors.TemplateProcessing(single=template, special_tokens=ends)
    return made


def unigram_pieces() -> tokenizers.Tokenizer:
    """Train a small Unigram tokenizer, as XLM-R's is."""
    marks = ("<s>", "<pad>", "</s>", "<unk>")
    made = tokenizers.Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=150, special_tokens=list(marks), unk_token="<unk>", show_progress=False
    )
    made.train_from_iterator(TEXTS, trainer)
    ends = [(mark, made.token_to_id(mark)) for mark in ("<s>", "</s>")]
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    made.decoder = tokenizers.decoders.Metaspace()
    return made


def write_modules(
    folder: Path,
    *,
    pooling: str = "mean",
    normalize: bool = True,
    dense: tuple[int, int, str] | None = None,
    max_tokens: int | None = 64,
    version: int = 2,
    hidden: int = 32,
) -> None:
    """Turn a transformer's folder into sentence-transformers' layout, as a version writes it.

    Args:
        folder: Where the transformer lies.
        pooling: sentence-transformers' name of it.
        normalize: Whether a Normalize module follows.
        dense: Outputs, folder's number and activation class of a projection.
        max_tokens: What `sentence_bert_config.json` declares.
        version: 2 (to 5: flags, old class paths) or 6 (one name, new class paths).
        hidden: The transformer's width.
    """
    old, new = "sentence_transformers.models.", "sentence_transformers.base.modules."
    places = {
        "Transformer": f"{new}transformer.Transformer",
        "Pooling": "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
        "Dense": f"{new}dense.Dense",
        "Normalize": f"{new}normalize.Normalize",
    }
    kinds = [("Transformer", ""), ("Pooling", "1_Pooling")]
    if dense:
        kinds.append(("Dense", f"2_Dense_{dense[0]}"))
    if normalize:
        kinds.append(("Normalize", f"{len(kinds)}_Normalize"))
    modules = []
    for index, (kind, path) in enumerate(kinds):
        place = places[kind] if version >= 6 else old + kind
        modules.append({"idx": index, "name": str(index), "path": path, "type": place})
    _write(folder / "modules.json", modules)
    if version >= 6:
        config: dict[str, Any] = {"embedding_dimension": hidden, "pooling_mode": pooling}
    else:
        config = {"word_embedding_dimension": hidden}
        config |= {each.flag: each.theirs == pooling for each in EVERY}
    _write(folder / "1_Pooling" / "config.json", config)
    if max_tokens:
        declared = {"max_seq_length": max_tokens, "do_lower_case": False}
        _write(folder / "sentence_bert_config.json", declared)
    if dense:
        outputs, _, activation = dense
        where = folder / f"2_Dense_{outputs}"
        shape = {"in_features": hidden, "out_features": outputs, "bias": True}
        _write(where / "config.json", shape | {"activation_function": activation})
        generator = torch.Generator().manual_seed(1)
        weight = torch.randn(outputs, hidden, generator=generator) * 0.2
        bias = torch.randn(outputs, generator=generator) * 0.1
        save_file({"linear.weight": weight, "linear.bias": bias}, where / "model.safetensors")


def _minilm(folder: Path, hidden: int) -> None:
    _bert_like(folder, hidden, "bert", word_pieces(pad_to=24))
    write_modules(folder, max_tokens=32, hidden=hidden)


def _mpnet(folder: Path, hidden: int) -> None:
    marks = ("<s>", "<pad>", "</s>", "[UNK]")
    pieces = word_pieces(marks=(marks[1], marks[3], marks[0], marks[2]))
    _bert_like(folder, hidden, "mpnet", pieces)
    write_modules(folder, hidden=hidden)


def _bert_base(folder: Path, hidden: int) -> None:
    _bert_like(folder, hidden, "bert", word_pieces())


def _distilbert(folder: Path, hidden: int) -> None:
    _bert_like(folder, hidden, "distilbert", word_pieces())


def _roberta(folder: Path, hidden: int) -> None:
    marks = ("<s>", "<pad>", "</s>", "<unk>")
    _bert_like(folder, hidden, "roberta", byte_pieces(marks, "<s> $A </s>"))


def _bge(folder: Path, hidden: int) -> None:
    _bert_like(folder, hidden, "bert", word_pieces())
    write_modules(folder, pooling="cls", hidden=hidden)


def _multilingual(folder: Path, hidden: int) -> None:
    _bert_like(folder, hidden, "bert", unigram_pieces())
    declared = json.loads((folder / "tokenizer_config.json").read_text())
    marks = {"pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>", "unk_token": "<unk>"}
    declared |= marks | {"tokenizer_class": "PreTrainedTokenizerFast"}
    _write(folder / "tokenizer_config.json", declared)
    write_modules(folder, normalize=False, hidden=hidden)


def _stella(folder: Path, hidden: int) -> None:
    """Write Qwen2 with stella's own class in `auto_map`, whose code is not there and never run."""
    from transformers import Qwen2Config, Qwen2Model

    pieces = byte_pieces(("<|endoftext|>",), None)
    config = Qwen2Config(
        vocab_size=pieces.get_vocab_size(),
        hidden_size=hidden,
        intermediate_size=64,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
    )
    model = Qwen2Model(config)
    _shake(model)
    end = "<|endoftext|>"
    _save(
        folder,
        model,
        pieces,
        tokenizer_class="Qwen2Tokenizer",
        model_max_length=128,
        add_eos_token=True,
        eos_token=end,
        pad_token=end,
        auto_map={"AutoTokenizer": ["tokenization_qwen.Qwen2Tokenizer", None]},
    )
    written = json.loads((folder / "config.json").read_text())
    written["auto_map"] = {"AutoModel": "modeling_qwen.Qwen2Model"}
    _write(folder / "config.json", written)
    identity = "torch.nn.modules.linear.Identity"
    write_modules(folder, normalize=False, dense=(1024, 2, identity), max_tokens=64, hidden=hidden)


def _write(path: Path, content: Any) -> None:  # noqa: ANN401 (any JSON)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")


_WRITERS = {
    "minilm": _minilm,
    "mpnet": _mpnet,
    "bert-base": _bert_base,
    "distilbert": _distilbert,
    "roberta-base": _roberta,
    "bge-large": _bge,
    "stella-1.5b": _stella,
    "multilingual-minilm": _multilingual,
}
