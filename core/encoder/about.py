"""What there is here: versions, devices, threads, the encoder, and what self-tests found."""

import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from core.config import EncoderChoice
from core.encoder.catalogue import CATALOGUE, EncoderSpec, find_spec
from core.encoder.encoder import FEW_SENTENCES, Encoder, load_encoder
from core.encoder.hub import BUILT_IN, cached_folder
from core.encoder.precision import SELF_TEST_SENTENCES, kept_fast_mode
from core.system import machine

PACKAGES = (
    *("torch", "transformers", "tokenizers", "safetensors", "huggingface_hub", "numpy"),
    *("gradio", "typer", "rich"),
)


def info_document(
    choice: EncoderChoice, *, threads: int | None = None, self_test: bool = False
) -> dict[str, Any]:
    """Describe this machine and an encoder on it. Nothing is downloaded.

    Args:
        choice: The encoder. One that is not on this machine is described by the catalogue.
        threads: As `load_encoder` takes it.
        self_test: Whether to measure what has not been measured yet, which takes seconds.

    Returns:
        `{versions, machine, devices, device, cores, threads, encoder, fast, catalogue, kept}`.

    Raises:
        ValueError: If there is no such encoder, or a self-test is asked of one that is not here.
    """
    spec = find_spec(choice.name)
    encoder = load_encoder(choice, threads=threads) if is_here(choice.name) else None
    if encoder is None and spec is None:
        _refuse(choice)
    if self_test and encoder is None:
        raise ValueError(f"{choice.name} is not on this machine: a self-test needs its weights")
    if self_test and encoder is not None:
        measure(encoder)
    return {
        "versions": machine.versions(PACKAGES),
        "machine": machine.machine_name(),
        "devices": devices(),
        "device": choice.device or machine.best_device(),
        "cores": machine.usable_cores(),
        "threads": _threads(encoder, threads),
        "encoder": _described(spec) if encoder is None else encoder_facts(encoder),
        "fast": None if encoder is None else _fast(encoder),
        "catalogue": [_listed(each) for each in CATALOGUE],
        "kept": str(machine.kept_results()),
    }


def _refuse(choice: EncoderChoice) -> None:
    """Say why nothing is known of an encoder."""
    if "/" in choice.name:
        raise ValueError(
            f"the encoder {choice.name} is not on this machine, and info downloads nothing: "
            f"run `hf download {choice.name}`, or give a model folder"
        )
    load_encoder(choice)  # which says what names there are


def is_here(name: str) -> bool:
    """Say whether an encoder can be loaded without a download."""
    spec = find_spec(name)
    if spec is not None:
        return spec.name == BUILT_IN or cached_folder(spec.hub_id) is not None
    if Path(name).expanduser().is_dir():
        return True
    return name.count("/") == 1 and not name.startswith(("/", ".", "~")) and _in_cache(name)


def _in_cache(hub_id: str) -> bool:
    from huggingface_hub.errors import HFValidationError

    try:
        return cached_folder(hub_id) is not None
    except HFValidationError:
        return False


def measure(encoder: Encoder) -> None:
    """Run the self-tests that an encoder would run when they are first needed."""
    if encoder.threads is None:
        repeated = SELF_TEST_SENTENCES * (FEW_SENTENCES // len(SELF_TEST_SENTENCES) + 1)
        encoder.encode([f"{number} {text}" for number, text in enumerate(repeated)])
    encoder.fast_mode()


def devices() -> list[dict[str, Any]]:
    """List the devices that torch can use here: `{name, label, memory_bytes?}`."""
    found: list[dict[str, Any]] = [{"name": "cpu", "label": platform.machine()}]
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        card = torch.cuda.get_device_properties(index)
        card_facts = {"label": card.name, "memory_bytes": card.total_memory}
        found.append({"name": f"cuda:{index}", **card_facts})
    if torch.backends.mps.is_available():
        found.append({"name": "mps", "label": "Apple GPU"})
    return found


def encoder_facts(encoder: Encoder) -> dict[str, Any]:
    """Describe an encoder that is loaded."""
    spec = encoder.spec
    return {
        "name": encoder.name,
        "hub_id": spec.hub_id if spec else None,
        "loaded": True,
        "layers": encoder.layers,
        "dimension": encoder.dimension,
        "parameters": encoder.parameter_count,
        "pooling": encoder.pooling,
        "normalized": encoder.normalized,
        "max_tokens": encoder.max_tokens,
        "prompts": dict(encoder.prompts),
        "device": str(encoder.device),
        "licence": spec.licence if spec else None,
    }


def _described(spec: EncoderSpec | None) -> dict[str, Any] | None:
    """Describe an encoder that is not here by what the catalogue knows."""
    if spec is None:
        return None
    names = ("name", "hub_id", "layers", "dimension", "parameters", "pooling", "normalized")
    facts = asdict(spec)
    described = {name: facts[name] for name in (*names, "max_tokens", "prompts", "licence")}
    return {**described, "loaded": False, "download_megabytes": spec.download_megabytes}


def _listed(spec: EncoderSpec) -> dict[str, Any]:
    return {**asdict(spec), "here": is_here(spec.name)}


def _threads(encoder: Encoder | None, asked: int | None) -> dict[str, Any]:
    kept = machine.recall(encoder.threads_key) if encoder is not None else None
    many = asked if asked is not None else int(kept["threads"]) if kept else None
    return {"few_sentences": asked or torch.get_num_threads(), "many_sentences": many}


def _fast(encoder: Encoder) -> dict[str, Any]:
    mode = kept_fast_mode(encoder.fast_key)
    if mode is None:
        return {"measured": False}
    return {"measured": True, "offered": mode.offered, **asdict(mode)}
