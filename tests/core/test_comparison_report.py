"""What the report of a comparison says of made-up runs: signs, floors, doubts, further tables."""

from typing import Any

import pytest

from core.comparison_choice import ComparisonChoice
from core.comparison_folds import ComparedData, compared_data
from core.comparison_report import Circumstances, comparison_document
from core.comparison_runs import FinishedRun, RunRecord
from core.comparison_variants import Variant, further_tables
from core.config import DataChoice
from core.dataset import read_dataset
from core.scenario import parse_strategy
from tests.core.conftest import write_rows
from tests.made_runs import MOOD, run_of

ROWS = 30
FLOOR = {"majority": 0.5, "lexical": {"mean": 0.6, "low": 0.4, "high": 0.8}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ComparedData:
    path = tmp_path_factory.mktemp("compared") / "rows.csv"
    lines = [(f"the band sang {10**n % 997} times of {n}", MOOD.labels[n % 2]) for n in range(ROWS)]
    write_rows(path, lines, ("text", MOOD.name))
    return compared_data(read_dataset(DataChoice(source=str(path))))


def made(strategy: str, right: int, *, seed: int = 0, **given: object) -> FinishedRun:
    """Give a run that predicts so many rows right."""
    plain: dict[str, Any] = {
        "settings": {},
        "fold": None,
        "repetition": 0,
        "read": {MOOD.name: 3},
        "rates": {"encoder": 1e-4, "head": 1e-2},
        "epochs": 4,
        "best_epoch": 2,
        "converged": True,
        "training_rows": 20,
        "steps": 8,
        "trainable_parameters": 100,
        "seconds": 1.0,
        "wall_seconds": 2.0,
        "seconds_per_step": 0.1,
        "prefix_seconds": 0.0,
        "profile_seconds": 0.0,
        "peak_memory_bytes": None,
        "inference_sentences_per_second": None,
        "drift": None,
        "forgetting": None,
        "scores": {},
        "validation": None,
        "curves": {},
        "temperature": {},
        "tested_calibration": {},
        "threads": 1,
    }
    record = RunRecord(strategy=strategy, seed=seed, **(plain | given))
    return FinishedRun(record=record, held_out=run_of(strategy, [n < right for n in range(ROWS)]))


def document(data: ComparedData, *runs: FinishedRun, never: str = "", **given: Any) -> Any:  # noqa: ANN401 (any JSON)
    """Report on some runs, and a strategy that has none."""
    names = dict.fromkeys([*(run.record.strategy for run in runs), *filter(None, [never])])
    choice = ComparisonChoice(strategies=tuple(parse_strategy(name, 3) for name in names))
    about = Circumstances(data=data, choice=choice, encoder={}, floor={MOOD.name: FLOOR}, **given)
    return comparison_document(about, runs)


def report(data: ComparedData, *runs: FinishedRun) -> dict[str, dict[str, Any]]:
    """Give what the report says of each strategy."""
    return {each["name"]: each for each in document(data, *runs)["strategies"]}


def test_a_difference_is_above_zero_for_the_one_that_is_better(data: ComparedData) -> None:
    found = report(data, made("heads", 10), made("full", 25), made("lower:1", 16))
    full, lower, heads = found["full"], found["lower:1"], found["heads"]
    assert full["versus_heads"]["mean"] == pytest.approx(0.5)
    assert full["tasks"][MOOD.name]["versus_heads"]["mean"] == pytest.approx(0.5)
    assert lower["versus_best"]["mean"]["mean"] == pytest.approx(-0.3)
    assert heads["versus_best"]["tasks"][MOOD.name]["mean"] == pytest.approx(-0.5)
    assert full["versus_best"] is None, "it is the best"


def test_one_that_does_not_clear_the_floor_is_said_not_to(data: ComparedData) -> None:
    found = report(data, made("heads", 18), made("full", 19))
    clears = {name: each["tasks"][MOOD.name]["clears_floor"] for name, each in found.items()}
    assert clears == {"heads": False, "full": True}, "0.6 is not above 0.6"
    assert "heads does not clear the floor of mood" in " ".join(found["heads"]["notes"])
    assert found["full"]["notes"] == []


def test_one_that_was_still_improving_is_said_to_need_more_epochs(data: ComparedData) -> None:
    found = report(data, made("heads", 20), made("full", 20, converged=False))
    assert found["full"]["converged"] is False
    assert "full was still improving when its last epoch ended (1 of 1 runs)" in " ".join(
        found["full"]["notes"]
    )
    assert found["heads"]["converged"] is True
    assert found["heads"]["notes"] == []


def test_one_that_never_ran_is_said_to_be_able_to_change_the_advice(data: ComparedData) -> None:
    runs = made("heads", 10), made("lower:1", 25)
    found = document(data, *runs, never="full")
    assert found["advice"]["unfinished"] == ["full"]
    assert "Not finished, and so able to change this: full." in found["advice"]["text"]
    assert [each["name"] for each in found["strategies"]] == ["heads", "lower:1"]
    failed = document(data, *runs, never="full", failed={"full": ["seed 0: it ended"]})
    assert failed["advice"]["unfinished"] == [], "more time would not help it"


def test_a_variant_is_above_zero_where_it_helps(data: ComparedData) -> None:
    own, better = made("heads", 10), made("heads", 25)
    tables = further_tables(
        data, [own], {Variant(kind="balance", balance="dwa"): [better]}, "accuracy"
    )
    (line,) = tables["balances"]["dwa"]
    assert line["mean"]["mean"] == pytest.approx(25 / 30)
    assert line["versus"]["mean"] == pytest.approx(0.5)
