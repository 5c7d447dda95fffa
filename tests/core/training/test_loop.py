import contextlib
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.config import MIX, TrainingChoice
from core.encoder.encoder import CancelledError, load_encoder
from core.encoder.packed import PackableLinear, can_pack
from core.frozen.prefix import States, prefix_of
from core.model.heads import HeadShape
from core.model.model import MultiTaskModel
from core.strategy.scenario import parse_strategy
from core.task import IGNORED, Example, Span
from core.training.draws import Draws
from core.training.events import (
    CheckpointEvent,
    DivergedError,
    DoneEvent,
    EvaluationEvent,
    Event,
    PlanEvent,
    StepEvent,
)
from core.training.targets import read_targets
from core.training.thawing import Thawing, plan_for, rate_share
from tests.tiny_models import LAYERS
from tests.tiny_tasks import EXAMPLES, KIND, MOOD, NAMES, TRAINED_FAMILIES, tiny_model, train

Folder = Callable[[str], Path]
SHORT = TrainingChoice(epochs=2, batch=4, threads=1)
STRATEGIES = ("frozen", "heads", "heads@1", "lower:0", "lower:1", "lower:1@2", "full", "full@1")


def run(
    model: MultiTaskModel,
    strategy: str,
    choice: TrainingChoice = SHORT,
    *,
    examples: Sequence[Example] = EXAMPLES,
    validation: Sequence[Example] = (),
) -> list[Event]:
    scenario = parse_strategy(strategy, model.encoder.layers)
    return list(train(model, scenario, examples, validation, choice))


def losses(events: Sequence[Event]) -> list[dict[str, float]]:
    return [dict(event.loss) for event in events if isinstance(event, StepEvent)]


def weights(model: MultiTaskModel) -> dict[str, Tensor]:
    return {name: each.detach().clone() for name, each in model.state_dict().items()}


def is_key_bias(name: str) -> bool:
    """Tell the biases whose true gradient is zero: a softmax does not see what it adds to all."""
    return name.endswith(("key.bias", "k_lin.bias", "attn.k.bias", "k_proj.bias"))


def fresh(folder: Folder, family: str, strategy: str, **shape: object) -> MultiTaskModel:
    scenario = parse_strategy(strategy, LAYERS)
    return tiny_model(folder, family, read=scenario.read, **shape)


def without_a_store(
    model: MultiTaskModel, strategy: str, choice: TrainingChoice
) -> tuple[list[dict[str, float]], MultiTaskModel]:
    """Train as plainly as can be: each step runs the whole network on padded texts."""
    scenario = parse_strategy(strategy, model.encoder.layers)
    targets = read_targets(model, EXAMPLES)
    thawing = Thawing(model, plan_for(model, scenario, choice.epochs))
    thawing.thaw()
    trained, optimizer = thawing.trained, thawing.optimizer(choice)
    assert optimizer is not None
    lengths = [len(text.ids) for text in targets.texts]
    draws = Draws(choice.seed, torch.device("cpu"))
    steps = choice.epochs * -(-len(EXAMPLES) // choice.batch)
    found = []
    for _ in range(choice.epochs):
        for rows in draws.batches(lengths, choice.batch):
            thawing.set_modes()
            share = rate_share(len(found), steps, choice.warmup)
            for group in optimizer.param_groups:
                group["lr"] = group["full_lr"] * share
            batch = model.batch([targets.texts[row] for row in rows])
            padded = model.encoder.backbone.layer_states(batch.ids, batch.mask, model.highest_read)
            real = batch.mask.bool()
            states = {layer: each[real] for layer, each in enumerate(padded)}
            with draws.dropout():
                scores = model.score(states, batch.lengths, batch.spelling)
            each = {n: h.loss(scores[n], targets.of(n, rows)) for n, h in model.task_heads.items()}
            optimizer.zero_grad()
            matrices = [w for n, w in trained.items() if n.startswith("heads.") and w.ndim > 1]
            squares = sum((w.square().sum() for w in matrices), torch.zeros(()))
            penalty = scenario.strategy.head_penalty / 2 * squares
            sum(each.values(), penalty).backward()
            torch.nn.utils.clip_grad_norm_(list(trained.values()), choice.clip)
            optimizer.step()
            found.append({name: float(loss.detach()) for name, loss in each.items()})
    return found, model


def no_dropout(model: MultiTaskModel) -> MultiTaskModel:
    """Take the network's own dropout out, whose draws depend on how the batch is laid out."""
    for module in model.encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name in ("dropout", "attention_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    return model


@pytest.mark.parametrize("strategy", ["heads", "heads@1", "heads@mix", "lower:0", "lower:1"])
@pytest.mark.parametrize("family", TRAINED_FAMILIES)
def test_training_on_kept_states_equals_training_without_them(
    family: str, strategy: str, family_folder: Folder
) -> None:
    choice = TrainingChoice(epochs=3, batch=4, encoder_rate=1e-4, head_rate=1e-4, threads=1)
    model = no_dropout(fresh(family_folder, family, strategy, spelling=True))
    ours = losses(run(model, strategy, choice))
    plain = no_dropout(fresh(family_folder, family, strategy, spelling=True))
    expected, _ = without_a_store(plain, strategy, choice)
    assert len(ours) == len(expected) == 12
    for found, wanted in zip(ours, expected, strict=True):
        assert found == pytest.approx(wanted, abs=1e-6)
    other = weights(plain)
    for name, weight in weights(model).items():
        if weight.is_floating_point() and not is_key_bias(name):
            # What starts at zero (a mix's weights, a head's bias) is a thousandth long by now, and
            # Adam divides away how small its gradient was: rounding shows, a millionth in all.
            apart = (weight - other[name]).norm() / other[name].norm().clamp(min=0.1)
            assert apart < 1e-5, name


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("family", TRAINED_FAMILIES)
def test_what_is_thawed_moves_and_everything_else_stays_bit_for_bit(
    family: str, strategy: str, family_folder: Folder
) -> None:
    model = fresh(family_folder, family, strategy)
    before = weights(model)
    scenario = parse_strategy(strategy, LAYERS)
    layers = model.encoder.backbone.layers()
    number = {id(w): k for k, layer in enumerate(layers, 1) for w in layer.parameters()}
    heads = {id(weight) for weight in model.heads.parameters()}
    events = run(model, strategy)
    (plan,) = [event for event in events if isinstance(event, PlanEvent)]
    moved = 0
    for name, weight in model.named_parameters(remove_duplicate=False):
        after_last = name.endswith(("model.norm.weight", "model.norm.bias"))
        layer = LAYERS if after_last else number.get(id(weight), 0)
        trains = {
            "frozen": False,
            "heads": id(weight) in heads,
            "lower": id(weight) in heads or layer > int(scenario.name.split("@")[0][6:] or 0),
            "full": True,
        }[scenario.strategy.name.partition(":")[0]]
        reached = id(weight) in heads or (
            layer <= model.highest_read and not name.startswith("encoder.dense.")
        )
        if trains and reached:
            moved += weight.numel()
        if is_key_bias(name):
            continue  # where it trains it may move by rounding alone
        same = torch.equal(weight, before[name])
        assert same != (trains and reached), f"{name} of layer {layer}"
    assert plan.trainable_parameters == moved
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, before.get(name, buffer)), name


@pytest.mark.parametrize("strategy", ["heads", "lower:1", "full"])
def test_the_same_seed_gives_the_same_weights_and_another_others(
    strategy: str, family_folder: Folder
) -> None:
    def trained(seed: int) -> dict[str, Tensor]:
        model = fresh(family_folder, "minilm", strategy)
        run(model, strategy, TrainingChoice(epochs=2, batch=4, seed=seed, threads=1))
        return weights(model)

    first, again, other = trained(0), trained(0), trained(1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["heads.kind.score.weight"], other["heads.kind.score.weight"])


def test_draws_between_steps_change_nothing_of_a_run_and_it_changes_none_of_theirs(
    family_folder: Folder,
) -> None:
    alone = fresh(family_folder, "minilm", "lower:1")
    run(alone, "lower:1")
    model = fresh(family_folder, "minilm", "lower:1")
    torch.manual_seed(7)
    expected = torch.rand(6)
    torch.manual_seed(7)
    drawn = []
    scenario = parse_strategy("lower:1", LAYERS)
    for event in train(model, scenario, EXAMPLES, (), SHORT):
        model.eval()  # somebody looks on, and predicts
        if isinstance(event, StepEvent) and len(drawn) < 6:
            drawn.append(float(torch.rand(1)))
    assert torch.equal(torch.tensor(drawn), expected)
    assert all(
        torch.equal(a, b)
        for a, b in zip(weights(alone).values(), weights(model).values(), strict=True)
    )


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_run_closed_midway_leaves_nothing_behind(
    steps: int, family_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model = fresh(family_folder, "minilm", "lower:1")
    before = torch.get_num_threads()
    choice = TrainingChoice(threads=before + 1, prefix_megabytes=0)
    events = train(model, parse_strategy("lower:1", LAYERS), EXAMPLES, (), choice)
    for _ in range(steps + 1):
        next(events)
    assert torch.get_num_threads() == before + 1
    assert bool(list(tmp_path.glob("thaw-*"))) == (steps > 0), "the states lie in files"
    events.close()
    assert torch.get_num_threads() == before
    assert not list(tmp_path.glob("thaw-*"))
    assert not any(weight.requires_grad for weight in model.parameters())
    assert all(weight.grad is None for weight in model.parameters())
    assert not any(module.training for module in model.modules())


def test_states_past_the_memory_budget_train_the_same(
    family_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    in_memory = fresh(family_folder, "minilm", "heads@mix")
    run(in_memory, "heads@mix")
    in_files = fresh(family_folder, "minilm", "heads@mix")
    run(in_files, "heads@mix", replace(SHORT, prefix_megabytes=0))
    other = weights(in_files)
    assert all(torch.equal(weight, other[name]) for name, weight in weights(in_memory).items())
    assert not list(tmp_path.glob("thaw-*"))


SHARING = ("heads", "heads@1", "heads@mix", "lower:1", "lower:0@2", "freeze:0-1", "gradual", "lora")


@pytest.mark.parametrize("family", ["minilm", "distilbert"])
def test_runs_that_share_a_prefix_are_bit_for_bit_those_that_do_not(
    family: str, family_folder: Folder
) -> None:
    base = load_encoder(str(family_folder(family)), threads=1)
    ids = [tokens.ids for tokens in base.tokenizer.encode([each.text for each in EXAMPLES])]
    with prefix_of(base, ids) as prefix:
        for number, strategy in enumerate(SHARING):
            choice = TrainingChoice(epochs=2, batch=4, threads=1, seed=number)
            dealt = EXAMPLES[number:] + EXAMPLES[:number]
            trained = []
            for shared in (prefix, None):
                model = fresh(family_folder, family, strategy)
                scenario = parse_strategy(strategy, LAYERS)
                events = train(model, scenario, dealt[4:], dealt[:4], choice, prefix=shared)
                trained.append((losses(list(events)), weights(model), model.calibration))
            assert trained[0][0] == trained[1][0]
            for task, found in trained[0][2].items():  # fitted after the run, to rounding
                assert astuple(found) == pytest.approx(astuple(trained[1][2][task]), abs=1e-6)
            for name, weight in trained[0][1].items():
                assert torch.equal(weight, trained[1][1][name]), f"{name} of {strategy}"
        assert States(LAYERS, "mean") in prefix.kept
        assert prefix.fingerprint == base.fingerprint(), "no run trains the prefix's encoder"


def test_a_run_on_some_rows_of_a_prefix_is_that_on_its_own_rows(family_folder: Folder) -> None:
    base = load_encoder(str(family_folder("minilm")), threads=1)
    ids = [tokens.ids for tokens in base.tokenizer.encode([each.text for each in EXAMPLES])]
    for strategy in ("heads@2", "lower:1"):
        with prefix_of(base, ids) as prefix:
            found = []
            for shared in (prefix, None):
                model = fresh(family_folder, "minilm", strategy)
                scenario = parse_strategy(strategy, LAYERS)
                found.append(
                    losses(list(train(model, scenario, EXAMPLES[3:9], (), SHORT, prefix=shared)))
                )
        for one, other in zip(*found, strict=True):
            assert one == pytest.approx(other, abs=1e-5)


def test_the_prefix_of_another_encoder_or_of_other_texts_is_refused(family_folder: Folder) -> None:
    model = fresh(family_folder, "minilm", "lower:1")
    scenario = parse_strategy("lower:1", LAYERS)
    ids = [text.ids for text in model.read([each.text for each in EXAMPLES[:3]])]
    other = load_encoder(str(family_folder("distilbert")), threads=1)
    with (
        prefix_of(other, ids) as prefix,
        pytest.raises(ValueError, match="make a prefix of this encoder"),
    ):
        next(train(model, scenario, EXAMPLES[:3], (), SHORT, prefix=prefix))
    with (
        prefix_of(model.encoder, ids) as prefix,
        pytest.raises(ValueError, match="2 of 5 texts are not in the prefix"),
    ):
        list(train(model, scenario, EXAMPLES[:5], (), SHORT, prefix=prefix))
    with prefix_of(model.encoder, ids) as prefix:
        events = train(model, scenario, EXAMPLES[:3], (), SHORT, prefix=prefix)
        assert len(losses(list(events))) == 2
        prefix.take([0], States(1))  # who was given a prefix does not close it


@pytest.mark.parametrize("family", TRAINED_FAMILIES)
def test_words_that_no_row_has_decay_though_no_step_touches_them(
    family: str, family_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = TrainingChoice(epochs=3, batch=2, threads=1, weight_decay=0.5, checkpoint_every=3)
    few, scenario = EXAMPLES[:4], parse_strategy("full", LAYERS)
    model = no_dropout(fresh(family_folder, family, "full"))
    words = model.encoder.backbone.word_embeddings()
    begun = words.weight.detach().clone()
    sparse = []
    for _ in train(model, scenario, few, few[:2], choice):
        sparse.append(words.sparse)
    assert any(sparse), "needs a vocabulary of which these rows use little"
    assert not words.sparse
    resumed = no_dropout(fresh(family_folder, family, "full"))
    running = train(resumed, scenario, few, few[:2], choice, folder=tmp_path)
    for event in running:
        if isinstance(event, CheckpointEvent) and event.step == 3:
            break
    running.close()
    again = no_dropout(fresh(family_folder, family, "full"))
    list(train(again, scenario, few, few[:2], choice, folder=tmp_path, resume=True))
    monkeypatch.setattr("core.training.learner.Learner._limit_table", lambda _: None)
    whole = no_dropout(fresh(family_folder, family, "full"))
    list(train(whole, scenario, few, few[:2], choice))
    assert torch.equal(words.weight, again.encoder.backbone.word_embeddings().weight)
    table = whole.encoder.backbone.word_embeddings().weight
    torch.testing.assert_close(words.weight, table, atol=2e-5, rtol=2e-5)
    assert int((words.weight != begun).any(dim=1).sum()) > len(table) / 2


def test_the_best_epoch_s_weights_are_kept_and_training_stops_when_none_is_better(
    family_folder: Folder,
) -> None:
    model = fresh(family_folder, "minilm", "lower:1")
    choice = TrainingChoice(
        epochs=12, batch=4, patience=2, threads=1, encoder_rate=3e-2, head_rate=3e-2
    )
    seen: list[dict[str, Tensor]] = []
    evaluations: list[EvaluationEvent] = []
    done: DoneEvent | None = None
    scenario = parse_strategy("lower:1", LAYERS)
    for event in train(model, scenario, EXAMPLES[:10], EXAMPLES[10:], choice):
        if isinstance(event, EvaluationEvent):
            seen.append(weights(model))
            evaluations.append(event)
        elif isinstance(event, DoneEvent):
            done = event
    assert done is not None
    best = [event.epoch for event in evaluations if event.best][-1]
    assert done.epoch == best
    assert len(evaluations) in (best + choice.patience, choice.epochs)
    assert best < len(evaluations), "needs an epoch after the best"
    kept = seen[best - 1]
    assert all(torch.equal(weight, kept[name]) for name, weight in weights(model).items())
    assert done.scores is not None
    for name, scores in done.scores.items():
        assert scores.main == evaluations[best - 1].scores[name].main


def test_without_validation_rows_every_epoch_is_run_and_the_last_one_kept(
    family_folder: Folder,
) -> None:
    model = fresh(family_folder, "minilm", "heads")
    events = run(model, "heads", TrainingChoice(epochs=3, batch=5, threads=1))
    done = events[-1]
    assert isinstance(done, DoneEvent)
    assert (done.epoch, done.steps, done.scores) == (3, 12, None)
    assert not any(isinstance(event, EvaluationEvent) for event in events)
    assert all(each.temperature == 1 for each in done.calibration.values())


@pytest.mark.parametrize("validation", [0, 4])
def test_weights_that_break_end_the_run_in_words_with_the_last_good_epoch(
    validation: int, family_folder: Folder
) -> None:
    model = fresh(family_folder, "minilm", "lower:1")
    scenario = parse_strategy("lower:1", LAYERS)
    events = train(model, scenario, EXAMPLES[:12], EXAMPLES[:validation], SHORT)
    good: dict[str, Tensor] = {}

    def break_at_the_fifth() -> None:
        for event in events:
            if isinstance(event, StepEvent) and event.step == 3:
                good.update(weights(model))
            elif isinstance(event, StepEvent) and event.step == 4:
                with torch.no_grad():
                    model.task_heads["kind"].score.weight.fill_(math.inf)

    with pytest.raises(DivergedError, match="no longer a number at step 5 of 6"):
        break_at_the_fifth()
    assert all(torch.equal(weight, good[name]) for name, weight in weights(model).items())
    assert not any(weight.requires_grad for weight in model.parameters())


def test_weights_that_break_in_the_last_step_of_an_epoch_are_seen_when_it_is_judged(
    family_folder: Folder,
) -> None:
    model = fresh(family_folder, "minilm", "lower:1")
    scenario = parse_strategy("lower:1", LAYERS)
    events = train(model, scenario, EXAMPLES[:12], EXAMPLES[:4], SHORT)
    good: dict[str, Tensor] = {}

    def break_at_the_end() -> None:
        for event in events:
            if isinstance(event, EvaluationEvent):
                good.update(weights(model))
            elif isinstance(event, StepEvent) and event.step == 6:
                with torch.no_grad():
                    model.task_heads["kind"].score.weight.fill_(math.inf)

    with pytest.raises(DivergedError, match="no longer a number at step 6 of 6"):
        break_at_the_end()
    assert all(torch.equal(weight, good[name]) for name, weight in weights(model).items())


def test_a_gradient_that_is_no_number_is_never_stepped_on(family_folder: Folder) -> None:
    model = fresh(family_folder, "minilm", "heads")
    before = weights(model)
    model.task_heads["kind"].score.weight.register_hook(lambda grad: grad * math.inf)
    hooked = train(model, parse_strategy("heads", LAYERS), EXAMPLES, (), SHORT)
    with pytest.raises(DivergedError, match="at step 1 of 8"):
        list(hooked)
    assert all(torch.equal(weight, before[name]) for name, weight in weights(model).items())


@pytest.mark.parametrize("strategy", ["heads", "lower:0", "full"])
def test_whatever_the_rate_the_weights_that_are_left_are_numbers(
    strategy: str, family_folder: Folder
) -> None:
    model = fresh(family_folder, "minilm", strategy)
    choice = TrainingChoice(
        epochs=4, batch=4, encoder_rate=1.0, head_rate=1.0, clip=1e9, warmup=0, threads=1
    )
    with contextlib.suppress(DivergedError):
        run(model, strategy, choice)
    assert all(torch.isfinite(weight).all() for weight in model.parameters())


def test_training_stops_before_a_step_when_asked_to(family_folder: Folder) -> None:
    model = fresh(family_folder, "minilm", "full")
    answers = iter([False, False, True])
    events = train(
        model,
        parse_strategy("full", LAYERS),
        EXAMPLES,
        (),
        SHORT,
        cancelled=lambda: next(answers),
    )
    with pytest.raises(CancelledError, match="stopped at step 2 of 8"):
        list(events)
    assert not any(weight.requires_grad for weight in model.parameters())


def test_nothing_to_learn_from_is_refused(family_folder: Folder) -> None:
    model = fresh(family_folder, "minilm", "heads")
    with pytest.raises(ValueError, match="there is no row to learn from"):
        run(model, "heads", examples=[])


def test_a_frozen_strategy_measures_and_updates_nothing(family_folder: Folder) -> None:
    model = fresh(family_folder, "minilm", "frozen")
    before = weights(model)
    events = run(model, "frozen", validation=EXAMPLES[:6])
    assert [type(event) for event in events] == [PlanEvent, DoneEvent]
    done = events[-1]
    assert isinstance(done, DoneEvent)
    assert done.scores is not None
    assert done.steps == 0
    assert all(torch.equal(weight, before[name]) for name, weight in weights(model).items())


def test_heads_learn_what_is_there_to_be_learned(family_folder: Folder) -> None:
    model = tiny_model(family_folder, tasks=(KIND, NAMES), read=2, spelling=True, dropout=0.0)
    choice = TrainingChoice(epochs=60, batch=16, head_rate=5e-2, threads=1)
    events = run(model, "heads", choice)
    steps = losses(events)
    assert steps[-1]["kind"] < 0.5 * steps[0]["kind"]
    assert steps[-1]["names"] < 0.5 * steps[0]["names"]


def test_heads_alone_end_where_a_penalised_regression_does(family_folder: Folder) -> None:
    model = tiny_model(family_folder, tasks=(KIND,), read=2, dropout=0.0)
    choice = TrainingChoice(
        epochs=400, batch=16, head_rate=3e-2, head_penalty=0.1, weight_decay=0, clip=1e9, threads=1
    )
    rows = [each for each in EXAMPLES if each.labels.get("kind") is not None]
    run(model, "heads", choice, examples=rows)
    head = model.task_heads["kind"]
    with torch.enable_grad():
        head.requires_grad_(True)
        texts = model.read([each.text for each in rows])
        scores = model(model.batch(texts))["kind"]
        labels = read_targets(model, rows).of("kind", range(len(rows)))
        loss = head.loss(scores, labels) + 0.05 * head.score.weight.square().sum()
        loss.backward()
    for weight in head.parameters():  # at the optimum the loss and its penalty are in balance
        assert weight.grad is not None
        assert weight.grad.abs().max() < 2e-3


def test_a_penalty_is_in_no_task_s_loss_and_spares_what_is_frozen(family_folder: Folder) -> None:
    plain = SHORT, replace(SHORT, head_penalty=0.0), replace(SHORT, head_penalty=10.0)
    found = []
    for choice in plain:
        model = fresh(family_folder, "minilm", "heads+freeze-head:kind")
        before = weights(model)
        first = losses(run(model, "heads+freeze-head:kind", choice))[0]
        after = weights(model)
        assert torch.equal(after["heads.kind.score.weight"], before["heads.kind.score.weight"])
        found.append((first, after["heads.mood.score.weight"]))
    assert found[0][0] == found[1][0] == found[2][0], "the first step's losses are the same"
    own, none, much = (weight.square().sum() for _, weight in found)
    assert much < own < none, "the strategy's own penalty stands where none is given"


def test_a_row_without_any_label_and_a_task_without_a_row_are_no_trouble(
    family_folder: Folder,
) -> None:
    model = fresh(family_folder, "minilm", "full")
    before = weights(model)
    bare = [Example(text=each.text, labels={"kind": each.labels.get("kind")}) for each in EXAMPLES]
    events = run(model, "full", examples=bare, validation=bare[:4])
    assert all(step["mood"] == 0 for step in losses(events))
    # A head that no row teaches has a gradient of zero: only decay moves it.
    assert torch.equal(model.heads["mood"].score.bias, before["heads.mood.score.bias"])
    done = events[-1]
    assert isinstance(done, DoneEvent)
    assert done.scores is not None
    assert done.scores["mood"].rows == 0


def test_heads_that_read_different_layers_train_together(family_folder: Folder) -> None:
    encoder = tiny_model(family_folder).encoder
    shapes = [
        HeadShape(task=KIND, read=1),
        HeadShape(task=MOOD, read=MIX),
        HeadShape(task=NAMES, read=2, spelling=True),
    ]
    model = MultiTaskModel(encoder, shapes)
    before = weights(model)
    run(model, "lower:1")
    for name in ("kind", "mood", "names"):
        key = f"heads.{name}.score.weight"
        assert not torch.equal(model.state_dict()[key], before[key])
    assert not torch.equal(
        model.state_dict()["heads.mood.mix.weights"], before["heads.mood.mix.weights"]
    )


def test_a_trained_model_is_ready_to_predict_as_a_loaded_one_is(family_folder: Folder) -> None:
    model = tiny_model(family_folder, tasks=(KIND,), read=2)
    run(model, "lower:1", TrainingChoice(epochs=1, batch=16, threads=1))
    linears = [m for m in model.encoder.modules() if isinstance(m, PackableLinear)]
    if can_pack(linears[0].weight):
        assert all(each._packed is not None for each in linears)
    texts = [example.text for example in EXAMPLES]
    with torch.no_grad():
        packed = model(model.batch(model.read(texts)))["kind"]
        for each in linears:
            each.unpack()
        plain = model(model.batch(model.read(texts)))["kind"]
    torch.testing.assert_close(packed, plain, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"kind": "sport"}, "'sport' is no label of kind: travel, work, food"),
        ({"kind": (Span(0, 1, "PER"),)}, "is no label of kind"),
        ({"names": (Span(0, 2, "ORG"),)}, "are no spans of names, whose labels are: PER, LOC"),
        ({"names": "PER"}, "are no spans of names"),
    ],
)
def test_a_label_that_is_none_of_its_task_s_is_refused(
    labels: dict[str, object], message: str, family_folder: Folder
) -> None:
    model = tiny_model(family_folder)
    with pytest.raises(ValueError, match=message):
        read_targets(model, [Example(text="It works.", labels=labels)])  # type: ignore[arg-type]


def test_targets_lie_as_the_heads_scores_do(family_folder: Folder) -> None:
    model = tiny_model(family_folder)
    targets = read_targets(model, EXAMPLES)
    rows = [3, 0, 12]
    scores = model(model.batch([targets.texts[row] for row in rows]))
    for name in ("kind", "mood", "names"):
        assert len(targets.of(name, rows)) == len(scores[name])
    assert targets.of("kind", rows).tolist() == [2, 0, IGNORED]
    assert set(targets.labels["names"][12].tolist()) == {IGNORED}, "not labelled at all"
    marks = targets.labels["names"][0].tolist()
    assert marks[0] == marks[-1] == IGNORED, "special tokens teach nothing"
    assert {1, 3} <= set(marks), "a person and a place begin"


@pytest.mark.parametrize("strategy", ["heads", "lower:1", "lora"])
def test_in_bfloat16_a_run_is_near_the_one_in_fp32_and_its_weights_stay_fp32(
    strategy: str, family_folder: Folder
) -> None:
    exact, fast = (fresh(family_folder, "minilm", strategy) for _ in range(2))
    choice = replace(SHORT, encoder_rate=1e-4, head_rate=1e-4, dropout=False)
    first = losses(run(exact, strategy, choice))
    second = losses(run(fast, strategy, replace(choice, bf16=True)))
    assert first != second, "bfloat16 rounds"
    for one, other in zip(first, second, strict=True):
        assert other == pytest.approx(one, abs=0.05)
    assert {weight.dtype for weight in fast.parameters()} == {torch.float32}
