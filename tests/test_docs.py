"""What docs say of the code is what the code says."""

import importlib.util
from pathlib import Path
from types import ModuleType

from core.strategy.strategies import OFFERED

ROOT = Path(__file__).resolve().parents[1]


def script(name: str) -> ModuleType:
    """Load a script of the docs."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_of_the_rooms_is_what_its_command_draws() -> None:
    module = script("rooms")
    drawn = module.PICTURE.read_text(encoding="utf-8")
    assert drawn == module.rooms_svg(), "draw it anew: python docs/rooms.py"


def test_the_page_of_strategies_is_what_its_command_writes() -> None:
    module = script("strategies")
    page = module.PAGE.read_text(encoding="utf-8")
    assert page == module.strategies_page(), "write it anew: python docs/strategies.py"
    for name, kind in OFFERED:
        assert f"`{name}`" in page
        assert kind.source in page
