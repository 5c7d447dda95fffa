"""Charts on the page: drawn when seen, in the page's colours, told in a table, text as typed."""

from collections.abc import Callable

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import Locator, Page, expect

from core.report.drawing import PALETTE, Figure
from core.report.figures import cost_figure, curves_figure, forgetting_figure
from core.report.run_figures import confusion_figure, coverage_figure, loss_figure, score_figure
from tests.browser.conftest import open_tab
from tests.made_reports import LIKE_PLOTLY, report, strategy

pytestmark = pytest.mark.browser

Open = Callable[..., Page]


def add(page: Page, figure: Figure) -> str:
    """Put a chart on top of the tab that is open; returns the selector of its plot."""
    page.evaluate(
        """(figure) => {
            document.querySelectorAll(".tried").forEach((each) => each.remove());
            const made = thaw.chart(figure), place = document.createElement("div");
            place.className = "thaw-picture tried";
            place.append(made.node);
            document.querySelector("#result").before(place);
            window.tried = made;
        }""",
        figure.document(),
    )
    page.wait_for_selector(".tried .js-plotly-plot[data-drawn]")
    return ".tried .js-plotly-plot"


def texts(page: Page, selector: str) -> list[str]:
    """Read what the texts of a chart show."""
    return page.evaluate(
        """(selector) => [...document.querySelectorAll(`${selector} text`)]
            .map((each) => each.textContent.replaceAll("\\u00a0", " "))""",
        selector,
    )


def point_at(page: Page, selector: str, *points: dict[str, int]) -> Locator:
    """Point at some points; returns what is then told of them."""
    page.evaluate(
        "([s, points]) => Plotly.Fx.hover(document.querySelector(s), points)", [selector, points]
    )
    return page.locator(f"{selector} .hoverlayer")


def with_hostile_names() -> list[tuple[Figure, bool]]:
    """Give figures in which people's text stands everywhere, and whether on it is pointed."""
    some = [strategy(name, 0.5, 1.0 + k, 0.1 * k) for k, name in enumerate(LIKE_PLOTLY)]
    made = report(*some)
    counts = [[int(i == j) for j in range(len(some))] for i in range(len(some))]
    values = dict.fromkeys(LIKE_PLOTLY, 0.5)
    found = [
        (cost_figure(made), True),
        (forgetting_figure(made), True),
        (curves_figure(made), False),
        (confusion_figure("kind", LIKE_PLOTLY, counts), False),
        (score_figure(dict.fromkeys(LIKE_PLOTLY, "accuracy"), [(1, values), (2, values)]), False),
        (
            coverage_figure(
                {name: [(0.1, 1.0, 0.5)] for name in LIKE_PLOTLY},
                dict.fromkeys(LIKE_PLOTLY, 10),
            ),
            False,
        ),
    ]
    return [(figure, pointed) for figure, pointed in found if figure is not None]


def test_labels_are_shown_as_they_were_typed(open_page: Open) -> None:
    page = open_page()
    for figure, pointed in with_hostile_names():
        plot = add(page, figure)
        shown = texts(page, plot)
        for name in LIKE_PLOTLY:
            some = name[:17]  # a confusion cuts them there
            assert any(some in each for each in shown), f"{name} in {figure.title}: {shown}"
        assert page.locator(f"{plot} text b, {plot} img, {plot} a[href]").count() == 0
        assert page.locator(f"{plot} tspan[style*=bold]").count() == 0
        data = figure.plotly["data"]
        for trace in (k for k, each in enumerate(data) if pointed and "customdata" in each):
            for k, name in enumerate(data[trace]["customdata"]):
                told = point_at(page, plot, {"curveNumber": trace, "pointNumber": k})
                expect(told).to_contain_text(name)


def test_a_label_is_shown_as_typed_where_several_are_pointed_at(open_page: Open) -> None:
    page = open_page()
    values = dict.fromkeys(LIKE_PLOTLY, 0.5)
    plot = add(page, score_figure(dict.fromkeys(LIKE_PLOTLY, "accuracy"), [(1, values)]))
    every = ({"curveNumber": k, "pointNumber": 0} for k in range(len(LIKE_PLOTLY)))
    told = point_at(page, plot, *every)
    for name in LIKE_PLOTLY:
        expect(told.get_by_text(f"{name}, accuracy", exact=True)).to_have_count(1)
    expect(told.get_by_text("50.0%", exact=True)).to_have_count(len(LIKE_PLOTLY))


def test_plotly_comes_when_a_chart_is_first_seen_and_from_no_folder(open_page: Open) -> None:
    page = open_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_tab(page, "Freeze")
    expect(page.locator("#freeze-result .chart")).to_have_count(4)
    page.wait_for_timeout(300)
    assert [url for url in asked if "plotly" in url] == [], "none is in sight"
    page.locator("#freeze-result .plot").first.scroll_into_view_if_needed()
    expect(page.locator("#freeze-result .js-plotly-plot").first).to_be_visible()
    (url,) = [url for url in asked if "plotly" in url]
    assert url.endswith("/thaw/plotly.min.js")
    other = page.locator("#freeze-result .plot").last
    other.scroll_into_view_if_needed()
    expect(other.locator(".main-svg").first).to_be_visible()
    assert len([url for url in asked if "plotly" in url]) == 1


def paper(page: Page, plot: str) -> str:
    return str(page.evaluate("(s) => document.querySelector(s)._fullLayout.paper_bgcolor", plot))


def test_a_chart_follows_the_theme_and_keeps_what_was_zoomed_to(open_page: Open) -> None:
    page = open_page()
    steps = [(k, {"kind": 0.1 * k}) for k in range(1, 9)]
    plot = add(page, loss_figure(["kind"], steps[:4]))
    assert paper(page, plot) == PALETTE["surface"][0]
    page.evaluate(
        "(s) => Plotly.relayout(document.querySelector(s), {'xaxis.range': [1, 3]})", plot
    )
    page.evaluate("(figure) => tried.update(figure)", loss_figure(["kind"], steps).document())
    page.wait_for_function("(s) => document.querySelector(s).data[0].x.length === 8", arg=plot)
    zoomed = "(s) => document.querySelector(s)._fullLayout.xaxis.range"
    assert page.evaluate(zoomed, plot) == [1, 3]
    page.evaluate("document.body.classList.add('dark')")
    page.wait_for_function(
        "([s, dark]) => document.querySelector(s)._fullLayout.paper_bgcolor === dark",
        arg=[plot, PALETTE["surface"][1]],
    )
    assert page.evaluate(zoomed, plot) == [1, 3]
    page.set_viewport_size({"width": 600, "height": 900})
    page.wait_for_function(
        "(s) => { const e = document.querySelector(s);"
        " return e._fullLayout.width === e.clientWidth && e.clientWidth < 600; }",
        arg=plot,
    )


def test_the_numbers_of_a_chart_are_in_a_table_and_told_by_keys(open_page: Open) -> None:
    page = open_page()
    steps = [(k, {"kind": 0.1 * k}) for k in range(1, 4)]
    plot = add(page, loss_figure(["kind"], steps))
    page.locator(".tried summary").click()
    cells = page.locator(".tried tbody td")
    expect(cells).to_have_text(["0.100", "0.200", "0.300"])
    page.locator(plot).focus()
    page.keyboard.press("End")
    expect(page.locator(".tried [role=status]")).to_have_text("kind, training: 3, 0.3")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".tried [role=status]")).to_have_text("kind, training: 2, 0.2")


def test_where_plotly_cannot_be_had_the_numbers_are_shown(open_page: Open) -> None:
    page = open_page()
    page.route("**/plotly.min.js", lambda route: route.fulfill(status=200, body=""))
    page.evaluate(
        """(figure) => { const made = thaw.chart(figure); made.node.classList.add("tried");
            document.querySelector("#result").before(made.node); }""",
        loss_figure(["kind"], [(1, {"kind": 0.1})]).document(),
    )
    expect(page.locator(".tried .plot")).to_contain_text("could not be drawn here")
    expect(page.locator(".tried tbody td")).to_have_text(["0.100"])
