"""A comparison told once: signs that can be read, drift apart from forgetting, nothing twice."""

from typing import Any

import pytest

from core.report.blocks import BEST, BETTER, FLOOR, WORSE, Block, Note, Section, Sentence, Table
from core.report.cells import correlation, number, points, score, signed
from core.report.comparison import (
    STATUS,
    comparison_report,
    retention_in_words,
    status_means,
    worth_a_look,
)
from tests.made_reports import HOSTILE, TWO, interval, report, run, strategy

PROBE = {"cka": 0.8312, "neighbours_kept": 7.25, "rank_agreement": 0.9}


def section(document: dict[str, Any], name: str) -> Section:
    (found,) = (each for each in comparison_report(document).sections if each.name == name)
    return found


def texts(blocks: tuple[Block, ...]) -> list[str]:
    return [block.text for block in blocks if isinstance(block, Sentence | Note)]


def table(document: dict[str, Any], name: str, title: str = "") -> Table:
    found = (each for each in section(document, name).blocks if isinstance(each, Table))
    return next(each for each in found if title in each.title)


def measured(low: float, mean: float, high: float) -> dict[str, Any]:
    lost = {"mean": mean, "low": low, "high": high}
    return {"drift": {"probe": PROBE}, "forgetting": lost}


def test_what_is_forgotten_is_said_apart_from_how_far_it_has_drifted() -> None:
    told = retention_in_words(measured(0.01, 0.034, 0.06))
    assert "drifted to a CKA of 0.831" in told
    assert "7.2 of 10 nearest neighbours kept" in told
    assert told.endswith(
        "has forgotten 0.034 of the probe's Spearman correlation (0.010 to 0.060)."
    )


@pytest.mark.parametrize("low", [-0.02, -0.001, 0.0])
def test_drift_is_not_called_forgetting_where_none_is_shown(low: float) -> None:
    told = retention_in_words(measured(low, 0.01, 0.04))
    assert "drifted" in told
    assert "no forgetting is shown" in told
    assert "has forgotten" not in told


def test_a_frozen_encoder_neither_drifts_nor_forgets() -> None:
    assert "neither drifts nor forgets" in retention_in_words(measured(0, 0, 0))


@pytest.mark.parametrize("missing", [{"forgetting": None}, {"drift": None}])
def test_where_nothing_was_measured_nothing_is_said(missing: dict[str, None]) -> None:
    assert retention_in_words({**measured(0, 0.1, 0.2), **missing}) == ""


def test_each_further_table_says_what_is_changed_and_how_its_sign_reads() -> None:
    line = {"name": "heads", "mean": None, "versus": None}
    blocks = section(
        {
            **report(*TWO),
            "single_task": {"topic": [line]},
            "balances": {"dwa": [line]},
            "per_class": [{"rows_per_class": 16, "rows": 40.4, "strategies": [line]}],
        },
        "further",
    ).blocks
    tables = [each for each in blocks if isinstance(each, Table)]
    assert [(each.title, each.columns[-1].heading) for each in tables] == [
        ("With topic alone", "against all tasks together"),
        ("With losses balanced by dynamic weight averaging", "against their plain sum"),
        ("With 16 rows of each class", "against all rows"),
    ]
    assert "sharing the encoder hurts" in texts(blocks)[0]
    assert "40 rows a run" in texts(blocks)[2]


def test_one_row_has_one_label_and_the_first_of_many_are_named() -> None:
    one = worth_a_look("mood", {"rows": [3], "unit": "line"})
    assert one.endswith("1 line of mood wrong, worth a second look at its label: line 3.")
    many = worth_a_look("mood", {"rows": list(range(1_200)), "unit": "row"})
    assert "1,200 rows of mood wrong" in many
    assert many.endswith("rows 0, 1, 2, 3, 4 and 1,195 more.")


def test_of_many_rows_worth_a_look_it_says_how_many_are_shown() -> None:
    given = report(*TWO)
    assert "shown" not in table(given, "second-look").title
    given["second_look"][HOSTILE]["rows"] = list(range(70))
    assert table(given, "second-look").title.endswith("the first 1 are shown")


def test_the_advice_of_one_task_is_said_once_and_of_several_for_each() -> None:
    own = {"strategy": "heads", "status": "better", "text": "take heads"}
    tasks = {name: {**own, "text": f"{name} alone"} for name in ("kind", "mood")}
    several = section({**report(*TWO), "advice": {**own, "tasks": tasks}}, "advice")
    assert texts(several.blocks)[:5] == [
        "heads, shown better",
        "take heads",
        status_means("better", 3.0),
        "kind alone",
        "mood alone",
    ]
    one = section({**report(*TWO), "advice": {**own, "tasks": {"kind": own}}}, "advice")
    assert texts(one.blocks).count("take heads") == 1


def test_without_advice_it_says_what_it_takes() -> None:
    assert (
        "two strategies" in texts(section({**report(TWO[0]), "advice": None}, "advice").blocks)[0]
    )


@pytest.mark.parametrize("status", STATUS)
def test_each_status_is_explained(status: str) -> None:
    assert status_means(status, 2.5)
    assert "at most 2.5 points worse" in status_means("good_enough", 2.5)


def test_every_score_of_a_task_and_both_differences_are_told() -> None:
    heads, full = strategy("heads", 0.6, 1.0, 0.0), strategy("full", 0.8, 60.0, 0.02)
    gap = {"mean": interval(-0.2), "tasks": {HOSTILE: interval(-0.21)}}
    heads["versus_best"], full["versus_best"] = {"strategy": "full", **gap}, None
    full["tasks"][HOSTILE]["versus_heads"] = interval(0.21)
    found = table(report(full, heads), "tasks")
    assert [each.heading for each in found.columns] == [
        *("strategy", "accuracy", "macro-F1", "versus heads", "versus full"),
    ]
    by_name = {row.about: row.cells for row in found.rows}
    assert (by_name["full"][3].text, by_name["full"][3].interval) == ("+21.0", "+16.0 to +26.0")
    assert (by_name["heads"][4].text, by_name["heads"][4].sure) == ("−21.0", WORSE)


def test_the_best_and_the_floor_are_marked_and_a_score_below_the_floor_says_so() -> None:
    found = table(report(*TWO), "strategies")
    assert [row.look for row in found.rows] == [BEST, "", FLOOR, FLOOR]
    assert {len(row.cells) for row in found.rows} == {len(found.columns)}
    assert found.rows[0].cells[1].aside == "below the floor"
    assert [row.cells[0].text for row in found.rows[2:]] == [
        *("floor: counting words", "floor: commonest label"),
    ]


def test_where_heads_read_is_said_run_by_run_where_runs_differ() -> None:
    given = report(TWO[0])
    told, *_ = texts(section(given, "strategy").blocks)
    assert told.startswith("Heads read layer 3. 1 run, ")
    given["runs"] = [{**run("heads"), "read": {"mood": k}} for k in (3, 2)]
    told, *_ = texts(section(given, "strategy").blocks)
    assert told.startswith("Heads read layers, run by run: mood 3, 2. 2 runs")
    given["runs"] = [{**run("heads"), "read": {"mood": "mix"}}]
    told, *_ = texts(section(given, "strategy").blocks)
    assert told.startswith("Heads read a mix of all layers.")


def test_each_label_is_scored_over_all_runs_beside_another_strategy() -> None:
    counts = {"precision": 0.5, "recall": 0.25, "f1": 1 / 3, "rows": 8, "predicted": 4}
    given = report(*TWO)
    spans = {HOSTILE: {"f1": 1 / 3, "per_label": {"PER": counts}}}
    given["runs"] = [{**each, "tasks": spans} for each in [*given["runs"], *given["runs"]]]
    sections = [each for each in comparison_report(given).sections if each.name == "strategy"]
    labels = [b for b in sections[1].blocks if isinstance(b, Table) and "label by" in b.title]
    assert [cell.text for cell in labels[0].rows[0].cells] == ["PER", "33.3", "0.0", "16"]
    assert labels[0].columns[2].heading == "versus heads"


def test_notes_begin_with_a_capital_unless_with_a_strategy_and_name_who_they_are_about() -> None:
    told = "heads was still improving"
    given = report(strategy("heads", 0.6, 1.0, 0.0, text=told), text=told)
    given |= {"notes": ["rows were left out."], "failed": {"full": ["seed 0: it was killed"]}}
    given["over_budget"] = True
    found = section(given, "notes").blocks
    assert texts(found) == [
        "Rows were left out.",
        "heads was still improving.",
        "full did not end, seed 0: it was killed.",
        "The budget ended the comparison before all runs were done.",
    ]
    assert [each.about for each in found] == ["", "heads", "full", ""]


def test_a_section_without_blocks_is_not_told() -> None:
    bare = {**report(TWO[0]), "second_look": {}, "failed": {}, "notes": []}
    bare |= {"single_task": {}, "balances": {}, "per_class": []}
    names = [each.name for each in comparison_report(bare).sections]
    assert "second-look" not in names
    assert "further" not in names
    assert all(each.blocks for each in comparison_report(bare).sections)


def test_numbers_have_a_real_minus_and_none_on_a_zero() -> None:
    assert signed(-0.0004, 3) == "0.000"
    assert signed(-0.0004, 3, plus=True) == "0.000"
    assert (signed(-1.25, 1), signed(1.0, 1, plus=True)) == ("−1.2", "+1.0")
    assert (score(None).text, number(None).text) == ("–", "–")
    assert number(22_571_606).text == "22,571,606"
    assert (score(interval(0.25)).text, score(interval(0.25)).interval) == ("25.0", "20.0–30.0")
    assert points(interval(0.2)).sure == BETTER
    assert points(interval(0.01)).sure == ""
    assert correlation({"mean": 0.01, "low": -0.02, "high": 0.04}).interval == "−0.020 to 0.040"
