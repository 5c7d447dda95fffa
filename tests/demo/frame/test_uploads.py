import os
from pathlib import Path

import gradio as gr

from demo.frame.uploads import EMPTY_SECONDS, Uploads

MINE, OTHER = gr.Request(session_hash="mine"), gr.Request(session_hash="other")


def upload(cache: Path, folder: str, name: str = "a.csv") -> str:
    path = cache / folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("text\nIt rained.\n")
    return str(path)


def test_the_file_before_goes_when_another_comes_and_the_last_with_the_page(tmp_path: Path) -> None:
    uploads = Uploads()
    first, second = upload(tmp_path, "one"), upload(tmp_path, "two")
    uploads.keep(first, MINE)
    uploads.keep(second, MINE)
    assert [path.name for path in tmp_path.iterdir()] == ["two"]
    uploads.keep(second, MINE)  # read again, with another column
    assert Path(second).is_file()
    uploads.remove(MINE)
    assert list(tmp_path.iterdir()) == []
    uploads.remove(MINE)


def test_a_file_that_another_page_uploaded_too_stays_for_it(tmp_path: Path) -> None:
    uploads, path = Uploads(), upload(tmp_path, "same")
    uploads.keep(path, MINE)
    uploads.keep(path, OTHER)
    uploads.remove(MINE)
    assert Path(path).is_file()
    uploads.remove(OTHER)
    assert not Path(path).exists()


def test_the_empty_files_that_gradio_leaves_are_swept_when_they_are_old(tmp_path: Path) -> None:
    old, young, full = (tmp_path / name for name in ("tmpold", "tmpyoung", "tmpfull"))
    for path in (old, young, full):
        path.write_text("x" if path is full else "")
    for path in (old, full):
        os.utime(path, (0, path.stat().st_mtime - EMPTY_SECONDS - 1))
    Uploads().keep(upload(tmp_path, "one"), MINE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "tmpfull", "tmpyoung"]
