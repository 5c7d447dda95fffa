"""The code to take home: it is Python whatever people wrote, and it trains as Thaw does."""

import ast
import csv
import json
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from core.config import TrainingChoice
from core.encoder.encoder import load_encoder
from core.export.code import SENTENCE_TRANSFORMERS, TRANSFORMERS, Script, scripts_of
from core.model.heads import HeadShape
from core.model.model import MultiTaskModel
from core.strategy.scenario import parse_strategy
from core.task import Task
from tests.core.strategy.test_every_strategy import has_no_true_gradient
from tests.tiny_models import LAYERS
from tests.tiny_tasks import EXAMPLES, KIND, MOOD, NAMES, train

Folder = Callable[[str], Path]
SENTENCES = (KIND, MOOD)
RATE, EPOCHS, BATCH = 1e-3, 3, 4
STRATEGIES = (
    *("heads", "heads+freeze-head:mood", "freeze-head:mood", "lower:1", "lower:0@2", "full"),
    *("gradual", "lp-ft", "bitfit", "lora@2", "layerwise-lr", "freeze:0+2", "full@mix"),
    "heads@mix",
)


def report(
    strategy: str, tasks: Sequence[Task] = SENTENCES, encoder: str = "minilm"
) -> dict[str, Any]:
    read = parse_strategy(strategy, LAYERS).read or LAYERS
    own = {"name": strategy, "best_epochs": [EPOCHS, 1, 40], "rates": []}
    own["rates"] = [{"encoder": RATE, "head": RATE}, {"encoder": 1.0, "head": 1e-9}] * 2
    own["rates"].append({"encoder": RATE, "head": RATE})
    run = {"strategy": strategy, "settings": {}, "read": {task.name: read for task in tasks}}
    return {
        "strategies": [own],
        "runs": [run],
        "tasks": {task.name: {"kind": task.kind, "labels": list(task.labels)} for task in tasks},
        "encoder": {"name": encoder, "layers": LAYERS, "max_tokens": 64},
        "columns": {"text": "text", "labels": {task.name: task.name for task in tasks}},
        "training": {"batch": BATCH},
        "best": strategy,
        "advice": {"strategy": strategy},
    }


def script(library: str, document: dict[str, Any]) -> Script:
    return next(each for each in scripts_of(document) if each.library == library)


def write_data(path: Path) -> Path:
    """Write the examples as a person's file: CSV, or JSON Lines with their spans."""
    rows = []
    for example in EXAMPLES:
        labels = {task.name: example.labels.get(task.name) or "" for task in SENTENCES}
        spans = example.labels.get(NAMES.name)
        names = None if spans is None else [dict(zip(("start", "end", "label"), s, strict=True))
                                            for s in spans if not isinstance(s, str)]  # fmt: skip
        rows.append({"text": example.text, **labels, "names": names})
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            file.write("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
        else:
            writer = csv.DictWriter(file, ["text", "kind", "mood"], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    return path


def without_dropout(source: Path, folder: Path) -> Path:
    """Copy an encoder with its dropout off, so that only what is learned can differ."""
    shutil.copytree(source, folder)
    path = folder / "config.json"
    text = re.sub(r'("\w*dropout\w*": )[\d.]+', r"\g<1>0.0", path.read_text("utf-8"))
    path.write_text(text, encoding="utf-8")
    return folder


def run_script(text: str, data: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run a script with its heads' dropout off, and return what it holds at its end."""
    text = re.sub(r"(HEAD_DROPOUT, SEED = \d+, )0\.1", r"\g<1>0.0", text)
    assert ", 0.0, 0" in text
    path = data.with_name("script.py")
    path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", [str(path), str(data), str(out)])
    return runpy.run_path(str(path))


def trained_by_thaw(
    folder: Path, strategy: str, tasks: Sequence[Task] = SENTENCES
) -> tuple[MultiTaskModel, dict[str, Tensor]]:
    """Train as `--train-best` does, without dropout; return the model and its first weights."""
    encoder = load_encoder(str(folder))
    scenario = parse_strategy(strategy, LAYERS, [task.name for task in tasks])
    torch.manual_seed(0)
    read = scenario.read or LAYERS
    model = MultiTaskModel(encoder, [HeadShape(task=task, read=read) for task in tasks])
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    choice = TrainingChoice(
        epochs=EPOCHS, patience=EPOCHS, batch=BATCH, dropout=False, encoder_rate=RATE,
        head_rate=RATE, threads=1,
    )  # fmt: skip
    for _ in train(model, scenario, EXAMPLES, (), choice):
        pass
    return model, before


def weights_of(left: dict[str, Any]) -> dict[str, Tensor]:
    """List a script's weights by Thaw's names for them."""
    found = {f"encoder.backbone.{n}": w for n, w in left["body"].named_parameters()}
    found |= {f"encoder.backbone.model.{n}": w for n, w in left["body"].named_parameters()}
    for task, head in left["heads"].items():
        found |= {f"heads.{task}.score.{n}": w for n, w in head.named_parameters()}
        if "mix" in left:
            weights, scale = left["mix"][task]
            found |= {f"heads.{task}.mix.weights": weights, f"heads.{task}.mix.scale": scale}
    return found


def check_same(model: MultiTaskModel, before: dict[str, Tensor], left: dict[str, Any]) -> None:
    """Hold that a script moved the weights that Thaw moved, to where it moved them."""
    found, moved = weights_of(left), 0
    for name, weight in model.named_parameters():
        if name.startswith("encoder.dense."):
            continue  # no head reads it
        own, first = found[name].detach(), before[name]
        if has_no_true_gradient(name):
            continue
        assert torch.equal(own, first) == torch.equal(weight, first), f"{name} is frozen in one"
        moved += not torch.equal(weight, first)
        way = torch.linalg.norm(weight - first)
        assert torch.linalg.norm(own - weight) <= 0.02 * way, name
    assert moved, "nothing has moved"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_plain_transformers_trains_the_weights_that_thaw_trains_to_the_same_end(
    strategy: str, family_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = without_dropout(family_folder("minilm"), tmp_path / "encoder")
    text = script(TRANSFORMERS, report(strategy, encoder=str(folder))).text
    left = run_script(text, write_data(tmp_path / "rows.csv"), tmp_path / "out", monkeypatch)
    assert left["EPOCHS"] == EPOCHS, "the median"
    check_same(*trained_by_thaw(folder, strategy), left)


@pytest.mark.parametrize("strategy", ["heads", "gradual", "lora"])
def test_plain_sentence_transformers_does_so_too(
    strategy: str, family_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = without_dropout(family_folder("minilm"), tmp_path / "encoder")
    text = script(SENTENCE_TRANSFORMERS, report(strategy, encoder=str(folder))).text
    data, out = write_data(tmp_path / "rows.csv"), tmp_path / "out"
    left = run_script(text, data, out, monkeypatch)
    model, before = trained_by_thaw(folder, strategy)
    check_same(model, before, left)
    there = load_encoder(str(out)).embed(["The ferry left."])
    assert torch.allclose(there, model.encoder.embed(["The ferry left."]), atol=1e-3)


@pytest.mark.parametrize("family", ["distilbert", "roberta-base", "mpnet", "stella-1.5b"])
def test_other_networks_and_spans_of_characters_train_the_same(
    family: str, family_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Byte-level pieces of so small a vocabulary lie elsewhere for transformers than for tokenizers.
    tasks = (KIND, MOOD) if family in ("roberta-base", "stella-1.5b") else (KIND, NAMES)
    folder = without_dropout(family_folder(family), tmp_path / "encoder")
    document = report("lower:1", tasks, str(folder))
    document["encoder"]["both_ways"] = load_encoder(str(folder)).is_told_both_ways
    data = write_data(tmp_path / "rows.jsonl")
    left = run_script(script(TRANSFORMERS, document).text, data, tmp_path / "out", monkeypatch)
    check_same(*trained_by_thaw(folder, "lower:1", tasks), left)


@pytest.mark.slow
def test_a_script_runs_where_there_is_no_thaw(family_folder: Folder, tmp_path: Path) -> None:
    made = script(TRANSFORMERS, report("lower:2@3", encoder=str(family_folder("minilm"))))
    path, data = tmp_path / made.file, write_data(tmp_path / "rows.csv")
    path.write_text(made.text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", str(path), str(data), str(tmp_path / "out")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"epoch {EPOCHS} of {EPOCHS}: loss" in done.stdout
    labelled = sum(example.labels.get("kind") is not None for example in EXAMPLES)
    assert f"kind: {labelled} of {len(EXAMPLES)} rows are labelled" in done.stdout
    written = json.loads((tmp_path / "out" / "heads.json").read_text("utf-8"))
    assert written["tasks"] == {"kind": list(KIND.labels), "mood": list(MOOD.labels)}
    assert (tmp_path / "out" / "heads.safetensors").is_file()
    imported = {line.split()[1] for line in made.text.splitlines() if line.startswith("from ")}
    assert not any(each.partition(".")[0] in ("core", "demo") for each in imported)


def literals(text: str) -> dict[str, Any]:
    """Read the constants of a script; hold that it holds one statement for each, as it should."""
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name.isupper():
                found[name] = ast.literal_eval(node.value)
    return found


anything = st.text(min_size=1, max_size=30) | st.sampled_from(
    [
        '"""',
        "'''",
        "\\",
        "\n#",
        "');import os#",
        "{x}",
        "\u2028",
        "\u202e",
        "\ud800",
        "\r\n",
        "\x00",
    ]
)


USUAL = scripts_of(report("lower:1", (KIND,), "some/folder"))


@settings(max_examples=25)
@given(st.lists(anything, min_size=2, max_size=4, unique=True), anything, anything, anything)
def test_no_label_column_or_name_of_a_file_becomes_code(
    labels: list[str], column: str, text: str, encoder: str
) -> None:
    task = Task(name="kind", kind="sentence", labels=tuple(labels))
    document = report("lower:1", (task,), encoder)
    document["columns"] = {"text": text, "labels": {"kind": column}}
    for made, usual in zip(scripts_of(document), USUAL, strict=True):
        found = literals(made.text)
        assert found["TASKS"] == {"kind": labels}
        assert found["COLUMN"] == {"kind": column}
        assert found["TEXT"] == text
        assert found["ENCODER"] == encoder or encoder.strip().lower() in ("minilm", "mpnet")
        shape, own = (
            [type(node).__name__ for node in ast.parse(each).body]
            for each in (usual.text, made.text)
        )
        assert shape == own, "a statement was added or lost"


def test_a_script_says_what_it_leaves_out() -> None:
    both = scripts_of(report("heads", (KIND, NAMES)))
    assert "names" in both[0].note
    assert "trains kind alone" in both[1].note
    assert both[1].text
    tokens = scripts_of(report("heads", (NAMES,)))
    assert tokens[0].text
    assert not tokens[1].text
    assert "one vector a sentence" in tokens[1].note
    assert not any(each.text for each in scripts_of(report("frozen")))
    only = scripts_of(report("heads+freeze-head:kind", (KIND, NAMES)))
    assert not only[1].text, "its only head that trains is of a token task"


def test_the_layer_that_most_runs_read_is_taken_and_of_two_the_lower() -> None:
    document = report("heads@auto")
    reads = [{"kind": 1, "mood": 3}, {"kind": 2, "mood": 2}, {"kind": 2, "mood": 0}]
    document["runs"] = [{"strategy": "heads@auto", "settings": {}, "read": each} for each in reads]
    found = literals(scripts_of(document)[0].text)
    assert found["READ"] == {"kind": 2, "mood": 0}


@pytest.mark.parametrize(
    "broken",
    [
        {"strategies": []},
        {"runs": []},
        {"training": {"balance": "uncertainty"}},
        {"strategies": [{"name": "full", "best_epochs": [], "rates": []}]},
        {"training": {"batch": "__import__('os')"}},
        {"encoder": {"name": "minilm", "layers": "nine"}},
    ],
)
def test_a_report_that_says_too_little_is_refused_in_a_sentence(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        scripts_of(report("full") | broken)
    assert "\n" not in str(caught.value)
