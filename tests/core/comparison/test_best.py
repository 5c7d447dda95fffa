"""The advised strategy on all rows: it trains as the comparison found best."""

from pathlib import Path

import pytest

from core.comparison.best import BestRun
from core.comparison.choice import ComparisonChoice
from core.comparison.store import FinishedRun
from core.config import DataChoice, EncoderChoice
from core.data.dataset import Dataset, read_dataset
from core.strategy.scenario import parse_strategy
from core.system.machine import usable_cores
from tests.core.conftest import labelled_rows, write_rows
from tests.made_runs import record_of, run_of

RATES = (1e-3, 9e-3, 2e-3)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    write_rows(tmp_path / "rows.csv", labelled_rows(18), ("text", "kind"))
    return read_dataset(DataChoice(source=str(tmp_path / "rows.csv")))


def best_of(
    dataset: Dataset, tiny: str, *, advised: str | None, threads: int | None = 1
) -> BestRun:
    """Give what is to be trained after runs of two strategies, of which full has the best mean."""
    runs = [
        FinishedRun(
            record=record_of(
                name,
                seed=seed,
                rates={"encoder": rate / 10, "head": rate},
                epochs=40,
                best_epoch=seed + 2,
            ),
            held_out=run_of(name, [True, False], seed=seed),
        )
        for name in ("heads", "full")
        for seed, rate in enumerate(RATES)
    ]
    choice = ComparisonChoice(
        strategies=tuple(parse_strategy(name, 3) for name in ("heads", "full")), threads=threads
    )
    advice = None if advised is None else {"strategy": advised}
    document = {"best": "full", "advice": advice}
    return BestRun(dataset, EncoderChoice(name=tiny), choice, document, runs)


def test_what_is_advised_is_trained_not_what_has_the_best_mean(dataset: Dataset, tiny: str) -> None:
    assert best_of(dataset, tiny, advised="heads").strategy == "heads"
    assert best_of(dataset, tiny, advised=None).strategy == "full", "without advice the best mean"


def test_it_trains_by_the_median_of_the_runs_rates_and_of_their_best_epochs(
    dataset: Dataset, tiny: str
) -> None:
    best = best_of(dataset, tiny, advised="full")
    next(best.train())
    assert best._run is not None
    choice = best._run.choice
    assert (choice.head_rate, choice.encoder_rate) == (2e-3, 2e-4)
    assert choice.epochs == 3, "of 2, 3 and 4"
    assert len(best._run.rows.training) == 18


def test_unless_told_it_takes_the_cores_that_it_may_use(dataset: Dataset, tiny: str) -> None:
    best = best_of(dataset, tiny, advised="heads", threads=None)
    next(best.train())
    assert best._run is not None
    assert best._run.choice.threads == usable_cores()
