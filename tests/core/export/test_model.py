"""Exports, loaded and run by plain sentence-transformers and by what their own cards say."""

import contextlib
import io
import json
import re
import shutil
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from core.config import MIX, POOLINGS, EncoderChoice
from core.encoder.adapters import add_adapters, merge_adapters
from core.encoder.encoder import Encoder, load_encoder
from core.encoder.shortening import shortened
from core.export.model import ExportChoice, check_export_target, export_model
from core.model.heads import HeadShape
from core.model.model import Calibration, MultiTaskModel
from core.model.model_folder import SHIPPED, Saved, load_model, save_model
from core.model.prediction import predict
from core.task import Task
from tests.tiny_models import FAMILIES, LAYERS, TEXTS, save_family
from tests.tiny_tasks import HOSTILE_TEXTS, KIND, NAMES, TASKS, TRAINED_FAMILIES, model_on

Folder = Callable[[str], Path]
WHOLE, SHORT = ExportChoice(), ExportChoice(truncate=True)

# In a real folder transformers' special tokens are those of tokenizer.json; in the tiny ones some
# are not, and only transformers finds them inside a text.
PLAIN_TEXTS = [*TEXTS, *(text for text in HOSTILE_TEXTS if "[CLS]" not in text)]


def plain_vectors(folder: Path, texts: list[str]) -> torch.Tensor:
    """Embed with sentence-transformers, which knows nothing of Thaw."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")
    return torch.tensor(model.encode(texts, show_progress_bar=False))


def assert_same_vectors(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Compare to 1e-6, both on the scale of length one."""
    length = expected.norm(dim=1, keepdim=True).clamp(min=1e-6)
    torch.testing.assert_close(found / length, expected / length, atol=1e-6, rtol=0)


def code_of(folder: Path, number: int) -> str:
    """Take a piece of Python out of an export's card, with the folder in its place."""
    pieces = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text("utf-8"), re.S)
    assert "DIR" in pieces[number]
    return str(pieces[number]).replace("DIR", str(folder))


def printed_by(code: str) -> list[list[str]]:
    """Run a card's code and split what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "card", "exec"), {})  # our own card's
    return [line.split("\t") for line in out.getvalue().splitlines()]


def labels_of(model: MultiTaskModel, texts: list[str]) -> list[tuple[str, str, float, str]]:
    said = predict(model, texts)
    names = [task.name for task in model.tasks if task.kind == "sentence"]
    return [
        (name, each.labels[name].label, each.labels[name].confidence, each.text)
        for name in names
        for each in said
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_plain_sentence_transformers_gives_the_same_embeddings(
    family: str, family_folder: Folder, tmp_path: Path
) -> None:
    encoder = load_encoder(str(family_folder(family)), threads=1)
    done = export_model(model_on(encoder), tmp_path / "out", {}, WHOLE)
    # transformers puts Qwen2's own normaliser in the place of the tiny folder's, which has none.
    texts = [text for text in PLAIN_TEXTS if family != "stella-1.5b" or "\u0301" not in text]
    expected = encoder.encode(texts).vectors
    assert_same_vectors(plain_vectors(tmp_path / "out", texts), expected)
    assert (done.layers, done.whole_layers, done.dimension) == (LAYERS, LAYERS, expected.shape[1])
    assert done.weight_bytes == (tmp_path / "out" / "model.safetensors").stat().st_size


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_pooling_is_kept_with_length_one_or_without(
    pooling: str, normalize: bool, family_folder: Folder, tmp_path: Path
) -> None:
    name = str(family_folder("minilm"))
    choice = EncoderChoice(name=name, pooling=pooling, normalize=normalize)
    encoder = load_encoder(choice, threads=1)
    export_model(model_on(encoder), tmp_path / "out", {}, WHOLE)
    expected = encoder.encode(PLAIN_TEXTS).vectors
    assert_same_vectors(plain_vectors(tmp_path / "out", PLAIN_TEXTS), expected)
    again = load_encoder(str(tmp_path / "out"), threads=1)
    assert (again.pooling, again.normalized) == (pooling, normalize)


@pytest.mark.parametrize("family", [f for f in TRAINED_FAMILIES if f != "stella-1.5b"])
def test_a_truncated_export_ends_at_the_highest_layer_read(
    family: str, family_folder: Folder, tmp_path: Path
) -> None:
    encoder = load_encoder(str(family_folder(family)), threads=1)
    model = model_on(encoder, read=2)
    done = export_model(model, tmp_path / "out", {}, SHORT)
    expected = shortened(encoder, 2).encode(PLAIN_TEXTS).vectors
    assert not torch.allclose(expected, encoder.encode(PLAIN_TEXTS).vectors, atol=1e-3)
    assert_same_vectors(plain_vectors(tmp_path / "out", PLAIN_TEXTS), expected)
    assert (done.layers, done.whole_layers) == (2, LAYERS)
    assert done.parameters < done.whole_parameters
    export_model(model, tmp_path / "whole", {}, WHOLE)
    whole = (tmp_path / "whole" / "model.safetensors").stat().st_size
    assert done.weight_bytes < whole
    assert done.whole_weight_bytes == pytest.approx(whole, rel=0.05)  # but for the file's header
    loaded = load_model(tmp_path / "out", threads=1)
    assert loaded.encoder.layers == 2
    assert labels_of(loaded, PLAIN_TEXTS) == labels_of(model, PLAIN_TEXTS)


def test_a_decoder_cannot_be_truncated_and_nothing_is_written(
    family_folder: Folder, tmp_path: Path
) -> None:
    model = model_on(load_encoder(str(family_folder("stella-1.5b")), threads=1), read=2)
    with pytest.raises(ValueError, match="cannot end at layer 2: its family changes the states"):
        export_model(model, tmp_path / "out", {}, SHORT)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_reads_the_last_layer_is_whole_when_truncated(
    family_folder: Folder, tmp_path: Path
) -> None:
    model = model_on(load_encoder(str(family_folder("minilm")), threads=1), read=MIX)
    done = export_model(model, tmp_path / "out", {}, SHORT)
    assert done.layers == LAYERS
    assert "there is nothing to leave out" in done.notes[0]


def test_the_shipped_model_is_exported_as_it_predicts(tmp_path: Path) -> None:
    model = load_model(threads=1)
    export_model(model, tmp_path / "out", {}, WHOLE, sources=[SHIPPED])
    texts = ["Apple shares fell in China.", " Two spaces. ", "", "Zoë won!", "x" * 3000]
    expected = model.encoder.encode(texts).vectors
    assert_same_vectors(plain_vectors(tmp_path / "out", texts), expected)
    loaded = load_model(tmp_path / "out", threads=1)
    assert predict(loaded, texts) == predict(model, texts)
    shown = printed_by(code_of(tmp_path / "out", 1))
    expected_rows = labels_of(model, ["A sentence.", "Another one."])
    assert [row[:2] for row in shown] == [[name, label] for name, label, _, _ in expected_rows]
    for row, (_, _, confidence, _) in zip(shown, expected_rows, strict=True):
        assert float(row[2]) == pytest.approx(confidence, abs=1e-5)


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"pooling": "cls"},
        {"hidden_units": 5},
        {"read": MIX},
        {"read": MIX, "pooling": "cls", "hidden_units": 3},
        {"read": 1, "spelling": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("family", ["minilm", "distilbert", "stella-1.5b"])
def test_the_card_scores_the_heads_with_torch_alone(
    family: str, shape: dict[str, Any], family_folder: Folder, tmp_path: Path
) -> None:
    model = model_on(load_encoder(str(family_folder(family)), threads=1), **shape)
    model.calibration = {
        name: Calibration(temperature=1.7, threshold=0.3) for name in model.task_heads
    }
    export_model(model, tmp_path / "out", {}, WHOLE)
    shown = printed_by(code_of(tmp_path / "out", 1))
    expected = labels_of(model, ["A sentence.", "Another one."])
    assert [(a, b, d) for a, b, _, d in shown] == [(a, b, d) for a, b, _, d in expected]
    for row, (_, _, confidence, _) in zip(shown, expected, strict=True):
        assert float(row[2]) == pytest.approx(confidence, abs=1e-5)


def test_an_export_loads_predicts_and_exports_again(family_folder: Folder, tmp_path: Path) -> None:
    model = model_on(load_encoder(str(family_folder("minilm")), threads=1), read=2, spelling=True)
    model.calibration["kind"] = Calibration(temperature=0.7, threshold=0.4, error=0.1)
    about = {"seed": 3, "data": {"name": "rows.csv", "fingerprint": "ab" * 32}}
    export_model(model, tmp_path / "first", about, WHOLE)
    first = load_model(tmp_path / "first", threads=1)
    assert predict(first, PLAIN_TEXTS) == predict(model, PLAIN_TEXTS)
    assert first.calibration == model.calibration
    export_model(first, tmp_path / "second", about, SHORT, sources=[tmp_path / "first"])
    second = load_model(tmp_path / "second", threads=1)
    assert second.encoder.layers == 2
    assert labels_of(second, PLAIN_TEXTS) == labels_of(model, PLAIN_TEXTS)
    assert json.loads((tmp_path / "second" / "heads.json").read_text())["about"] == about


def test_trained_weights_are_exported_whole(family_folder: Folder, tmp_path: Path) -> None:
    for family in ("minilm", "roberta-base"):
        encoder = load_encoder(str(family_folder(family)), threads=1)
        before = encoder.encode(TEXTS).vectors
        model = model_on(encoder)
        changed = {
            name: weight + 0.1
            for name, weight in encoder.backbone.named_parameters()
            if name.endswith("weight") and "layer.1." in name
        }
        base = encoder.fingerprint()
        folder = tmp_path / family
        save_model(model, folder, changed, Saved(about={"base_fingerprint": base}))
        trained = load_model(folder, threads=1)
        expected = trained.encoder.encode(TEXTS).vectors
        assert not torch.allclose(expected, before, atol=1e-3)
        export_model(trained, tmp_path / f"{family}-out", {}, WHOLE, sources=[folder])
        assert_same_vectors(plain_vectors(tmp_path / f"{family}-out", list(TEXTS)), expected)


def test_adapters_are_exported_once_they_are_merged(family_folder: Folder, tmp_path: Path) -> None:
    encoder = load_encoder(str(family_folder("distilbert")), threads=1)
    model = model_on(encoder)
    before = encoder.encode(TEXTS).vectors
    add_adapters(encoder.backbone, rank=2, highest=LAYERS)
    with torch.no_grad():
        for name, weight in encoder.backbone.named_parameters():
            if "lora_" in name:
                weight.normal_(std=0.5)
    with pytest.raises(ValueError, match="has adapters that were not merged"):
        export_model(model, tmp_path / "out", {}, WHOLE)
    assert list(tmp_path.iterdir()) == []
    adapted = encoder.encode(TEXTS).vectors
    merge_adapters(encoder.backbone)
    export_model(model, tmp_path / "out", {}, WHOLE)
    assert not torch.allclose(adapted, before, atol=1e-3), "needs adapters that do something"
    assert_same_vectors(plain_vectors(tmp_path / "out", list(TEXTS)), adapted)


def test_half_precision_lower_casing_and_prompts_come_through(tmp_path: Path) -> None:
    source = save_family("multilingual-minilm", tmp_path / "source")
    weights = load_file(source / "model.safetensors")
    halves = {name: each.to(torch.float16) for name, each in weights.items()}
    save_file(halves, source / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**config, "dtype": "float16"}))
    limits = {"max_seq_length": 20, "do_lower_case": True}
    (source / "sentence_bert_config.json").write_text(json.dumps(limits))
    prompts = {"prompts": {"query": "Find: ", "passage": ""}}
    (source / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    encoder = load_encoder(str(source), threads=1)
    export_model(model_on(encoder), tmp_path / "out", {}, WHOLE)
    texts = ["SHOUTED OUT LOUD, AND AGAIN AND AGAIN, UNTIL NOBODY LISTENED.", "shouted", "SHOUTED"]
    vectors = plain_vectors(tmp_path / "out", texts)
    assert_same_vectors(vectors, encoder.encode(texts).vectors)
    assert torch.allclose(vectors[1], vectors[2]), "needs a folder that lower-cases"
    again = load_encoder(str(tmp_path / "out"), threads=1)
    assert (again.max_tokens, again.prompts) == (20, {"query": "Find: "})
    written = load_file(tmp_path / "out" / "model.safetensors")
    assert {each.dtype for each in written.values()} == {torch.float32}


def test_a_folder_has_the_names_that_old_versions_know(
    family_folder: Folder, tmp_path: Path
) -> None:
    for family in ("bge-large", "stella-1.5b"):
        encoder = load_encoder(str(family_folder(family)), threads=1)
        export_model(model_on(encoder), tmp_path / family, {}, WHOLE)
        config = json.loads((tmp_path / family / "config.json").read_text())
        assert "auto_map" not in config
        assert "dtype" not in config
        assert config["torch_dtype"] == "float32"
    modules = json.loads((tmp_path / "bge-large" / "modules.json").read_text())
    assert [each["type"] for each in modules] == [
        f"sentence_transformers.models.{kind}" for kind in ("Transformer", "Pooling", "Normalize")
    ]
    # Only transformers 5 reads a decoder both ways: what is older has to stop, not go wrong.
    modules = json.loads((tmp_path / "stella-1.5b" / "modules.json").read_text())
    assert all(".models." not in each["type"] for each in modules)
    with safe_open(tmp_path / "bge-large" / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}  # transformers 4 refuses a file without it
        assert "pooler.dense.weight" in file.keys()  # noqa: SIM118 (no mapping)
    pieces = json.loads((tmp_path / "stella-1.5b" / "tokenizer.json").read_text())
    assert all(isinstance(merge, str) for merge in pieces["model"]["merges"])


def test_text_from_people_is_no_markup_in_the_card(family_folder: Folder, tmp_path: Path) -> None:
    labels = ("<img src=x onerror=alert(1)>", "| a | b |", "# head", "![p](http://x)")
    task = Task(name="kind", kind="sentence", labels=labels)
    encoder = load_encoder(str(family_folder("minilm")), threads=1)
    model = MultiTaskModel(encoder, [HeadShape(task=task, read=1)])
    about = {
        "data": {"name": "```\n<script>x</script>"},
        "command": "a | b <c>",
        "seed": "[x](y)",
        "plan": {"parts": [{"part": "<i>a | b", "trainable": 0, "parameters": 1200}]},
    }
    export_model(model, tmp_path / "out", about, WHOLE)
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "a \\| b | 0 | 1,200 |" in card, "what the plan trained of each part"
    prose = re.sub(r"```python\n.*?```", "", card, flags=re.S)
    prose = re.sub(r"\\.", "", prose)  # what is escaped is no markup
    assert [
        markup for markup in ("<", ">", "](", "| b", "\n# head", "```") if markup in prose
    ] == []


@pytest.mark.parametrize(
    "about",
    [
        {},
        {"data": "corpus", "plan": None, "versions": [], "figures": {"kind": 3, "x": {}}},
        {"figures": {"kind": {"rows": "many", "accuracy": "high"}}, "data": [1, 2], "seed": {}},
        {"figures": [1], "plan": {"trainable_parameters": "all"}, "command": 7},
        {"plan": {"parts": [3, {}, {"part": 1, "trainable": "x", "parameters": 2}]}},
    ],
)
def test_what_a_manifest_leaves_out_or_garbles_is_left_out(
    about: Mapping[str, Any], family_folder: Folder, tmp_path: Path
) -> None:
    model = model_on(load_encoder(str(family_folder("minilm")), threads=1), tasks=(KIND,))
    export_model(model, tmp_path / "out", about, WHOLE)
    assert "No figures came with it" in (tmp_path / "out" / "README.md").read_text("utf-8")


@pytest.fixture
def small_model(family_folder: Folder) -> MultiTaskModel:
    return model_on(load_encoder(str(family_folder("minilm")), threads=1), tasks=(KIND, NAMES))


def test_a_folder_is_only_replaced_when_told_to_and_only_an_export(
    small_model: MultiTaskModel, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export_model(small_model, out, {"seed": 1}, WHOLE)
    (out / "mine.txt").write_text("kept until it is replaced")
    with pytest.raises(ValueError, match="give overwrite"):
        export_model(small_model, out, {"seed": 2}, WHOLE)
    assert (out / "mine.txt").exists()
    export_model(small_model, out, {"seed": 2}, ExportChoice(overwrite=True))
    assert json.loads((out / "heads.json").read_text())["about"] == {"seed": 2}
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="holds something that is no model"):
        export_model(small_model, other, {}, ExportChoice(overwrite=True))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["other", "out"]


def test_what_fails_midway_leaves_the_old_export(
    small_model: MultiTaskModel, tmp_path: Path
) -> None:
    export_model(small_model, tmp_path / "out", {"seed": 1}, WHOLE)
    broken = {"seed": float("nan")}  # no JSON
    with pytest.raises(ValueError, match="JSON"):
        export_model(small_model, tmp_path / "out", broken, ExportChoice(overwrite=True))
    assert [each.name for each in tmp_path.iterdir()] == ["out"]
    loaded = load_model(tmp_path / "out", threads=1)
    assert labels_of(loaded, list(TEXTS)) == labels_of(small_model, list(TEXTS))


def test_an_export_never_buries_what_it_is_made_from(
    small_model: MultiTaskModel, tmp_path: Path
) -> None:
    source = tmp_path / "deep" / "model"
    save_model(small_model, source, {}, Saved())
    for out in (source, source / "out", source.parent, tmp_path):
        with pytest.raises(ValueError, match="holds the folder that is read"):
            check_export_target(out, overwrite=True, sources=[source])
    with pytest.raises(ValueError, match="holds the folder that is read"):
        export_model(small_model, Path(small_model.encoder.name), {}, WHOLE)
    link = tmp_path / "link"
    link.symlink_to(source)
    with pytest.raises(ValueError, match="holds the folder that is read"):
        check_export_target(link, overwrite=True, sources=[source])


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="must be one of: sentence-transformers, onnx"):
        ExportChoice(format="gguf")


def test_heads_beside_another_encoder_are_refused(
    small_model: MultiTaskModel, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export_model(small_model, out, {}, WHOLE)
    weights = load_file(out / "model.safetensors")
    save_file({k: v + 0.01 for k, v in weights.items()}, out / "model.safetensors")
    with pytest.raises(ValueError, match="trained on another encoder than the one beside it"):
        load_model(out)


def test_a_newer_or_broken_manifest_beside_an_export_is_refused(
    small_model: MultiTaskModel, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export_model(small_model, out, {}, WHOLE)
    written = json.loads((out / "heads.json").read_text())
    for change, message in (
        ({"thaw_format": 99}, "use a newer Thaw"),
        ({"kind": "model"}, "must be an export"),
        ({"heads": []}, "heads"),
    ):
        (out / "heads.json").write_text(json.dumps({**written, **change}))
        with pytest.raises(ValueError, match=message):
            load_model(out)


def test_a_tokenizer_that_transformers_would_read_otherwise_is_refused(tmp_path: Path) -> None:
    source = save_family("stella-1.5b", tmp_path / "source")
    pieces = json.loads((source / "tokenizer.json").read_text())
    pieces["normalizer"] = {"type": "Lowercase"}  # transformers puts Qwen2's own in its place
    (source / "tokenizer.json").write_text(json.dumps(pieces))
    model = model_on(load_encoder(str(source), threads=1))
    with pytest.raises(ValueError, match=r"its Qwen2Tokenizer cuts .* into other pieces"):
        export_model(model, tmp_path / "out", {}, WHOLE)
    assert [each.name for each in tmp_path.iterdir()] == ["source"]


def test_half_precision_in_memory_is_refused(tiny_encoder: Encoder, tmp_path: Path) -> None:
    fast = tiny_encoder._in_bf16()
    with pytest.raises(ValueError, match="is in fast precision: export the exact one"):
        export_model(model_on(fast, tasks=TASKS), tmp_path / "out", {}, WHOLE)


@pytest.mark.skipif(find_spec("onnxruntime") is not None, reason="onnxruntime is here")
def test_onnx_without_its_packages_is_refused_before_anything_is_written(
    small_model: MultiTaskModel, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="run pip install onnx onnxruntime"):
        export_model(small_model, tmp_path / "out", {}, ExportChoice(format="onnx"))
    assert list(tmp_path.iterdir()) == []


def test_an_exported_folder_is_an_encoder_like_any_other(
    small_model: MultiTaskModel, tmp_path: Path
) -> None:
    export_model(small_model, tmp_path / "minilm", {}, WHOLE)
    shutil.move(tmp_path / "minilm", tmp_path / "moved")
    loaded = load_model(tmp_path / "moved", threads=1)
    expected = F.normalize(small_model.encoder.encode(TEXTS).vectors, dim=1)
    assert_same_vectors(loaded.encoder.encode(TEXTS).vectors, expected)
