"""Comparisons of the page: one at a time, kept within bounds, stopped at once, gone on with."""

import json
import re
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from core.comparison.choice import ComparisonChoice, default_strategies
from core.comparison.folds import compared_data
from core.config import AdviceChoice, DataChoice, EncoderChoice
from core.data.dataset import Dataset, read_dataset
from core.strategy.scenario import parse_strategy
from demo.frame.views import View
from demo.freeze import examples
from demo.freeze.comparison_events import KEPT, ComparingEvents, example_view
from demo.freeze.form import Form, Order, asked_by, command_line
from demo.freeze.profiles import ProfileShelf
from demo.freeze.views import going_view, result_view
from demo.shelves.comparison import DONE, FAILED, RUNNING, STOPPED, WAITING, Asked, Comparison
from demo.shelves.comparisons import ComparisonShelf
from demo.shelves.encoders import EncoderShelf, name_of, second_of, with_second
from demo.shelves.kept_comparisons import kept_comparisons, kept_report, kept_runs, run_folder
from demo.shelves.models import ModelShelf, WorkingModel
from demo.shelves.working_data import DataShelf, WorkingData

REQUEST: Any = gr.Request(session_hash="ann")

ROWS = 36
SECONDS = 120.0


@pytest.fixture
def shelf() -> Iterator[ComparisonShelf]:
    made = ComparisonShelf()
    yield made
    made.close()


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = tmp_path_factory.mktemp("rows") / "moods.csv"
    what = ("ferry", "lorry", "glider", "train")
    lines = [f"The {what[n % 4]} {n} is {'early' if n % 2 else 'late'}." for n in range(ROWS)]
    moods = ["good" if n % 2 else "bad" for n in range(ROWS)]
    path.write_text(
        "text,mood\n" + "\n".join(f"{a},{b}" for a, b in zip(lines, moods, strict=True))
    )
    return read_dataset(DataChoice(source=str(path)))


@pytest.fixture
def asking(rows: Dataset, family_folder: Any) -> Callable[..., Asked]:  # noqa: ANN401 (a fixture)
    encoder = EncoderChoice(name=str(family_folder("minilm")))

    def ask(names: str = "heads,lower:1", **choice: Any) -> Asked:  # noqa: ANN401
        scenarios = tuple(parse_strategy(name, 3) for name in names.split(","))
        given = {"seeds": 1, "epochs": 1, "threads": 1} | choice
        return Asked(
            dataset=lambda: rows,
            encoder=encoder,
            choice=lambda _: ComparisonChoice(strategies=scenarios, **given),
            name="moods.csv",
            same=("moods", given["epochs"]),
        )

    return ask


def wait(comparison: Comparison, until: Callable[[Comparison], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not until(comparison):
        assert time.monotonic() < deadline, f"it is {comparison.state}: {comparison.why}"
        time.sleep(0.05)


def ended(comparison: Comparison) -> bool:
    return not comparison.going


@pytest.mark.slow
def test_a_comparison_ends_with_a_report_and_goes_on_with_more_seeds(
    shelf: ComparisonShelf, asking: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shelf.start(asking(per_class=True), "ann")
    with pytest.raises(ValueError, match="your comparison is still going"):
        shelf.start(asking(), "ann")
    wait(first, ended)
    assert (first.state, first.why) == (DONE, "")
    assert first.report is not None
    assert {run["strategy"] for run in first.report["runs"]} == {"heads", "lower:1"}
    check_the_further_runs_of(first)
    kept = run_folder(first.folder, "lower:1", 0)
    before = (kept / "run.json").stat().st_mtime
    again = shelf.start(asking(seeds=2), "ann", first.id)
    assert again is first
    wait(again, ended)
    assert again.report is not None
    assert len(again.report["runs"]) == 4
    assert (kept / "run.json").stat().st_mtime == before, "what was there is not run again"
    kept_now = kept_runs(first.folder, again.report)
    assert kept_now == {(name, seed) for name in ("heads", "lower:1") for seed in (0, 1)}
    view = result_view(again.report, name=again.id, made="now", kept=kept_now)
    assert view["usable"]
    assert [each["parts"] for each in view["strategies"]] == ["fffft", "ffttt"]
    assert blocks_of(view, "charts")[0]["figure"]["told"].startswith("heads ")
    kinds = [block["kind"] for block in blocks_of(view, "strategy", "heads")]
    assert {"Sentence", "Table"} <= set(kinds)
    assert len(blocks_of(view, "strategy", "heads")[-1]["rows"]) == 2, "its two runs"
    assert kept_comparisons(first.folder) == [first.folder]
    assert kept_comparisons(first.folder.parent) == [first.folder]
    assert kept_report(first.folder)["runs"] == again.report["runs"]
    check_a_page_with_these_runs(first.folder)
    check_an_example_made_of(first.folder, monkeypatch)
    models, encoders = ModelShelf(), EncoderShelf(EncoderChoice(), local=False)
    encoders.models = models
    opened = models.offer(kept, "lower:1, seed 0, of moods.csv")
    model = models.get(opened)
    assert (model.name, [task.name for task in model.tasks]) == (opened.name, ["mood"])
    assert models.is_ready(opened)
    second = with_second(EncoderChoice(), second_of(opened))
    assert second is not None
    assert encoders.get(second) is model.encoder, "Compare can lay it beside another"
    assert name_of(second).startswith("lower:1, seed 0, of moods.csv, ")
    with pytest.raises(ValueError, match="is not kept here any more"):
        models.get(WorkingModel(id="../..", name="somebody else's"))
    other = shelf.start(asking(epochs=2), "ann", first.id)
    assert other is not first, "with other epochs its runs cannot stand beside these"
    shelf.delete(other.id, "ann")
    with pytest.raises(ValueError, match="is not here any more"):
        shelf.delete(first.id, "bob")
    shelf.delete(first.id, "ann")
    assert not first.folder.exists()


def blocks_of(view: View, name: str, about: str = "") -> list[View]:
    """Give what a section of a view holds."""
    found = (each for each in view["sections"] if (each["name"], each["about"]) == (name, about))
    return [block for section in found for block in section["blocks"]]


def check_the_further_runs_of(comparison: Comparison) -> None:
    """A further table's runs stand apart from the comparison's own, in the plan and the result."""
    assert comparison.report is not None
    told = [(each["part"], each["strategy"]) for each in going_view(comparison, 0)["runs"]]
    parts = list(dict.fromkeys(part for part, _ in told))
    assert parts[0] == ""
    assert parts[1:], "36 rows are more than 8 of each class"
    assert told == [(part, name) for part in parts for name in ("heads", "lower:1")]
    assert {run["state"] for run in comparison.planned} == {"done"}
    view = result_view(comparison.report, name="x", made="now")
    told = [block for block in blocks_of(view, "further") if block["kind"] == "Table"]
    assert [block["title"] for block in told] == ["With 8 rows of each class"]


def check_an_example_made_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tab opens with is a report with its date and machine, without its runs."""
    monkeypatch.setattr(examples, "COMPARISON", folder.parent / "shipped.json")
    examples.shipped_comparison.cache_clear()
    try:
        examples.main(str(folder / "report.json"))
        view = example_view()
        report = kept_report(folder)
        assert re.match(r"Computed on \d{4}-\d\d-\d\d on ", view["made"])
        assert report["machine"] in view["made"]
        assert not view["usable"], "its runs are not shipped"
        assert [each["name"] for each in view["strategies"]] == ["heads", "lower:1"]
    finally:
        examples.shipped_comparison.cache_clear()


def test_what_is_shipped_is_laid_out_as_the_page_draws_it_now() -> None:
    shipped = examples.shipped_comparison()
    assert shipped is not None
    view = result_view(shipped["document"], name=example_view()["name"], made=shipped["made"])
    assert example_view() == json.loads(json.dumps(view)), (
        "python -m demo.freeze.examples --keep-profile"
    )


def check_a_page_with_these_runs(folder: Path) -> None:
    """What `python -m demo --runs DIR` opens, lists, gives away, and does not let others delete."""
    encoders, models = EncoderShelf(EncoderChoice(), local=False), ModelShelf()
    profiles = ProfileShelf(encoders, DataShelf())
    page = ComparingEvents(ComparisonShelf(folder), profiles, models, local=False)
    name, view = page.first
    assert name == f"{KEPT}{folder.name}"
    assert view["usable"]
    assert page.first_listing()["rows"][0] == {
        "name": name,
        "title": f"From the command line: {folder.name}",
        "about": page.first_listing()["rows"][0]["about"],
        "deletable": False,
        "shown": True,
    }
    model, said = page.use(name, gr.EventData(None, {"strategy": "lower:1"}), REQUEST)
    assert model.name.startswith("lower:1, seed ")
    assert "Predict now uses it" in said
    saved = json.loads(page.save(name, gr.EventData(None, {"kind": "json"}), REQUEST))
    assert json.loads(saved["text"])["runs"]
    assert (
        "<html"
        in json.loads(page.save(name, gr.EventData(None, {"kind": "html"}), REQUEST))["text"]
    )
    assert [each["file"] for each in blocks_of(view, "code")[1:]] == [
        "train_transformers.py",
        "train_sentence_transformers.py",
    ]
    asked = {"kind": "code", "strategy": "lower:1", "library": "transformers"}
    script = json.loads(page.save(name, gr.EventData(None, asked), REQUEST))
    assert script["name"] == "train_transformers.py"
    assert "STRATEGY = 'lower:1'" in script["text"]
    for strange in ({"library": "jax"}, {"strategy": "full"}, {"strategy": None}):
        with pytest.raises(gr.Error, match=r"There is no code for|The report says too little"):
            page.save(name, gr.EventData(None, {**asked, **strange}), REQUEST)
    with pytest.raises(gr.Error, match="open to others"):
        page.remove(name, gr.EventData(None, {"name": name}), REQUEST)
    for strange in ("kept-..", "../../etc", "x", "", "None"):
        with pytest.raises(gr.Error, match="are not here"):
            page.open(gr.EventData(None, {"name": strange}), REQUEST)
    with pytest.raises(gr.Error, match="There is no run of"):
        page.use(name, gr.EventData(None, {"strategy": "full", "seed": 0}), REQUEST)


@pytest.mark.slow
def test_stop_ends_it_within_two_seconds_and_the_next_one_has_its_turn(
    shelf: ComparisonShelf, asking: Callable[..., Asked]
) -> None:
    long = shelf.start(asking("full", epochs=10_000), "ann")
    second = shelf.start(asking("heads"), "bob")
    wait(long, lambda each: each.progress is not None)
    assert second.state == WAITING
    assert shelf.place(second) == 1
    assert going_view(second, shelf.place(second))["said"] == "Waiting: 1 before you."
    assert long.state == RUNNING
    began = time.monotonic()
    long.stopping.set()
    wait(long, ended)
    assert time.monotonic() - began < 2.0
    assert long.state == STOPPED
    assert going_view(long, 0)["said"].startswith("Stopped with 0 of 1 runs done")
    wait(second, ended)
    assert second.state == DONE


@pytest.mark.slow
def test_what_is_advised_is_trained_on_all_rows_and_becomes_the_working_model(
    shelf: ComparisonShelf, asking: Callable[..., Asked]
) -> None:
    comparison = shelf.start(asking("heads,lower:1", epochs=2), "ann")
    with pytest.raises(ValueError, match="still going"):
        shelf.train_best(comparison.id, "ann")
    wait(comparison, ended)
    with pytest.raises(ValueError, match="was not made here"):
        shelf.train_best(comparison.id, "bob")
    models = ModelShelf()
    profiles = ProfileShelf(EncoderShelf(EncoderChoice(), local=False), DataShelf())
    page = ComparingEvents(shelf, profiles, models, local=False)
    with pytest.raises(gr.Error, match="othing was trained on all rows"):
        page.use(comparison.id, gr.EventData(None, {"best": True}), REQUEST)
    assert page._own_view(comparison)["trainable"]
    check_the_predictions_of(comparison, page)
    assert shelf.train_best(comparison.id, "ann") is comparison
    wait(comparison, ended)
    assert comparison.report is not None
    advised = comparison.report["advice"]["strategy"]
    assert (comparison.state, comparison.why, comparison.best) == (DONE, "", advised)
    assert going_view(comparison, 0)["said"].startswith(f"{advised} is trained on all rows")
    view = page._own_view(comparison)
    assert (view["trained"], view["trainable"]) == (advised, False)
    about = json.loads((comparison.folder / "best" / "thaw.json").read_text("utf-8"))["about"]
    assert about["data"]["training_rows"] == ROWS
    assert about["cross_validated"]["mood"]["accuracy"]
    opened, said = page.use(comparison.id, gr.EventData(None, {"best": True}), REQUEST)
    assert "trained on all rows" in said
    assert models.get(opened).name == opened.name
    shelf.train_best(comparison.id, "ann").stopping.set()
    wait(comparison, ended)
    assert (comparison.state, comparison.best) == (STOPPED, "")
    assert going_view(comparison, 0)["said"].endswith("the runs are as they were.")


def check_the_predictions_of(comparison: Comparison, page: ComparingEvents) -> None:
    """A line for each run and row that it tested, in a file that is downloaded."""
    asked = gr.EventData(None, {"kind": "predictions"})
    saved = json.loads(page.save(comparison.id, asked, REQUEST))
    lines = saved["text"].split("\r\n")
    assert saved["name"] == "predictions.csv"
    assert lines[0] == "strategy,seed,fold,line,text,mood,mood_predicted,mood_wrong"
    assert len(lines) == 1 + 2 * (ROWS // 3) + 1, "two strategies, one fold of three, one end"
    with pytest.raises(gr.Error, match="rows of this comparison are not here"):
        page.save("example", asked, REQUEST)


@pytest.mark.slow
def test_weights_are_put_away_past_the_budget_and_figures_stay(
    asking: Callable[..., Asked],
) -> None:
    shelf = ComparisonShelf(most_bytes=0)
    comparison = shelf.start(asking("lower:1"), "ann")
    wait(comparison, ended)
    with pytest.raises(ValueError, match=r"weights of lower:1, seed 0, were put away"):
        run_folder(comparison.folder, "lower:1", 0)
    with pytest.raises(ValueError, match="there is no run of lower:2, seed 0"):
        run_folder(comparison.folder, "lower:2", 0)
    assert comparison.report is not None
    assert comparison.report["strategies"][0]["mean"]
    kept = kept_runs(comparison.folder, comparison.report)
    assert kept == set()
    view = result_view(comparison.report, name="x", made="now", kept=kept)
    assert not view["usable"]
    assert [run["kept"] for run in view["strategies"][0]["runs"]] == [False]
    shelf.close()


def test_what_cannot_be_compared_is_said(
    shelf: ComparisonShelf, asking: Callable[..., Asked], rows: Dataset
) -> None:
    few = Asked(**{**vars(asking()), "dataset": lambda: rows.select([0, 1, 2])})
    comparison = shelf.start(few, "ann")
    wait(comparison, ended)
    assert comparison.state == FAILED
    said = going_view(comparison, 0)["said"]
    assert said == said[:1].upper() + said[1:]
    assert "mood" in said


def test_a_page_that_is_closed_gives_its_turn_to_who_waits(
    shelf: ComparisonShelf, asking: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    from demo.shelves import comparisons

    comparison = Comparison(id="x", visitor="ann", folder=Path("nowhere"), name="")
    shelf._all.put("x", comparison)
    shelf.leave("ann")
    assert not shelf._cancelled(comparison), "it goes on while nobody waits"
    shelf._waiting.append(Comparison(id="y", visitor="bob", folder=Path("nowhere"), name=""))
    assert comparison.unwatched is not None
    comparison.unwatched -= 6
    assert shelf._cancelled(comparison)
    shelf._waiting.clear()
    assert not shelf._cancelled(comparison)
    monkeypatch.setattr(comparisons, "UNWATCHED_SECONDS", 1.0)
    assert shelf._cancelled(comparison)
    assert shelf.find("x", "ann2") is comparison, "whoever has its id watches it"
    assert not shelf._cancelled(comparison)
    assert asking


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"thaw_format": 99}', "is of format 99"),
        (None, "has no report.json yet"),
    ],
)
def test_a_folder_without_a_sound_report_is_refused(
    tmp_path: Path, text: str | None, said: str
) -> None:
    (tmp_path / "comparison.json").write_text('{"thaw_format": 1, "kind": "comparison"}')
    if text is not None:
        (tmp_path / "report.json").write_text(text)
    with pytest.raises(ValueError, match=said):
        kept_report(tmp_path)
    assert kept_comparisons(tmp_path) == [tmp_path]
    assert kept_comparisons(None) == []


def test_a_comparison_in_the_folder_one_is_in_has_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "comparison.json").write_text('{"thaw_format": 1, "kind": "comparison"}')
    monkeypatch.chdir(tmp_path)
    profiles = ProfileShelf(EncoderShelf(EncoderChoice(), local=False), DataShelf())
    page = ComparingEvents(ComparisonShelf(Path()), profiles, ModelShelf(), local=True)
    assert page.first_listing()["rows"][0]["title"] == f"From the command line: {tmp_path.name}"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rows": 0}, "rows is 0, must be 1 to 2,000"),
        ({"rows": "1e9"}, "rows is 1e9, must be"),
        ({"seeds": 1.5}, "seeds is 1.5, must be 1 to 12"),
        ({"seeds": None}, "seeds is None, must be"),
        ({"epochs": "forever"}, "epochs is forever, must be 1 to 50"),
        ({"tasks": []}, "no task is ticked"),
        ({"margin": 0}, "margin is 0.0, must be above 0"),
        ({"cost": "beauty"}, "cost is 'beauty', must be one of"),
        ({"rates": 10}, "rates is 10, must be 1 to 9"),
    ],
)
def test_fields_are_checked_as_they_come_from_a_browser(changed: dict[str, Any], said: str) -> None:
    profiles = ProfileShelf(EncoderShelf(EncoderChoice(), local=False), DataShelf())
    fields: dict[str, Any] = {
        **{"rows": 300, "tasks": ["topic"], "seeds": 3, "epochs": "1", "budget": 0},
        **{"cost": "seconds", "margin": 3, "score": "accuracy"},
    }

    def order(names: tuple[str, ...] = ("heads",), **some: Any) -> Order:  # noqa: ANN401
        form = Form(**{**fields, **some})
        return Order(strategies=names, data=WorkingData(), encoder=EncoderChoice(), form=form)

    assert asked_by(order(), profiles).name == "the corpus"
    with pytest.raises(ValueError, match=said):
        asked_by(order(**changed), profiles)
    with pytest.raises(ValueError, match="no strategy is chosen"):
        asked_by(order(()), profiles)


def test_the_command_of_a_comparison_asks_for_the_same() -> None:
    """What the command line reads back from it is what the page was asked for."""
    choice = DataChoice(
        source="/tmp/somewhere/my reviews.csv",
        label_columns=("mood=how it was",),
        tasks=("mood",),
        renames=("mood:so so=fine",),
        rows=120,
    )
    data = WorkingData(id="x", choice=choice)
    line = command_line(
        data,
        EncoderChoice(name="mpnet", normalize=False),
        ["heads", "lower:1@2"],
        {
            **{"seeds": 6, "epochs": None, "budget_seconds": None, "advice": AdviceChoice()},
            **{"rates": 1, "single_task": False, "balances": True, "per_class": False},
        },
    )
    assert shlex.split(line) == [
        *("python", "-m", "core", "compare", "--data", "my reviews.csv"),
        *("--label-column", "mood=how it was", "--task", "mood", "--map", "mood:so so=fine"),
        *("--rows", "120", "--encoder", "mpnet", "--strategies", "heads,lower:1@2"),
        *("--seeds", "6", "--balances", "--no-normalize"),
    ]
    assert "somewhere" not in line, "a folder of the server's"


def test_the_page_s_order_has_its_command() -> None:
    profiles = ProfileShelf(EncoderShelf(EncoderChoice(), local=False), DataShelf())
    form = Form(
        rows=90,
        tasks=["topic"],
        seeds=3,
        epochs="2",
        budget=60,
        cost="memory",
        margin=3,
        score="accuracy",
        rates=3,
        further=["per_class"],
    )
    order = Order(
        strategies=("heads", "full"), data=WorkingData(), encoder=EncoderChoice(), form=form
    )
    assert asked_by(order, profiles).command == (
        "python -m core compare --data corpus --task topic --rows 90 --strategies heads,full "
        "--seeds 3 --epochs 2 --budget 60s --rates 3 --per-class --cost memory"
    )


def test_the_shipped_comparison_is_of_the_corpus_and_strategies_as_they_are() -> None:
    shipped = examples.shipped_comparison()
    assert shipped is not None
    document = shipped["document"]
    data = compared_data(read_dataset(DataChoice(source="corpus", rows=document["rows"]))).dataset
    assert document["data_fingerprint"] == data.fingerprint, (
        "make it anew: python -m demo.freeze.examples report.json"
    )
    layers = document["encoder"]["layers"]
    names = [each.name for each in default_strategies(layers)]
    assert sorted(each["name"] for each in document["strategies"]) == sorted(names)
    assert len(document["runs"]) == 3 * len(names)


@pytest.mark.slow
def test_where_heads_read_is_said_of_each_strategy(
    shelf: ComparisonShelf, asking: Callable[..., Asked]
) -> None:
    comparison = shelf.start(asking("heads,lower:1@mix"), "ann")
    wait(comparison, ended)
    report = comparison.report
    assert report is not None
    view = result_view(report, name="a", made="now")
    heads, mixed = (
        blocks_of(view, "strategy", name)[0]["text"] for name in ("heads", "lower:1@mix")
    )
    assert heads.startswith("Heads read layer 3. ")
    assert mixed.startswith("Heads read a mix of all layers. ")


def test_a_time_limit_too_short_for_any_run_is_said_with_what_to_do(
    shelf: ComparisonShelf, asking: Callable[..., Asked]
) -> None:
    comparison = shelf.start(asking(budget_seconds=0.05), "ann")
    wait(comparison, ended)
    assert comparison.state == FAILED
    assert comparison.why.endswith("ended before the first run did: raise it")
