import pytest

from core.tables import choose_column


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        (["id", "Text"], 1),
        (["title", "text"], 1),
        (["label", " Sentence "], 1),
        (["whatever"], 0),
        (["text", "text"], 0),
    ],
)
def test_a_column_of_sentences_is_guessed_and_the_guess_is_said(
    columns: list[str], chosen: int
) -> None:
    notes: list[str] = []
    assert choose_column("f", columns, None, notes) == chosen
    assert len(notes) == 1
    assert repr(columns[chosen]) in notes[0]


def test_a_column_asked_for_is_taken_without_a_word() -> None:
    notes: list[str] = []
    assert choose_column("f", ["text", "other"], "other", notes) == 1
    assert notes == []


@pytest.mark.parametrize(
    ("columns", "asked", "message"),
    [
        (["id", "n"], None, r"f: no column is called text, .* --column: it has 'id', 'n'"),
        ([], None, r"it has none"),
        (["a", "b"], "c", r"f has no column 'c'; it has 'a', 'b'"),
        (["a", "a"], "a", r"f has 2 columns 'a'"),
        ([f"c{n}" for n in range(500)], "x", r"'c11' and 488 more$"),
        ([""] * 10_001, None, r"f has 10,001 columns, must be at most 10,000"),
    ],
)
def test_a_column_that_cannot_be_found_is_refused_with_those_there_are(
    columns: list[str], asked: str | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        choose_column("f", columns, asked, [])
