"""An encoder as a plain sentence-transformers folder.

The folder is written as sentence-transformers 2 wrote it, which its versions 3 to 6 all read.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from core.config import EncoderChoice
from core.encoder.adapters import has_adapters
from core.encoder.backbone import TransformersBackbone
from core.encoder.bert import Bert
from core.encoder.encoder import Encoder, load_encoder
from core.encoder.folder import read_folder
from core.encoder.hub import find_encoder
from core.encoder.precision import SELF_TEST_SENTENCES
from core.export.tokenizer import check_tokenizer, write_json, write_tokenizer
from core.model.model_folder import save_tensors
from core.pooling import flags_of

WEIGHTS = "model.safetensors"

_OLD_NAMES = {
    kind: f"sentence_transformers.models.{kind}"
    for kind in ("Transformer", "Pooling", "Dense", "Normalize")
}
_NEW_NAMES = {
    "Transformer": "sentence_transformers.base.modules.transformer.Transformer",
    "Pooling": "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
    "Dense": "sentence_transformers.base.modules.dense.Dense",
    "Normalize": "sentence_transformers.base.modules.normalize.Normalize",
}
"""For what only transformers 5 runs right, and so sentence-transformers 6: older ones stop."""


def write_encoder(encoder: Encoder, folder: Path) -> None:
    """Write an encoder as sentence-transformers lays it out.

    Args:
        encoder: In exact precision.
        folder: There, and empty.

    Raises:
        ValueError: If its weights are not fp32, as in fast precision, it has adapters that were
            not merged, or transformers reads its tokenizer otherwise.
    """
    if encoder.precision != "exact":
        raise ValueError(f"{encoder.name} is in fast precision: export the exact one")
    if has_adapters(encoder.backbone):
        raise ValueError(f"{encoder.name} has adapters that were not merged: train it to the end")
    found = read_folder(find_encoder(encoder.name)[0])
    _write_transformer(encoder, found.transformer, found.config, folder)
    write_tokenizer(encoder.tokenizer, found.transformer, found.config, folder)
    check_tokenizer(encoder.tokenizer, folder)
    _write_modules(encoder, folder)
    limits = {"max_seq_length": encoder.max_tokens, "do_lower_case": False}
    write_json(folder / "sentence_bert_config.json", limits)
    settings = {
        "prompts": encoder.prompts,
        "default_prompt_name": None,
        "similarity_fn_name": "cosine",
    }
    write_json(folder / "config_sentence_transformers.json", settings)


def _write_modules(encoder: Encoder, folder: Path) -> None:
    """Write what follows the transformer, and the list of all modules."""
    kinds = [("Transformer", ""), ("Pooling", "1_Pooling")]
    pooling: dict[str, Any] = {"word_embedding_dimension": encoder.hidden}
    pooling |= {**flags_of(encoder.pooling), "include_prompt": True}
    write_json(folder / "1_Pooling" / "config.json", pooling)
    for projection in encoder.projections:
        kinds.append(("Dense", f"{len(kinds)}_Dense"))
        linear, activation = projection.linear, type(projection.activation)
        shape = {
            "in_features": linear.in_features,
            "out_features": linear.out_features,
            "bias": linear.bias is not None,
            "activation_function": f"{activation.__module__}.{activation.__qualname__}",
        }
        write_json(folder / kinds[-1][1] / "config.json", shape)
        tensors = {f"linear.{name}": each for name, each in linear.state_dict().items()}
        save_tensors(tensors, folder / kinds[-1][1] / WEIGHTS)
    if encoder.normalized:
        kinds.append(("Normalize", f"{len(kinds)}_Normalize"))
    names = _NEW_NAMES if reads_both_ways(encoder) else _OLD_NAMES
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": names[kind]}
        for i, (kind, path) in enumerate(kinds)
    ]
    write_json(folder / "modules.json", modules)


def _write_transformer(
    encoder: Encoder, source: Path, config: Mapping[str, Any], folder: Path
) -> None:
    """Write weights and configuration by transformers' own names, poolers as they were.

    The configuration is the source's, as older versions of transformers do not know the fields
    that newer ones rename.
    """
    poolers = pooler_weights(source)
    backbone = encoder.backbone
    written = {k: v for k, v in config.items() if k not in ("auto_map", "_name_or_path", "dtype")}
    if isinstance(backbone, Bert):
        save_tensors({**backbone.state_dict(), **poolers}, folder / WEIGHTS)
        written |= {"architectures": ["BertModel"], "num_hidden_layers": encoder.layers}
    else:
        _save_with_transformers(backbone, poolers, folder)
        written |= _own_fields(backbone)
    write_json(folder / "config.json", {**written, "torch_dtype": "float32"})


def _save_with_transformers(
    backbone: TransformersBackbone, poolers: Mapping[str, Tensor], folder: Path
) -> None:
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        whole = {**backbone.model.state_dict(), **poolers}
        whole = {name: each.detach().cpu().contiguous() for name, each in whole.items()}
        model: Any = backbone.model
        model.save_pretrained(folder, state_dict=whole, max_shard_size="1000GB")
    finally:
        if bars:
            logging.enable_progress_bar()


def _own_fields(backbone: TransformersBackbone) -> dict[str, Any]:
    """Give the fields of a configuration that depend on what was done to the model."""
    model: Any = backbone.model
    config = model.config
    names = getattr(config, "attribute_map", {})
    fields: dict[str, Any] = {
        "architectures": [type(model).__name__],
        names.get("num_hidden_layers", "num_hidden_layers"): backbone.layer_count,
    }
    if getattr(config, "layer_types", None):
        fields["layer_types"] = list(config.layer_types)
    if getattr(config, "is_causal", True) is False:
        fields["is_causal"] = False
    rope = getattr(config, "rope_parameters", None)
    if isinstance(rope, Mapping) and "rope_theta" in rope:
        fields["rope_theta"] = rope["rope_theta"]  # where transformers 4 looks for it
    return fields


def pooler_weights(source: Path) -> dict[str, Tensor]:
    """Read the pooler of a transformer's folder, by the names that a model has by itself.

    No embedding passes through it, but a model loaded without one gives out a warning that it
    must be trained.
    """
    found: dict[str, Tensor] = {}
    for path in sorted(source.glob("model*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 (a safetensors file is no mapping)
                if name.startswith("pooler.") or ".pooler." in name:
                    own = name[name.index("pooler.") :]
                    found[own] = file.get_tensor(name).to(torch.float32)
    return found


def read_back(encoder: Encoder, folder: Path) -> Encoder:
    """Load what was written, and compare.

    Raises:
        ValueError: If it cannot be loaded or gives other embeddings.
    """
    loaded = load_encoder(EncoderChoice(name=str(folder), device="cpu"), threads=encoder.threads)
    wanted = encoder.encode(SELF_TEST_SENTENCES).vectors  # (sentences, dimension)
    found = loaded.encode(SELF_TEST_SENTENCES).vectors  # (sentences, dimension)
    if wanted.shape != found.shape or not torch.allclose(wanted, found, rtol=1e-3, atol=1e-4):
        raise ValueError(
            f"{encoder.name} cannot be written as a sentence-transformers folder: read back, it "
            "gives other embeddings"
        )
    return loaded


def reads_both_ways(encoder: Encoder) -> bool:
    """Tell whether an encoder is a decoder's family read in both directions."""
    return encoder.is_told_both_ways
