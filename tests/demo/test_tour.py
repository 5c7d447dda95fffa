"""The tour notebook runs from top to bottom, and what is committed of it is small.

The committed outputs are made by `jupyter execute --inplace demo/tour.ipynb`.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from core.report.figures import cost_figure
from core.report.run_figures import loss_figure
from demo.tour_pictures import Picture, chart, heatmap, map_picture, strips
from tests.made_reports import report, strategy

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "demo/tour.ipynb"
MOST_BYTES = 400_000
HOSTILE = "<script>alert(1)</script>&\x00"


def code_cells() -> list[dict[str, Any]]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_the_committed_notebook_is_small_and_was_run_from_top_to_bottom() -> None:
    assert NOTEBOOK.stat().st_size <= MOST_BYTES
    cells = code_cells()
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output["output_type"] for cell in cells for output in cell["outputs"]}
    assert "error" not in kinds
    streams = {o.get("name") for cell in cells for o in cell["outputs"] if "name" in o}
    assert streams == {"stdout"}, "no warning in it"


def test_the_committed_outputs_name_no_folder_of_a_machine() -> None:
    told = json.dumps([cell["outputs"] for cell in code_cells()])
    assert str(ROOT) not in told
    assert re.findall(r"(?:/home/|/Users/|/root/|/tmp/|[A-Z]:\\\\)\w*", told) == []


def test_no_picture_of_the_notebook_needs_a_network_or_runs_anything() -> None:
    pictures = [
        output["data"]["image/svg+xml"]
        for cell in code_cells()
        for output in cell["outputs"]
        if "image/svg+xml" in output.get("data", {})
    ]
    assert len(pictures) >= 6
    for picture in pictures:
        text = "".join(picture)
        names = {element.tag.rpartition("}")[2] for element in ET.fromstring(text).iter()}
        assert names.isdisjoint({"script", "image", "foreignObject", "a", "style"})
        assert "href" not in text
        assert len(text) < 40_000


@pytest.mark.slow
def test_the_notebook_runs_from_another_folder_of_a_copy(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    for part in ("assets", "core", "demo"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    elsewhere = tmp_path / "demo/frame"
    notebook = nbformat.read(tmp_path / "demo/tour.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.pop("outputs", None) if cell.cell_type == "markdown" else cell.update(outputs=[])
    where = {"metadata": {"path": str(elsewhere)}}
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where).execute()
    assert all(cell.outputs for cell in notebook.cells[3:] if cell.cell_type == "code")
    advice = "".join(output.get("text", "") for output in notebook.cells[-2].outputs)
    assert re.match(r"status: (better|good_enough|cannot_tell)\n", advice)
    assert [path.name for path in elsewhere.glob("*.json")] == [], "it writes no file"


@pytest.mark.parametrize(
    "picture",
    [
        heatmap([HOSTILE], [HOSTILE], [[-1.0]]),
        strips({HOSTILE: [(HOSTILE, "frozen"), (HOSTILE, "partly")]}),
        chart(loss_figure([HOSTILE], [(1, {HOSTILE: 2.0}), (2, {HOSTILE: 1.0})])),
        map_picture([(0.0, 1.0), (1.0, 0.0)], [HOSTILE, "b"]),
    ],
    ids=["heatmap", "strips", "chart", "map"],
)
def test_a_picture_shows_hostile_text_as_text(picture: Picture) -> None:
    names = {element.tag.rpartition("}")[2] for element in ET.fromstring(picture.svg).iter()}
    assert "script" not in names
    assert "&lt;script&gt;" in picture.svg
    assert repr(picture) == "Picture()", "else a notebook holds each picture twice"


def test_a_heatmap_of_another_shape_and_a_map_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="1 rows and 2 columns, and cells of another shape"):
        heatmap(["a"], ["b", "c"], [[1.0]])
    with pytest.raises(ValueError, match="no point to draw"):
        map_picture([], [])


def test_one_point_or_equal_values_can_be_drawn() -> None:
    for picture in (
        chart(loss_figure(["a"], [(1, {"a": 0.5})])),
        map_picture([(1.0, 1.0)], ["a"]),
        heatmap(["a"], ["b"], [[0.0]]),
    ):
        assert "nan" not in picture.svg


def test_a_chart_has_the_marks_lines_and_names_of_its_figure() -> None:
    costs = (("heads", 0.6, 1.0), (f"full {HOSTILE}", 0.8, 60.0))
    figure = cost_figure(report(*(strategy(name, mean, s, None) for name, mean, s in costs)))
    assert figure is not None
    root = ET.fromstring(chart(figure).svg)
    svg = "{http://www.w3.org/2000/svg}"
    marks = [each for each in root.iter() if each.tag in (f"{svg}circle", f"{svg}rect")][1:]
    texts = [each.text for each in root.iter(f"{svg}text")]
    assert len(marks) == 3 + 3, "a circle, a square and the ring, and each in the legend"
    assert {"heads", "1 s", "1 min", "floor: counting words", "the encoder trains"} <= set(texts)
    with pytest.raises(ValueError, match="no point to draw"):
        chart(loss_figure(["a"]))
