"""Rooms and their walls: who stands before whom, who may import whom, and what a room shows.

`core` and `demo` are read from top to bottom. A folder is a room with one purpose, which its
`__init__` says in one sentence, and nothing else.
"""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Room:
    """A folder, and its place.

    Attributes:
        name: The package.
        modules: Its modules, in the order in which they are read: each imports only those before.
        inner: Those of them that no other room may import.
        may_import: The rooms it may import, all of which stand before it. The ground is free.
    """

    name: str
    modules: str
    inner: str = ""
    may_import: str = ""


GROUND = "errors option pooling nearness config task sentences"
"""What lies under all rooms of core, in its order: any room may import it."""

ROOMS = (
    Room(
        "core.system",
        modules="launch scratch machine stopping workers ray_workers files",
    ),
    Room(
        "core.measures",
        modules="metrics scores similarity calibration drift",
    ),
    Room(
        "core.encoder",
        modules=(
            "catalogue folder hub tokenizer packed bert backbone adapters loading "
            "precision encoder shortening token_table about"
        ),
        may_import="core.system core.measures",
    ),
    Room(
        "core.tables",
        modules=(
            "lines stream cells labels columns held format separated json_lines parquet conll "
            "plain_text formats sentence_files hub_tables table_files cleaned"
        ),
        inner="lines held format conll plain_text hub_tables",
        may_import="core.system",
    ),
    Room(
        "core.data",
        modules="renames splits rare_labels corpus dataset near_duplicates dealing",
        inner="renames",
        may_import="core.measures core.tables",
    ),
    Room(
        "core.model",
        modules=(
            "spelling reading heads model manifest model_folder attribution prediction evaluation "
            "card documents"
        ),
        inner="attribution",
        may_import="core.system core.measures core.encoder core.data",
    ),
    Room(
        "core.doctor",
        modules="language findings text_checks label_checks repeat_checks doctor",
        inner="language text_checks label_checks repeat_checks",
        may_import="core.encoder core.data",
    ),
    Room(
        "core.strategy",
        modules="words strategy strategies scenario thaw_plan",
    ),
    Room(
        "core.frozen",
        modules="distinct_texts prefix processes layer_states scoring",
        inner="distinct_texts",
        may_import="core.system core.encoder core.model",
    ),
    Room(
        "core.knowledge",
        modules="logistic floor layer_profile probe forgetting",
        inner="logistic",
        may_import="core.system core.measures core.encoder core.data core.model core.frozen",
    ),
    Room(
        "core.training",
        modules=(
            "events targets losses draws adamw thawing steering observing run_weights "
            "learner validation snapshots checkpoint resuming pace loop run "
            "plan estimate"
        ),
        inner=("draws adamw observing run_weights learner validation snapshots resuming pace"),
        may_import=(
            "core.system core.encoder core.data core.model core.strategy core.frozen core.knowledge"
        ),
    ),
    Room(
        "core.advice",
        modules="held_out row_shares paired costs verdict words advice race",
        inner="row_shares verdict words",
        may_import="core.measures",
    ),
    Room(
        "core.comparison",
        modules=(
            "choice folds store variants cost events shared work report schedule crew comparison "
            "best files"
        ),
        inner="variants cost report schedule crew",
        may_import=(
            "core.system core.measures core.encoder core.data core.model core.strategy "
            "core.frozen core.knowledge core.training core.advice"
        ),
    ),
    Room(
        "core.maps",
        modules=(
            "near quality fuzzy_graph turning projection changes run_map groups fields messages "
            "process worker document"
        ),
        inner="quality fuzzy_graph groups messages worker",
        may_import="core.measures core.encoder core.data core.training",
    ),
    Room(
        "core.export",
        modules="embeddings predictions tokenizer encoder onnx card model code_blocks code",
        inner="tokenizer encoder onnx card code_blocks",
        may_import="core.system core.encoder core.model core.strategy",
    ),
    Room(
        "core.report",
        modules=(
            "drawing placing figures run_figures layer_profile blocks cells "
            "comparison_runs comparison templates page map_page"
        ),
        inner="placing figures cells comparison_runs templates",
        may_import="core.measures core.strategy core.knowledge core.maps core.export",
    ),
    Room(
        "core.cli",
        modules=(
            "options terminal inputs data model_tables model train_tables "
            "train_options train compare_live blocks compare_options "
            "compare export map encoder_tables encoder app"
        ),
        inner=(
            "options inputs data model_tables model train_tables train_options "
            "train compare_live blocks compare_options "
            "compare export map encoder_tables encoder"
        ),
        may_import=(
            "core.system core.measures core.encoder core.tables core.data core.model core.doctor "
            "core.strategy core.frozen core.knowledge core.training core.comparison core.maps "
            "core.export core.report"
        ),
    ),
    Room(
        "demo.frame",
        modules="theme views spoken toasts work files sentences widgets asking",
        may_import="core.tables core.report",
    ),
    Room(
        "demo.shelves",
        modules=(
            "shelf models model_uploads encoders working_data comparison best comparisons "
            "kept_comparisons shelves"
        ),
        may_import="core.system core.encoder core.data core.model core.comparison",
    ),
    Room(
        "demo.strategies",
        modules="words strip clicks cards",
        may_import=(
            "core.encoder core.model core.strategy core.knowledge core.training core.comparison "
            "demo.frame"
        ),
    ),
    Room(
        "demo.sidebar",
        modules="tabs sidebar",
        may_import="core.encoder demo.frame demo.shelves",
    ),
    Room(
        "demo.data",
        modules="form views rows downloads events tab",
        inner="form rows downloads events",
        may_import=(
            "core.encoder core.tables core.data core.doctor demo.frame demo.shelves demo.sidebar"
        ),
    ),
    Room(
        "demo.similarity",
        modules="views questions examples events tab",
        inner="views examples events",
        may_import="core.measures core.encoder core.model demo.frame demo.shelves demo.sidebar",
    ),
    Room(
        "demo.predict",
        modules="predictions examples events tab",
        inner="predictions examples events",
        may_import=(
            "core.encoder core.tables core.model core.export demo.frame demo.shelves demo.sidebar"
        ),
    ),
    Room(
        "demo.map",
        modules="examples shelf drawing placing views events tab",
        inner="examples drawing placing views events",
        may_import=(
            "core.encoder core.data core.model core.maps demo.frame demo.shelves demo.sidebar "
            "demo.similarity"
        ),
    ),
    Room(
        "demo.freeze",
        modules=("views examples profiles events form comparison_events comparison_layout tab"),
        inner="views examples events comparison_events comparison_layout",
        may_import=(
            "core.system core.measures core.encoder core.data core.strategy core.knowledge "
            "core.comparison core.export core.report demo.frame demo.shelves demo.strategies "
            "demo.sidebar"
        ),
    ),
    Room(
        "demo.train",
        modules=(
            "run_map worker ask notes choosing words archive charts example sessions form events "
            "tab"
        ),
        inner="run_map worker ask notes choosing words archive charts example form events",
        may_import=(
            "core.system core.measures core.encoder core.data core.model core.strategy "
            "core.knowledge core.training core.maps core.export core.report demo.frame "
            "demo.shelves demo.strategies demo.sidebar demo.freeze"
        ),
    ),
    Room(
        "demo.endpoints",
        modules="encoder check compare map",
        may_import=(
            "core.encoder core.data core.model core.doctor core.strategy core.comparison "
            "core.maps demo.frame demo.shelves demo.strategies demo.similarity demo.map "
            "demo.freeze"
        ),
    ),
)
"""Every room, in reading order. A new room or module takes its place in the commit that adds it."""

DOORS = (
    "core.shipped",
    "core.__main__",
    "demo.tour_pictures",
    "demo.page",
    "demo.serve",
    "demo.app",
    "demo.__main__",
)
"""What is run or started, in order: each may import what is shown in its package and before it."""

PAGE = ("gradio", "gradio_client", "demo")
OF_THE_PAGE = re.compile(r"\b(gradio|demo|visitors?)\b", re.IGNORECASE)
"""Names that only the page knows."""

NAMED_IN_CORE = {
    "core/encoder/about.py": 1,  # the packages whose versions are told
    "core/cli/compare.py": 1,  # the command that works with what was trained
}
"""Where core may name the page, and in how many lines."""


def place_of(module: str) -> tuple[str, int, int]:
    """Find a module's room, the room's place and the module's own place in it.

    Raises:
        LookupError: If it has none.
    """
    package, _, name = module.rpartition(".")
    if package == "core" and name in GROUND.split():
        return "core", -1, GROUND.split().index(name)
    if module in DOORS:
        return package, len(ROOMS), DOORS.index(module)
    for place, room in enumerate(ROOMS):
        if room.name == package and name in room.modules.split():
            return package, place, room.modules.split().index(name)
    raise LookupError(f"{module} has no place in ROOMS: give it one where it is read")


def imports_of(tree: ast.AST, in_function: bool = False) -> Iterator[tuple[str, int, bool]]:
    """Yield (dotted name, line, whether inside a function) for every import below a node."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, in_function) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield f"{'.' * node.level}{node.module or ''}", node.lineno, in_function
            else:
                names = (f"{node.module}.{alias.name}" for alias in node.names)
                yield from ((name, node.lineno, in_function) for name in names)
        elif isinstance(node, ast.Call) and node.args:
            called, given = ast.unparse(node.func), node.args[0]
            by_name = called.endswith("import_module") or called == "__import__"
            if by_name and isinstance(given, ast.Constant):
                yield str(given.value), node.lineno, in_function
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from imports_of(node, in_function or is_function)


def module_in(name: str) -> str | None:
    """Find the module of ours that a dotted name lies in; None where it is none of ours.

    Raises:
        LookupError: If it names ours, and no module there is.
    """
    parts = name.split(".")
    if parts[0] not in ("core", "demo"):
        return None
    for end in range(len(parts), 1, -1):
        module = ".".join(parts[:end])
        try:
            place_of(module)
        except LookupError:
            continue
        return module
    raise LookupError(f"{name}, which is no module that has a place")


def breach(module: str, name: str, *, in_function: bool) -> str | None:
    """Say what is wrong with an import; None where all is well."""
    if name.startswith("."):
        return f"{name} by dots: write its whole name"
    if module.startswith("core.") and name.partition(".")[0] in PAGE:
        return f"{name}: core never knows the page"
    if name.partition(".")[0] == "plotly":
        drawn = module.startswith("core.report.") and in_function
        return None if drawn else f"{name}: only functions of core.report draw"
    try:
        other = module_in(name)
    except LookupError as error:
        return str(error)
    if other is None or other == module:
        return None
    package, place, own = place_of(module)
    whose, where, theirs = place_of(other)
    if where > place or (where == place and theirs >= own):
        return f"{other}, which is not before it"
    if where == -1 or (where == place and whose == package):
        return None
    if where < len(ROOMS) and other.rpartition(".")[2] in ROOMS[where].inner.split():
        return f"{other}, which {whose} does not show to other rooms"
    if place < len(ROOMS) and whose not in ROOMS[place].may_import.split():
        return f"{other}: {package} may not import {whose}"
    return None


def breaches(module: str, source: str) -> list[str]:
    """Say what a module imports that it must not; empty where all is well."""
    try:
        place_of(module)
    except LookupError as error:
        return [str(error)]
    found = (
        (line, breach(module, name, in_function=in_function))
        for name, line, in_function in imports_of(ast.parse(source))
    )
    return [f"{module}:{line} imports {said}" for line, said in found if said]


def sources() -> Iterator[tuple[str, Path]]:
    """Yield every module of ours and its file, the `__init__` files left out."""
    for top in ("core", "demo"):
        for path in sorted((ROOT / top).rglob("*.py")):
            if path.stem != "__init__":
                yield ".".join(path.relative_to(ROOT).with_suffix("").parts), path


SOURCES = dict(sources())


def test_every_module_has_one_place_and_every_place_a_module() -> None:
    placed = [f"core.{name}" for name in GROUND.split()] + list(DOORS)
    for room in ROOMS:
        placed += [f"{room.name}.{name}" for name in room.modules.split()]
    assert len(set(placed)) == len(placed)
    assert set(placed) == set(SOURCES)


def test_a_room_names_only_its_own_modules_and_rooms_before_it() -> None:
    for place, room in enumerate(ROOMS):
        assert set(room.inner.split()) <= set(room.modules.split()), room.name
        assert set(room.may_import.split()) <= {each.name for each in ROOMS[:place]}, room.name


@pytest.mark.parametrize("module", SOURCES)
def test_a_module_imports_only_what_stands_before_it_and_is_shown_to_it(module: str) -> None:
    assert breaches(module, SOURCES[module].read_text(encoding="utf-8")) == []


def test_no_wall_is_lower_than_it_must_be() -> None:
    """What a row allows is used: else the wall could stand higher."""
    used: set[tuple[str, str]] = set()
    from_outside: set[str] = set()
    for module, path in SOURCES.items():
        for name, _, _ in imports_of(ast.parse(path.read_text(encoding="utf-8"))):
            other = module_in(name)
            if other is not None and module.rpartition(".")[0] != other.rpartition(".")[0]:
                used.add((module.rpartition(".")[0], other.rpartition(".")[0]))
                from_outside.add(other)
    for room in ROOMS:
        for other in room.may_import.split():
            assert (room.name, other) in used, f"{room.name} may import {other}, and need not"
        for name in set(room.modules.split()) - set(room.inner.split()):
            assert f"{room.name}.{name}" in from_outside | STARTED, f"{room.name} shows {name}"


STARTED = {"core.maps.worker"}
"""What no module imports and a process starts by its name."""


@pytest.mark.parametrize(
    "path",
    [path for top in ("core", "demo") for path in sorted((ROOT / top).rglob("__init__.py"))],
    ids=lambda path: path.parent.name,
)
def test_an_init_says_one_sentence_and_imports_nothing(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = ast.get_docstring(tree)
    assert said
    assert "\n" not in said
    assert said.endswith(".")
    assert len(tree.body) == 1


def test_names_of_the_page_stand_nowhere_in_core() -> None:
    found = {}
    for path in sorted((ROOT / "core").rglob("*.py")):
        lines = path.read_text(encoding="utf-8").splitlines()
        count = sum(bool(OF_THE_PAGE.search(line)) for line in lines)
        if count:
            found[path.relative_to(ROOT).as_posix()] = count
    assert found == NAMED_IN_CORE


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("core.encoder.packed", "import gradio as gr"),
        ("core.__main__", "def serve():\n    from demo.page import build_app"),
        ("core.encoder.hub", "import importlib\nimportlib.import_module('gradio.themes')"),
        ("core.encoder.packed", "from core.encoder.encoder import Encoder"),
        ("core.encoder.packed", "def late():\n    import core.encoder.encoder"),
        ("core.encoder.packed", "from . import encoder"),
        ("core.encoder.packed", "from .encoder import Encoder"),
        ("core.encoder.encoder", "from core.model.model import MultiTaskModel"),
        ("core.encoder.encoder", "from core import no_such_module"),
        ("core.encoder.encoder", "from core.system import no_such_module"),
        ("core.strategy.scenario", "from core.encoder.encoder import Encoder"),
        ("core.advice.advice", "from core.data.dataset import Dataset"),
        ("core.cli.train", "from core.training.learner import Learner"),
        ("core.config", "from core.task import Task"),
        ("core.somewhere_new", "import torch"),
        ("core.training.somewhere_new", "import torch"),
        ("core.report.layer_profile", "import plotly.graph_objects as go"),
        ("core.measures.similarity", "def draw():\n    import plotly"),
        ("demo.frame.views", "def draw():\n    import plotly"),
        ("demo.predict.tab", "from demo.similarity.tab import build_compare_tab"),
        ("demo.frame.work", "from demo.shelves.encoders import EncoderShelf"),
        ("demo.train.tab", "from demo.freeze.views import result_view"),
        ("demo.serve", "from demo.app import main"),
    ],
)
def test_a_forbidden_import_is_found(module: str, source: str) -> None:
    assert len(breaches(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("core.report.layer_profile", "def write():\n    import plotly.graph_objects as go"),
        ("core.encoder.encoder", "from core.system import machine\nimport core.encoder.packed"),
        ("core.encoder.encoder", "from core.config import POOLINGS\nfrom torch import nn"),
        ("demo.train.tab", "from demo.freeze.profiles import ProfileShelf"),
        ("demo.page", "from demo.train.tab import build_training_tab"),
    ],
)
def test_an_allowed_import_is_left_alone(module: str, source: str) -> None:
    assert breaches(module, source) == []


@pytest.mark.parametrize("name", ["gradio", "demo.page", "a visitor", "Visitors"])
def test_a_name_of_the_page_is_found(name: str) -> None:
    assert OF_THE_PAGE.search(f"what {name} does")
    assert not OF_THE_PAGE.search("a demonstration, gradients, revisited")


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("core.encoder.catalogue, core.config", ("torch", "numpy", "transformers")),
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
