"""The strip draws what a strategy does, and a click becomes a strategy's name."""

import dataclasses
import re

import pytest

from core.config import DataChoice, TrainingChoice
from core.data.dataset import read_dataset
from core.encoder.encoder import Encoder
from core.knowledge.layer_profile import LayerProfile, LayerScore
from core.measures.metrics import Interval
from core.strategy.words import layers_in_words
from core.training.events import PlanEvent
from core.training.plan import plan_document
from core.training.run import begin_run
from demo.strategies.cards import small_picture
from demo.strategies.strip import Network, reading, strip_view, toggled
from demo.strategies.words import offers, short_count, title_of
from tests.tiny_tasks import TASKS

LAYERS = 3


@pytest.fixture
def network(tiny_encoder: Encoder) -> Network:
    assert tiny_encoder.layers == LAYERS
    return Network(encoder=tiny_encoder, tasks=TASKS)


def states(view: dict) -> dict[str, str]:
    return {block["part"]: block["state"] for block in view["blocks"]}


def test_a_strategy_is_drawn_part_by_part(network: Network) -> None:
    view = strip_view(network, network.parse("lower:1@2"))
    assert states(view) == {
        **{"embeddings": "frozen", "layer 1": "frozen", "layer 2": "trains", "layer 3": "unused"},
        **{"head kind": "trains", "head mood": "trains", "head names": "trains"},
    }
    assert view["title"] == "Lower 1 layer frozen, read at layer 2"
    assert re.search(r"layer 2 and the heads\. Layer 3 is not run\.", view["told"])
    assert set(view["readOf"].values()) == {2}


@pytest.mark.parametrize("name", ["lower:1", "heads@2", "bitfit", "gradual", "lora@2", "lp-ft"])
def test_the_numbers_are_those_of_the_plan_of_such_a_training(
    name: str, tiny_encoder: Encoder
) -> None:
    data = read_dataset(DataChoice(source="corpus", rows=40))
    network = Network(encoder=tiny_encoder, tasks=data.tasks)
    scenario = network.parse(name)
    view = strip_view(network, scenario)
    run = begin_run(data, tiny_encoder, scenario, TrainingChoice(epochs=scenario.strategy.epochs))
    plan = next(event for event in run.train() if isinstance(event, PlanEvent))
    document = plan_document(run, plan)
    assert f"{plan.trainable_parameters:,} of {plan.total_parameters:,}" in view["told"]
    assert states(view) == {part["part"]: part["state"] for part in document["parts"]}
    thaws = {block["part"]: block["from"] for block in view["blocks"]}
    assert thaws == {part["part"]: part["from_epoch"] for part in document["parts"]}


@pytest.mark.parametrize(
    ("before", "part", "after"),
    [
        ("lower:1", "layer 1", "lower:0"),
        ("lower:1", "layer 3", "freeze:0-1+3"),
        ("full", "head mood", "freeze-head:mood"),
        ("heads", "head mood", "heads+freeze-head:mood"),
        ("heads@auto", "layer 3", "lower:2@auto"),
        ("gradual", "embeddings", "lower:0"),
        ("lora@2", "layer 1", "lower:1@2"),
    ],
)
def test_a_click_freezes_what_trains_and_thaws_what_is_frozen(
    network: Network, before: str, part: str, after: str
) -> None:
    assert toggled(network, network.parse(before), part).name == after


@pytest.mark.parametrize(
    ("before", "part", "said"),
    [
        ("lower:1@2", "layer 3", "layer 3 is not run, as the heads read layer 2"),
        ("lower:1", "head mood", "a head stays frozen alone"),
        ("full", "layer 9", "there is no 'layer 9' here, must be one of: embeddings, layer 1"),
    ],
)
def test_a_click_that_is_no_strategy_is_refused_in_a_sentence(
    network: Network, before: str, part: str, said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        toggled(network, network.parse(before), part)


@pytest.mark.parametrize(
    ("before", "read", "after"),
    [
        ("heads", 2, "heads@2"),
        ("heads@2", 3, "heads"),
        ("lower:2", 1, "heads@1"),
        ("lower:2", "mix", "lower:2@mix"),
        ("full", 0, "full@0"),
        ("lora", 0, "heads@0"),
    ],
)
def test_the_heads_are_moved_to_another_layer(
    network: Network, before: str, read: int | str, after: str
) -> None:
    assert reading(network, network.parse(before), read).name == after


def test_each_tasks_best_layer_is_drawn_where_the_profile_has_it(network: Network) -> None:
    def at(layer: int, mean: float) -> LayerScore:
        return LayerScore(layer=layer, scores={"f1": Interval(mean=mean, low=mean, high=mean)})

    peaks = {"kind": 0, "mood": 2, "names": 1}
    profile = LayerProfile(
        tasks={
            name: tuple(at(k, float(k == best)) for k in range(4)) for name, best in peaks.items()
        }
    )
    known = dataclasses.replace(network, profile=profile)
    assert known.read(known.parse("heads@auto")) == peaks
    drawn = strip_view(known, known.parse("lower:1@auto"))
    assert drawn["readOf"] == {"kind": 2, "mood": 2, "names": 2}, "above what is frozen"
    assert states(drawn)["layer 3"] == "unused"


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("frozen", "fffff"),
        ("lower:1@2", "fftnt"),
        ("gradual", "llllt"),
        ("bitfit", "ppppt"),
        ("lora", "fpppt"),
        ("heads+freeze-head:mood", "ffffp"),
    ],
)
def test_a_strategy_has_a_small_picture(network: Network, name: str, parts: str) -> None:
    assert small_picture(network, network.parse(name)) == parts


@pytest.mark.parametrize("layers", [1, 2, 3, 6, 12, 24])
def test_every_card_can_be_drawn_for_any_encoder(layers: int) -> None:
    from core.strategy.scenario import parse_strategy
    from core.strategy.strategies import OFFERED

    for tasks in (["mood"], ["kind", "mood"]):
        cards = offers(layers, tasks)
        for card in cards:
            scenario = parse_strategy(card.name, layers, tasks)
            assert isinstance(scenario.strategy, card.kind)
            assert title_of(scenario)
    assert {card.pattern for card in cards} == {pattern for pattern, _ in OFFERED}


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ({0}, "embeddings"),
        ({0, 1}, "embeddings and layer 1"),
        ({3}, "layer 3"),
        ({5, 6}, "layers 5 and 6"),
        ({0, 1, 2, 3, 5}, "embeddings and layers 1 to 3 and 5"),
        ({1, 3, 4, 5, 7}, "layers 1, 3 to 5 and 7"),
        (set(range(25)), "embeddings and layers 1 to 24"),
    ],
)
def test_layers_are_named_as_people_read_them(layers: set[int], said: str) -> None:
    assert layers_in_words(layers).replace(", layers", " and layers") == said


def test_counts_are_short() -> None:
    assert [short_count(n) for n in (0, 950, 2310, 1_774_464, 109_482_240)] == [
        *("0", "950", "2.3k", "1.8M", "109M")
    ]
