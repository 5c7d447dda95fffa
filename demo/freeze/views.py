"""What the Freeze tab draws of a comparison: plain values for comparison.js."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from core.measures.scores import main_score
from core.report.drawing import Figure
from core.report.figures import cost_figure, forgetting_figure
from core.report.run_figures import loss_figure, score_figure
from core.task import kind_named
from demo.frame.spoken import as_page_says
from demo.frame.views import View, shorten
from demo.shelves.comparison import DONE, FAILED, RUNNING, STOPPED, WAITING, Comparison
from demo.strategies.cards import letters
from demo.strategies.words import short_count, title_of

CURVE_POINTS = 60
MOST_CLASSES = 40
MOST_LOOKED_AT = 50
MOST_NOTES = 40

OF_THE_ADVICE = ("name", "advice", "code", "facts", "made", "trained", "trainable", "seed")

Document = Mapping[str, Any]

STATUS = {
    "better": "shown better",
    "good_enough": "shown good enough",
    "cannot_tell": "cannot be told",
}


def status_means(status: str, margin: float) -> str:
    """Say what an advice's status means.

    Args:
        status: One of `STATUS`.
        margin: How many points worse than the best is still good enough.
    """
    return {
        "better": "On the same rows it beats every cheaper strategy, by more than luck explains "
        "(95 % confidence).",
        "good_enough": f"With 95 % confidence it is at most {margin:g} points worse than the best, "
        "and nothing cheaper is shown to be.",
        "cannot_tell": "These rows are too few to tell the strategies apart: this one is ahead so "
        "far, and the sentence says what would settle it.",
    }.get(status, "")


def result_view(
    document: Document, *, name: str, made: str, kept: Collection[tuple[str, int]] = ()
) -> View:
    """Lay out a report: the advice, the charts' points, the table, what to know.

    Args:
        document: What `core.comparison.report.comparison_document` gave.
        name: Which comparison it is, for the page to ask for its runs.
        made: When and on which machine, in words.
        kept: The runs, strategy and seed, that can be opened as the working model.
    """
    tasks = [
        {
            "name": task,
            "kind": about["kind"],
            "metric": _metric(document, task),
            "floor": _floor(document["floor"].get(task)),
        }
        for task, about in document["tasks"].items()
    ]
    strategies = [_strategy(document, each, kept) for each in document["strategies"]]
    return {
        "name": name,
        "usable": bool(kept),
        "made": made,
        "data": shorten(document["data"]),
        "facts": _facts(document),
        "advice": _advice(document),
        "code": _code(document),
        "tasks": tasks,
        "floor": _mean_floor(tasks),
        "strategies": strategies,
        "figures": _figures(document),
        "best": document["best"],
        "further": _further(document),
        "command": document["command"],
        "secondLook": _second_look(document),
        "notes": _notes(document),
    }


def advice_view(view: View) -> View:
    """Take the advice out of what `result_view` laid out, which is drawn apart."""
    runs = [
        {"name": each["name"], "runs": [{"kept": run["kept"]} for run in each["runs"]]}
        for each in view["strategies"]
    ]
    return {key: view[key] for key in OF_THE_ADVICE if key in view} | {"strategies": runs}


def going_view(comparison: Comparison, place: int) -> View:
    """Lay out how far a comparison is: its stage, its runs, what is left.

    Args:
        comparison: Which.
        place: How many go before it.
    """
    done = sum(run["state"] == "done" for run in comparison.planned)
    why = as_page_says(comparison.why)
    said = {
        WAITING: f"Waiting: {place} before you." if place else "Starting…",
        RUNNING: f"{comparison.stage[:1].upper()}{comparison.stage[1:]}…"
        if comparison.stage
        else f"{done} of {len(comparison.planned)} runs done.",
        STOPPED: f"Stopped {comparison.stage}: the runs are as they were."
        if comparison.stage and 0 < done == len(comparison.planned)
        else f"Stopped with {done} of {len(comparison.planned)} runs done; they are kept, and "
        "“Compare them” goes on from there.",
        DONE: f"{comparison.best} is trained on all rows: “Use the model of all rows” opens it."
        if comparison.best
        else f"{done} runs are done. More seeds, or another strategy, go on from what is there.",
        FAILED: f"{why[:1].upper()}{why[1:].rstrip('.')}.",
    }[comparison.state]
    return {
        "state": comparison.state,
        "going": comparison.going,
        "said": said,
        "seconds": comparison.seconds,
        "left": comparison.left if comparison.going else None,
        "progress": comparison.progress,
        "runs": _runs_by_strategy(comparison.planned),
    }


def _runs_by_strategy(planned: Sequence[Mapping[str, Any]]) -> list[View]:
    found: dict[tuple[str, str], list[str]] = {}
    for run in sorted(planned, key=lambda run: int(run["seed"])):
        found.setdefault((run["part"], run["strategy"]), []).append(run["state"])
    order = {run["part"]: place for place, run in reversed([*enumerate(planned)])}
    return [
        {"strategy": strategy, "part": part, "states": states}
        for (part, strategy), states in sorted(found.items(), key=lambda each: order[each[0][0]])
    ]


def _strategy(document: Document, each: Document, kept: Collection[tuple[str, int]]) -> View:
    from core.comparison.words import retention_in_words
    from core.measures.scores import main_figure
    from core.strategy.scenario import parse_strategy

    layers = int(document["encoder"]["layers"])
    names = list(document["tasks"])
    scenario = parse_strategy(each["name"], layers)
    runs = [run for run in document["runs"] if run["strategy"] == each["name"]]
    reads = [layer for run in runs for layer in run["read"].values()]
    top = max((k if isinstance(k, int) else layers for k in reads), default=layers)
    return {
        "name": each["name"],
        "title": title_of(scenario),
        "parts": letters(scenario, layers, names, top),
        "read": _read_in_words(runs),
        "mean": each["mean"],
        "tasks": {
            task: {
                "score": main_figure(found, document["score"]),
                "accuracy": found.get("accuracy"),
                "macroF1": found.get("macro_f1"),
                "f1": found.get("f1"),
                "versusHeads": found["versus_heads"],
                "versusBest": (each["versus_best"] or {}).get("tasks", {}).get(task),
                "clearsFloor": found["clears_floor"],
            }
            for task, found in each["tasks"].items()
        },
        "versusHeads": each["versus_heads"],
        "versusBest": (each["versus_best"] or {}).get("mean"),
        "retention": retention_in_words(each),
        "seconds": each["seconds"],
        "secondsPerStep": each["seconds_per_step"],
        "memory": each["peak_memory_bytes"],
        "weights": short_count(each["trainable_parameters"]),
        "speed": each["inference_sentences_per_second"],
        "forgetting": each["forgetting"],
        "seeds": each["seeds"],
        "runs": [{**_run(run), "kept": (each["name"], run["seed"]) in kept} for run in runs],
        "curves": _curves(document, runs[0]) if runs else None,
        "classes": _classes(runs),
        "notes": list(each["notes"])[:MOST_NOTES],
    }


def _read_in_words(runs: Sequence[Document]) -> str:
    """Say which layer each task's head reads, run by run where the runs differ."""
    by_task: dict[str, list[str]] = {}
    for run in runs:
        for task, layer in run["read"].items():
            by_task.setdefault(task, []).append(str(layer))
    every = {layer for found in by_task.values() for layer in found}
    if len(every) == 1:
        (only,) = every
        return f"layer {only}" if only.isdigit() else f"a {only} of all layers"
    told = (
        f"{task} {', '.join(found if len(set(found)) > 1 else found[:1])}"
        for task, found in by_task.items()
    )
    return f"layers, run by run: {'; '.join(told)}"


def _run(run: Document) -> View:
    from core.measures.scores import main_figure

    return {
        "seed": run["seed"],
        "seconds": run["seconds"],
        "epoch": run["best_epoch"],
        "epochs": run["epochs"],
        "steps": run["steps"],
        "read": ", ".join(sorted({str(layer) for layer in run["read"].values()})),
        "scores": {task: main_figure(found) for task, found in run["tasks"].items()},
    }


def _figures(document: Document) -> View:
    """Draw what each strategy buys and costs, by task; under no name the mean over the tasks."""
    drawn = {
        task or "": {
            "cost": cost_figure(document, task),
            "forgetting": forgetting_figure(document, task),
        }
        for task in (None, *document["tasks"])
    }
    return {task: _documents(figures) for task, figures in drawn.items()}


def _documents(figures: Mapping[str, Figure | None]) -> View:
    return {key: each and each.document() for key, each in figures.items()}


def _curves(document: Document, run: Document) -> View:
    """Draw how a run learned: its loss by step, and its score by epoch where there were several."""
    tasks = {task: _metric(document, task) for task in document["tasks"]}
    losses, epochs = run["curves"].get("loss", []), run["curves"].get("epochs", [])
    size = -(-len(losses) // CURVE_POINTS) or 1
    training = [(point["step"], point["loss"]) for point in losses[size - 1 :: size]]
    validation = [(epoch["step"], epoch["loss"]) for epoch in epochs]
    scores = [(epoch["epoch"], epoch["scores"]) for epoch in epochs]
    loss = loss_figure(list(tasks), training, validation) if len(training) > 1 else None
    score = score_figure(tasks, scores, unit="epoch") if len(scores) > 1 else None
    return {"seed": run["seed"], **_documents({"loss": loss, "scores": score})}


def _metric(document: Document, task: str) -> str:
    kind = kind_named(document["tasks"][task]["kind"])
    return main_score(kind, document["score"]).title


def _classes(runs: Sequence[Document]) -> dict[str, list[View]]:
    """Score each label over all runs of a strategy: F1 of what they counted together."""
    from core.measures.metrics import f1_score

    found: dict[str, list[View]] = {}
    tasks = runs[0]["tasks"] if runs else {}
    for task in tasks:
        counted = [_counts(run["tasks"][task]) for run in runs]
        found[task] = []
        common = [label for label in counted[0] if all(label in each for each in counted)]
        for label in common[:MOST_CLASSES]:
            right, true, said = (sum(each[label][k] for each in counted) for k in range(3))
            score = f1_score(right, said, true) if true + said else None
            found[task].append({"label": shorten(label), "f1": score, "rows": true})
    return {task: rows for task, rows in found.items() if rows}


def _counts(scores: Document) -> dict[str, tuple[int, int, int]]:
    """Count, label by label, what a run got right, what there was, and what it said."""
    if "confusion" not in scores:
        return {
            label: (round(each["recall"] * each["rows"]), each["rows"], each["predicted"])
            for label, each in scores.get("per_label", {}).items()
        }
    matrix = scores["confusion"]
    return {
        label: (matrix[k][k], sum(matrix[k]), sum(row[k] for row in matrix))
        for k, label in enumerate(scores["labels"])
    }


def _advice(document: Document) -> View | None:
    advice = document["advice"]
    if advice is None:
        return None
    return {
        "strategy": advice["strategy"],
        "status": advice["status"],
        "statusText": STATUS.get(advice["status"], advice["status"]),
        "statusMeans": status_means(advice["status"], document["margin"]),
        "text": advice["text"],
        "tasks": [
            {
                "name": task,
                "status": each["status"],
                "statusText": STATUS.get(each["status"], each["status"]),
                "strategy": each["strategy"],
                "text": each["text"],
            }
            for task, each in advice["tasks"].items()
        ],
    }


def _code(document: Document) -> list[View]:
    """Write the advised strategy as scripts; none where there is no advice to write down."""
    from core.export.code import scripts_of

    if document["advice"] is None:
        return []
    try:
        return [vars(script).copy() for script in scripts_of(document)]
    except ValueError:  # a report that says too little of it, as one of an older version
        return []


def _facts(document: Document) -> str:
    runs, seeds = len(document["runs"]), document["seeds"]
    tested = "three folds" if document["folds"] else "its own test rows"
    epochs = document["epochs"]
    trained = f"{epochs} epoch{'s' * (epochs != 1)} each" if epochs else "each until it stopped"
    over = "; the budget ended it" if document["over_budget"] else ""
    data = "the corpus" if document["data"] == "corpus" else shorten(document["data"])
    return (
        f"{document['rows']:,} rows of {data} tested on {tested}, "
        f"{seeds} seed{'s' * (seeds != 1)}, {runs} runs, {trained}{over}"
    )


def _further(document: Document) -> list[View]:
    """Lay out the tables that the command line was asked for beside the comparison."""
    from core.comparison.words import further_tables_in_words

    return [
        {
            "title": shorten(table.title),
            "against": table.against,
            "meaning": table.meaning,
            "lines": [
                {key: each[key] for key in ("name", "mean", "versus")} for each in table.lines
            ],
        }
        for table in further_tables_in_words(document)
    ]


def _floor(floor: Document | None) -> View | None:
    if floor is None:
        return None
    return {"majority": floor["majority"], "lexical": floor["lexical"]}


def _mean_floor(tasks: Sequence[View]) -> float | None:
    """Average what counting words reaches over the tasks, as a strategy's mean is."""
    known = [task["floor"]["lexical"]["mean"] for task in tasks if task["floor"]]
    return sum(known) / len(known) if known and len(known) == len(tasks) else None


def _second_look(document: Document) -> list[View]:
    return [
        {
            "task": task,
            "unit": found["unit"],
            "count": len(found["rows"]),
            "rows": [
                {
                    "place": row["place"],
                    "text": shorten(row["text"]),
                    "actual": shorten(str(row["actual"])),
                    "predicted": [
                        [shorten(label), n] for label, n in list(row["predicted"].items())[:4]
                    ],
                }
                for row in found["shown"][:MOST_LOOKED_AT]
            ],
        }
        for task, found in document["second_look"].items()
    ]


def _notes(document: Document) -> list[str]:
    notes = [*document["notes"], *(n for each in document["strategies"] for n in each["notes"])]
    for name, reasons in document["failed"].items():
        notes += [f"{name} did not end, {reason}" for reason in reasons]
    names = tuple(each["name"] for each in document["strategies"])
    return [
        (note if note.startswith(names) else note[:1].upper() + note[1:]).rstrip(".") + "."
        for note in notes[:MOST_NOTES]
    ]
