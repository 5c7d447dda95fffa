import shutil
from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import pytest

import core.encoder.hub
from core.encoder.encoder import load_encoder
from core.encoder.hub import built_in_folder, find_encoder


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point the hub's library at an empty cache."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def put_in_cache(cache: Path, hub_id: str, folder: Path) -> Path:
    """Lay a model into a cache exactly as the hub's library keeps it."""
    place = cache / ("models--" + hub_id.replace("/", "--"))
    revision = "0123456789abcdef0123456789abcdef01234567"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(revision)
    return Path(shutil.copytree(folder, place / "snapshots" / revision))


def test_the_built_in_encoder_is_found_without_a_network() -> None:
    path, spec = find_encoder("minilm")
    assert path == built_in_folder()
    assert spec is not None
    assert find_encoder("sentence-transformers/all-MiniLM-L6-v2")[0] == path


def test_weights_that_are_not_the_published_ones_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(core.encoder.hub, "BUILT_IN_SHA256", "0" * 64)
    built_in_folder.cache_clear()
    with pytest.raises(ValueError, match=r"have SHA-256 53aa51172d1.* must be 0000"):
        built_in_folder()
    built_in_folder.cache_clear()


@pytest.mark.parametrize("asked", ["somebody/some-encoder", "mpnet", "stella-1.5b"])
def test_a_hub_name_that_is_not_in_the_cache_is_one_sentence_with_the_way_to_get_it(
    asked: str, hub_cache: Path
) -> None:
    with pytest.raises(
        ValueError, match=r"is not in the cache .* run `hf download \S+/\S+`"
    ) as caught:
        find_encoder(asked)
    assert asked in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(hub_cache.glob("models--*/snapshots/*"))


@pytest.mark.parametrize("asked", ["somebody/some-encoder", "bge-large"])
def test_a_model_in_the_cache_is_used_without_asking_the_hub(
    asked: str, hub_cache: Path, family_folder: Callable[[str], Path]
) -> None:
    hub_id = "BAAI/bge-large-en-v1.5" if asked == "bge-large" else asked
    place = put_in_cache(hub_cache, hub_id, family_folder("bge-large"))
    assert find_encoder(asked)[0] == place
    encoder = load_encoder(asked)
    assert encoder.pooling == "cls"
    assert bool(encoder.prompts) == (asked == "bge-large")


@pytest.mark.parametrize("asked", ["no such encoder", "../no/where", "a/b/c", "C:\\models"])
def test_a_name_that_can_be_nothing_lists_what_there_is(asked: str) -> None:
    with pytest.raises(ValueError, match=r"give one of minilm, mpnet, .* a model folder, or a hub"):
        find_encoder(asked)


def test_a_folder_is_found_as_given(family_folder: Callable[[str], Path]) -> None:
    folder = family_folder("bert-base")
    assert find_encoder(str(folder)) == (folder, None)
