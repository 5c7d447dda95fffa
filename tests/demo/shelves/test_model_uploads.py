import base64
import io
import json
import time
import zipfile
from pathlib import Path

import pytest

from core.model.model_folder import SHIPPED, load_model
from demo.shelves import model_uploads
from demo.shelves.model_uploads import MOST_BYTES, ModelUploads
from demo.train.archive import zip_piece


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, data in files.items():
            file.writestr(name, data)
    return out.getvalue()


def shipped() -> dict[str, bytes]:
    return {f"model/{path.name}": path.read_bytes() for path in SHIPPED.iterdir()}


def bring(uploads: ModelUploads, data: bytes, piece: int = 2_000_000) -> Path:
    name, whole = "", False
    for at in range(0, len(data), piece):
        part = base64.b64encode(data[at : at + piece]).decode()
        name, whole = uploads.put(name, len(data), part)
    assert whole
    return uploads.open(name)


def test_a_model_that_was_taken_away_can_be_brought_back(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for path in SHIPPED.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    data, size = b"", 1
    while len(data) < size:
        found = zip_piece(folder, "model", len(data))
        data, size = data + base64.b64decode(found["piece"]), found["size"]
    uploads = ModelUploads(local=False)
    opened = bring(uploads, data)
    assert {path.name for path in opened.iterdir()} == {path.name for path in SHIPPED.iterdir()}
    assert load_model(opened).tasks == load_model(SHIPPED).tasks


@pytest.mark.parametrize(
    "name",
    [
        "model/weights.bin",
        "model/pytorch_model.pt",
        "../../evil.py",
        "model/thaw.json.pkl",
        "/etc/x",
    ],
)
def test_a_zip_with_anything_else_in_it_is_refused_whole(name: str) -> None:
    uploads = ModelUploads(local=True)
    with pytest.raises(ValueError, match=r"must hold nothing but: thaw\.json"):
        bring(uploads, zipped({**shipped(), name: b"x"}))
    assert list(uploads._folder.path.iterdir()) == [], "nothing of it is left"


def test_names_with_folders_never_leave_the_folder() -> None:
    files = {f"../../{name.rpartition('/')[2]}": data for name, data in shipped().items()}
    uploads = ModelUploads(local=True)
    folder = bring(uploads, zipped(files))
    assert {path.name for path in folder.iterdir()} == {path.name for path in SHIPPED.iterdir()}


def test_an_encoder_that_a_stranger_names_is_never_looked_for() -> None:
    document = json.loads((SHIPPED / "thaw.json").read_text("utf-8"))
    document["encoder"]["name"] = "/root/secret"
    data = zipped({**shipped(), "model/thaw.json": json.dumps(document).encode()})
    with pytest.raises(ValueError, match="must lie on an encoder of the catalogue"):
        bring(ModelUploads(local=False), data)


def test_what_is_too_large_too_many_or_broken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    uploads = ModelUploads(local=True)
    with pytest.raises(ValueError, match="must have at most 120"):
        uploads.put("", MOST_BYTES + 1, "")
    with pytest.raises(ValueError, match="no zip of a model folder"):
        bring(uploads, b"this is text")
    with pytest.raises(ValueError, match="longer than was said"):
        uploads.put("", 1, base64.b64encode(b"two").decode())
    with pytest.raises(ValueError, match="is broken"):
        uploads.put("", 5, "not base64!")
    with pytest.raises(ValueError, match="not being opened any more"):
        uploads.put("guessed", 5, "")
    bomb = zipped({"model/thaw.json": b"0" * 5_000})
    monkeypatch.setattr(model_uploads, "MOST_BYTES", 1_000)
    with pytest.raises(ValueError, match="holds more than"):
        model_uploads.unpack(_written(uploads, bomb), Path("nowhere"))
    for _ in range(model_uploads.MOST_AT_ONCE - len(uploads._uploads.items())):
        uploads.put("", 5, "")
    with pytest.raises(ValueError, match="others are opening models"):
        uploads.put("", 5, "")
    hasty = ModelUploads(local=True, idle_seconds=0.2)
    for _ in range(model_uploads.MOST_AT_ONCE):
        hasty.put("", 5, "")
    time.sleep(0.25)
    assert hasty.put("", 5, "")[0], "those that nobody went on with have made room"


def _written(uploads: ModelUploads, data: bytes) -> Path:
    path = uploads._folder.path / "bomb.zip"
    path.write_bytes(data)
    return path
