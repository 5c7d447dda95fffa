"""One run of a comparison, in this process: what it is fair in, and what it counts as its cost."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.comparison.folds import ComparedData, compared_data
from core.comparison.shared import (
    Failed,
    FloorJob,
    PrefixJob,
    Prepared,
    Profiled,
    ProfileJob,
    Setting,
    _Shared,
    failed,
)
from core.comparison.store import FinishedRun
from core.comparison.work import Job, do_run
from core.config import DataChoice, EncoderChoice, TrainingChoice
from core.data.dataset import read_dataset
from core.data.dealing import DealtRows
from core.encoder.encoder import load_encoder
from core.strategy.scenario import parse_strategy
from core.strategy.thaw_plan import ThawPlan
from core.training.run import Run
from tests.core.conftest import labelled_rows, write_rows, write_spans

CHOICE = TrainingChoice(epochs=2, batch=8, threads=1)
NOTHING = Prepared(folder=None, seconds=0.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ComparedData:
    path = tmp_path_factory.mktemp("compared") / "rows.jsonl"
    write_spans(path, labelled_rows(60))
    return compared_data(read_dataset(DataChoice(source=str(path))))


@pytest.fixture
def setting(data: ComparedData, tiny: str, tmp_path: Path) -> Setting:
    return Setting(
        data=data,
        encoder=EncoderChoice(name=tiny),
        threads=1,
        memory_bytes=1e9,
        scratch=str(tmp_path),
        command="",
    )


def job_of(
    setting: Setting,
    strategy: str,
    *choices: TrainingChoice,
    read: Mapping[str, int | str] | None = None,
    **given: object,
) -> Job:
    plain: dict[str, Any] = {
        "deal": setting.data.deal(0),
        "profile_seconds": 0.0,
        "prefix": NOTHING,
        "measure": False,
        "retention": None,
        "folder": None,
    }
    choices = choices or (CHOICE,)
    plan = plan_of(strategy, read or {"kind": 3, "names": 3}, choices[0].epochs)
    return Job(plan=plan, choices=choices, **(plain | given))


def plan_of(strategy: str, read: Mapping[str, int | str], epochs: int = 2) -> ThawPlan:
    """Plan a run of a strategy on an encoder of three layers."""
    return ThawPlan(scenario=parse_strategy(strategy, 3), read=read, layers=3, epochs=epochs)


def done(setting: Setting, job: Job) -> FinishedRun | Failed:
    *_, last = do_run(setting, job, {})
    assert isinstance(last, FinishedRun | Failed)
    return last


def finished(setting: Setting, job: Job) -> FinishedRun:
    found = done(setting, job)
    assert isinstance(found, FinishedRun), found
    return found


@pytest.mark.parametrize("best", [0, 1])
def test_of_several_rates_the_one_is_taken_that_the_validation_rows_like_best(
    best: int, setting: Setting
) -> None:
    idle, able = (replace(CHOICE, epochs=12, head_rate=rate) for rate in (1e-9, 3e-2))
    alone = [finished(setting, job_of(setting, "heads", each)).record for each in (idle, able)]
    validated = [sum(_main(each) for each in (run.validation or {}).values()) for run in alone]
    assert validated[0] < validated[1], "needs a rate at which more is learned"
    both = (able, idle) if best == 0 else (idle, able)
    record = finished(setting, job_of(setting, "heads", *both)).record
    assert record.rates["head"] == able.head_rate
    assert record.scores == alone[1].scores


def _main(scores: Mapping[str, Any]) -> float:
    return float(scores["f1"] if "f1" in scores else scores["accuracy"])


def test_of_rates_that_do_as_well_the_first_is_taken_which_is_the_tuned_one(
    setting: Setting,
) -> None:
    idle = [replace(CHOICE, epochs=3, head_rate=rate) for rate in (2e-9, 1e-9, 3e-9)]
    record = finished(setting, job_of(setting, "heads", *idle)).record
    assert record.rates["head"] == 2e-9


def test_a_run_has_converged_where_its_last_epoch_was_not_its_best(setting: Setting) -> None:
    idle = replace(CHOICE, head_rate=1e-9)
    for epochs, converged in ((1, False), (3, True)):
        record = finished(setting, job_of(setting, "heads", replace(idle, epochs=epochs))).record
        assert (record.best_epoch, record.epochs) == (1, epochs)
        assert record.converged is converged


def relabelled(data: ComparedData, rows: Iterable[int]) -> ComparedData:
    """Give some rows other labels."""
    some, kinds = set(rows), data.dataset.tasks[0].labels
    turned = tuple(
        replace(each, labels={"kind": kinds[row % 2], "names": ()}) if row in some else each
        for row, each in enumerate(data.dataset.examples)
    )
    assert turned != data.dataset.examples
    return replace(data, dataset=replace(data.dataset, examples=turned))


def test_what_a_run_is_tested_on_has_no_part_in_what_it_learns(setting: Setting) -> None:
    deal = setting.data.deal(0)
    others = replace(setting, data=relabelled(setting.data, deal.tested))
    one, other = (finished(each, job_of(each, "lower:2", deal=deal)) for each in (setting, others))
    said = [[each.scores for each in run.held_out.tasks.values()] for run in (one, other)]
    assert said[0] == said[1], "the weights are the same"
    assert one.record.validation == other.record.validation
    assert one.record.temperature == other.record.temperature
    assert one.record.scores != other.record.scores, "it is tested on these labels"


def test_the_layers_are_profiled_on_the_rows_of_a_fold_whatever_the_others_are(
    setting: Setting,
) -> None:
    deal, data = setting.data.deal(0), setting.data
    others = relabelled(data, (*deal.validation, *deal.tested))
    found = [
        _Shared(replace(setting, data=each)).answer(ProfileJob(rows=deal.training))
        for each in (data, others)
    ]
    profiles = [each.profile for each in found if isinstance(each, Profiled)]
    assert profiles[0] is not None
    assert profiles[0] == profiles[1]


def test_the_floor_learns_nothing_of_what_it_is_tested_on(setting: Setting, tmp_path: Path) -> None:
    """Every row has words of its own: whoever has not seen a row can only guess its label."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    lines = [(f"{letter * 3} {letter * 5}", "glad" if n % 2 else "sad")
             for n, letter in enumerate(letters)]  # fmt: skip
    write_rows(tmp_path / "own.csv", lines, ("text", "mood"))
    data = compared_data(read_dataset(DataChoice(source=str(tmp_path / "own.csv"))))
    deals = tuple(data.deal(seed) for seed in range(3))
    found = _Shared(replace(setting, data=data)).answer(FloorJob(deals=deals))
    assert isinstance(found, dict)
    assert found["mood"]["lexical"]["mean"] <= 0.75


def test_a_run_that_cannot_end_says_why_and_is_no_fault_of_the_program(
    setting: Setting, tiny: str, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(tiny, tmp_path / "broken"))
    weights = load_file(broken / "model.safetensors")
    name = next(name for name in weights if name.endswith("layer.2.output.dense.weight"))
    save_file({**weights, name: torch.full_like(weights[name], 1e38)}, broken / "model.safetensors")
    overflowing = replace(setting, encoder=EncoderChoice(name=str(broken)))
    found = done(overflowing, job_of(setting, "full", folder=tmp_path / "runs" / "seed-0"))
    assert isinstance(found, Failed)
    assert "no longer a number" in found.reason
    assert not found.fault
    assert not (tmp_path / "runs").exists(), "nothing is kept of it"


@pytest.mark.parametrize(
    ("error", "fault", "refused"),
    [
        (ValueError("label more rows"), False, True),  # exit 2: it would be so again
        (OSError(28, "No space left on device"), False, False),
        (RuntimeError("states do not fit"), False, False),
        (KeyError("kind"), True, False),
    ],
)
def test_what_went_wrong_is_told_from_what_was_wrong_in_what_was_given_and_from_our_faults(
    error: Exception, fault: bool, refused: bool
) -> None:
    found = failed(error)
    assert (found.fault, found.refused) == (fault, refused)
    assert ("KeyError" in found.reason) is fault, "only a fault of ours needs its name"


def test_the_seconds_of_a_run_are_its_prefix_its_profile_and_its_steps(setting: Setting) -> None:
    shared = _Shared(setting)
    deal = setting.data.deal(0)
    rows = (*deal.training, *deal.validation)
    job = job_of(setting, "lower:1@2", read={"kind": 2, "names": 2}, profile_seconds=5.0)
    asked = PrefixJob(plan=job.plan, rows=rows)
    prepared = shared.answer(asked)
    half = shared.answer(replace(asked, rows=rows[::2]))
    assert isinstance(prepared, Prepared)
    assert isinstance(half, Prepared)
    assert 0 < half.seconds < prepared.seconds, "as if computed for these rows alone"
    dear = replace(prepared, seconds=7.0)
    record = finished(setting, replace(job, prefix=dear)).record
    steps = record.seconds_per_step * record.steps
    assert (record.prefix_seconds, record.profile_seconds) == (7.0, 5.0)
    assert record.seconds == pytest.approx(12 + steps)
    alone = finished(setting, job)
    assert alone.record.prefix_seconds < 7
    assert alone.record.scores == record.scores, "who computed what is frozen changes nothing"


def test_layers_cost_the_same_where_the_embeddings_were_asked_for_first(setting: Setting) -> None:
    shared, rows = _Shared(setting), setting.data.deal(0).training
    found = []
    for strategy, layer in (("heads", 0), ("heads", 3), ("heads", 2)):
        read: dict[str, int | str] = {"kind": layer, "names": layer}
        asked = PrefixJob(plan=plan_of(strategy, read), rows=rows)
        prepared = shared.answer(asked)
        assert isinstance(prepared, Prepared)
        found.append(prepared.seconds)
    assert found[0] == 0 < found[2] == pytest.approx(found[1] * 2 / 3)


def test_a_run_of_one_task_has_no_other(setting: Setting) -> None:
    found = finished(setting, job_of(setting, "heads", read={"kind": 3}))
    assert set(found.held_out.tasks) == set(found.record.scores) == {"kind"}


def test_strategies_of_a_seed_begin_with_the_same_heads_and_other_seeds_with_others(
    data: ComparedData, tiny: str
) -> None:
    rows = DealtRows(training=data.dataset.examples, validation=(), notes=())

    def heads(strategy: str, seed: int) -> torch.Tensor:
        plan, encoder = plan_of(strategy, {"kind": 3, "names": 3}), load_encoder(tiny, threads=1)
        run = Run(data.dataset, rows, encoder, plan, replace(CHOICE, seed=seed))
        return torch.cat([weight.detach().reshape(-1) for weight in run.model.heads.parameters()])

    first = heads("heads", 0)
    for strategy in ("full", "lower:1", "lora", "heads+freeze-head:kind"):
        assert torch.equal(heads(strategy, 0), first), strategy
    assert not torch.equal(heads("heads", 1), first)
