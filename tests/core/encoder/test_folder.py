import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.encoder.folder import read_folder
from core.encoder.loading import check_weights, load_projection, reads_both_ways
from core.pooling import EVERY
from tests.tiny_models import write_modules

POOLINGS = {pooling.theirs: pooling.name for pooling in EVERY}


def plain(folder: Path, **more: Any) -> Path:  # noqa: ANN401 (any JSON)
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_type": "bert", "max_position_embeddings": 64} | more
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("version", [2, 6])
@pytest.mark.parametrize("theirs", POOLINGS)
def test_old_and_new_ways_of_writing_a_folder_read_the_same(
    version: int, theirs: str, tmp_path: Path
) -> None:
    write_modules(plain(tmp_path), pooling=theirs, version=version, dense=(16, 2, "torch.nn.Tanh"))
    found = read_folder(tmp_path)
    assert found.pooling == POOLINGS[theirs]
    assert found.normalized
    assert [shape.outputs for shape in found.dense] == [16]
    assert found.max_tokens == 64


def test_a_plain_transformer_names_no_pooling_and_gives_its_positions(tmp_path: Path) -> None:
    assert read_folder(plain(tmp_path)).pooling is None
    assert read_folder(plain(tmp_path)).max_tokens == 64
    roberta = plain(tmp_path / "r", model_type="roberta", max_position_embeddings=514)
    assert read_folder(roberta).max_tokens == 512


def test_prompts_are_read_and_empty_ones_left_out(tmp_path: Path) -> None:
    write_modules(plain(tmp_path))
    prompts = {"query": "find: ", "document": ""}
    file = tmp_path / "config_sentence_transformers.json"
    file.write_text(json.dumps({"prompts": prompts}))
    assert read_folder(tmp_path).prompts == {"query": "find: "}


def change(folder: Path, file: str, content: object) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / file).write_text(text)


TRANSFORMER = {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"}
POOL = {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("modules.json", "{", "cannot be read as JSON"),
        ("modules.json", {"a": 1}, "must be a JSON list"),
        ("modules.json", [1], "each module needs a type"),
        ("modules.json", [TRANSFORMER], "must start with Transformer, Pooling"),
        (
            "modules.json",
            [TRANSFORMER | {"type": "custom_st.Transformer"}],
            "which Thaw never runs",
        ),
        (
            "modules.json",
            [TRANSFORMER | {"type": "sentence_transformers.models.LSTM"}],
            "module LSTM",
        ),
        ("modules.json", [TRANSFORMER, POOL | {"path": "../../etc"}], "leaves the folder"),
        ("modules.json", [TRANSFORMER, POOL | {"path": "/etc"}], "leaves the folder"),
        ("config.json", "[]", "must be a JSON object"),
        ("1_Pooling/config.json", {"pooling_mode": ["cls", "mean"]}, r"pooling is cls\+mean"),
        ("1_Pooling/config.json", {"pooling_mode": "median"}, "pooling is median, must be one of"),
        ("2_Dense_16/config.json", {"activation_function": "os.system"}, "activation is os.system"),
        ("2_Dense_16/config.json", {"use_residual": True}, "residual"),
        ("2_Dense_16/config.json", {"in_features": "x"}, "must be whole numbers"),
        ("2_Dense_16/config.json", {"module_input_name": "token_embeddings"}, "token_embeddings"),
    ],
)
def test_what_thaw_does_not_run_is_refused_in_a_sentence(
    file: str, content: object, said: str, tmp_path: Path
) -> None:
    write_modules(plain(tmp_path), dense=(16, 2, "torch.nn.modules.activation.Tanh"))
    change(tmp_path, file, content)
    with pytest.raises(ValueError, match=said):
        read_folder(tmp_path)


def test_a_folder_that_is_no_model_and_one_that_is_not_there_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no model folder"):
        read_folder(tmp_path)
    with pytest.raises(ValueError, match="there is no folder"):
        read_folder(tmp_path / "nothing")


def test_weights_kept_as_pickle_are_never_read(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"anything")
    with pytest.raises(ValueError, match="holds its weights as pickle"):
        check_weights(tmp_path)
    with pytest.raises(ValueError, match="has no weights"):
        check_weights(tmp_path / "nothing")


def test_a_projection_without_weights_or_with_others_is_refused(tmp_path: Path) -> None:
    write_modules(plain(tmp_path), dense=(16, 2, "torch.nn.Tanh"))
    shape = read_folder(tmp_path).dense[0]
    assert load_projection(shape).linear.out_features == 16
    weights = tmp_path / "2_Dense_16" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:50])
    with pytest.raises(ValueError, match="cannot be read as safetensors"):
        load_projection(shape)
    weights.unlink()
    with pytest.raises(ValueError, match="has no weights"):
        load_projection(shape)


def test_only_a_decoder_that_says_so_is_read_both_ways(
    family_folder: Callable[[str], Path],
) -> None:
    assert reads_both_ways(read_folder(family_folder("stella-1.5b")).config)
    assert reads_both_ways({"model_type": "qwen2", "is_causal": False})
    assert not reads_both_ways({"model_type": "qwen2"})
