"""`python -m core export`, run as a person runs it."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from core.model.model_folder import load_model

Run = Callable[..., tuple[int, str, str]]


def test_a_trained_model_becomes_a_sentence_transformers_folder(
    run: Run, tiny_trained: str, tmp_path: Path
) -> None:
    code, out, err = run("export", "--model", tiny_trained, "--out", "exported")
    assert (code, err) == (0, "")
    assert "→ exported (sentence-transformers)" in out
    assert "all 3 layers" in out
    assert "heads: kind, names" in out
    from sentence_transformers import SentenceTransformer

    texts = ["The ferry left late.", "Zoë eats."]
    plain = SentenceTransformer(str(tmp_path / "exported"), device="cpu").encode(texts)
    ours = load_model(tiny_trained, threads=1).encoder.encode(texts).vectors
    torch.testing.assert_close(torch.tensor(plain), ours, atol=1e-6, rtol=0)
    card = (tmp_path / "exported" / "README.md").read_text("utf-8")
    about = json.loads((tmp_path / "exported" / "heads.json").read_text())["about"]
    assert card.startswith("---\nlibrary_name: sentence-transformers\n")
    assert about["data"]["fingerprint"] in card
    assert "| strategy | heads@2 |" in card
    assert "| seed | 0 |" in card
    assert "## How good it is\n\n| task | rows |" in card


def test_the_exported_folder_predicts_and_is_evaluated_as_the_model_is(
    run: Run, tiny_trained: str
) -> None:
    assert run("export", "--model", tiny_trained, "--out", "exported", "--truncate")[0] == 0
    text = "the ferry left late and nobody sang"
    said = [
        run("predict", text, "--model", model, "--json")[1] for model in (tiny_trained, "exported")
    ]
    first, second = (json.loads(each)[0] for each in said)
    assert first["kind"]["label"] == second["kind"]["label"]
    assert first["kind"]["confidence"] == pytest.approx(second["kind"]["confidence"], abs=1e-6)
    assert first["names"] == second["names"]
    code, out, _ = run("embed", text, "--encoder", "exported", "--json")
    assert code == 0
    assert json.loads(out)["dimension"] == 32


def test_truncating_says_both_sizes(run: Run, tiny_trained: str) -> None:
    code, out, _ = run("export", "--model", tiny_trained, "--out", "exported", "--truncate")
    assert code == 0
    assert "2 of 3 layers, weights 0.1 MB instead of 0.1 MB (24,384 of 32,928 parameters)" in out
    code, out, _ = run(
        "export",
        "--model",
        tiny_trained,
        "--out",
        "exported",
        "--truncate",
        "--overwrite",
        "--json",
    )
    document = json.loads(out)
    assert out.count("\n") == 1
    assert (document["layers"], document["whole_layers"], document["dimension"]) == (2, 3, 32)
    assert document["weight_bytes"] < document["whole_weight_bytes"]
    assert document["bytes"] == sum(
        each.stat().st_size for each in Path("exported").rglob("*") if each.is_file()
    )
    assert document["tasks"] == ["kind", "names"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "x", "--format", "gguf"), "must be one of: sentence-transformers, onnx"),
        (("--out", "x", "--model", "nowhere"), "is no model folder"),
        (("--out", "file.txt"), "is a file, must be a folder"),
        (("--out", "full"), "holds something that is no model"),
        ((), "--out"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: tuple[str, ...], message: str, run: Run, tiny_trained: str, tmp_path: Path
) -> None:
    (tmp_path / "file.txt").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("x")
    model = () if "--model" in arguments else ("--model", tiny_trained)
    code, out, err = run("export", *model, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not (tmp_path / "x").exists()


def test_a_folder_inside_the_model_is_refused(run: Run, tiny_trained: str) -> None:
    for out in (tiny_trained, f"{tiny_trained}/exported", str(Path(tiny_trained).parent)):
        code, _, err = run("export", "--model", tiny_trained, "--out", out, "--overwrite")
        assert code == 2
        assert "holds the folder that is read" in err
    assert load_model(tiny_trained, threads=1).tasks


@pytest.mark.skipif(find_spec("onnxruntime") is not None, reason="onnxruntime is here")
def test_onnx_says_which_packages_it_needs(run: Run, tiny_trained: str) -> None:
    code, _, err = run("export", "--model", tiny_trained, "--out", "x", "--format", "onnx")
    assert code == 2
    assert "needs the package onnx and onnxruntime" in err
    assert "pip install onnx onnxruntime" in err
