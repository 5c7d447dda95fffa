"""Each strategy in each kind of network: what is frozen, what moves, what goes on when killed."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.config import TrainingChoice
from core.encoder.adapters import has_adapters
from core.model.model import MultiTaskModel
from core.strategy.scenario import parse_strategy
from core.strategy.strategy import Moment, Part
from core.task import Example
from core.training.checkpoint import has_checkpoint
from core.training.events import CheckpointEvent, EvaluationEvent, Event, PlanEvent, StepEvent
from core.training.thawing import model_parts, part_parameters
from tests.tiny_models import LAYERS
from tests.tiny_tasks import EXAMPLES, TRAINED_FAMILIES, tiny_model, train

Folder = Callable[[str], Path]
CHOICE = TrainingChoice(epochs=4, batch=4, threads=1, checkpoint_every=3, patience=9)
STRATEGIES = (
    *("heads", "heads+freeze-head:mood", "freeze-head:mood", "lower:1", "lower:0@2", "full"),
    *("gradual", "gradual@2", "lp-ft", "bitfit", "lora", "lora@2", "layerwise-lr"),
    *("freeze:0-1", "freeze:2", "freeze:0+2@2", "full@mix", "heads@mix"),
)


def fresh(folder: Folder, family: str, strategy: str) -> MultiTaskModel:
    return tiny_model(folder, family, read=parse_strategy(strategy, LAYERS).read)


def events_of(
    model: MultiTaskModel,
    strategy: str,
    choice: TrainingChoice = CHOICE,
    validation: Sequence[int] = (),
    **more: object,
) -> list[Event]:
    scenario = parse_strategy(strategy, LAYERS, ["kind", "mood", "names"])
    held_out = [EXAMPLES[row] for row in validation]
    return list(train(model, scenario, EXAMPLES, held_out, choice, **more))  # type: ignore[arg-type]


def weights(model: MultiTaskModel) -> dict[str, Tensor]:
    return {name: each.detach().clone() for name, each in model.state_dict().items()}


def assert_same_weights(one: MultiTaskModel, other: MultiTaskModel) -> None:
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        assert torch.equal(weight, theirs[name]), name


def told(events: Sequence[Event]) -> dict[tuple[str, int], object]:
    """List what steps and evaluations said, by step; times and rates of work are left out.

    The weights that a run ends with are those of its best epoch, which may lie before a stop.
    """
    said: dict[tuple[str, int], object] = {}
    for event in events:
        if isinstance(event, StepEvent):
            said["step", event.step] = (event.epoch, event.loss, event.rates, event.gradient)
        elif isinstance(event, EvaluationEvent):
            figures = {name: each.main for name, each in event.scores.items()}
            said["evaluation", event.step] = (event.loss, event.drift, figures, event.best)
    return said


def has_no_true_gradient(name: str) -> bool:
    """Tell the key biases: a softmax does not see what they add to all its inputs."""
    return name.endswith(("key.bias", "k_lin.bias", "attn.k.bias", "k_proj.bias"))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("family", TRAINED_FAMILIES)
def test_what_a_strategy_freezes_stays_bit_for_bit_and_what_it_trains_moves(
    family: str, strategy: str, family_folder: Folder
) -> None:
    model = fresh(family_folder, family, strategy)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    names = {id(weight): name for name, weight in model.named_parameters()}
    plan = events_of(model, strategy)[0]
    assert isinstance(plan, PlanEvent)
    chosen = parse_strategy(strategy, LAYERS).strategy
    assert not has_adapters(model.encoder.backbone), "they are merged"
    for part in model_parts(model):
        runs = part.layer is None or part.layer <= model.highest_read
        last = Moment(epoch=CHOICE.epochs - 1, epochs=CHOICE.epochs, top=model.highest_read)
        trains = runs and chosen.trains(part) and chosen.rate(part, last) > 0
        for key, weight in part_parameters(model, part).items():
            name = names[id(weight)]
            if has_no_true_gradient(name):
                continue
            if strategy.startswith("lora") and part.layer:
                taken = name.rpartition(".")[0].rpartition(".")[2] in (
                    *("query", "value", "q_lin", "v_lin", "q", "v", "q_proj", "v_proj"),
                ) and name.endswith("weight")
            else:
                taken = chosen.takes(key)
            moved = not torch.equal(weight, before[name])
            assert moved == (trains and taken), f"{name} of {part}"


@pytest.mark.parametrize("strategy", ["gradual", "lp-ft", "freeze:0-1", "lora", "heads@mix"])
@pytest.mark.parametrize("family", ["minilm", "distilbert", "stella-1.5b"])
def test_states_kept_for_each_epoch_s_depth_train_as_the_whole_network_does(
    family: str, strategy: str, family_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = replace(CHOICE, encoder_rate=1e-4, head_rate=1e-4)
    kept, whole = (fresh(family_folder, family, strategy) for _ in range(2))
    first = events_of(kept, strategy, choice)
    monkeypatch.setattr(
        "core.training.learner.Learner.prepare", lambda *_: None
    )  # no store: all runs
    second = events_of(whole, strategy, choice)
    for one, other in zip(first, second, strict=True):
        if isinstance(one, StepEvent) and isinstance(other, StepEvent):
            assert one.loss == pytest.approx(other.loss, abs=2e-6)
    for name, weight in kept.named_parameters():
        other_weight = whole.get_parameter(name)
        if not has_no_true_gradient(name):
            assert (
                torch.linalg.norm(weight - other_weight) <= 1e-5 * torch.linalg.norm(weight) + 1e-7
            )


def test_gradual_unfreezing_trains_the_parts_in_their_turn(family_folder: Folder) -> None:
    events = events_of(fresh(family_folder, "minilm", "gradual"), "gradual")
    seen = {e.epoch: set(e.gradient) for e in events if isinstance(e, StepEvent)}
    heads = {"head kind", "head mood", "head names"}
    assert seen[1] == heads
    assert seen[2] == {*heads, "layer 3", "layer 2"}
    assert seen[3] == seen[4] == {*heads, "layer 3", "layer 2", "layer 1", "embeddings"}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_run_that_is_resumed_ends_bit_for_bit_as_one_never_stopped(
    strategy: str, family_folder: Folder, tmp_path: Path
) -> None:
    straight = fresh(family_folder, "minilm", strategy)
    events = events_of(straight, strategy, validation=range(4), folder=tmp_path / "straight")
    steps = [event.step for event in events if isinstance(event, StepEvent)]
    for stop in (5, 8):  # in the midst of the second epoch, and at its end
        folder = tmp_path / f"stopped-{stop}"
        folder.mkdir()
        broken = fresh(family_folder, "minilm", strategy)
        scenario = parse_strategy(strategy, LAYERS)
        running = train(broken, scenario, EXAMPLES, EXAMPLES[:4], CHOICE, folder=folder)
        for event in running:
            if isinstance(event, StepEvent) and event.step == stop:
                break
        running.close()
        resumed = fresh(family_folder, "minilm", strategy)
        rest = events_of(resumed, strategy, validation=range(4), folder=folder, resume=True)
        again = [event.step for event in rest if isinstance(event, StepEvent)]
        last = max(step for step in (*range(0, stop + 1, 3), stop // 4 * 4) if step <= stop)
        assert again[0] <= last + 1, "only the steps since the last checkpoint are repeated"
        assert again[-1] == steps[-1]
        after, before = told(rest), told(events)
        assert after == {place: before[place] for place in after}
        assert_same_weights(straight, resumed)
        assert straight.calibration == resumed.calibration


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path) -> None:
    (tmp_path / "straight").mkdir()


def test_the_best_epoch_and_the_patience_come_back_with_a_checkpoint(
    family_folder: Folder, tmp_path: Path
) -> None:
    choice = replace(CHOICE, epochs=8, patience=2)
    scenario = parse_strategy("lower:1", LAYERS)
    unlabelled = [Example(text=each.text, labels={}) for each in EXAMPLES[:4]]
    straight, broken, resumed = (fresh(family_folder, "minilm", "lower:1") for _ in range(3))
    first = list(train(straight, scenario, EXAMPLES, unlabelled, choice))
    best = [event.best for event in first if isinstance(event, EvaluationEvent)]
    assert best == [True, False, False], "rows without labels score 0 in every epoch"
    running = train(broken, scenario, EXAMPLES, unlabelled, choice, folder=tmp_path)
    for event in running:
        if isinstance(event, StepEvent) and event.step == 10:  # in the third epoch
            break
    running.close()
    rest = list(
        train(resumed, scenario, EXAMPLES, unlabelled, choice, folder=tmp_path, resume=True)
    )
    after = told(rest)
    assert after == {place: told(first)[place] for place in after}
    assert ("evaluation", 12) in after
    assert max(place[1] for place in after) == 12, "it stops where the other did"
    assert_same_weights(straight, resumed)


@pytest.mark.parametrize("balance", ["uncertainty", "dwa", "kind=2+mood=0.5"])
def test_balances_come_back_with_a_checkpoint(
    balance: str, family_folder: Folder, tmp_path: Path
) -> None:
    choice = replace(CHOICE, balance=balance, schedule="cosine", smoothing=0.1, accumulate=2)
    straight, broken, resumed = (fresh(family_folder, "minilm", "lower:1") for _ in range(3))
    before = told(events_of(straight, "lower:1", choice))
    scenario = parse_strategy("lower:1", LAYERS)
    running = train(broken, scenario, EXAMPLES, [], choice, folder=tmp_path)
    for event in running:
        if isinstance(event, StepEvent) and event.step == 11:  # the checkpoint is mid-epoch, at 9
            break
    running.close()
    after = told(events_of(resumed, "lower:1", choice, folder=tmp_path, resume=True))
    assert after == {place: before[place] for place in after}
    assert_same_weights(straight, resumed)


def test_steps_in_parts_train_as_whole_ones_do(family_folder: Folder) -> None:
    whole, parts = (tiny_model(family_folder, dropout=0.0) for _ in range(2))
    for model in (whole, parts):
        for module in model.encoder.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
            if isinstance(getattr(module, "dropout", None), float):
                module.dropout = 0.0  # type: ignore[assignment]
    choice = replace(CHOICE, encoder_rate=1e-4, head_rate=1e-4)
    first = events_of(whole, "lower:0", choice)
    second = events_of(parts, "lower:0", replace(choice, accumulate=3))
    for one, other in zip(first, second, strict=True):
        if isinstance(one, StepEvent) and isinstance(other, StepEvent):
            assert one.loss == pytest.approx(other.loss, abs=2e-6)


def test_rare_classes_count_more_where_weights_are_balanced(family_folder: Folder) -> None:
    plain, balanced = (tiny_model(family_folder) for _ in range(2))
    first = events_of(plain, "heads")
    second = events_of(balanced, "heads", replace(CHOICE, class_weights="balanced"))
    one = next(event for event in first if isinstance(event, StepEvent))
    other = next(event for event in second if isinstance(event, StepEvent))
    assert one.loss["names"] == other.loss["names"], "spans are left as they are"
    assert one.loss["kind"] != other.loss["kind"]


def test_the_checkpoint_of_another_run_is_refused_in_words(
    family_folder: Folder, tmp_path: Path
) -> None:
    events_of(fresh(family_folder, "minilm", "heads"), "heads", folder=tmp_path)
    for strategy, choice, said in (
        ("lower:1", CHOICE, "its strategy differs"),
        ("heads", replace(CHOICE, seed=1), "its choice differs"),
    ):
        with pytest.raises(ValueError, match=said):
            events_of(
                fresh(family_folder, "minilm", strategy),
                strategy,
                choice,
                folder=tmp_path,
                resume=True,
            )
    with pytest.raises(ValueError, match="nothing to resume"):
        events_of(
            fresh(family_folder, "minilm", "heads"), "heads", folder=tmp_path / "x", resume=True
        )


def _run_slowly(family: str, folder: str) -> None:
    model = tiny_model(lambda _: Path(family), "minilm")
    scenario = parse_strategy("gradual", LAYERS)
    for event in train(model, scenario, EXAMPLES, EXAMPLES[:4], CHOICE, folder=Path(folder)):
        if isinstance(event, StepEvent):
            time.sleep(0.05)


def test_a_run_that_is_killed_goes_on_from_its_last_checkpoint(
    family_folder: Folder, tmp_path: Path
) -> None:
    straight = fresh(family_folder, "minilm", "gradual")
    before = told(events_of(straight, "gradual", validation=range(4)))
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=_run_slowly, args=(str(family_folder("minilm")), str(tmp_path)))
    worker.start()
    deadline = time.monotonic() + 120
    while not has_checkpoint(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(60)
    resumed = fresh(family_folder, "minilm", "gradual")
    rest = events_of(resumed, "gradual", validation=range(4), folder=tmp_path, resume=True)
    assert any(isinstance(event, CheckpointEvent) for event in rest)
    after = told(rest)
    assert after == {place: before[place] for place in after}
    assert_same_weights(straight, resumed)


def test_the_plan_counts_what_really_trains(family_folder: Folder) -> None:
    model = fresh(family_folder, "minilm", "bitfit")
    plan = events_of(model, "bitfit")[0]
    assert isinstance(plan, PlanEvent)
    parts = {part: (trained, every) for part, trained, every in plan.parts}
    biases = sum(
        weight.numel()
        for name, weight in part_parameters(model, Part(layer=1)).items()
        if name.endswith("bias")
    )
    assert parts["layer 1"] == (
        biases,
        sum(w.numel() for w in part_parameters(model, Part(layer=1)).values()),
    )


def test_a_few_validation_rows_are_told_one_by_one_at_each_evaluation(
    family_folder: Folder,
) -> None:
    events = events_of(fresh(family_folder, "minilm", "heads"), "heads", validation=range(12))
    told = [event.watched for event in events if isinstance(event, EvaluationEvent)]
    assert [[row.text for row in each] for each in told] == [[r.text for r in told[0]]] * len(told)
    assert 0 < len(told[0]) <= 8
    for row in told[-1]:
        example = next(each for each in EXAMPLES if each.text == row.text)
        assert row.actual == example.labels
        assert set(row.predicted) == {"kind", "mood", "names"}
        assert set(row.confidence) == {"kind", "mood"}
        assert all(0 < share <= 1 for share in row.confidence.values())
