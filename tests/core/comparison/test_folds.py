"""Which rows each seed of a comparison gets: folds, validation rows, splits of one's own."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.comparison.folds import compared_data
from core.config import FOLDS
from core.data.dataset import Dataset
from core.task import Example, Span, Task

WORDS = ("ferry", "sushi", "chip", "verse", "boats", "meal", "shares", "hall", "fog", "band")


def text_of(number: int) -> str:
    """Give a sentence that is near to no other."""
    return " ".join(WORDS[number * step % 10] + str(number * step) for step in (1, 3, 7, 9))


def data_of(
    examples: list[Example], tasks: tuple[Task, ...], splits: tuple[str, ...] | None = None
) -> Dataset:
    return Dataset(
        name="rows.csv",
        examples=tuple(examples),
        tasks=tasks,
        places=tuple(range(1, len(examples) + 1)),
        unit="row",
        splits=splits or ("",) * len(examples),
        notes=(),
        text_column="text",
        label_columns={task.name: task.name for task in tasks},
        columns=("text", *(task.name for task in tasks)),
    )


def kinds(*counts: int) -> tuple[list[Example], tuple[Task, ...]]:
    """Give so many rows of each class."""
    labels = [f"k{place}" for place, count in enumerate(counts) for _ in range(count)]
    examples = [Example(text=text_of(n), labels={"kind": kind}) for n, kind in enumerate(labels)]
    names = tuple(f"k{place}" for place in range(len(counts)))
    return examples, (Task(name="kind", kind="sentence", labels=names),)


@settings(max_examples=15)
@given(st.integers(3, 12), st.integers(3, 30), st.integers(0, 5))
def test_three_seeds_test_every_row_once_and_a_row_is_on_one_side_only(
    few: int, many: int, repetition: int
) -> None:
    data = compared_data(data_of(*kinds(few, many)))
    deals = [data.deal(FOLDS * repetition + fold) for fold in range(FOLDS)]
    rows = list(range(few + many))
    assert sorted(row for deal in deals for row in deal.tested) == rows
    for deal in deals:
        assert sorted((*deal.training, *deal.validation, *deal.tested)) == rows
        assert (deal.fold, deal.repetition) == (deal.seed % FOLDS, repetition)


def test_the_deal_of_a_seed_is_the_same_whoever_else_is_asked() -> None:
    once = compared_data(data_of(*kinds(20, 30)))
    again = compared_data(data_of(*kinds(20, 30)))
    for seed in (5, 0, 4):
        again.deal(seed)
    assert [again.deal(seed) for seed in range(3)] == [once.deal(seed) for seed in range(3)]


@pytest.mark.parametrize(
    ("seed", "tested", "validation"),
    [
        (0, (0, 3, 9, 10, 13, 18, 19, 21, 26, 28), (11, 20, 29)),
        (1, (2, 7, 8, 11, 12, 14, 22, 23, 24, 29), (5, 13, 17)),
        (4, (4, 7, 8, 9, 19, 21, 23, 24, 25, 29), (2, 16, 17)),
    ],
)
def test_a_seed_is_dealt_what_it_was_so_that_a_comparison_kept_by_an_older_thaw_can_go_on(
    seed: int, tested: tuple[int, ...], validation: tuple[int, ...]
) -> None:
    """The rows are those that were dealt when this was written: no other reason makes them right.

    Other rows would be paired with those of the runs that are there, and some tested twice.
    """
    deal = compared_data(data_of(*kinds(12, 18))).deal(seed)
    assert (deal.tested, deal.validation) == (tested, validation)


def test_each_repetition_is_a_split_of_its_own() -> None:
    data = compared_data(data_of(*kinds(30, 30)))
    assert data.deal(0).tested != data.deal(3).tested


def test_labels_are_in_like_shares_in_every_fold_and_among_what_validates() -> None:
    examples, tasks = kinds(60, 120)
    data = compared_data(data_of(examples, tasks))
    for seed in range(FOLDS):
        deal = data.deal(seed)
        for rows in (deal.training, deal.validation, deal.tested):
            share = sum(examples[row].labels["kind"] == "k0" for row in rows) / len(rows)
            assert share == pytest.approx(1 / 3, abs=0.06)
        assert len(deal.validation) == pytest.approx(0.15 * 120, abs=2)


def test_near_duplicates_and_groups_stay_on_one_side() -> None:
    examples, tasks = kinds(15, 15)
    twins = [replace(each, text=f"{each.text}!") for each in examples]
    joined = [replace(each, group="one") for each in examples[:4]] + examples[4:]
    data = compared_data(data_of(joined + twins, tasks))
    for seed in range(FOLDS):
        deal = data.deal(seed)
        for side in (deal.training, deal.validation, deal.tested):
            assert {row % 30 for row in side if row < 30} == {row % 30 for row in side if row >= 30}
            assert len(set(range(4)) & set(side)) in (0, 4)


def test_a_group_larger_than_a_fold_is_tested_whole() -> None:
    examples, tasks = kinds(20, 20)
    large = [replace(each, group="one") if n % 2 else each for n, each in enumerate(examples)]
    data = compared_data(data_of(large, tasks))
    inside = {n for n in range(40) if n % 2}
    held = [inside & set(data.deal(seed).tested) for seed in range(FOLDS)]
    assert sorted(map(len, held)) == [0, 0, 20]
    assert all(data.deal(seed).tested for seed in range(FOLDS))


def test_a_class_of_two_rows_is_left_out_and_named() -> None:
    examples, tasks = kinds(10, 10, 2)
    data = compared_data(data_of(examples, tasks))
    assert data.dataset.tasks[0].labels == ("k0", "k1")
    assert len(data.dataset.examples) == 22, "its labels are dropped, not its rows"
    assert any("'k2'" in note for note in data.notes)


def test_two_classes_of_three_rows_can_be_compared_on() -> None:
    data = compared_data(data_of(*kinds(3, 3)))
    for seed in range(FOLDS):
        deal = data.deal(seed)
        assert len(deal.tested) == 2
        assert len(deal.training) + len(deal.validation) == 4


def test_where_a_class_would_keep_no_training_row_nothing_validates_and_a_note_says_so() -> None:
    examples, tasks = kinds(3, 3)
    grouped = [replace(each, group=f"g{n}") for n, each in enumerate(examples)]
    deals = [compared_data(data_of(grouped, tasks)).deal(seed) for seed in range(9)]
    assert any(not deal.validation for deal in deals), "needs a deal without validation rows"
    for deal in deals:
        known = {examples[row].labels["kind"] for row in deal.training}
        assert known == {"k0", "k1"} or any("no training row" in note for note in deal.notes)
        assert bool(deal.validation) != any("too few to hold any out" in n for n in deal.notes)


def test_a_class_never_loses_its_last_training_row_to_what_validates() -> None:
    """All of k1 is one author's, who goes to whoever still wants k0: held out, but for this."""
    labels = ["k0", "k0", "k0", "k0", "k0", "k0", *["k1"] * 7, *["k2"] * 12]
    authors = ["a", "a", "a", "b", "b", *["c"] * 8, *map(str, range(12))]
    examples = [
        Example(text=text_of(n), labels={"kind": label}, group=author)
        for n, (label, author) in enumerate(zip(labels, authors, strict=True))
    ]
    _, tasks = kinds(1, 1, 1)
    splits = ("train",) * 25
    tested = [Example(text=text_of(30 + n), labels={"kind": f"k{n}"}) for n in range(3)]
    data = compared_data(data_of([*examples, *tested], tasks, (*splits, *["test"] * 3)))
    for seed in range(4):
        deal = data.deal(seed)
        assert {examples[row].labels["kind"] for row in deal.training} == {"k0", "k1", "k2"}
        assert deal.validation == ()
        assert any("'k1' of kind would keep none" in note for note in deal.notes)


def test_a_class_that_is_tested_and_never_learned_is_named() -> None:
    examples, tasks = kinds(10, 10, 4)
    splits = tuple("test" if n % 4 == 0 or n >= 20 else "train" for n in range(24))
    notes = compared_data(data_of(examples, tasks, splits)).deal(0).notes
    assert [note for note in notes if "no training row" in note] == [
        "kind: 'k2' is tested, but no training row has it"
    ]


def test_a_task_under_two_classes_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="task kind cannot be tested: each label needs 3 rows"):
        compared_data(data_of(*kinds(20, 2)))


def test_fewer_groups_than_folds_are_refused() -> None:
    examples, tasks = kinds(4, 4)
    two = [replace(each, group=f"g{n % 2}") for n, each in enumerate(examples)]
    with pytest.raises(ValueError, match="label more rows"):
        compared_data(data_of(two, tasks))


def test_an_own_test_split_is_tested_by_every_seed() -> None:
    examples, tasks = kinds(20, 20)
    splits = tuple("test" if n % 4 == 0 else "train" for n in range(40))
    data = compared_data(data_of(examples, tasks, splits))
    assert data.folds is None
    deals = [data.deal(seed) for seed in range(4)]
    assert {deal.tested for deal in deals} == {tuple(range(0, 40, 4))}
    assert all(deal.fold is None and deal.repetition == 0 for deal in deals)
    assert all(deal.validation for deal in deals), "some of the training rows validate"
    assert len({deal.validation for deal in deals}) == 4, "each seed others"
    for deal in deals:
        assert sorted((*deal.training, *deal.validation, *deal.tested)) == list(range(40))


def test_own_validation_rows_validate() -> None:
    examples, tasks = kinds(20, 20)
    splits = tuple(("test", "validation", "train", "train")[n % 4] for n in range(40))
    data = compared_data(data_of(examples, tasks, splits))
    for seed in range(2):
        deal = data.deal(seed)
        assert deal.validation == tuple(range(1, 40, 4))
        assert deal.training == tuple(n for n in range(40) if n % 4 > 1), "and nothing else"


def test_rows_that_an_own_split_leaves_open_are_learned_from() -> None:
    examples, tasks = kinds(20, 20)
    splits = tuple("test" if n % 4 == 0 else "" for n in range(40))
    deal = compared_data(data_of(examples, tasks, splits)).deal(0)
    assert sorted((*deal.training, *deal.validation)) == [n for n in range(40) if n % 4]


def test_a_task_that_no_row_of_an_own_split_tests_is_refused() -> None:
    examples, tasks = kinds(20, 20)
    bare = [replace(each, labels={}) if n % 4 == 0 else each for n, each in enumerate(examples)]
    splits = tuple("test" if n % 4 == 0 else "train" for n in range(40))
    with pytest.raises(ValueError, match="task kind has no label in any test row"):
        compared_data(data_of(bare, tasks, splits))


def test_a_split_without_test_rows_is_cross_validated_and_a_note_says_so() -> None:
    examples, tasks = kinds(20, 20)
    splits = tuple(("validation", "train")[n % 2] for n in range(40))
    data = compared_data(data_of(examples, tasks, splits))
    assert data.folds == FOLDS
    assert any("no row is in the split test" in note for note in data.notes)


def test_an_own_split_whose_training_rows_have_one_class_is_refused() -> None:
    examples, tasks = kinds(20, 20)
    splits = ("train",) * 20 + ("test",) * 20
    with pytest.raises(ValueError, match="has 1 label among the training rows, needs at least 2"):
        compared_data(data_of(examples, tasks, splits))


def test_a_text_on_both_sides_of_an_own_split_is_told() -> None:
    examples, tasks = kinds(10, 10)
    splits = ("train",) * 20 + ("test",) * 20
    data = compared_data(data_of([*examples, *examples], tasks, splits))
    assert any("near-duplicate" in note for note in data.notes)


def test_span_labels_are_dealt_too() -> None:
    task = Task(name="names", kind="token", labels=("PER", "LOC"))
    examples = [
        Example(text=text_of(n), labels={"names": (Span(0, 4, "PER" if n < 15 else "LOC"),)})
        for n in range(30)
    ]
    data = compared_data(data_of(examples, (task,)))
    for seed in range(FOLDS):
        labels = [examples[row].labels["names"][0].label for row in data.deal(seed).tested]  # type: ignore[index,union-attr]
        assert labels.count("PER") == pytest.approx(5, abs=1)
