"""What a model folder on disk says of itself: which modules, which pooling, which limits.

Reads what sentence-transformers 2 to 6 write, and any plain transformers encoder. Nothing in a
folder is ever run: a module whose code would come with the folder is refused, weights are
safetensors, and no path may leave the folder.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.pooling import declared_pooling

_ACTIVATIONS = ("Identity", "Tanh", "ReLU", "GELU", "SiLU", "Sigmoid")


@dataclass(frozen=True, kw_only=True)
class DenseShape:
    """One projection after pooling.

    Attributes:
        folder: Where its weights lie.
        inputs: Numbers it takes.
        outputs: Numbers it gives.
        bias: Whether it adds a bias.
        activation: A class name in `torch.nn`.
    """

    folder: Path
    inputs: int
    outputs: int
    bias: bool
    activation: str


@dataclass(frozen=True, kw_only=True)
class ModelFolder:
    """A model folder, read but not loaded.

    Attributes:
        root: The folder itself.
        transformer: Where the transformer and its tokenizer lie.
        config: The transformer's `config.json`.
        pooling: One of `core.config.POOLINGS`, or None where the folder names none.
        dense: Projections after pooling, in order.
        normalized: Whether embeddings get length one.
        max_tokens: The limit it declares, or None.
        lower_case: Whether texts are lower-cased first.
        prompts: Text put before a query, by use.
    """

    root: Path
    transformer: Path
    config: Mapping[str, Any]
    pooling: str | None = None
    dense: tuple[DenseShape, ...] = ()
    normalized: bool = False
    max_tokens: int | None = None
    lower_case: bool = False
    prompts: Mapping[str, str] = field(default_factory=dict)


def read_folder(root: Path) -> ModelFolder:
    """Read what a model folder declares.

    Args:
        root: A folder in sentence-transformers' layout, or with a transformer's `config.json`.

    Raises:
        ValueError: If it is no model folder, or holds what Thaw does not run; the sentence says
            which file and why.
    """
    if not root.is_dir():
        raise ValueError(f"there is no folder {root}")
    if not (root / "modules.json").is_file():
        if not (root / "config.json").is_file():
            raise ValueError(f"{root} is no model folder: it has no modules.json or config.json")
        config = _read_object(root / "config.json")
        return ModelFolder(
            root=root, transformer=root, config=config, max_tokens=_positions(config)
        )
    return _read_modules(root)


def _read_modules(root: Path) -> ModelFolder:
    transformer, pooling, normalized = root, None, False
    dense: list[DenseShape] = []
    kinds: list[str] = []
    for module in _read_list(root / "modules.json"):
        kind, path = _module(root, module)
        if kinds and kinds[-1] == "Normalize":
            raise ValueError(f"{root}: {kind} after Normalize is an order that Thaw does not run")
        kinds.append(kind)
        if kind == "Transformer":
            transformer = path
        elif kind == "Pooling":
            pooling = _read_pooling(path / "config.json")
        elif kind == "Dense":
            dense.append(_read_dense(path))
        else:
            normalized = True
    if kinds[:2] != ["Transformer", "Pooling"] or kinds.count("Transformer") > 1:
        raise ValueError(f"{root}: modules are {kinds}, must start with Transformer, Pooling")
    config = _read_object(transformer / "config.json")
    settings = _read_optional(transformer / "sentence_bert_config.json")
    return ModelFolder(
        root=root,
        transformer=transformer,
        config=config,
        pooling=pooling,
        dense=tuple(dense),
        normalized=normalized,
        max_tokens=settings.get("max_seq_length") or _positions(config),
        lower_case=bool(settings.get("do_lower_case", False)),
        prompts=_prompts(root),
    )


def _module(root: Path, module: object) -> tuple[str, Path]:
    """Return a module's kind and folder; its class may only be sentence-transformers' own."""
    module = module if isinstance(module, dict) else {}
    declared = module.get("type")
    if not isinstance(declared, str):
        raise ValueError(f"{root / 'modules.json'}: each module needs a type")
    package, kind = declared.split(".")[0], declared.split(".")[-1]
    if package != "sentence_transformers":
        raise ValueError(f"{root} asks for code of its own ({declared}), which Thaw never runs")
    if kind not in ("Transformer", "Pooling", "Dense", "Normalize"):
        raise ValueError(
            f"{root} has a module {kind}; Thaw runs Transformer, Pooling, Dense and Normalize"
        )
    path = (root / str(module.get("path", ""))).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ValueError(f"{root / 'modules.json'}: {module.get('path')!r} leaves the folder")
    return kind, path


def _read_pooling(path: Path) -> str:
    try:
        return declared_pooling(_read_object(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _read_dense(folder: Path) -> DenseShape:
    config = _read_object(folder / "config.json")
    activation = str(config.get("activation_function", "torch.nn.modules.activation.Tanh"))
    kind = activation.split(".")[-1]
    if not activation.startswith("torch.nn.") or kind not in _ACTIVATIONS:
        allowed = ", ".join(_ACTIVATIONS)
        raise ValueError(f"{folder}: activation is {activation}, must be torch's {allowed}")
    if config.get("use_residual"):
        raise ValueError(f"{folder}: a Dense with a residual is not something Thaw runs")
    names = (config.get("module_input_name"), config.get("module_output_name"))
    if any(name not in (None, "sentence_embedding") for name in names):
        raise ValueError(f"{folder}: a Dense on {names[0]} is not something Thaw runs")
    try:
        inputs, outputs = int(config["in_features"]), int(config["out_features"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder}: in_features and out_features must be whole numbers") from error
    bias = bool(config.get("bias", True))
    return DenseShape(folder=folder, inputs=inputs, outputs=outputs, bias=bias, activation=kind)


def _prompts(root: Path) -> dict[str, str]:
    declared = _read_optional(root / "config_sentence_transformers.json").get("prompts") or {}
    return {str(use): str(text) for use, text in declared.items() if text}


def _positions(config: Mapping[str, Any]) -> int | None:
    """Read how many tokens fit; RoBERTa's and MPNet's tables start after the padding index."""
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int):
        return None
    offset = config.get("model_type") in ("roberta", "xlm-roberta", "camembert", "mpnet")
    return positions - 2 if offset else positions


def _read_optional(path: Path) -> dict[str, Any]:
    return _read_object(path) if path.is_file() else {}


def _read_object(path: Path) -> dict[str, Any]:
    found = _read(path)
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds a {type(found).__name__}, must be a JSON object")
    return found


def _read_list(path: Path) -> list[Any]:
    found = _read(path)
    if not isinstance(found, list):
        raise ValueError(f"{path} holds a {type(found).__name__}, must be a JSON list")
    return found


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing, so this is no model folder") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}") from error
