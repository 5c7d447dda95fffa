"""The doctor on data with one planted defect after another, and on data that is well."""

import itertools
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import DataChoice
from core.data.corpus import load_corpus
from core.data.dataset import Dataset, read_dataset
from core.doctor.doctor import CHECKS, check_document, cleaned, examine, read_for_examination
from core.doctor.findings import SEVERITIES, Finding, Reader, find_reader
from core.doctor.label_checks import _close_pairs, _one_slip_apart, twin_labels
from core.doctor.repeat_checks import plain
from core.doctor.text_checks import has_mojibake
from core.task import ENTITIES, Example, Label, Span, Task

MOOD = Task(name="mood", kind="sentence", labels=("bad", "good"))

WELL = [
    *("The soup came hot and quickly.", "Our waiter forgot half of what we had ordered."),
    *("A lovely terrace above the old harbour.", "Never again will I book this hotel."),
    *("The mattress was softer than at home.", "Somebody had smoked in the room before us."),
    *("They found my lost scarf within an hour.", "Parking costs more than the dinner did."),
    *("Breakfast is served until noon on Sundays.", "The lift broke twice during our stay."),
    *("I slept like a stone for three nights.", "Wi-Fi dropped whenever it started to rain."),
]
"""Sentences that have nothing to do with each other; every second one is bad."""


def rows_of(texts: Sequence[str], labels: Sequence[str | None] | None = None) -> list[Example]:
    given = labels or [MOOD.labels[1 - number % 2] for number in range(len(texts))]
    return [
        Example(text=text, labels={} if label is None else {MOOD.name: label})
        for text, label in zip(texts, given, strict=True)
    ]


def dataset_of(
    examples: Sequence[Example],
    tasks: tuple[Task, ...] = (MOOD,),
    *,
    splits: Sequence[str] | None = None,
    facets: Mapping[str, tuple[str, ...]] | None = None,
) -> Dataset:
    """Make data whose first row stands in line 2, as under a CSV's header."""
    return Dataset(
        name="planted.csv",
        examples=tuple(examples),
        tasks=tasks,
        places=tuple(range(2, len(examples) + 2)),
        unit="line",
        splits=tuple(splits or [""] * len(examples)),
        notes=(),
        text_column="text",
        label_columns={task.name: task.name for task in tasks},
        columns=("text", *(task.name for task in tasks)),
        facets=facets or {},
    )


def many_well(count: int = 60) -> list[str]:
    """Return sentences enough, no two alike."""
    sentences = [row.text for row in load_corpus()]
    return sentences[:: len(sentences) // count][:count]


def found(dataset: Dataset, kind: str, reader: Reader | None = None) -> list[Finding]:
    return [finding for finding in examine(dataset, reader) if finding.kind == kind]


def only(dataset: Dataset, kind: str, reader: Reader | None = None) -> Finding:
    findings = found(dataset, kind, reader)
    assert len(findings) == 1, examine(dataset, reader)
    return findings[0]


def planted(*extra: str) -> Dataset:
    """Put texts after sixty that are well; the first of them stands in line 62."""
    return dataset_of(rows_of([*many_well(), *extra]))


ENGLISH = Reader(name="minilm", languages="English")


# Data that is well


def test_nothing_is_found_in_data_that_is_well() -> None:
    assert examine(dataset_of(rows_of(many_well())), find_reader("minilm")) == []


@pytest.mark.parametrize("split_column", [None, "split"])
def test_the_corpus_is_well(split_column: str | None) -> None:
    corpus = read_dataset(DataChoice(source="corpus", split_column=split_column))
    assert examine(corpus, find_reader("minilm")) == []


def test_every_finding_says_what_where_and_how_grave() -> None:
    texts = ["", *WELL, WELL[0], "caf\ufffd", "<br>", "Добрый день"]
    findings = examine(dataset_of(rows_of(texts)), find_reader("minilm"))
    assert len({f.kind for f in findings}) >= 6
    for finding in findings:
        assert finding.severity in SEVERITIES
        assert list(finding.rows) == sorted(set(finding.rows))
        assert ": " in finding.message
        assert "\n" not in finding.message
        assert set(finding.rows) == {row for group in finding.groups for row in group} or (
            not finding.groups
        )
    order = [SEVERITIES.index(f.severity) for f in findings]
    assert order == sorted(order)


def test_data_without_any_text_is_examined_too() -> None:
    findings = examine(dataset_of(rows_of(["", " "])), find_reader("minilm"))
    assert {"empty", "few_classes"} <= {f.kind for f in findings}


def test_every_check_is_in_the_tuple() -> None:
    assert len(set(CHECKS)) == len(CHECKS)
    assert twin_labels in CHECKS


# Texts


def test_rows_without_text_are_found() -> None:
    finding = only(planted("", "Fine again.", "   "), "empty")
    assert finding.rows == (62, 64)
    assert "2 lines have no text" in finding.message


def test_texts_longer_than_the_encoder_reads_are_found_by_its_tokens() -> None:
    reader = find_reader("minilm")
    assert reader.tokenizer is not None
    assert reader.max_tokens == 256
    fits, over = "snow " * 254, "snow " * 255  # with [CLS] and [SEP]: 256 and 257 tokens
    finding = only(planted(fits, over), "too_long", reader)
    assert finding.rows == (63,)
    assert "256 tokens" in finding.message


def test_without_a_tokenizer_long_texts_are_found_by_their_words() -> None:
    reader = find_reader("mpnet")
    assert (reader.tokenizer, reader.max_tokens) == (None, 384), "it is not on this machine"
    finding = only(planted("snow " * 382, "snow " * 383), "too_long", reader)
    assert finding.rows == (63,)
    assert "counted by words" in finding.message


@pytest.mark.parametrize(
    "text",
    [
        *("It was a caf\ufffd by the sea.", "The cafÃ© was closed all day.", "Donâ€™t go there."),
        *("The naÃ¯ve plan costs Â£5.", "Ð¿Ñ€Ð¸Ð²ÐµÑ‚ to all of you", "So nice ðŸ˜€ of them"),
        "a bell\x07 rang twice today",
    ],
)
def test_texts_that_were_mixed_up_on_the_way_are_found(text: str) -> None:
    assert only(planted("A naïve café, 5 °C.", text), "encoding").rows == (63,)


@pytest.mark.parametrize(
    "text",
    [
        *("São Paulo à la carte", "« Le café » — 20 °C, déjà vu…", "voilà\xa0» et café\xa0»"),
        *("Привет, как дела?", "今日は天気がいい", "ÀÉÎÕÜ ñandú Ærø Łódź", "‘café’” he said, 5 £"),
        *("Chính phủ đã thông báo", "Grüße 😀👍🏽", "π ≈ 3.14 × 10²", "ça où, là « où »…"),
    ],
)
def test_letters_of_any_language_are_no_mix_up(text: str) -> None:
    assert not has_mojibake(text)


@pytest.mark.parametrize(
    "text", ["<p>It rains.</p>", "It rains.<br/>Still.", "Rain &amp; snow", "It&#39;s wet"]
)
def test_html_is_found(text: str) -> None:
    assert only(planted("I <3 you, a < b > c & d; AT&T; <user> said", text), "markup").rows == (63,)


def test_other_languages_are_found_for_an_english_encoder() -> None:
    texts = ["Das Essen war kalt und der Kellner hat sich nicht entschuldigt.", "Всё было хорошо"]
    finding = only(planted(*texts), "language", ENGLISH)
    assert finding.rows == (62, 63)
    assert finding.severity == "warning"
    assert "German" in finding.message
    assert "Cyrillic" in finding.message
    assert only(planted(*texts), "language", Reader(name="mine")).severity == "note"


def test_other_languages_are_welcome_to_an_encoder_for_many() -> None:
    reader = find_reader("multilingual-minilm")
    assert found(planted("Всё было очень хорошо"), "language", reader) == []


def test_texts_of_a_word_or_two_are_noted() -> None:
    finding = only(planted("Great!", "very good", "not so good", "今日は天気がいい"), "short")
    assert finding.rows == (62, 63)
    assert finding.severity == "note"


# Rows beside each other


def test_exact_repeats_are_found_and_put_together() -> None:
    labels = [MOOD.labels[number % 2] for number in range(60)]
    examples = rows_of(many_well(), labels)
    examples += [examples[3], examples[7], examples[3]]
    finding = only(dataset_of(examples), "duplicate")
    assert finding.groups == ((5, 62, 64), (9, 63))
    assert finding.rows == (5, 9, 62, 63, 64)
    assert "3 lines repeat" in finding.message


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It was all right in the end.", "It was all right in the end."),
        ("It was all right in the end.", "it was  all right, in the end"),
        ("“Fine”, she said.", '"Fine," she said'),
    ],
)
def test_the_same_text_with_two_labels_is_a_conflict_and_no_more(one: str, other: str) -> None:
    examples = rows_of([*many_well(), one, other])
    dataset = dataset_of(examples)
    finding = only(dataset, "conflict")
    assert (finding.rows, finding.task) == ((62, 63), "mood")
    assert {f.kind for f in examine(dataset)} == {"conflict"}


def test_spans_conflict_where_the_same_text_has_others() -> None:
    def labelled(text: str, *spans: Span) -> Example:
        return Example(text=text, labels={ENTITIES.name: spans})

    rest = [labelled(text, Span(0, len(text.split()[0]), "PER")) for text in many_well()]
    one = labelled("Lima wakes early.", Span(0, 4, "LOC"))
    other = labelled("lima  wakes early", Span(0, 4, "LOC"))
    assert found(dataset_of([*rest, one, other], (ENTITIES,)), "conflict") == []
    other = labelled("Lima wakes early.", Span(0, 4, "PER"))
    assert only(dataset_of([*rest, one, other], (ENTITIES,)), "conflict").rows == (62, 63)


def test_a_missing_label_contradicts_nothing() -> None:
    examples = rows_of([*many_well(), "It was fine.", "It was fine."])
    examples[-1] = Example(text="It was fine.")
    kinds = {finding.kind for finding in examine(dataset_of(examples))}
    assert kinds == {"unlabelled"}
    assert only(dataset_of(examples), "unlabelled").rows == (63,)


@pytest.mark.parametrize(
    ("one", "other"),
    [("great :)", "great :("), ("It costs 1.5", "It costs 15"), ("Good phone", "Bad phone")],
)
def test_what_changes_the_sense_is_kept(one: str, other: str) -> None:
    assert plain(one) != plain(other)


def test_near_duplicates_are_noted_group_by_group() -> None:
    long = "We stayed for a week in May and the staff could not have been kinder to our children"
    examples = rows_of([*many_well(), f"{long}.", f"{long}!!", f"So {long}."], ["bad", "good"] * 30
                       + ["good"] * 3)  # fmt: skip
    finding = only(dataset_of(examples), "near_duplicate")
    assert finding.groups == ((62, 63, 64),)
    assert finding.severity == "note"


def test_leaks_across_named_splits_are_found() -> None:
    texts = many_well()
    splits = ["train"] * 40 + ["validation"] * 10 + ["test"] * 10
    examples = rows_of(texts)
    examples[55] = Example(text=texts[4].upper(), labels=examples[4].labels)
    dataset = dataset_of(examples, splits=splits)
    finding = only(dataset, "leakage")
    assert (finding.rows, finding.severity) == ((6, 57), "error")
    assert "train" in finding.message
    assert "test" in finding.message
    assert found(dataset_of(examples), "leakage") == [], "nothing leaks without splits"


def test_a_column_of_splits_is_looked_at_without_being_named(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    lines = [f'"{text}",{"bad" if n % 2 else "good"},train' for n, text in enumerate(WELL)]
    path.write_text("\n".join(["text,mood,Split", *lines, f'"{WELL[3]}",bad,test']))
    choice = DataChoice(source=str(path), label_columns=("mood",))
    assert only(read_for_examination(choice), "leakage").rows == (5, 14)
    path.write_text(path.read_text().replace(",train", ",mine"))
    assert found(read_for_examination(choice), "leakage") == [], "that column holds no splits"


def test_a_group_on_both_sides_is_a_leak() -> None:
    examples = [
        Example(text=row.text, labels=row.labels, group="ann" if number in (3, 45) else "")
        for number, row in enumerate(rows_of(many_well()))
    ]
    splits = ["train"] * 40 + ["validation"] * 20
    finding = only(dataset_of(examples, splits=splits), "leakage")
    assert (finding.rows, finding.severity) == ((5, 47), "warning")


# Labels


def test_a_class_with_fewer_than_three_groups_is_found() -> None:
    labels = ["good", "bad"] * 28 + ["odd"] * 2 + ["good"] * 2
    task = Task(name="mood", kind="sentence", labels=("bad", "good", "odd"))
    finding = only(dataset_of(rows_of(many_well(), labels), (task,)), "small_class")
    assert finding.rows == (58, 59)
    assert "'odd'" in finding.message


def test_rows_that_are_alike_make_one_group() -> None:
    labels = ["good", "bad"] * 28 + ["odd"] * 4
    task = Task(name="mood", kind="sentence", labels=("bad", "good", "odd"))
    texts = [*many_well(56), "One odd day.", "one odd day", "One, odd day!", "Another story told."]
    finding = only(dataset_of(rows_of(texts, labels), (task,)), "small_class")
    assert finding.rows == (58, 59, 60, 61)


def test_a_task_left_with_one_class_cannot_be_trained() -> None:
    finding = examine(dataset_of(rows_of(many_well(), ["good"] * 59 + ["bad"])))[0]
    assert (finding.kind, finding.severity, finding.task) == ("few_classes", "error", "mood")


def test_a_row_with_two_rare_labels_is_named_once() -> None:
    text = "Lima and Oslo and Ann"
    spans = (Span(0, 4, "LOC"), Span(9, 13, "LOC"), Span(18, 21, "PER"))
    examples = [Example(text=text, labels={ENTITIES.name: spans})]
    assert only(dataset_of(examples, (ENTITIES,)), "small_class").rows == (2,)


def test_a_class_missing_in_a_split_is_found() -> None:
    splits = ["train"] * 50 + ["test"] * 10
    labels = ["good", "bad"] * 25 + ["good"] * 10
    finding = only(dataset_of(rows_of(many_well(), labels), splits=splits), "missing_class")
    assert "no row of test is 'bad'" in finding.message


def test_heavy_imbalance_is_noted() -> None:
    finding = only(dataset_of(rows_of(many_well(), ["good"] * 54 + ["bad"] * 6)), "imbalance")
    assert finding.severity == "note"
    assert "90% of the labels are 'good'" in finding.message


def test_a_label_far_rarer_than_another_is_noted() -> None:
    task = Task(name="mood", kind="sentence", labels=("bad", "good", "odd"))
    labels = ["good"] * 30 + ["bad"] * 27 + ["odd"] * 3
    finding = only(dataset_of(rows_of(many_well(), labels), (task,)), "imbalance")
    assert "'good' has 10 times the rows of 'odd'" in finding.message


@pytest.mark.parametrize(
    ("common", "rare"),
    [
        *(("Positive", "positive "), ("positive", "positve"), ("positive", "postiive")),
        *(("health-care", "Health care"), ("sports", "sport"), ("weather", "wheather")),
    ],
)
def test_labels_written_in_two_ways_are_found(common: str, rare: str) -> None:
    labels = [*([common] * 28), rare, rare, *(["other"] * 30)]
    task = Task(name="mood", kind="sentence", labels=tuple(sorted({common, rare, "other"})))
    finding = only(dataset_of(rows_of(many_well(), labels), (task,)), "twin_labels")
    assert finding.rows == (30, 31)
    assert f"renames {shlex.quote(f'mood:{rare}={common}')}" in finding.message


@pytest.mark.parametrize(
    "labels",
    [("class1", "class2"), ("+", "-"), ("cat", "car"), ("male", "female"), ("1", "10"),
     ("legal", "illegal"), ("1 star", "2 star"), ("C", "C++"),
     ("-1", "1"), ("1.5", "15")],
)  # fmt: skip
def test_labels_that_are_two_are_left_alone(labels: tuple[str, str]) -> None:
    task = Task(name="mood", kind="sentence", labels=labels)
    dataset = dataset_of(rows_of(many_well(), [labels[0]] * 55 + [labels[1]] * 5), (task,))
    assert found(dataset, "twin_labels") == []


WORDS = st.text(alphabet="abc", min_size=1, max_size=7)


@given(st.lists(WORDS, min_size=2, max_size=8, unique=True))
def test_twins_are_those_that_comparing_all_with_all_would_find(labels: list[str]) -> None:
    pairs = list(itertools.combinations(labels, 2))
    expected = {pair for pair in pairs if are_one_slip_apart(*pair)}
    assert {pair for pair in _close_pairs(labels) if _one_slip_apart(*pair)} == expected


def are_one_slip_apart(a: str, b: str) -> bool:
    """Try every slip: a letter dropped, changed or added, two swapped."""
    letters = "abc"
    slips = {a[:at] + a[at + 1 :] for at in range(len(a))}
    slips |= {a[:at] + x + a[at + 1 :] for at in range(len(a)) for x in letters}
    slips |= {a[:at] + x + a[at:] for at in range(len(a) + 1) for x in letters}
    slips |= {a[:at] + a[at + 1] + a[at] + a[at + 2 :] for at in range(len(a) - 1)}
    return b in slips


ANY_TEXT = st.one_of(
    st.text(max_size=30), st.sampled_from(["", "cafÃ©", "a b", "A b!", "<b>x</b>"])
)


@given(st.lists(st.tuples(ANY_TEXT, st.sampled_from([None, "bad", "good"])), max_size=12))
def test_no_text_upsets_the_doctor(rows: list[tuple[str, str | None]]) -> None:
    dataset = dataset_of(rows_of([text for text, _ in rows], [label for _, label in rows]))
    for finding in examine(dataset, ENGLISH):
        assert set(finding.rows) <= set(dataset.places)
        assert all(len(group) > 1 for group in finding.groups)


@given(st.text(alphabet="àâçéèêëîïôöùûüßñãõÀÉÖÜ", min_size=1, max_size=5))
def test_accents_read_as_windows_1252_are_always_found(accents: str) -> None:
    mixed_up = accents.encode().decode("cp1252", errors="replace")
    assert has_mojibake(f"x{mixed_up}x") or "\ufffd" in mixed_up
    assert not has_mojibake(f"x{accents}x")


def test_spans_that_cut_words_are_found() -> None:
    def labelled(text: str, *spans: Span) -> Example:
        return Example(text=text, labels={ENTITIES.name: spans})

    whole = [
        labelled("Lima's mayor and U.S.-led talks", Span(0, 4, "LOC"), Span(17, 21, "LOC")),
        labelled("東京都に行く", Span(0, 2, "LOC")),
        labelled("#Oslo is cold (Norway)", Span(1, 5, "LOC"), Span(15, 21, "LOC")),
        labelled("Nothing here", *()),
    ]
    cut: list[Example] = [
        labelled("The Germans won", Span(4, 10, "LOC")),
        labelled("Near Oslo at night", Span(6, 9, "LOC")),
    ]
    finding = only(dataset_of([*whole, *cut], (ENTITIES,)), "cut_span")
    assert finding.rows == (6, 7)
    assert "'German'" in finding.message


def test_it_is_said_what_few_rows_can_tell() -> None:
    finding = only(dataset_of(rows_of(WELL)), "few_rows")
    # By hand: 1.96 × √(0.8 × 0.2 / 12) = 0.226
    assert "±23 points" in finding.message
    assert found(dataset_of(rows_of(many_well(50))), "few_rows") == []


# What is done with it


def test_a_cleaned_copy_is_without_empty_and_repeated_rows() -> None:
    examples = rows_of([WELL[0], "", WELL[1], WELL[0], WELL[1].upper(), WELL[0]], ["good"] * 6)
    assert cleaned(dataset_of(examples)) == [0, 2, 4]


def test_repeats_with_another_label_are_kept() -> None:
    examples = rows_of([WELL[0], WELL[0], WELL[0]], ["good", "bad", None])
    assert cleaned(dataset_of(examples)) == [0, 1, 2]


def test_cleaned_data_has_nothing_left_to_clean() -> None:
    dataset = dataset_of(rows_of([WELL[0], "", *WELL, WELL[0]], ["good"] * (len(WELL) + 3)))
    kept = dataset_of([dataset.examples[index] for index in cleaned(dataset)])
    assert {"empty", "duplicate"} & {f.kind for f in examine(kept)} == set()


def test_the_document_is_what_scripts_rely_on() -> None:
    labels: list[Label] = [None, "good", "bad"]
    dataset = dataset_of(rows_of(["", WELL[0], WELL[1]], ["good", "good", "bad"]))
    document = check_document(dataset, ENGLISH)
    assert len(labels) == document["rows"] == 3
    assert document["tasks"]["mood"]["labels"] == {"bad": 1, "good": 1}, "of rows with text"
    empty = document["findings"]
    assert [f["rows"] for f in empty if f["kind"] == "empty"] == [[2]]
    for finding in document["findings"]:
        assert {"kind", "severity", "message", "rows"} <= finding.keys()


def test_an_encoder_that_is_not_there_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="give one of minilm"):
        find_reader("minlim")
    with pytest.raises(ValueError, match="nothing is downloaded"):
        find_reader("nobody/nothing-at-all")


@pytest.mark.slow
def test_ten_thousand_rows_are_examined_in_seconds() -> None:
    texts = [row.text for row in load_corpus()]
    many = [f"{text} {number}" for number, text in enumerate((texts * 3)[:10_000])]
    dataset = dataset_of(rows_of(many))
    reader = find_reader("minilm")
    before = time.process_time()
    examine(dataset, reader)
    assert time.process_time() - before < 20
