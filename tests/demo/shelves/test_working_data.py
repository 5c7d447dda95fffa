"""Which data a visitor works with: kept apart, bounded, and gone when they are."""

import threading
from pathlib import Path

import pytest

from core.config import DataChoice
from core.data.dataset import read_dataset
from demo.shelves import working_data
from demo.shelves.working_data import (
    CORPUS,
    DataShelf,
    TooMuchError,
    WorkingData,
)

CSV = "text,mood\nIt rains.,bad\nThe sun is out.,good\nSnow again.,bad\nA mild day.,good\n"


def uploaded(folder: Path, text: str = CSV, name: str = "moods.csv") -> str:
    """Lay a file where Gradio would: in a folder of its own."""
    place = folder / f"upload-{len(list(folder.iterdir()))}"
    place.mkdir()
    (place / name).write_text(text, encoding="utf-8")
    return str(place / name)


def test_the_corpus_is_what_a_visitor_begins_with() -> None:
    data = WorkingData()
    assert data.is_corpus
    assert data.name == CORPUS
    assert DataShelf().get(data) == read_dataset(DataChoice(source=CORPUS))


def test_an_upload_is_moved_away_from_where_it_is_served(tmp_path: Path) -> None:
    shelf, path = DataShelf(), uploaded(tmp_path)
    data = shelf.take(path, "ann")
    assert not Path(path).parent.exists(), "its folder goes with it"
    assert data.name == "moods.csv"
    assert len(data.id) >= 20
    folder = Path(data.choice.source).parent
    assert folder.parent.stat().st_mode & 0o077 == 0, "for this user alone"
    assert [task.name for task in shelf.get(data).tasks] == ["mood"]


def test_what_is_read_once_is_at_hand(tmp_path: Path) -> None:
    shelf = DataShelf()
    data = shelf.take(uploaded(tmp_path), "ann")
    assert shelf.get(data) is shelf.get(data)
    other = data.reading(DataChoice(source="/etc/passwd", label_columns=("feeling=mood",)))
    assert other.choice.source == data.choice.source, "a choice never names another file"
    assert [task.name for task in shelf.get(other).tasks] == ["feeling"]


def test_a_visitors_files_go_with_their_page_and_nobody_elses(tmp_path: Path) -> None:
    shelf = DataShelf()
    ann, bob = (shelf.take(uploaded(tmp_path), name) for name in ("ann", "bob"))
    assert ann.id != bob.id
    shelf.get(ann)
    shelf.keep_only("ann")
    with pytest.raises(ValueError, match=r"moods\.csv is not kept here any more.*upload it again"):
        shelf.get(ann)
    assert not Path(ann.choice.source).exists()
    assert shelf.get(bob).name == "moods.csv"


def test_what_is_still_wanted_stays(tmp_path: Path) -> None:
    shelf = DataShelf()
    first, second, third = (shelf.take(uploaded(tmp_path), "ann") for _ in range(3))
    shelf.keep_only("ann", first, third)
    assert shelf.get(first)
    assert shelf.get(third)
    with pytest.raises(ValueError, match="not kept"):
        shelf.get(second)


def test_an_id_that_nobody_was_given_opens_nothing(tmp_path: Path) -> None:
    shelf = DataShelf()
    data = shelf.take(uploaded(tmp_path), "ann")
    forged = WorkingData(id="guess", choice=data.choice)
    with pytest.raises(ValueError, match="not kept"):
        shelf.get(forged)


def test_the_oldest_file_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working_data, "MOST_FILES", 2)
    shelf = DataShelf()
    first, second = (shelf.take(uploaded(tmp_path), name) for name in ("ann", "bob"))
    shelf.get(first)  # used since
    third = shelf.take(uploaded(tmp_path), "cy")
    assert shelf.get(first)
    assert shelf.get(third)
    with pytest.raises(ValueError, match="not kept"):
        shelf.get(second)


def test_files_are_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working_data, "MOST_FILE_BYTES", len(CSV) + 10)
    shelf = DataShelf()
    first, second = (shelf.take(uploaded(tmp_path), name) for name in ("ann", "bob"))
    with pytest.raises(ValueError, match="not kept"):
        shelf.get(first)
    assert shelf.get(second), "one file always has its place"


def test_what_is_held_is_bounded_and_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working_data, "MOST_HELD", 1)
    shelf = DataShelf()
    first, second = (shelf.take(uploaded(tmp_path), name) for name in ("ann", "bob"))
    before = shelf.get(first)
    shelf.get(second)
    again = shelf.get(first)
    assert again == before
    assert again is not before


def test_more_than_a_page_holds_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working_data, "MOST_ROWS", 3)
    shelf = DataShelf()
    data = shelf.take(uploaded(tmp_path), "ann")
    with pytest.raises(TooMuchError, match=r"has 4 rows and .* must be at most 3 .*python -m core"):
        shelf.get(data)


def test_a_broken_file_is_tried_again_and_told_each_time(tmp_path: Path) -> None:
    shelf = DataShelf()
    data = shelf.take(uploaded(tmp_path, 'text,mood\n"never closed,bad\n'), "ann")
    for _ in range(2):
        with pytest.raises(ValueError, match="line 2 is not CSV"):
            shelf.get(data)


def test_two_who_ask_at_once_are_answered_by_one_reading(tmp_path: Path) -> None:
    shelf, made = DataShelf(), list[int]()
    data = shelf.take(uploaded(tmp_path), "ann")
    begun, go_on = threading.Event(), threading.Event()

    def make() -> int:
        begun.set()
        go_on.wait(5)
        made.append(1)
        return len(made)

    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(shelf.made("slow", data, make)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    assert begun.wait(5)
    go_on.set()
    for thread in threads:
        thread.join(5)
    assert answers == [1, 1]


def test_a_file_taken_away_meanwhile_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no longer here: upload it again"):
        DataShelf().take(str(tmp_path / "gone.csv"), "ann")


def test_the_corpus_has_no_folder_to_write_to() -> None:
    with pytest.raises(ValueError, match="ships with Thaw"):
        DataShelf().folder_of(WorkingData())
