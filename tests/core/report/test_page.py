"""A report as a page of its own: it needs nothing else, all blocks are in it, all text is text."""

import re
from html.parser import HTMLParser

import pytest

from core.report.blocks import Chart, Code, Note, Report, Section, Sentence, Table
from core.report.comparison import comparison_report
from core.report.drawing import plotly_js_path
from core.report.page import report_html
from core.sentences import clean
from tests.made_reports import HOSTILE, TWO, TYPED, report, strategy


class Page(HTMLParser):
    """What a browser makes of a page: its tags with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self._in = ""
        self.feed(page)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 (as the base class has it)
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "script":
            self.scripts[-1] += data
        elif self._in != "style":
            self.words.append(data)


def written(given: object) -> str:
    return re.sub(r"\s+", " ", clean(str(given)))


def test_the_page_needs_nothing_else_and_holds_plotly_once() -> None:
    page = report_html(comparison_report(report(*TWO)))
    assert page.count(plotly_js_path().read_text("utf-8")) == 1
    found = Page(page)
    assert len(found.scripts) == 3, "the figures, Plotly, and what has it draw"
    assert not [tag for tag, given in found.tags if "src" in given]
    links = [given["href"] for _, given in found.tags if "href" in given]
    assert [link for link in links if not str(link).startswith("data:text/x-python")] == []


def test_a_report_without_charts_is_small_and_runs_nothing() -> None:
    page = report_html(Report(title="x", sections=(Section(name="a", blocks=(Note(text="y"),)),)))
    assert "<script" not in page
    assert "script-src 'none'" in page


def test_its_policy_names_the_scripts_that_run() -> None:
    page = report_html(comparison_report(report(*TWO)))
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.count("sha256-") == 2
    assert "script-src 'unsafe" not in policy


@pytest.mark.parametrize("text", [*TYPED, HOSTILE])
def test_what_people_typed_is_shown_as_typed_wherever_they_write(text: str) -> None:
    found, plain = (
        Page(
            report_html(
                comparison_report(
                    report(
                        strategy("heads", 0.6, 1.0, 0.0, text=each),
                        strategy(f"full {each}", 0.8, 60.0, 0.02, text=each),
                        text=each,
                        labels=labels,
                    )
                )
            )
        )
        for each, labels in ((text, TYPED), ("kind", ("glad",)))
    )
    assert {tag for tag, _ in found.tags} == {tag for tag, _ in plain.tags}
    assert not [name for _, given in found.tags for name in given if name.startswith("on")]
    for typed in (text, *TYPED):
        assert written(typed) in found.text
    assert "\x1b" not in found.text
    assert len(found.scripts) == 3


def test_every_block_of_a_report_is_in_the_page() -> None:
    told = comparison_report(report(*TWO, labels=TYPED))
    found = Page(report_html(told))
    for block in told.blocks():
        if isinstance(block, Sentence | Note):
            assert written(block.text) in found.text
        elif isinstance(block, Table):
            for row in block.rows:
                assert all(written(cell.text) in found.text for cell in row.cells)
                assert all(written(cell.interval) in found.text for cell in row.cells)
            assert all(written(column.heading) in found.text for column in block.columns)
        elif isinstance(block, Chart):
            assert written(block.figure.told) in found.text
            assert all(written(x) in found.text for row in block.figure.rows for x in row)
        else:
            assert isinstance(block, Code)
            assert block.file in found.text
    assert sum("data-figure" in given for _, given in found.tags) == sum(
        isinstance(block, Chart) for block in told.blocks()
    )
    for section in told.sections:
        assert written(section.title) in found.text


def test_the_page_s_texts_are_coloured_for_both_themes() -> None:
    page = report_html(comparison_report(report(*TWO)))
    assert "color-scheme: light dark" in page
    assert "prefers-color-scheme: dark" in page, "its charts follow"


def test_a_script_to_take_home_keeps_its_lines() -> None:
    code = Code(library="transformers", file="x.py", text="if a < b:\n    print('&')\n")
    page = report_html(Report(title="x", sections=(Section(name="a", blocks=(code,)),)))
    found = Page(page)
    assert code.text in "".join(found.words)
    (link,) = (given for tag, given in found.tags if tag == "a")
    assert link["href"] == (
        "data:text/x-python;charset=utf-8,if%20a%20%3C%20b%3A%0A%20%20%20%20print%28%27%26%27%29%0A"
    )
