import pytest

from demo.frame.sentences import MAX_CHARACTERS, read_sentences


def test_lines_are_sentences_and_blank_ones_are_left_out() -> None:
    assert read_sentences(" a \n\n b\r\nc").texts == ("a", "b", "c")


def test_a_pasted_sheet_gives_its_column_with_most_text() -> None:
    read = read_sentences("1\tThe ferry left late.\tnews\n2\tThe boat was delayed.\tnews\n")
    assert read.texts == ("The ferry left late.", "The boat was delayed.")
    assert "column 2 of 3" in read.note


def test_a_heading_is_not_a_sentence() -> None:
    read = read_sentences("id\ttext\n1\tThe ferry left late.\n2\tIt works.")
    assert read.texts == ("The ferry left late.", "It works.")
    assert "without its heading “text”" in read.note


def test_one_row_of_cells_is_a_list() -> None:
    assert read_sentences("one cell\tanother cell\n").texts == ("one cell", "another cell")


def test_a_quoted_cell_keeps_its_line_break_as_a_space() -> None:
    assert read_sentences('1\t"two\nlines"\n2\tone line').texts == ("two lines", "one line")


def test_tabs_alone_are_no_sheet() -> None:
    assert read_sentences("\t\t\n \t").texts == ()


def test_too_much_text_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="must be at most 2,000,000: paste a part"):
        read_sentences("x" * (MAX_CHARACTERS + 1))
