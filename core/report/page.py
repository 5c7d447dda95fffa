"""A report as one web page that needs nothing else: to read, send and keep.

All that people wrote is text in it, and its policy lets it load nothing and run no script but its
own two: Plotly's, and the one that has it draw.
"""

from html import escape
from urllib.parse import quote

from markupsafe import Markup

from core.report.blocks import Block, Chart, Report
from core.report.drawing import figures_js, plotly_js_path
from core.report.templates import as_data, digest, filled, part

NONE = Markup("'none'")


def report_html(report: Report) -> str:
    """Write a report as a page of its own.

    Args:
        report: As `core.report.comparison.comparison_report` tells it.
    """
    charts = [block for block in report.blocks() if isinstance(block, Chart)]
    plotly = Markup(plotly_js_path().read_text(encoding="utf-8")) if charts else ""
    draw = Markup(figures_js()) + part("page.js") if charts else ""
    return filled(
        "page.html",
        report=report,
        kind_of=_kind,
        verbatim=_verbatim,
        link=_link,
        place=charts.index,
        figures=as_data([chart.figure.plotly for chart in charts]),
        style=part("page.css"),
        plotly=plotly,
        draw=draw,
        policy=Markup(" ").join(digest(script) for script in (plotly, draw)) if charts else NONE,
    )


def _kind(block: Block) -> str:
    return type(block).__name__


def _verbatim(code: str) -> Markup:
    """Show a script with all its lines and spaces."""
    return Markup(escape(code))


def _link(code: str) -> Markup:
    """Give an address that holds a script, to be downloaded from it."""
    return Markup(f"data:text/x-python;charset=utf-8,{quote(code)}")
