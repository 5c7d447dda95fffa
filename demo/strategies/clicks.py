"""Clicks on a layer strip, as a browser tells of them, made into the strategy they ask for."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from demo.frame.spoken import as_sentence
from demo.strategies.strip import Network, reading, toggled

if TYPE_CHECKING:  # torch is behind it
    from core.strategy.scenario import Scenario

LONGEST_NAME = 200


def clicked(network: Network, drawn: str, given: Mapping[str, Any]) -> "tuple[Scenario, str]":
    """Change what is drawn as a click or a typed name asks.

    Args:
        network: What the strategy is for.
        drawn: The name of the strategy drawn now.
        given: `{part}` freezes or thaws it, `{read}` moves the heads, `{name}` draws another;
            anything else changes nothing.

    Returns:
        What is to be drawn, and why it is the same where the click cannot be.

    Raises:
        ValueError: If what is drawn now is no strategy of this network.
    """
    scenario = network.parse(drawn)
    try:
        if "part" in given:
            return toggled(network, scenario, str(given["part"])[:LONGEST_NAME]), ""
        if "read" in given:
            return reading(network, scenario, _read_in(given["read"])), ""
        if "name" in given:
            return network.parse(name_in(given, "name")), ""
    except ValueError as error:
        return scenario, as_sentence(error)
    return scenario, ""


def name_in(given: Mapping[str, Any], key: str) -> str:
    """Take a strategy's name from the browser.

    Raises:
        ValueError: If it is no text, or too long.
    """
    name = given.get(key)
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        raise ValueError(f"a strategy's name is text of up to {LONGEST_NAME} characters")
    return name


def _read_in(given: object) -> int | str:
    """Take where the heads are to read, from the browser."""
    if given in ("auto", "mix"):
        return str(given)
    if isinstance(given, bool) or not isinstance(given, int | float) or given != int(given):
        raise ValueError(f"heads read a layer, auto or mix, not {str(given)[:40]!r}")
    return int(given)
