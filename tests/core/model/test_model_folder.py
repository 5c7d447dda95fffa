import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.config import MIX, TrainingChoice
from core.encoder.encoder import load_encoder
from core.model.heads import HeadShape
from core.model.manifest import FORMAT, MANIFEST, parse_base, parse_heads, read_manifest
from core.model.model import Calibration, MultiTaskModel
from core.model.model_folder import CARD, ENCODER, HEADS, Saved, load_model, save_model
from core.model.prediction import predict
from core.strategy.scenario import parse_strategy
from core.task import Task
from tests.tiny_models import LAYERS
from tests.tiny_tasks import EXAMPLES, KIND, MOOD, NAMES, TRAINED_FAMILIES, tiny_model, train

Folder = Callable[[str], Path]
TEXTS = [each.text for each in EXAMPLES]


def trained(
    family_folder: Folder, family: str, strategy: str
) -> tuple[MultiTaskModel, dict[str, Tensor], dict[str, Tensor], str]:
    """Train a little: the model, what changed, the same before, and the base's fingerprint."""
    scenario = parse_strategy(strategy, LAYERS)
    model = tiny_model(family_folder, family, read=scenario.read, spelling=True)
    fingerprint = model.encoder.fingerprint()
    own = dict(model.encoder.backbone.named_parameters())
    before = {name: weight.detach().clone() for name, weight in own.items()}
    choice = TrainingChoice(epochs=2, batch=8, threads=1)
    list(train(model, scenario, EXAMPLES, EXAMPLES[:8], choice))
    changed = {n: w.detach() for n, w in own.items() if not torch.equal(w, before[n])}
    return model, changed, before, fingerprint


def save(model: MultiTaskModel, folder: Path, changed: dict[str, Tensor], base: str) -> None:
    save_model(model, folder, changed, Saved(about={"base_fingerprint": base}, card="# Card\n"))


@pytest.fixture(scope="module")
def saved_folder(family_folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a model whose upper layers were trained."""
    model, changed, _, base = trained(family_folder, "minilm", "lower:1")
    folder = tmp_path_factory.mktemp("saved") / "model"
    save(model, folder, changed, base)
    return folder


@pytest.fixture
def broken(saved_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of it to break."""
    return Path(shutil.copytree(saved_folder, tmp_path / "model"))


@pytest.mark.parametrize("strategy", ["heads", "heads@mix", "lower:1", "full"])
@pytest.mark.parametrize("family", TRAINED_FAMILIES)
def test_a_saved_model_predicts_the_same_bit_for_bit(
    family: str, strategy: str, family_folder: Folder, tmp_path: Path
) -> None:
    model, changed, _, base = trained(family_folder, family, strategy)
    model.calibration["kind"] = Calibration(temperature=1.7, threshold=0.4, error=0.03)
    save(model, tmp_path / "model", changed, base)
    loaded = load_model(tmp_path / "model", threads=1)
    assert loaded.tasks == model.tasks
    assert loaded.calibration == model.calibration
    assert not loaded.training
    assert predict(loaded, TEXTS) == predict(model, TEXTS)
    written = set(load_file(tmp_path / "model" / ENCODER)) if changed else set()
    assert written == set(changed)
    assert (tmp_path / "model" / ENCODER).exists() == bool(changed)
    assert (tmp_path / "model" / CARD).read_text() == "# Card\n"


def test_a_model_of_trained_heads_alone_is_kilobytes(family_folder: Folder, tmp_path: Path) -> None:
    model, changed, _, base = trained(family_folder, "bert-base", "heads")
    save(model, tmp_path / "model", changed, base)
    assert sum(file.stat().st_size for file in (tmp_path / "model").iterdir()) < 50_000


def test_changes_kept_in_8_bits_are_a_quarter_as_large_and_nearly_exact(
    family_folder: Folder, tmp_path: Path
) -> None:
    model, changed, before, base = trained(family_folder, "bert-base", "lower:1")
    saved = Saved(about={"base_fingerprint": base})
    save_model(model, tmp_path / "exact", changed, saved)
    save_model(model, tmp_path / "small", changed, saved, base=before)
    sizes = [(tmp_path / name / ENCODER).stat().st_size for name in ("exact", "small")]
    assert sizes[1] < 0.3 * sizes[0]
    loaded = load_model(tmp_path / "small", threads=1)
    for name, weight in loaded.encoder.backbone.named_parameters():
        if name not in changed:
            assert torch.equal(weight, before[name]), name
        elif weight.ndim < 2:
            assert torch.equal(weight, changed[name]), name
        else:
            change = (changed[name] - before[name]).abs().amax(dim=1, keepdim=True)
            assert ((weight - changed[name]).abs() <= change / 254 + 1e-6).all(), name
    for a, b in zip(predict(loaded, TEXTS), predict(model, TEXTS), strict=True):
        assert a.labels["kind"].scores == pytest.approx(b.labels["kind"].scores, abs=0.02)


def test_odd_names_labels_and_shapes_come_back_as_they_were(
    family_folder: Folder, tmp_path: Path
) -> None:
    encoder = load_encoder(str(family_folder("minilm")))
    odd = Task(name="type", kind="sentence", labels=("naïve 🎉", "<b>&\"'", "=1+1"))
    shapes = [
        HeadShape(task=odd, read=MIX, hidden_units=7, dropout=0.3, pooling="cls"),
        HeadShape(task=NAMES, read=0, spelling=True),
    ]
    model = MultiTaskModel(encoder, shapes).eval()
    save_model(model, tmp_path / "model", {}, Saved())
    loaded = load_model(tmp_path / "model", threads=1)
    assert [head.shape for head in loaded.task_heads.values()] == shapes
    assert predict(loaded, TEXTS) == predict(model, TEXTS)


# What is refused: each with one sentence, and nothing but ValueError.


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads((folder / MANIFEST).read_text())
    change(document)
    (folder / MANIFEST).write_text(json.dumps(document))


def put(*path: str | int, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: Any) -> None:  # noqa: ANN401 (any JSON)
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("thaw_format", value=FORMAT + 1), "use a newer Thaw"),
        (put("thaw_format", value=10**4000), "use a newer Thaw"),
        (put("thaw_format", value=True), "names no thaw_format"),
        (put("thaw_format", value="1"), "names no thaw_format"),
        (put("kind", value="checkpoint"), "is a checkpoint, must be a model"),
        (put("encoder", value=[]), "encoder is a list, must be an object"),
        (put("encoder", "name", value=None), "name is missing, must be text"),
        (put("encoder", "normalized", value="yes"), "must be true or false"),
        (put("encoder", "pooling", value="x" * 9999), "pooling is 'xxx"),
        (put("encoder", "fingerprint", value="0"), "trained on another encoder"),
        (put("heads", value=[]), "it has 0 heads"),
        (put("heads", 0, value=7), "a head is a whole number, must be an object"),
        (put("heads", 0, "task", "labels", value=["a", 1]), "a label is a whole number"),
        (put("heads", 0, "task", "labels", value=["a", "b"]), "fits together"),
        (put("heads", 0, "task", "labels", value=["a", "a", "b"]), "repeated labels"),
        (put("heads", 0, "task", "name", value="a.b"), "must be letters"),
        (put("heads", 0, "task", "name", value="mood"), "one each for one task"),
        (put("heads", 0, "task", "kind", value="regression"), "must be sentence or token"),
        (put("heads", 0, "read", value=99), "is to read layer 99, must be 0 to 3"),
        (put("heads", 0, "read", value=1e999), "read is inf"),
        (put("heads", 0, "hidden_units", value=10**9), "fits together"),
        (put("heads", 0, "hidden_units", value=10**40), "beyond 1,000,000,000"),
        (put("heads", 0, "dropout", value=float("nan")), "dropout is nan"),
        (put("heads", 0, "spelling", value=1), "must be true or false"),
        (put("heads", 0, "calibration", value=None), "calibration is missing"),
        (put("heads", 0, "calibration", "temperature", value=1e999), "must be a finite number"),
        (put("heads", 0, "calibration", "temperature", value=0), "temperature is 0"),
        (put("heads", 0, "calibration", "temperature", value=10**400), "beyond 1,000"),
        (put("heads", 0, "calibration", "threshold", value=7), "threshold is 7"),
        (put("heads", 0, "calibration", "error", value="low"), "must be a whole number or"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused_in_words(
    change: Callable[[dict[str, Any]], object], message: str, broken: Path
) -> None:
    edit(broken, change)
    with pytest.raises(ValueError, match=message) as caught:
        load_model(broken, threads=1)
    assert str(broken) in str(caught.value)
    assert len(str(caught.value)) < 500 + len(str(broken))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xff\xfe\x00",
        b'{"thaw_format": ' + b"9" * 10_000 + b"}",
        b" " * 10_000_001,
    ],
)
def test_a_manifest_that_is_no_json_object_is_refused(text: bytes, broken: Path) -> None:
    (broken / MANIFEST).write_bytes(text)
    with pytest.raises(ValueError, match=r"JSON|larger than any"):
        load_model(broken, threads=1)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.just("x" * 300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
PATHS: list[tuple[str | int, ...]] = [
    *[(key,) for key in ("thaw_format", "kind", "encoder", "heads", "about")],
    *[("encoder", key) for key in ("name", "pooling", "normalized", "fingerprint")],
    *[("heads", 0, key) for key in ("task", "read", "pooling", "hidden_units", "dropout")],
    *[("heads", 2, key) for key in ("spelling", "calibration", "read")],
    *[("heads", 1, "task", key) for key in ("name", "kind", "labels")],
    *[("heads", 1, "calibration", key) for key in ("temperature", "threshold", "error")],
]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), value=JSON, drop=st.booleans())
def test_whatever_stands_in_a_manifest_it_is_read_or_refused(
    path: tuple[str | int, ...], value: object, drop: bool, saved_folder: Path, tmp_path: Path
) -> None:
    document = json.loads((saved_folder / MANIFEST).read_text())
    changed = copy.deepcopy(document)
    holder: Any = changed
    for key in path[:-1]:
        holder = holder[key]
    if drop:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    (tmp_path / MANIFEST).write_text(json.dumps(changed))
    try:
        read = read_manifest(tmp_path)
        base, heads = parse_base(read), parse_heads(read)
    except ValueError:
        return
    assert isinstance(base.name, str)
    for shape, calibration in heads:
        assert all(isinstance(label, str) for label in shape.task.labels)
        assert 0 < calibration.temperature < 1e3


def rewrite(path: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (HEADS, lambda t: t["kind.score.bias"].fill_(float("nan")), "finite numbers"),
        (HEADS, lambda t: t["kind.score.weight"][0].fill_(float("inf")), "finite numbers"),
        (HEADS, lambda t: t.update({"kind.score.bias": torch.zeros(9)}), "size mismatch"),
        (HEADS, lambda t: t.update({"kind.score.bias": torch.zeros(3).int()}), "finite numbers"),
        (HEADS, lambda t: t.pop("kind.score.bias"), "fits together"),
        (HEADS, lambda t: t.update({"more": torch.zeros(1)}), "fits together"),
        (ENCODER, lambda t: next(iter(t.values())).fill_(float("nan")), "finite numbers"),
        (ENCODER, lambda t: t.update({"more": torch.zeros(1)}), "the encoder has no more"),
        (ENCODER, lambda t: t.update({"x@change": torch.zeros(1)}), "the encoder has no x"),
        (ENCODER, lambda t: t.update({"x@step": torch.zeros(1)}), "the encoder has no x@step"),
    ],
)
def test_weights_that_are_wrong_are_refused_in_words(
    file: str, change: Callable[[dict[str, Tensor]], object], message: str, broken: Path
) -> None:
    rewrite(broken / file, change)
    with pytest.raises(ValueError, match=message) as caught:
        load_model(broken, threads=1)
    assert str(broken) in str(caught.value)


def test_changes_without_their_steps_or_beyond_all_numbers_are_refused(broken: Path) -> None:
    name, weight = next((n, t) for n, t in load_file(broken / ENCODER).items() if t.ndim == 2)
    steps = torch.full((len(weight), 1), 3e38)
    eights = torch.full_like(weight, 127, dtype=torch.int8)
    for more in (
        {},
        {f"{name}@step": torch.ones(1, 1)},
        {f"{name}@step": steps},
        {f"{name}@step": steps.fill_(float("nan"))},
    ):
        save_file({f"{name}@change": eights, **more}, broken / ENCODER)
        with pytest.raises(ValueError, match="fits together"):
            load_model(broken, threads=1)


@pytest.mark.parametrize("file", [MANIFEST, HEADS])
def test_a_folder_without_one_of_its_files_is_refused(file: str, broken: Path) -> None:
    (broken / file).unlink()
    with pytest.raises(ValueError, match=f"{file}"):
        load_model(broken, threads=1)


@pytest.mark.parametrize("content", [b"", b"junk", b"\xff" * 100, b"\x80\x04pickle"])
def test_a_file_that_is_no_safetensors_is_refused(content: bytes, broken: Path) -> None:
    (broken / HEADS).write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read as safetensors"):
        load_model(broken, threads=1)


def test_no_folder_a_file_and_an_empty_folder_are_no_models(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    for name in ("none", "file", "empty"):
        with pytest.raises(ValueError, match="is no model folder"):
            load_model(tmp_path / name, threads=1)


def test_a_base_of_other_weights_is_refused(broken: Path, family_folder: Folder) -> None:
    edit(broken, put("encoder", "name", value=str(family_folder("distilbert"))))
    with pytest.raises(ValueError, match="trained on another encoder"):
        load_model(broken, threads=1)


# Writing: whole or not at all, and never over something else.


def test_a_folder_that_is_there_is_replaced_only_when_asked_to(
    family_folder: Folder, tmp_path: Path
) -> None:
    first = tiny_model(family_folder, tasks=(KIND,))
    second = tiny_model(family_folder, tasks=(MOOD,))
    folder = tmp_path / "deep" / "model"
    save_model(first, folder, {}, Saved())
    with pytest.raises(ValueError, match="holds a model already: give overwrite"):
        save_model(second, folder, {}, Saved())
    assert load_model(folder, threads=1).tasks == (KIND,)
    save_model(second, folder, {}, Saved(), overwrite=True)
    assert load_model(folder, threads=1).tasks == (MOOD,)
    assert [each.name for each in folder.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_nothing_else_is_ever_replaced(
    overwrite: bool, family_folder: Folder, tmp_path: Path
) -> None:
    model = tiny_model(family_folder, tasks=(KIND,))
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    for name, message in (("file", "is a file"), ("full", "holds something that is no model")):
        with pytest.raises(ValueError, match=message):
            save_model(model, tmp_path / name, {}, Saved(), overwrite=overwrite)
    assert (tmp_path / "file").read_text() == "mine"
    assert (tmp_path / "full" / "notes.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    save_model(model, tmp_path / "empty", {}, Saved())
    assert load_model(tmp_path / "empty", threads=1).tasks == (KIND,)


@pytest.mark.parametrize("failing", ["core.model.model_folder.save_file", "pathlib.Path.replace"])
def test_a_failure_while_writing_leaves_the_old_model_and_nothing_more(
    failing: str, family_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    save_model(tiny_model(family_folder, tasks=(KIND,)), folder, {}, Saved())
    other = tiny_model(family_folder, tasks=(MOOD,))

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(failing, fail)
        with pytest.raises(OSError, match="No space left"):
            save_model(other, folder, {}, Saved(), overwrite=True)
    assert load_model(folder, threads=1).tasks == (KIND,)
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


def test_figures_that_are_no_numbers_are_not_written(family_folder: Folder, tmp_path: Path) -> None:
    model = tiny_model(family_folder, tasks=(KIND,))
    with pytest.raises(ValueError, match="JSON compliant"):
        save_model(model, tmp_path / "model", {}, Saved(about={"f1": float("nan")}))
    assert not list(tmp_path.iterdir())
