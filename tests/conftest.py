"""Fixtures for all tests: tiny real models in the layouts of the hub, and the built-in encoder."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ["HF_HUB_OFFLINE"] = "1"  # before huggingface_hub is imported: no test is online

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from core.encoder.encoder import Encoder, load_encoder
from tests.tiny_models import FAMILIES, save_family

settings.register_profile("thaw", deadline=None, max_examples=40)
settings.load_profile("thaw")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep self-test results out of the home folder."""
    before = os.environ.get("THAW_CACHE_DIR")
    os.environ["THAW_CACHE_DIR"] = str(tmp_path_factory.mktemp("thaw-cache"))
    yield
    if before is None:
        del os.environ["THAW_CACHE_DIR"]
    else:
        os.environ["THAW_CACHE_DIR"] = before


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a folder with a tiny random model of a family, built once per session."""
    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            assert family in FAMILIES
            made[family] = save_family(family, tmp_path_factory.mktemp(family))
        return made[family]

    return folder


@pytest.fixture(scope="session")
def tiny_encoder(family_folder: Callable[[str], Path]) -> Encoder:
    """Return a real three-layer BERT encoder with random weights."""
    return load_encoder(str(family_folder("minilm")))


@pytest.fixture(scope="session")
def default_encoder() -> Encoder:
    """Return the built-in encoder, loaded once."""
    return load_encoder("minilm")
