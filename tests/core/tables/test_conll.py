import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tables.conll import TaggedSentence, conll_sentences, looks_like_conll
from core.task import Span


def read(text: str) -> list[TaggedSentence]:
    return list(conll_sentences("f", enumerate(text.splitlines(keepends=True), 1)))


def surfaces(sentence: TaggedSentence) -> list[tuple[str, str]]:
    return [(sentence.text[span.start : span.end], span.label) for span in sentence.spans]


CONLL_2003 = """-DOCSTART- -X- O O

EU NNP I-NP I-ORG
rejects VBZ I-VP O
German JJ I-NP I-MISC
lamb NN I-NP O
. . O O

Peter NNP I-NP I-PER
Blackburn NNP I-NP I-PER

-DOCSTART- -X- O O

LONDON NNP I-NP I-LOC
"""


def test_a_file_of_the_shared_task_is_read_with_lines_and_documents() -> None:
    first, second, third = read(CONLL_2003)
    assert first == TaggedSentence(
        3, "EU rejects German lamb.", (Span(0, 2, "ORG"), Span(11, 17, "MISC")), 1
    )
    assert (second.line, second.document, surfaces(second)) == (9, 1, [("Peter Blackburn", "PER")])
    assert (third.line, third.document) == (14, 2)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("I-PER I-PER B-PER O", ["a b", "c"]),  # IOB1: B- only where two meet
        ("B-PER I-PER B-PER O", ["a b", "c"]),  # IOB2
        ("B-PER E-PER S-PER O", ["a b", "c"]),  # BIOES
        ("B-PER L-PER U-PER O", ["a b", "c"]),  # BILOU
        ("B-PER E-PER I-PER O", ["a b", "c"]),
        ("B-PER I-LOC I-LOC O", ["a", "b c"]),
        ("O I-PER O I-PER", ["b", "d"]),
        ("O O O O", []),
    ],
)
def test_every_way_of_tagging_gives_the_same_spans(tags: str, expected: list[str]) -> None:
    lines = [f"{token}\t{tag}" for token, tag in zip("abcd", tags.split(), strict=True)]
    (sentence,) = read("\n".join(lines))
    assert sentence.text == "a b c d"
    assert [surface for surface, _ in surfaces(sentence)] == expected


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("Well , I do n't ( really ) know .", "Well, I don't (really) know."),
        ("She 's the bank ' s boss !", "She's the bank' s boss!"),
        ('He said " no way " , twice', 'He said "no way", twice'),
        ("It cost $ 5 , or 10 % more ...", "It cost $5, or 10% more..."),
        ("`` Yes '' , he said", "`` Yes'', he said"),
    ],
)
def test_tokens_are_joined_as_people_write(tokens: str, text: str) -> None:
    (sentence,) = read("\n".join(f"{token} O" for token in tokens.split()))
    assert sentence.text == text.replace("`` ", "``")


LABELS = st.sampled_from(["O", "B-PER", "I-PER", "I-LOC", "E-LOC", "S-ORG"])
TOKENS = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=5)


@given(st.lists(st.tuples(TOKENS, LABELS), min_size=1, max_size=12))
def test_every_tagged_token_lies_in_a_span_of_its_label(tagged: list[tuple[str, str]]) -> None:
    (sentence,) = read("\n".join(f"x{token}\tN\t{tag}" for token, tag in tagged))
    marked = [f"x{token}" for token, tag in tagged if tag != "O"]
    inside = [sentence.text[span.start : span.end] for span in sentence.spans]
    assert "".join("".join(inside).split()) == "".join(marked)
    assert sentence.text.replace(" ", "") == "".join(f"x{token}" for token, _ in tagged)
    assert all(surface == surface.strip() for surface in inside)
    ends = [0, *(span.end for span in sentence.spans)]
    assert all(span.start >= end for span, end in zip(sentence.spans, ends, strict=False))


def test_comments_and_tokens_with_a_space_are_read() -> None:
    (sentence,) = read("# id 12 domain=train\nNew York\tB-LOC\n# \tO\nrains O\n")
    assert surfaces(sentence) == [("New York", "LOC")]
    assert sentence.text == "New York #rains"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("EU B-ORG\nrejects\n", r"f: line 2 ends in 'rejects', must be a token and a tag in the"),
        ("EU B-ORG\nit VBZ\n", r"line 2 ends in 'VBZ', must be .* O, B-LABEL or I-LABEL"),
        ("a O\n" * 100_001, r"the sentence at line 1 has more than 100,000 tokens: put blank"),
        ("a O\n" * 60_000, r"the sentence at line 1 has 119,999 characters, must be at most"),
    ],
)
def test_what_is_not_conll_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(text)


@pytest.mark.parametrize(
    ("text", "like"),
    [
        (CONLL_2003, True),
        ("# id 1\na O\n", True),
        ("It is raining O\n", True),
        ("A cat.\n", False),
        ("word\nword\n", False),
        ("a B-PER\nA cat sat.\n", False),
        ("\n\n", False),
    ],
)
def test_a_file_is_judged_by_its_first_lines(text: str, like: bool) -> None:
    assert looks_like_conll(text.splitlines()) is like
