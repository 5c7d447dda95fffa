from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.config import TrainingChoice
from core.encoder.encoder import CancelledError
from core.model.model import MultiTaskModel
from core.strategy.scenario import parse_strategy
from core.strategy.strategy import Part
from core.training.events import ChangeEvent, DoneEvent, Event, StepEvent, event_document
from core.training.steering import Change, Steering, change_of, steered
from core.training.thawing import Thawing, model_parts, part_parameters, plan_for
from tests.tiny_models import LAYERS
from tests.tiny_tasks import EXAMPLES, tiny_model, train

Folder = Callable[[str], Path]
CHOICE = TrainingChoice(epochs=3, batch=4, threads=1, checkpoint_every=3, patience=9)
THAW_2 = Change(thawed=(Part(layer=2),))
RATES = Change(encoder_rate=1e-3, head_rate=1e-4)


def at(steps: dict[int, Change]) -> Steering:
    """Change the run before these steps, counted from 0."""
    left, place = dict(steps), [0]

    def changes() -> list[Change]:
        if left and min(left) == place[0]:
            return [left.pop(place[0])]
        place[0] += 1
        return []

    return changes


def events_of(
    model: MultiTaskModel, strategy: str, steering: Steering | None, **more: object
) -> list[Event]:
    scenario = parse_strategy(strategy, LAYERS)
    choice, held_out = more.pop("choice", CHOICE), more.pop("validation", EXAMPLES[:6])
    return list(
        train(model, scenario, EXAMPLES, held_out, choice, steering=steering, **more)  # type: ignore[arg-type]
    )


def weights(model: MultiTaskModel) -> dict[str, Tensor]:
    return {name: each.detach().clone() for name, each in model.named_parameters()}


def moved_parts(model: MultiTaskModel, before: dict[str, Tensor]) -> set[str]:
    names = {id(weight): name for name, weight in model.named_parameters()}
    return {
        str(part)
        for part in model_parts(model)
        if any(
            not torch.equal(weight, before[names[id(weight)]])
            for weight in part_parameters(model, part).values()
        )
    }


def steps_of(events: Sequence[Event]) -> Iterator[StepEvent]:
    return (event for event in events if isinstance(event, StepEvent))


@pytest.mark.parametrize("family", ["minilm", "distilbert", "stella-1.5b"])
def test_a_layer_thawed_midway_moves_and_what_was_not_thawed_stays_bit_for_bit(
    family: str, family_folder: Folder
) -> None:
    model = tiny_model(family_folder, family)
    before = weights(model)
    heads = {"head kind", "head mood", "head names"}
    events = events_of(model, "heads", at({5: THAW_2}), validation=[])
    assert moved_parts(model, before) == {*heads, "layer 2"}
    trained = [set(event.gradient) for event in steps_of(events)]
    assert trained[4] == heads
    assert trained[5] == {*heads, "layer 2"}
    change = next(event for event in events if isinstance(event, ChangeEvent))
    assert (change.step, change.prefix, change.refused) == (5, 1, "")
    assert event_document(change)["change"] == {"thawed": ["layer 2"]}


def test_the_states_kept_after_a_change_are_those_of_the_network(
    family_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = replace(CHOICE, encoder_rate=1e-4, head_rate=1e-4)
    changes = {3: THAW_2, 7: Change(frozen=(Part(layer=2), Part(layer=3)))}
    kept, whole = (tiny_model(family_folder, dropout=0.0) for _ in range(2))
    for model in (kept, whole):
        for module in model.encoder.modules():
            for name in ("p", "dropout"):
                if isinstance(getattr(module, name, None), float):
                    setattr(module, name, 0.0)
    first = events_of(kept, "lower:2", at(changes), choice=choice)
    monkeypatch.setattr("core.training.learner.Learner.prepare", lambda *_: None)
    second = events_of(whole, "lower:2", at(changes), choice=choice)
    for one, other in zip(steps_of(first), steps_of(second), strict=True):
        assert one.loss == pytest.approx(other.loss, abs=2e-6)


def test_a_layer_frozen_midway_stands_still_from_then_on(family_folder: Folder) -> None:
    model, seen = tiny_model(family_folder), list[Tensor]()
    layer = model.encoder.backbone.layers()[2]
    weight = next(weight for weight in layer.parameters() if weight.ndim > 1)
    start = weight.detach().clone()
    freeze = at({4: Change(frozen=(Part(layer=3),))})
    scenario = parse_strategy("lower:2", LAYERS)
    for event in train(model, scenario, EXAMPLES, [], CHOICE, steering=freeze):
        if isinstance(event, StepEvent):
            seen.append(weight.detach().clone())
    assert not torch.equal(seen[3], start)
    assert all(torch.equal(each, seen[3]) for each in seen[4:])


def test_rates_that_are_changed_hold_from_the_next_step_on(family_folder: Folder) -> None:
    plain = list(steps_of(events_of(tiny_model(family_folder), "lower:2", None)))
    changed = list(steps_of(events_of(tiny_model(family_folder), "lower:2", at({4: RATES}))))
    assert [step.loss for step in plain[:5]] == [step.loss for step in changed[:5]]
    assert changed[3].rates == plain[3].rates
    share = changed[4].rate
    assert changed[4].rates["layer 3"] == pytest.approx(1e-3 * share)
    assert changed[4].rates["head kind"] == pytest.approx(1e-4 * share)
    assert changed[5].loss != plain[5].loss


@pytest.mark.parametrize("strategy", ["heads", "lower:1", "gradual", "bitfit", "layerwise-lr"])
def test_a_changed_run_that_is_resumed_ends_bit_for_bit_as_one_never_stopped(
    strategy: str, family_folder: Folder, tmp_path: Path
) -> None:
    thaw = THAW_2 if strategy == "heads" else Change(frozen=(Part(task="mood"),))
    changes = {2: RATES, 4: thaw}
    straight, broken, resumed = (tiny_model(family_folder) for _ in range(3))
    events_of(straight, strategy, at(changes))
    running = train(
        broken, parse_strategy(strategy, LAYERS), EXAMPLES, EXAMPLES[:6], CHOICE,
        folder=tmp_path, steering=at(changes),
    )  # fmt: skip
    for event in running:
        if isinstance(event, StepEvent) and event.step == 7:
            break
    running.close()
    rest = events_of(resumed, strategy, None, folder=tmp_path, resume=True)
    again = [event for event in rest if isinstance(event, ChangeEvent)]
    assert [(event.step, event.again) for event in again] == [(2, True), (4, True)]
    other = weights(resumed)
    assert all(torch.equal(weight, other[name]) for name, weight in weights(straight).items())


def test_everything_may_be_frozen_and_then_nothing_moves(family_folder: Folder) -> None:
    model = tiny_model(family_folder)
    before = weights(model)
    heads = tuple(Part(task=task.name) for task in model.tasks)
    events = events_of(model, "heads", at({0: Change(frozen=heads)}))
    assert len(list(steps_of(events))) == 12
    assert moved_parts(model, before) == set()


@pytest.mark.parametrize(
    ("strategy", "change", "said"),
    [
        ("heads", Change(frozen=(Part(layer=1),)), "layer 1 is frozen already"),
        ("full", THAW_2, "layer 2 trains already"),
        ("heads@1", THAW_2, "above layer 1, the highest"),
        ("lora", Change(thawed=(Part(layer=0),)), "no weight that lora would train"),
    ],
)
def test_a_change_that_cannot_be_is_refused_in_words_and_the_run_goes_on(
    strategy: str, change: Change, said: str, family_folder: Folder
) -> None:
    read = parse_strategy(strategy, LAYERS).read
    model, plain = (tiny_model(family_folder, read=read) for _ in range(2))
    events = events_of(model, strategy, at({2: change}))
    told = next(event for event in events if isinstance(event, ChangeEvent))
    assert said in told.refused
    assert isinstance(events[-1], DoneEvent)
    events_of(plain, strategy, None)
    other = weights(plain)
    assert all(torch.equal(weight, other[name]) for name, weight in weights(model).items())


def test_waiting_before_a_step_is_not_counted_as_training(family_folder: Folder) -> None:
    import time

    def slowly() -> list[Change]:
        time.sleep(0.05)
        return []

    done = events_of(tiny_model(family_folder), "heads", slowly)[-1]
    assert isinstance(done, DoneEvent)
    assert done.steps == 12
    assert done.seconds < 12 * 0.05


def test_a_run_that_waits_can_be_cancelled_before_its_next_step(family_folder: Folder) -> None:
    stopped: list[bool] = []

    def wait() -> list[Change]:
        stopped.append(True)
        return []

    with pytest.raises(CancelledError):
        events_of(tiny_model(family_folder), "heads", wait, cancelled=lambda: len(stopped) > 3)
    assert len(stopped) == 4


def test_a_change_goes_through_json_and_back(family_folder: Folder) -> None:
    parts = model_parts(tiny_model(family_folder))
    change = Change(head_rate=0.01, thawed=(Part(layer=0),), frozen=(Part(task="mood"),))
    assert change_of(change.document(), parts) == change
    for document, said in (
        ({"thawed": ["layer 99"]}, "no part 'layer 99'"),
        ({"thawed": "layer 1"}, "must be a list"),
        ({"head_rate": "high"}, "must be a number"),
        ({"head_rate": float("nan")}, "must be above 0"),
        ({"encoder_rate": 2}, "at most 1"),
        ({}, "nothing changes"),
        ({"thawed": ["layer 1"], "frozen": ["layer 1"]}, "both thawed and frozen"),
    ):
        with pytest.raises(ValueError, match=said):
            change_of(document, parts)


def test_thawing_again_what_was_frozen_takes_the_freezing_back(family_folder: Folder) -> None:
    model = tiny_model(family_folder)
    third, plan = Part(layer=3), plan_for(model, parse_strategy("lower:1", LAYERS), 3)
    base = Thawing(model, plan)
    frozen = steered(base, Change(frozen=(third,)), 0)
    thawed = steered(frozen, Change(thawed=(third,)), 0)
    assert (frozen.plan.shares[third][0], thawed.plan.shares[third][0]) == (0.0, 1.0)
    assert third in frozen.plan.trained, "it may have moved, so that no state of it is kept"
    assert frozen.plan.starts[0] == plan.starts[0]
    assert plan.shares[third][0] == 1.0, "a plan that was handed down is not changed"


def test_a_saved_run_holds_what_was_thawed_midway_and_says_what_was_changed(
    family_folder: Folder, tmp_path: Path
) -> None:
    from core.config import DataChoice
    from core.data.dataset import read_dataset
    from core.encoder.encoder import load_encoder
    from core.model.model_folder import load_model, read_manifest
    from core.training.run import begin_run

    data = read_dataset(DataChoice(source="corpus", tasks=("sentiment",), rows=40))
    encoder = load_encoder(str(family_folder("minilm")), threads=1)
    choice = TrainingChoice(epochs=1, batch=8, threads=1)
    run = begin_run(data, encoder, parse_strategy("heads", LAYERS), choice, hold=False)
    list(run.train(steering=at({1: THAW_2})))
    run.save(tmp_path / "model")
    assert {name.split(".")[2] for name in run.changed()} == {"1"}, "layer 2, counted from 0"
    about = read_manifest(tmp_path / "model")["about"]
    assert about["changes"] == [{"step": 1, "thawed": ["layer 2"]}]
    loaded = load_model(tmp_path / "model")
    assert torch.equal(loaded.encoder.embed(["a ferry"]), run.model.encoder.embed(["a ferry"]))
