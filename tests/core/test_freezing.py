import pytest

from core.freezing import Frozen, Full, Heads, Lower, Part, Strategy, frozen_depth, parts_of
from core.heads import MIX
from core.scenario import AUTO, NAMES, parse_strategy

ALL = (Frozen(), Heads(), Lower(layers=2), Full())


@pytest.mark.parametrize(
    ("strategy", "trains"),
    [
        (Frozen(), []),
        (Heads(), ["head topic"]),
        (Lower(layers=2), ["layer 3", "layer 4", "head topic"]),
        (Lower(layers=0), ["layer 1", "layer 2", "layer 3", "layer 4", "head topic"]),
        (
            Full(),
            ["embeddings", "layer 1", "layer 2", "layer 3", "layer 4", "head topic"],
        ),
    ],
)
def test_a_strategy_says_of_each_part_whether_it_trains(
    strategy: Strategy, trains: list[str]
) -> None:
    assert [str(part) for part in parts_of(4, ["topic"]) if strategy.trains(part)] == trains


@pytest.mark.parametrize(
    ("strategy", "depth"),
    [(Frozen(), 4), (Heads(), 4), (Lower(layers=0), 0), (Lower(layers=3), 3), (Full(), None)],
)
def test_the_frozen_bottom_ends_below_the_first_layer_that_trains(
    strategy: Strategy, depth: int | None
) -> None:
    assert frozen_depth(strategy, 4) == depth


@pytest.mark.parametrize("strategy", ALL, ids=lambda each: each.name)
def test_every_strategy_is_documented_and_found_by_its_name(strategy: Strategy) -> None:
    scenario = parse_strategy(strategy.name, 6)
    assert scenario.strategy == strategy
    assert scenario.read is None
    assert scenario.name == strategy.name
    for text in (strategy.does, strategy.good, strategy.bad, strategy.when, strategy.source):
        assert text.endswith(".")
    assert "," not in strategy.name, "names stand in lists"
    assert 0 < strategy.encoder_rate <= 1
    assert 0 < strategy.head_rate <= 1
    assert strategy.epochs > 0


@pytest.mark.parametrize(
    ("name", "read"),
    [("heads@4", 4), ("heads@0", 0), ("full@6", 6), ("lower:2@auto", AUTO), ("heads@mix", MIX)],
)
def test_a_suffix_says_where_the_heads_read(name: str, read: int | str) -> None:
    scenario = parse_strategy(f" {name} ", 6)
    assert scenario.read == read
    assert scenario.name == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lowest", f"must be one of: {', '.join(NAMES)}"),
        ("", "must be one of"),
        ("heads:2", "must be one of"),
        ("lower", "must be lower:0 to lower:5"),
        ("lower:6", "must be lower:0 to lower:5 for an encoder of 6 layers"),
        ("lower:-1", "must be lower:0 to lower:5"),
        ("lower:²", "must be lower:0 to lower:5"),
        ("heads@7", "must be @0 to @6, @auto or @mix"),
        ("heads@", "must be @0 to @6"),
        ("heads@2@3", "must be @0 to @6"),
        ("lower:4@3", "that is heads@3"),
        ("lower:4@4", "that is heads@4"),
        ("lower:" + "9" * 5000, "must be lower:0 to lower:5"),
        ("heads@" + "9" * 5000, "must be @0 to @6"),
    ],
)
def test_a_name_that_is_none_is_refused_by_naming_those_that_are(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse_strategy(name, 6)
    assert len(str(caught.value)) < 400


def test_a_part_is_called_as_people_count() -> None:
    assert [str(part) for part in (Part(layer=0), Part(layer=3), Part(task="mood"))] == [
        "embeddings",
        "layer 3",
        "head mood",
    ]
