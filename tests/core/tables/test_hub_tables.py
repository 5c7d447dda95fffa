from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import HfApi, RepoFile

from core.config import DataChoice
from core.data.dataset import read_dataset
from core.tables.hub_tables import CONVERTED, hub_file, is_hub_name


@pytest.fixture(autouse=True)
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point the hub's library at an empty cache."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def put_in_cache(cache: Path, *paths: str) -> Path:
    """Lay files of a data set into a cache exactly as the hub's library keeps them."""
    place = cache / "datasets--somebody--moods"
    revision = "0123456789abcdef0123456789abcdef01234567"
    ref = place / "refs" / CONVERTED
    ref.parent.mkdir(parents=True)
    ref.write_text(revision)
    about = b'{"info": {"features": {"mood": {"names": ["bad", "good"], "_type": "ClassLabel"}}}}'
    table = pa.table({"text": ["No.", "Yes!", "Well."], "mood": [0, 1, -1]})
    for path in paths:
        target = place / "snapshots" / revision / path
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.replace_schema_metadata({"huggingface": about}), target)
    return place / "snapshots" / revision


def listing(monkeypatch: pytest.MonkeyPatch, files: dict[str, int]) -> None:
    """Let the hub, which no test asks, answer with these files."""
    entries = [
        RepoFile(path=path, size=size, oid="0", lastCommit=None, security=None)
        for path, size in files.items()
    ]
    monkeypatch.setattr(HfApi, "list_repo_tree", lambda *_, **__: iter(entries))


def test_a_data_set_in_the_cache_is_read_by_its_name_with_its_labels_names(
    hub_cache: Path,
) -> None:
    put_in_cache(hub_cache, "default/train/0000.parquet", "default/test/0000.parquet")
    data = read_dataset(DataChoice(source="somebody/moods", label_columns=("mood",)))
    assert data.tasks[0].labels == ("bad", "good")
    assert [example.labels.get("mood") for example in data.examples] == ["bad", "good", None]
    assert data.notes[0] == "somebody/moods is read from the Hugging Face Hub: its training rows"


def test_offline_a_data_set_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(
        ValueError, match=r"there is no file somebody/moods, and no data set .* give a file, or"
    ) as caught:
        read_dataset(DataChoice(source="somebody/moods"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"default/train/0000.parquet": 2_000}, r"has 2,000 bytes of training rows, must be at mo"),
        ({"default/test/0000.parquet": 10}, r"has 0 tables of training rows on the hub \(none\)"),
        ({"a/train/0000.parquet": 1, "b/train/0000.parquet": 1}, r"has 2 tables .* \('a', 'b'\)"),
        ({f"a/partial-train/000{n}.parquet": 1 for n in range(2)}, r"training rows in 2 files"),
    ],
)
def test_what_is_not_one_small_table_is_refused_before_it_is_fetched(
    files: dict[str, int], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing(monkeypatch, files)
    with pytest.raises(ValueError, match=message):
        hub_file("somebody/moods", 1_000)


def test_of_several_tables_the_default_one_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    listing(monkeypatch, {"b/train/0000.parquet": 1, "default/train/0000.parquet": 1})
    asked: list[Any] = []

    def fetch(name: str, path: str, **_: object) -> str:
        asked.append((name, path))
        raise OSError("the line is dead\nreally")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    with pytest.raises(RuntimeError, match=r"^the download of .* broke off \(the line is dead\)"):
        hub_file("somebody/moods", 1_000)
    assert asked == [("somebody/moods", "default/train/0000.parquet")]


@pytest.mark.parametrize(
    ("source", "may_be"),
    [
        ("somebody/moods", True),
        ("data.csv", False),
        ("folder/data.csv", False),
        ("/tmp/moods", False),
        ("a/b/c", False),
        ("../moods", False),
        ("tests/core", False),
    ],
)
def test_a_path_is_not_taken_for_a_name_of_the_hub(source: str, may_be: bool) -> None:
    assert is_hub_name(source) is may_be
