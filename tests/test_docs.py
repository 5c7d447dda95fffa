"""What docs say of the code is what the code says."""

import importlib.util
from pathlib import Path

from core.strategy.strategies import OFFERED

ROOT = Path(__file__).resolve().parents[1]


def test_the_page_of_strategies_is_what_its_command_writes() -> None:
    spec = importlib.util.spec_from_file_location("strategies", ROOT / "docs/strategies.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = module.PAGE.read_text(encoding="utf-8")
    assert page == module.strategies_page(), "write it anew: python docs/strategies.py"
    for name, kind in OFFERED:
        assert f"`{name}`" in page
        assert kind.source in page
