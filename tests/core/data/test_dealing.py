"""Which rows train and which validate: every row once, nothing lost, nothing seen twice."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.dataset import Dataset
from core.data.dealing import deal_rows
from core.task import Example, Task

MOOD = Task(name="mood", kind="sentence", labels=("good", "bad"))
WORDS = [
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "heron",
    "islet",
    "jetty",
    "knoll",
    "larch",
]


def dataset(labels: list[str], splits: list[str] | None = None, name: str = "rows.csv") -> Dataset:
    examples = tuple(
        Example(text=f"{WORDS[n % 10]} {WORDS[n // 10 % 10]} number {n}", labels={"mood": label})
        for n, label in enumerate(labels)
    )
    return Dataset(
        name=name,
        examples=examples,
        tasks=(MOOD,),
        places=tuple(range(1, len(labels) + 1)),
        unit="line",
        splits=tuple(splits or [""] * len(labels)),
        notes=(),
        text_column="text",
        label_columns={"mood": "mood"},
        columns=("text", "mood"),
    )


@given(st.lists(st.sampled_from(MOOD.labels), min_size=2, max_size=80), st.integers(0, 5))
def test_every_row_is_on_one_side_and_every_label_is_learned(labels: list[str], seed: int) -> None:
    data = dataset(labels)
    dealt = deal_rows(data, seed=seed)
    both = [*dealt.training, *dealt.validation]
    assert sorted(each.text for each in both) == sorted(each.text for each in data.examples)
    assert {each.labels["mood"] for each in dealt.training} == set(labels)
    assert deal_rows(data, seed=seed) == dealt
    if len(labels) >= 20:
        assert len(dealt.validation) == pytest.approx(0.15 * len(labels), abs=2.5)


def test_near_duplicates_stay_on_one_side() -> None:
    data = dataset(["good", "bad"] * 20)
    twins = [replace(each, text=f"{each.text.upper()}!") for each in data.examples]
    both = replace(
        data, examples=(*data.examples, *twins), places=tuple(range(80)), splits=("",) * 80
    )
    dealt = deal_rows(both)
    sides = [
        {each.text.lower().rstrip("!") for each in s} for s in (dealt.training, dealt.validation)
    ]
    assert dealt.validation, "needs something held out"
    assert not sides[0] & sides[1]


def test_where_a_label_would_lose_all_its_rows_nothing_is_held_out() -> None:
    data = dataset(["good", "bad"])
    dealt = deal_rows(data)
    assert (len(dealt.training), dealt.validation) == (2, ())
    assert "too few to hold any out" in dealt.notes[0]


def test_a_label_without_a_training_row_is_told() -> None:
    data = dataset(["good"] * 10 + ["bad"], ["train"] * 10 + ["test"])
    notes = deal_rows(data).notes
    assert any("mood: 'bad' has no training row" in note for note in notes)
    assert any("1 test rows take no part" in note for note in notes)


def test_rows_from_elsewhere_go_before_the_split_columns() -> None:
    data = dataset(["good", "bad"] * 10, ["train"] * 15 + ["validation"] * 5)
    own = dataset(["bad", "good", "bad"], name="own.csv")
    assert len(deal_rows(data).validation) == 5
    assert deal_rows(data, validation=own).validation == own.examples
    assert deal_rows(data, validation=own, hold=False).validation == ()
    assert len(deal_rows(data, hold=False).training) == 15


def test_data_without_a_training_row_is_refused() -> None:
    with pytest.raises(ValueError, match=r"rows\.csv has no training row"):
        deal_rows(dataset(["good", "bad"], ["test", "test"]))


def test_rows_from_elsewhere_must_fit_the_tasks() -> None:
    data, own = dataset(["good", "bad"] * 10), dataset(["good", "odd"], name="own.csv")
    odd = replace(own, tasks=(replace(MOOD, labels=("good", "odd")),))
    with pytest.raises(ValueError, match="mood has the labels 'odd' in the data"):
        deal_rows(data, validation=odd)
