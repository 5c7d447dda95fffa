"""What a report's figures come to in words: drift and forgetting apart, signs that can be read."""

from typing import Any

import pytest

from core.comparison.words import further_tables_in_words, retention_in_words, worth_a_look

PROBE = {"cka": 0.8312, "neighbours_kept": 7.25, "rank_agreement": 0.9}


def strategy(low: float, mean: float, high: float) -> dict[str, Any]:
    lost = {"mean": mean, "low": low, "high": high}
    return {"drift": {"probe": PROBE}, "forgetting": lost}


def test_what_is_forgotten_is_said_apart_from_how_far_it_has_drifted() -> None:
    told = retention_in_words(strategy(0.01, 0.034, 0.06))
    assert "drifted to a CKA of 0.831" in told
    assert "7.2 of 10 nearest neighbours kept" in told
    assert told.endswith(
        "has forgotten: 0.034 of the probe's Spearman correlation lost (0.010 to 0.060)."
    )


@pytest.mark.parametrize("low", [-0.02, -0.001, 0.0])
def test_drift_is_not_called_forgetting_where_none_is_shown(low: float) -> None:
    told = retention_in_words(strategy(low, 0.01, 0.04))
    assert "drifted" in told
    assert "no forgetting is shown" in told
    assert "has forgotten" not in told


def test_a_frozen_encoder_neither_drifts_nor_forgets() -> None:
    assert "neither drifts nor forgets" in retention_in_words(strategy(0, 0, 0))


@pytest.mark.parametrize("missing", [{"forgetting": None}, {"drift": None}])
def test_where_nothing_was_measured_nothing_is_said(missing: dict[str, None]) -> None:
    assert retention_in_words({**strategy(0, 0.1, 0.2), **missing}) == ""


def test_each_further_table_says_what_is_changed_and_how_its_sign_reads() -> None:
    line = {"name": "heads", "mean": None, "tasks": {}, "versus": None}
    tables = further_tables_in_words(
        {
            "single_task": {"topic": [line]},
            "balances": {"dwa": [line]},
            "per_class": [{"rows_per_class": 16, "rows": 40.4, "strategies": [line]}],
        }
    )
    assert [(each.title, each.against) for each in tables] == [
        ("topic alone", "all tasks together"),
        ("losses balanced by dynamic weight averaging", "their plain sum"),
        ("16 rows of each class", "all rows"),
    ]
    assert "sharing the encoder hurts" in tables[0].meaning
    assert "40 rows a run" in tables[2].meaning
    assert further_tables_in_words({}) == []


def test_one_row_has_one_label() -> None:
    assert worth_a_look("mood", {"rows": [3]}).endswith("1 row of mood wrong, worth a second look "
                                                        "at its label")  # fmt: skip
    assert "1,200 rows of mood wrong" in worth_a_look("mood", {"rows": [0] * 1200})
