"""What the report of a comparison says of made-up runs: signs, floors, doubts, further tables."""

from dataclasses import replace
from typing import Any

import pytest

from core.advice.held_out import TaskPredictions
from core.comparison.choice import ComparisonChoice
from core.comparison.folds import ComparedData, compared_data
from core.comparison.report import Circumstances, comparison_document, second_look
from core.comparison.store import FinishedRun
from core.comparison.variants import Variant, further_tables, what_is_left_out
from core.config import DataChoice
from core.data.dataset import read_dataset
from core.report.blocks import Sentence
from core.report.comparison import comparison_report
from core.strategy.scenario import parse_strategy
from core.task import Example, Span, Task
from tests.core.conftest import write_rows
from tests.made_runs import MOOD, record_of, run_of

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
    record = record_of(strategy, seed=seed, **given)
    return FinishedRun(
        record=record, held_out=run_of(strategy, [n < right for n in range(ROWS)], seed=seed)
    )


def document(data: ComparedData, *runs: FinishedRun, never: str = "", **given: Any) -> Any:  # noqa: ANN401 (any JSON)
    """Report on some runs, and a strategy that has none."""
    names = dict.fromkeys([*(run.record.strategy for run in runs), *filter(None, [never])])
    choice = ComparisonChoice(strategies=tuple(parse_strategy(name, 3) for name in names))
    encoder = {"name": "tiny", "fingerprint": "0"}
    given = {"floor": {MOOD.name: FLOOR}, **given}
    about = Circumstances(data=data, choice=choice, encoder=encoder, **given)
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


def test_advice_to_take_one_below_the_floor_says_so(data: ComparedData) -> None:
    advice = document(data, made("heads", 3), made("full", 17))["advice"]
    assert advice["strategy"] == "full"
    assert "Beware: full does not clear the floor of mood" in advice["text"]
    assert "Beware: full" in advice["tasks"][MOOD.name]["text"]
    assert "Beware" not in document(data, made("heads", 3), made("full", 20))["advice"]["text"]


def test_the_floor_that_is_not_cleared_is_named(data: ComparedData) -> None:
    most = {**FLOOR, "majority": 0.7}
    (heads,) = document(data, made("heads", 20), floor={MOOD.name: most})["strategies"]
    assert "always saying the commonest label does as well" in heads["notes"][0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("single_task", "mood is the only task, so there is no table of each task alone"),
        ("balances", "so there is no table of other balances"),
        ("per_class", "so there is no table of fewer rows"),
    ],
)
def test_a_table_that_the_rows_do_not_allow_is_said_to_be_left_out(
    data: ComparedData, given: str, said: str
) -> None:
    scenarios = (parse_strategy("heads", 3),)
    choice = ComparisonChoice(strategies=scenarios, **{given: True})
    few = replace(data.deal(0), training=tuple(range(6)))
    (note,) = what_is_left_out(choice, data, {0: few})
    assert said in note
    assert what_is_left_out(ComparisonChoice(strategies=scenarios), data, {0: few}) == []


def test_rates_that_nothing_can_choose_from_are_said_not_to_be_tried(data: ComparedData) -> None:
    choice = ComparisonChoice(strategies=(parse_strategy("heads", 3),), rates=3)
    deals = {0: data.deal(0), 1: replace(data.deal(1), validation=())}
    (note,) = what_is_left_out(choice, data, deals)
    assert "for seed 1," in note
    assert "each strategy's own is taken" in note


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


def test_one_of_which_every_run_failed_is_named_as_not_judged_wherever_the_advice_is_read(
    data: ComparedData,
) -> None:
    runs, reason = (made("heads", 10), made("lower:1", 25)), "seed 0: its process was killed"
    failed = {"full": [reason], "heads": ["seed 1: its process was killed"]}
    found = document(data, *runs, never="full", failed=failed)
    assert found["advice"]["unfinished"] == [], "more time would not help it"
    assert found["advice"]["not_judged"] == ["full"], "of heads another run came to its end"
    said = "Not judged, since no run came to its end: full."
    assert said in found["advice"]["text"]
    told = [each for each in comparison_report(found).blocks() if isinstance(each, Sentence)]
    assert any(said in each.text for each in told)
    whole = document(data, *runs)
    assert whole["advice"]["not_judged"] == []
    assert "Not judged" not in whole["advice"]["text"]


def test_entities_worth_a_second_look_are_told_by_their_words(data: ComparedData) -> None:
    """What is right but at another place is told with its place, else it would look right."""
    names = Task(name="names", kind="token", labels=("PER",))
    (span,) = [Span(4, 8, "PER")]
    moved = Span(9, 13, "PER")
    text = "the Anna Anna"
    examples = (Example(text=text, labels={names.name: (span,)}), *data.dataset.examples[1:])
    dataset = replace(data.dataset, examples=examples, tasks=(names,))

    def predicting(strategy: str, *spans: Span) -> FinishedRun:
        said = TaskPredictions(task=names, actual=((span,),), predicted=(spans,))
        run = made(strategy, 1)
        held = replace(run.held_out, strategy=strategy, rows=(0,), tasks={names.name: said})
        return replace(run, held_out=held)

    found = second_look(
        replace(data, dataset=dataset), [predicting("heads"), predicting("full", moved)]
    )
    (shown,) = found[names.name]["shown"]
    assert shown["actual"] == "PER “Anna”"
    assert shown["predicted"] == {"none": 1, "PER “Anna” at 9–13": 1}


def test_a_variant_is_above_zero_where_it_helps(data: ComparedData) -> None:
    own, better = made("heads", 10), made("heads", 25)
    tables = further_tables(
        data, [own], {Variant(kind="balance", balance="dwa"): [better]}, "accuracy"
    )
    (line,) = tables["balances"]["dwa"]
    assert line["mean"]["mean"] == pytest.approx(25 / 30)
    assert line["versus"]["mean"] == pytest.approx(0.5)
