"""Exports in the hands of others: older sentence-transformers, and onnxruntime."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core.config import MIX, POOLINGS, EncoderChoice
from core.encoder.encoder import load_encoder
from core.encoder.shortening import shortened
from core.export.model import ExportChoice, export_model
from core.model.prediction import predict
from tests.throwaway import environment
from tests.tiny_models import FAMILIES, TEXTS
from tests.tiny_tasks import HOSTILE_TEXTS, TRAINED_FAMILIES, model_on

Folder = Callable[[str], Path]
ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.slow

REQUESTS = ("requests", "urllib3", "charset_normalizer", "idna", "certifi")
OLD = {  # the first of 3, and of 4 and 5 one in the middle, with transformers of their day
    "3.0.1": ("transformers==4.44.2", "tokenizers==0.19.1", "huggingface_hub==0.36.0"),
    "4.1.0": ("transformers==4.51.3", "tokenizers==0.21.4", "huggingface_hub==0.36.0"),
    "5.1.0": ("transformers==4.57.1", "tokenizers==0.22.1", "huggingface_hub==0.36.0"),
}
BOTH_WAYS = "stella-1.5b"

# Versions before 6 strip what they are given.
TEXTS_OF_ALL = [
    text
    for text in (*TEXTS, *HOSTILE_TEXTS)
    if text and text.strip() == text and "[CLS]" not in text
]

EMBED = """
import json, sys
from sentence_transformers import SentenceTransformer, __version__
given = json.load(open(sys.argv[1], encoding="utf-8"))
found = {}
for name, folder in given["folders"].items():
    try:
        model = SentenceTransformer(folder, device="cpu")
        found[name] = model.encode(given["texts"], show_progress_bar=False).tolist()
    except Exception as error:
        found[name] = f"{type(error).__name__}: {error}"
json.dump({"version": __version__, "found": found}, open(sys.argv[2], "w", encoding="utf-8"))
"""


def run_with(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    alone = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        [str(python), *arguments],
        env={**alone, "HF_HUB_OFFLINE": "1"},
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def exports(
    tmp_path_factory: pytest.TempPathFactory, family_folder: Folder
) -> dict[str, tuple[Path, torch.Tensor]]:
    """Export every family, whole and truncated: name to folder and our own embeddings."""
    made = {}
    root = tmp_path_factory.mktemp("exports")
    for number, family in enumerate(FAMILIES):
        pooling = POOLINGS[number % len(POOLINGS)]
        choice = EncoderChoice(name=str(family_folder(family)), pooling=pooling)
        encoder = load_encoder(choice, threads=1)
        model = model_on(encoder, read=2)
        for truncate in (False,) if family == BOTH_WAYS else (False, True):
            name = f"{family}-{truncate}"
            export_model(model, root / name, {}, ExportChoice(truncate=truncate))
            written = shortened(encoder, 2) if truncate else encoder
            made[name] = (root / name, written.encode(TEXTS_OF_ALL).vectors)
    return made


@pytest.mark.parametrize("version", OLD)
def test_older_sentence_transformers_give_the_same_embeddings(
    version: str, exports: dict[str, tuple[Path, torch.Tensor]], tmp_path: Path
) -> None:
    packages = (f"sentence-transformers=={version}", *OLD[version], *REQUESTS)
    python = environment(tmp_path / "environment", packages)
    folders = {name: str(folder) for name, (folder, _) in exports.items()}
    (tmp_path / "given.json").write_text(json.dumps({"folders": folders, "texts": TEXTS_OF_ALL}))
    (tmp_path / "embed.py").write_text(EMBED)
    files = [str(tmp_path / name) for name in ("embed.py", "given.json", "found.json")]
    done = run_with(python, *files)
    assert done.returncode == 0, done.stderr[-2000:]
    answer: dict[str, Any] = json.loads((tmp_path / "found.json").read_text())
    assert answer["version"] == version
    for name, (_, expected) in exports.items():
        found = answer["found"][name]
        if name.startswith(BOTH_WAYS):  # its transformers would read it in one direction
            assert str(found).startswith("ModuleNotFoundError"), name
            continue
        assert not isinstance(found, str), f"{name}: {found}"
        length = expected.norm(dim=1, keepdim=True)
        difference = (torch.tensor(found) - expected) / length
        assert difference.abs().max() < 1e-6, name


EXPORT = """
import json, sys
from pathlib import Path
from core.export.model import ExportChoice, export_model
from core.model.model_folder import load_model
for source in sys.argv[1:]:
    done = export_model(
        load_model(source, threads=1), Path(f"{source}-onnx"), {}, ExportChoice(format="onnx")
    )
    print(json.dumps(done.notes))
"""


def test_an_onnx_file_gives_what_the_model_gives(family_folder: Folder, tmp_path: Path) -> None:
    packages = ("onnxruntime", "onnx", "flatbuffers", "protobuf", "ml_dtypes")
    python = environment(tmp_path / "environment", packages)
    (tmp_path / "export.py").write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{EXPORT}")
    models = {}
    for number, family in enumerate(TRAINED_FAMILIES):
        choice = EncoderChoice(name=str(family_folder(family)), pooling=POOLINGS[number])
        model = models[tmp_path / family] = model_on(
            load_encoder(choice, threads=1),
            read=MIX if number % 2 else 2,
            spelling=number == 0,
            pooling=("mean", "cls")[number % 2],
            hidden_units=5 if number % 2 else None,
        )
        export_model(model, tmp_path / family, {}, ExportChoice())
    done = run_with(python, str(tmp_path / "export.py"), *map(str, models))
    assert done.returncode == 0, done.stderr[-2000:]
    left_out = ["names is left out" in line for line in done.stdout.splitlines()]
    assert left_out == [True, *[False] * (len(models) - 1)], "spelling has no place in a graph"
    for source, model in models.items():
        out = Path(f"{source}-onnx")
        card = (out / "README.md").read_text("utf-8")
        code = re.findall(r"```python\n(.*?)```", card, re.S)[0].replace("DIR", str(out))
        shown = run_with(python, "-c", code)
        assert shown.returncode == 0, shown.stderr[-2000:]
        rows = [line.split("\t") for line in shown.stdout.splitlines()[1:]]
        said = predict(model, ["A sentence.", "Another one."])
        expected = [
            (task, each.labels[task], each.text) for task in ("kind", "mood") for each in said
        ]
        assert [(row[0], row[1], row[3]) for row in rows] == [
            (task, label.label, text) for task, label, text in expected
        ]
        for row, (_, label, _) in zip(rows, expected, strict=True):
            assert float(row[2]) == pytest.approx(label.confidence, abs=1e-5)
