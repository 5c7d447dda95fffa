"""What names a setting is worded at each edge, and text from people never is."""

import ast
import copy
import json
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.cli.options import flag_of
from core.errors import InputError, Said, marked, setting, worded, worded_all
from demo.frame.spoken import field_of

CORE = Path(__file__).resolve().parents[2] / "core"
OPTION = re.compile(r"(?<![\w-])--[a-z]")

COMMANDS = {
    "core/export/card.py": 2,  # what a model's card tells a reader to run
    "core/model/card.py": 1,
    "core/shipped.py": 3,  # a program of its own, and what it prints
    "core/system/launch.py": 1,  # of accelerate
    "core/system/ray_workers.py": 1,  # of ray
}
"""Where core outside its command line holds whole commands, and in how many strings."""


def strings_of(tree: ast.AST) -> Iterator[str]:
    """Yield the literals of a module, but for what documents it and what declares an option."""
    passed_over: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            passed_over |= {id(each.value) for each in node.body if isinstance(each, ast.Expr)}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "Option":
            passed_over |= {id(each) for each in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in passed_over:
            yield from [node.value] if isinstance(node.value, str) else []


def test_core_names_no_option_of_the_command_line_outside_of_it() -> None:
    found = {}
    for path in sorted(CORE.rglob("*.py")):
        name = path.relative_to(CORE.parent).as_posix()
        if not name.startswith("core/cli/"):
            texts = strings_of(ast.parse(path.read_text(encoding="utf-8")))
            count = sum(bool(OPTION.search(text)) for text in texts)
            if count:
                found[name] = count
    assert found == COMMANDS


def test_an_option_in_a_message_would_be_found() -> None:
    tree = ast.parse('"""--seen."""\nraise ValueError(f"{x}: give --overwrite")')
    assert [text for text in strings_of(tree) if OPTION.search(text)] == [": give --overwrite"]


def settings_named() -> set[str]:
    """Find every setting that a sentence of core names."""
    found: set[str] = set()
    for path in CORE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "setting":
                found |= {each.value for each in node.args if isinstance(each, ast.Constant)}
    return found


def test_every_setting_that_core_names_is_an_option_and_has_a_name_on_the_page() -> None:
    from typer.main import get_command

    from core.cli.app import app

    commands = get_command(app).commands.values()  # type: ignore[attr-defined]
    options = {name for command in commands for each in command.params for name in each.opts}
    assert len(settings_named()) > 10
    for name in settings_named():
        assert flag_of(name) in options
        assert "_" not in field_of(name)


def test_an_error_says_its_field_and_each_edge_calls_it_its_own_way() -> None:
    error = InputError(field="encoder_rate", given=2.0, allowed="at most 1")
    assert (error.field, error.given, error.allowed) == ("encoder_rate", 2.0, "at most 1")
    assert f"{error}" == "encoder_rate is 2.0, must be at most 1"
    assert worded(str(error), flag_of) == "--lr is 2.0, must be at most 1"
    assert worded(str(error), field_of) == "“Layers' learning rate” is 2.0, must be at most 1"


def test_a_sentence_without_a_field_takes_the_first_that_it_names() -> None:
    error = InputError(f"there are {setting('resume')} and {setting('overwrite')}")
    assert error.field == "resume"
    assert str(error) == "there are resume and overwrite"
    assert InputError("nothing is there").field == ""


def test_what_is_said_survives_processes_copies_and_json() -> None:
    error = InputError(field="epochs", given=0, allowed="at least 1")
    for same in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert worded(str(same), flag_of) == "--epochs is 0, must be at least 1"
        assert (same.field, same.given) == ("epochs", 0)
    said = Said(f"raise {setting('rows')}")
    document = {"notes": [said, "plain"], "matrix": [[0.5, 1.0]], "none": None}
    assert json.loads(json.dumps(document))["notes"][0] == "raise rows"
    assert worded_all(document, flag_of) == {**document, "notes": ["raise --rows", "plain"]}


def test_a_sentence_in_a_sentence_keeps_its_settings_and_a_plain_text_has_none() -> None:
    inner = Said(f"join labels with {setting('renames')}")
    assert worded(Said(f"column 'a': {marked(inner)}"), flag_of) == (
        "column 'a': join labels with --map"
    )
    assert f"{inner}!" == "join labels with renames!"
    assert marked("plain") == "plain"


@pytest.mark.parametrize("hostile", ["{rows}", "%(rows)s", "rows", r"\1", "--map"])
def test_text_from_people_is_never_taken_for_a_setting(hostile: str) -> None:
    assert worded(Said(f"{hostile!r}: raise {setting('rows')}"), flag_of) == (
        f"{hostile!r}: raise --rows"
    )
