import re

import pytest

from core.config import MIX
from core.strategy.scenario import AUTO, NAMES, parse_strategy
from core.strategy.strategies import (
    KINDS,
    Adapters,
    Biases,
    FreezeHead,
    Frozen,
    Full,
    Gradual,
    Heads,
    HeadsButOne,
    HeadsThenFull,
    LayerwiseRates,
    Lower,
    Picked,
    kind_called,
)
from core.strategy.strategy import Moment, Part, Strategy, frozen_depth, parts_of

ALL = (
    *(Frozen(), Heads(), Lower(layers=2), Full(), Gradual(), HeadsThenFull(), Biases()),
    *(Adapters(), LayerwiseRates(), Picked(frozen=frozenset({0, 1, 2, 5}))),
    *(FreezeHead(task="topic"), HeadsButOne(task="topic")),
)


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
    assert (strategy.head_penalty > 0) == isinstance(strategy, Heads)
    assert strategy.epochs > 0
    assert strategy.patience > 0


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
        ("lowest", re.escape(f"must be one of: {', '.join(NAMES)}")),
        ("freeze:", "must be one of"),
        ("freeze:0-7", "must be layers of 0"),
        ("freeze:3-1", "must be layers of 0"),
        ("freeze:0-6", "that is heads"),
        ("freeze:0-3@2", "that is heads@2"),
        ("lora@0", "that is heads@0"),
        ("freeze-head:mood", "must be of: topic, sentiment"),
        ("heads+freeze-head:mood", "must be of: topic, sentiment"),
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
        parse_strategy(name, 6, ["topic", "sentiment"])
    assert len(str(caught.value)) < 400


def test_a_part_is_called_as_people_count() -> None:
    assert [str(part) for part in (Part(layer=0), Part(layer=3), Part(task="mood"))] == [
        "embeddings",
        "layer 3",
        "head mood",
    ]


def moments(epochs: int, top: int) -> list[Moment]:
    return [Moment(epoch=epoch, epochs=epochs, top=top) for epoch in range(epochs)]


def test_gradual_unfreezing_thaws_one_layer_more_at_a_time_from_the_highest_read() -> None:
    depths = [frozen_depth(Gradual(every=1), 6, moment) for moment in moments(7, top=4)]
    assert depths == [4, 3, 2, 1, 0, None, None]
    slower = [frozen_depth(Gradual(every=2), 6, moment) for moment in moments(5, top=6)]
    assert slower == [6, 6, 5, 5, 4]


@pytest.mark.parametrize("top", [1, 4, 6, 12, 24])
def test_gradual_unfreezing_reaches_every_layer_in_time_whatever_the_depth(top: int) -> None:
    epochs = Gradual.epochs
    depths = [frozen_depth(Gradual(), top, moment) for moment in moments(epochs, top)]
    assert depths[0] == top, "the heads train first"
    last = 2 * epochs // 3
    assert None not in depths[:last]
    assert depths[last:] == [None] * (epochs - last)
    frozen = [-1 if depth is None else depth for depth in depths]
    assert frozen == sorted(frozen, reverse=True), "from the top down"
    assert Gradual.patience >= epochs, "it is not stopped before the last have had their turn"


def test_heads_train_first_and_then_everything() -> None:
    assert [frozen_depth(HeadsThenFull(), 6, m) for m in moments(6, 6)] == [6, 6, *[None] * 4]
    assert [frozen_depth(HeadsThenFull(), 6, m) for m in moments(2, 6)] == [6, None]


def test_layerwise_rates_fall_by_one_share_a_layer() -> None:
    moment = Moment(epoch=0, epochs=3, top=4)
    rates = [LayerwiseRates(decay=0.5).rate(part, moment) for part in parts_of(4, ["topic"])]
    assert rates == [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 1]


def test_layers_picked_by_hand_come_back_in_the_name_as_runs() -> None:
    assert Picked(frozen=frozenset({0, 1, 2, 5})).name == "freeze:0-2+5"
    assert parse_strategy("freeze:5+0-2", 6).strategy == Picked(frozen=frozenset({0, 1, 2, 5}))
    assert frozen_depth(Picked(frozen=frozenset({0, 1, 2, 5})), 6) == 2
    assert frozen_depth(Picked(frozen=frozenset({3})), 6) is None


def test_bitfit_and_lora_take_some_weights_of_a_part_alone() -> None:
    names = ["encoder.layer.0.output.dense.weight", "encoder.layer.0.output.dense.bias"]
    assert [Biases().takes(name) for name in [*names, "heads.topic.score.weight"]] == [
        False,
        True,
        True,
    ]
    lora = "encoder.layer.0.attention.self.query.lora_A.default.weight"
    assert [Adapters().takes(name) for name in [*names, lora]] == [False, False, True]


@pytest.mark.parametrize("strategy", ALL, ids=lambda each: each.name)
def test_a_strategy_is_known_by_its_name_alone_and_says_what_trains_at_all(
    strategy: Strategy,
) -> None:
    assert kind_called(f"{strategy.name}@2") is type(strategy)
    parts = parts_of(6, ["topic", "mood"])
    encoder = any(strategy.trains(part) for part in parts if part.layer is not None)
    assert encoder == strategy.trains_encoder
    assert any(strategy.trains(part) for part in parts if not part.layer and part.task) == (
        strategy.trains_heads
    )
    held = {part.task for part in parts if part.task and not strategy.trains(part)}
    assert held == ({strategy.held_head} - {""} if strategy.trains_heads else {"topic", "mood"})


def test_every_strategy_has_a_place_and_an_example_of_its_own() -> None:
    assert sorted(kind.place for kind in KINDS) == list(range(1, len(KINDS) + 1))
    for kind in KINDS:
        example = kind.example(6, ["topic", "mood"])
        assert type(parse_strategy(example, 6, ["topic", "mood"]).strategy) is kind
    assert kind_called("no such") is kind_called("") is None
