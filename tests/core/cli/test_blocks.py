"""The blocks of a report in a terminal: all but the long ones, as much as there is room for."""

import re

import pytest

from core.cli.blocks import line_of, show_block, show_report, written
from core.cli.terminal import output, readable
from core.report.blocks import Block, Cell, Chart, Code, Column, Note, Row, Sentence, Table
from core.report.comparison import comparison_report
from tests.made_reports import HOSTILE, TWO, TYPED, report


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def words_of(block: Block) -> list[str]:
    """List what of a block must be seen."""
    if isinstance(block, Table):
        return [block.title, *(cell.text for row in block.rows for cell in row.cells)]
    if isinstance(block, Chart):
        return [block.figure.title, block.figure.told]
    return [line_of(block)]


def test_every_block_that_is_not_long_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    told = comparison_report(report(*TWO, labels=TYPED))
    show_report(told)
    shown = flat(capsys.readouterr().out)
    short = [block for block in told.blocks() if not block.long]
    assert {type(block) for block in short} >= {Sentence, Note, Table}
    for block in short:
        for each in words_of(block):
            assert flat(readable(each)).strip() in shown
    assert "\x1b" not in shown
    assert HOSTILE.replace("\x1b", "") in shown


def test_a_long_block_can_be_shown_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    code = Code(library="transformers", file="train.py", text="pass")
    blocks = [*comparison_report(report(*TWO)).blocks(), code]
    assert {type(block) for block in blocks} == {Sentence, Note, Table, Chart, Code}
    for block in blocks:
        show_block(output(), block)
        shown = flat(capsys.readouterr().out)
        assert all(flat(readable(each)).strip() in shown for each in words_of(block))


WIDE = Table(
    columns=(
        Column(heading="strategy", words=True),
        Column(heading="mean"),
        Column(heading="topic"),
        Column(heading="versus best", room=1),
        Column(heading="memory", part=1),
    ),
    rows=(
        Row(
            cells=(
                Cell(text="heads"),
                *[Cell(text="25.0", interval="20.0–30.0")] * 3,
                Cell(text="279"),
            )
        ),
    ),
)


@pytest.mark.parametrize(
    ("columns", "intervals", "best"),
    [(80, 3, True), (50, 2, False), (40, 1, False), (24, 0, False)],
)
def test_a_narrow_terminal_leaves_out_columns_first_and_then_intervals(
    columns: int,
    intervals: int,
    best: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    show_block(output(), WIDE)
    shown = capsys.readouterr().out
    assert shown.count("(20.0–30.0)") == intervals
    assert ("versus best" in shown) == best
    assert shown.count("heads") == 2, "each part names its rows"
    assert "279" in shown


def test_a_cell_without_an_interval_has_no_brackets() -> None:
    assert written(Cell(text="–")) == "–"
    assert written(Cell(text="1", interval="0–2"), interval=False) == "1"
