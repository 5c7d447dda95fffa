"""What is drawn part by part has a name, and the name draws it again."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import MIX
from core.strategy.scenario import AUTO, drawn_scenario, parse_strategy
from core.strategy.strategy import Part, parts_of

TASKS = ("topic", "mood", "names")
LAYERS = 4
READS = (None, 0, 1, 2, 3, 4, AUTO, MIX)


@given(frozen=st.sets(st.integers(0, LAYERS)), read=st.sampled_from(READS))
def test_the_name_of_what_is_drawn_draws_it_again(frozen: set[int], read: int | str | None) -> None:
    drawn = drawn_scenario(frozen, LAYERS, read=read, tasks=TASKS)
    top = read if isinstance(read, int) else LAYERS
    assert parse_strategy(drawn.name, LAYERS, TASKS) == drawn
    trained = [part for part in parts_of(top, TASKS) if drawn.strategy.trains(part)]
    wanted = [Part(layer=layer) for layer in range(top + 1) if layer not in frozen]
    assert trained == wanted + [Part(task=task) for task in TASKS]


@pytest.mark.parametrize(
    ("frozen", "read", "heads", "name"),
    [
        ({0, 1, 2, 3, 4}, None, (), "heads"),
        ({0, 1, 2}, 2, (), "heads@2"),
        ({0, 1, 2, 3, 4}, 4, ("mood",), "heads+freeze-head:mood"),
        ({0, 1, 2, 3, 4}, None, TASKS, "frozen"),
        (set(), None, (), "full"),
        ({4}, 3, (), "full@3"),
        (set(), None, ("topic",), "freeze-head:topic"),
        ({0}, None, (), "lower:0"),
        ({0, 1}, "auto", (), "lower:1@auto"),
        ({0, 1, 4}, 3, (), "lower:1@3"),
        ({0, 1, 3}, None, (), "freeze:0-1+3"),
        ({1, 2}, "mix", (), "freeze:1-2@mix"),
    ],
)
def test_what_is_drawn_gets_the_plainest_name(
    frozen: set[int], read: int | str | None, heads: tuple[str, ...], name: str
) -> None:
    drawn = drawn_scenario(frozen, LAYERS, read=read, frozen_heads=heads, tasks=TASKS)
    assert drawn.name == name


@pytest.mark.parametrize(
    ("frozen", "heads", "said"),
    [
        ({0, 1}, ("mood",), "a head stays frozen alone, with the whole encoder"),
        (set(), ("mood", "topic"), "a head stays frozen alone"),
        ({0, 1, 2, 3, 4}, ("mood", "topic"), "one head can stay frozen, or all can, not 2 of 3"),
    ],
)
def test_what_no_strategy_freezes_is_refused_in_a_sentence(
    frozen: set[int], heads: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        drawn_scenario(frozen, LAYERS, frozen_heads=heads, tasks=TASKS)
