import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from core.data.corpus import (
    FOLDER,
    SPLITS,
    CorpusRow,
    data_card_tables,
    load_corpus,
    read_marks,
    read_register,
    second_pass_agreement,
)
from core.task import ENTITIES, SENTIMENT, TOPIC, Span


@pytest.fixture(scope="module")
def corpus() -> list[CorpusRow]:
    return load_corpus()


def test_the_corpus_is_large_and_its_registers_are_many(corpus: list[CorpusRow]) -> None:
    assert len(corpus) >= 2400
    assert len({row.register for row in corpus}) >= 8
    assert len({row.text for row in corpus}) == len(corpus), "no sentence stands twice"


def test_every_span_is_the_text_it_stands_for(corpus: list[CorpusRow]) -> None:
    for row in corpus:
        for start, end, label in row.entities:
            assert row.text[start:end].strip()
            assert label in ENTITIES.labels


@pytest.mark.parametrize("topic", TOPIC.labels)
def test_each_topic_has_a_quarter_of_each_sentiment(topic: str, corpus: list[CorpusRow]) -> None:
    counts = Counter(row.sentiment for row in corpus if row.topic == topic)
    for sentiment in SENTIMENT.labels:
        assert counts[sentiment] >= 0.25 * sum(counts.values()), sentiment


def test_lengths_run_from_three_to_sixty_words(corpus: list[CorpusRow]) -> None:
    lengths = sorted(len(row.text.split()) for row in corpus)
    assert lengths[len(corpus) // 100] >= 3
    assert lengths[-1] <= 60


def test_no_run_of_six_words_stands_in_more_than_two_sentences(corpus: list[CorpusRow]) -> None:
    where: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for row in corpus:
        words = re.findall(r"\w+", row.text.lower())
        for start in range(len(words) - 5):
            where[tuple(words[start : start + 6])].add(row.name)
    assert {run: names for run, names in where.items() if len(names) > 2} == {}


def test_siblings_never_straddle_the_splits(corpus: list[CorpusRow]) -> None:
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for row in corpus:
        splits[row.group].add(row.split)
    assert any(count > 1 for count in Counter(row.group for row in corpus).values())
    assert all(len(found) == 1 for found in splits.values())


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_has_every_label_in_every_register(split: str, corpus: list[CorpusRow]) -> None:
    some = [row for row in corpus if row.split == split]
    assert 0.1 < len(some) / len(corpus) < 0.75
    assert {row.topic for row in some} == set(TOPIC.labels)
    assert {row.sentiment for row in some} == set(SENTIMENT.labels)
    assert {row.register for row in some} == {row.register for row in corpus}


def test_hard_cases_are_marked_on_purpose(corpus: list[CorpusRow]) -> None:
    hard = [row for row in corpus if row.hard]
    assert len(hard) > 0.05 * len(corpus)
    assert all(len(row.hard) > 3 for row in hard)


def test_the_second_pass_is_of_a_tenth_and_agrees(corpus: list[CorpusRow]) -> None:
    found = second_pass_agreement(corpus)
    assert found.rows >= len(corpus) // 10
    assert found.topic_kappa > 0.8
    assert found.sentiment_kappa > 0.8
    assert found.entity_f1 > 0.8


def test_the_data_card_holds_the_figures_that_its_command_prints(corpus: list[CorpusRow]) -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for line in data_card_tables(corpus).splitlines():
        assert line in card


def test_marks_become_spans_and_escaped_brackets_stay() -> None:
    text, spans = read_marks(r"[Ada Lovelace](PER) left [Lima](LOC) \[sic\]")
    assert text == "Ada Lovelace left Lima [sic]"
    assert [text[s.start : s.end] for s in spans] == ["Ada Lovelace", "Lima"]
    assert spans[1] == Span(18, 22, "LOC")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("news | neutral | Some text", "has 3 fields"),
        ("weather | neutral | post-1 | Rain", "topic is 'weather', must be one of: news"),
        ("news | angry | post-1 | Rain", "sentiment is 'angry', must be one of"),
        ("news | neutral | chat-1 | Rain", "group is 'chat-1', must be post- and a number"),
        ("news | neutral | post-1 | [Lima](CITY)", "labelled 'CITY', must be one of: PER"),
        ("news | neutral | post-1 | [Lima (LOC)", "is no mark"),
        ("news | neutral | post-1 | In [ Lima](LOC)", "begins or ends with a space"),
        ("news | neutral | post-1 | [[Lima](LOC) x](ORG)", "is no mark"),
        ("news | neutral | post-1 |  ", "the text is empty"),
    ],
)
def test_a_wrong_line_is_refused_with_its_place(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "post.txt"
    path.write_text(f"# a comment\n\nnews | neutral | post-001 | Fine.\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"post\.txt: line 4: .*" + re.escape(said)):
        list(read_register(path))


def test_a_hard_mark_holds_for_the_next_sentence_alone(tmp_path: Path) -> None:
    path = tmp_path / "post.txt"
    fine = "news | neutral | post-001 | Fine.\n"
    path.write_text(f"{fine}# hard: sarcasm\n{fine}{fine}", encoding="utf-8")
    assert [row.hard for row in read_register(path)] == ["", "sarcasm", ""]
