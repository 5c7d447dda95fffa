"""Who may import what: core knows nothing of the page, and is read from top to bottom."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# The order in which a reader meets core: a file imports only files before its own place. Some
# come with later issues; a new one takes its place here in the commit that adds it.
READING_ORDER = [
    "config",
    "launch",
    "scratch",
    "files",
    "sentences",
    "task",
    "catalogue",
    "pooling",
    "similarity",
    "metrics",
    "calibration",
    "losses",
    "logistic",
    "tokenizer",
    "spelling",
    "folder",
    "packed",
    "bert",
    "machine",
    "hub",
    "backbone",
    "loading",
    "precision",
    "encoder",
    "shortening",
    "token_table",
    "adapters",
    "heads",
    "model",
    "manifest",
    "model_folder",
    "attribution",
    "prediction",
    "corpus",
    "lines",
    "formats",
    "tables",
    "data",
    "conll",
    "labels",
    "columns",
    "renames",
    "hub_data",
    "rows",
    "near_duplicates",
    "splits",
    "rare_labels",
    "dataset",
    "language",
    "findings",
    "text_checks",
    "label_checks",
    "repeat_checks",
    "doctor",
    "floor",
    "strategy",
    "strategies",
    "scenario",
    "distinct_texts",
    "prefix",
    "processes",
    "layer_states",
    "scoring",
    "layer_profile",
    "checkpoint",
    "evaluation",
    "outcome",
    "dealing",
    "training_events",
    "targets",
    "draws",
    "adamw",
    "thawing",
    "steering",
    "observing",
    "step_loss",
    "run_weights",
    "learner",
    "validation",
    "snapshots",
    "resuming",
    "pace",
    "training",
    "run_folder",
    "model_card",
    "runs",
    "train_plan",
    "drift",
    "probe",
    "forgetting",
    "held_out",
    "row_shares",
    "paired",
    "costs",
    "verdict",
    "advice_words",
    "advice",
    "race",
    "workers",
    "ray_workers",
    "peak_memory",
    "comparison_choice",
    "comparison_folds",
    "comparison_runs",
    "comparison_variants",
    "comparison_cost",
    "comparison_shared",
    "comparison_work",
    "comparison_events",
    "comparison_report",
    "comparison_plan",
    "comparison",
    "comparison_best",
    "near",
    "map_quality",
    "fuzzy_graph",
    "turning",
    "projection",
    "map_changes",
    "run_map",
    "map_groups",
    "map_messages",
    "map_process",
    "map_worker",
    "export",
    "tokenizer_export",
    "encoder_export",
    "onnx_export",
    "export_card",
    "model_export",
    "cleaned",
    "prediction_files",
    "comparison_files",
    "map_fields",
    "map_document",
    "drawing",
    "report",
    "map_page",
    "code_blocks",
    "code_to_take",
    "comparison_words",
    "comparison_pictures",
    "comparison_page",
    "documents",
    "shipped",
    "about",
    "stopping",
    "options",
    "terminal",
    "data_terminal",
    "data_commands",
    "model_terminal",
    "train_terminal",
    "train_options",
    "train_request",
    "command_input",
    "model_commands",
    "train_command",
    "compare_terminal",
    "compare_tables",
    "compare_options",
    "compare_outputs",
    "compare_command",
    "export_commands",
    "map_commands",
    "encoder_tables",
    "encoder_commands",
    "commands",
    "__main__",
]

PAGE = {"gradio", "gradio_client", "demo"}


def imports_of(tree: ast.AST, in_function: bool = False) -> Iterator[tuple[str, int, bool]]:
    """Yield (dotted name, line, whether inside a function) for every import below a node."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, in_function) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, ["core" if node.level else "", node.module]))
            names = [f"{base}.{alias.name}" for alias in node.names] if base == "core" else [base]
            yield from ((name, node.lineno, in_function) for name in names)
        elif isinstance(node, ast.Call) and node.args:
            called, given = ast.unparse(node.func), node.args[0]
            by_name = called.endswith("import_module") or called == "__import__"
            if by_name and isinstance(given, ast.Constant):
                yield str(given.value), node.lineno, in_function
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from imports_of(node, in_function or is_function)


def breaches(module: str, source: str) -> list[str]:
    """Say what a file of core imports that it must not; empty where all is well."""
    if module != "__init__" and module not in READING_ORDER:
        return [f"core/{module}.py has no place in READING_ORDER: give it one where it is read"]
    before = set() if module == "__init__" else set(READING_ORDER[: READING_ORDER.index(module)])
    found = []
    for name, line, in_function in imports_of(ast.parse(source)):
        top, _, rest = name.partition(".")
        inner = rest.partition(".")[0]
        at = f"core/{module}.py:{line}"
        if top in PAGE:
            found.append(f"{at} imports {name}: core never knows the page")
        elif top == "plotly" and not (module == "report" and in_function):
            found.append(f"{at} imports {name}: only functions of core/report.py may")
        elif top == "core" and inner not in before:
            found.append(f"{at} imports {name}, which is not before it in READING_ORDER")
    return found


def test_every_module_has_one_place() -> None:
    assert len(set(READING_ORDER)) == len(READING_ORDER)


@pytest.mark.parametrize("path", sorted((ROOT / "core").rglob("*.py")), ids=lambda path: path.stem)
def test_a_file_of_core_imports_only_what_is_read_before_it(path: Path) -> None:
    assert path.parent == ROOT / "core", "core is flat: one module a concept"
    assert breaches(path.stem, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("pooling", "import gradio as gr"),
        ("__main__", "def serve():\n    from demo.page import build_app"),
        ("hub", "import importlib\nimportlib.import_module('gradio.themes')"),
        ("pooling", "from core.encoder import Encoder"),
        ("pooling", "def late():\n    import core.encoder"),
        ("pooling", "from . import encoder"),
        ("pooling", "from .encoder import Encoder"),
        ("pooling", "from core import pooling"),
        ("pooling", "from core import no_such_module"),
        ("__init__", "from core.config import POOLINGS"),
        ("report", "import plotly.graph_objects as go"),
        ("similarity", "def draw():\n    import plotly"),
        ("somewhere_new", "import torch"),
    ],
)
def test_a_forbidden_import_is_found(module: str, source: str) -> None:
    assert len(breaches(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("report", "def write():\n    import plotly.graph_objects as go"),
        ("encoder", "from core import machine\nfrom core.pooling import pool"),
        ("__init__", "import os"),
    ],
)
def test_an_allowed_import_is_left_alone(module: str, source: str) -> None:
    assert breaches(module, source) == []


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("core.catalogue, core.config", ("torch", "numpy", "transformers")),
        ("demo.page", ("torch", "transformers", "sentence_transformers", "umap")),
    ],
)
def test_importing_it_leaves_the_heavy_packages_for_later(
    modules: str, heavy: tuple[str, ...]
) -> None:
    code = f"import json, sys, {modules}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert [name for name in heavy if name in loaded] == []
