"""An option is declared once: its words and its bounds are those of the field that holds it."""

import math
from dataclasses import dataclass, fields

import pytest

from core.config import (
    AdviceChoice,
    ComparisonSettings,
    DataChoice,
    EncoderChoice,
    ExportChoice,
    MapSettings,
    TrainingChoice,
    seconds_of,
)
from core.errors import InputError
from core.option import Option, check_options, options_of

HOLDERS = (
    EncoderChoice,
    DataChoice,
    TrainingChoice,
    AdviceChoice,
    ComparisonSettings,
    MapSettings,
    ExportChoice,
)


@pytest.mark.parametrize(
    ("option", "words", "good", "bad"),
    [
        (Option(least=1), "at least 1", (1, 9, None), (0, -1, math.nan)),
        (Option(least=0), "0 or more", (0, 0.5), (-0.1, math.nan)),
        (Option(least=0, below=1), "0 or more and below 1", (0, 0.9), (1, math.nan)),
        (Option(above=0, most=1), "above 0 and at most 1", (0.1, 1), (0, 1.1, math.nan)),
        (Option(above=0), "above 0", (1e-9,), (0, math.nan)),
        (Option(least=0.1, most=10), "0.1 to 10", (0.1, 10), (0, 11, math.nan)),
        (Option(least=0, most=2**32 - 1), "0 to 4294967295", (2**32 - 1,), (2**32, -1)),
        (Option(choices=("a", "b")), "one of: a, b", ("a", None), ("c", "")),
    ],
)
def test_a_bound_says_what_it_allows_and_takes_just_that(
    option: Option, words: str, good: tuple[float, ...], bad: tuple[float, ...]
) -> None:
    assert option.allowed == words
    assert all(map(option.takes, good))
    assert not any(map(option.takes, bad))


def test_a_field_out_of_bounds_is_refused_by_its_name() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Held:
        depth: int = Option("--depth", "N", "How deep.", least=1).field(2)
        name: str = Option("--name", "X", "Whose.").field()

        def __post_init__(self) -> None:
            check_options(self)

    assert list(options_of(Held)) == ["depth", "name"]
    assert Held(name="x").depth == 2
    with pytest.raises(TypeError, match="name"):
        Held()
    with pytest.raises(InputError, match="depth is 0, must be at least 1") as refused:
        Held(depth=0, name="x")
    assert (refused.value.field, refused.value.given) == ("depth", 0)


@pytest.mark.parametrize("holder", HOLDERS)
def test_every_default_is_allowed(holder: type) -> None:
    defaults = {each.name: each.default for each in fields(holder)}
    for name, option in options_of(holder).items():
        assert option.takes(defaults[name]) or name == "source"


def test_one_flag_has_one_meaning_wherever_it_is_declared() -> None:
    """A setting is called one way at the terminal, whichever command it is typed to."""
    flags: dict[str, set[str]] = {}
    for holder in HOLDERS:
        for name, option in options_of(holder).items():
            flags.setdefault(name, set()).add(option.flag)
    assert {name: each for name, each in flags.items() if len(each) > 1} == {}


@pytest.mark.parametrize(("typed", "seconds"), [("90", 90), ("1.5m", 90), ("2H", 7200), ("9 s", 9)])
def test_a_budget_is_read_with_its_unit(typed: str, seconds: float) -> None:
    assert seconds_of(typed) == seconds


@pytest.mark.parametrize("typed", ["0", "m", "-5s", "1d", "1e3", "nan", ""])
def test_a_budget_that_is_none_is_refused(typed: str) -> None:
    with pytest.raises(InputError, match=r"budget is .*, must be such as 60s, 5m or 1h"):
        seconds_of(typed)
