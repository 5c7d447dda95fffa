"""A comparison told once: its report as blocks, for terminal, file and page alike."""

from collections.abc import Iterator, Mapping
from typing import Any

from core.export.code import scripts_of
from core.measures.drift import lost_in_words
from core.measures.scores import main_figure, main_score, scores_of
from core.report.blocks import (
    BEST,
    FLOOR,
    Block,
    Cell,
    Chart,
    Code,
    Column,
    Note,
    Report,
    Row,
    Section,
    Sentence,
    Table,
)
from core.report.cells import (
    EMPTY,
    correlation,
    number,
    points,
    score,
    share,
    words,
)
from core.report.comparison_runs import layers_read, runs_of, strategy_section
from core.report.figures import cost_figure, curves_figure, efficiency_figure, forgetting_figure
from core.task import kind_named

Document = Mapping[str, Any]

STATUS = {
    "better": "shown better",
    "good_enough": "shown good enough",
    "cannot_tell": "cannot be told",
}
"""What has been shown of an advised strategy, in few words."""

NO_ADVICE = "There is no advice yet: it takes two strategies that have finished a run."

LEGEND = (
    "Scores are in percent, with 95 % intervals over the rows tested; differences are in points, "
    "paired row by row. Seconds are what a run costs on its own. Similarity lost: Spearman lost on "
    "the probe’s graded pairs, pretrained less tuned. The floor takes no network: counting words, "
    "or always saying the commonest label."
)
MEANS = {
    "mean": "The score averaged over the tasks, on rows that the run never saw; 19 times in 20 the "
    "truth lies between the two numbers beside it.",
    "versus heads": "Points gained over training the heads alone on the last layer, compared row "
    "by row. Coloured where the gain, or the loss, is more than luck explains.",
    "versus best": "The same against the strategy with the highest mean.",
    "seconds": "What one run takes to train, as if it ran alone.",
    "weights": "How many numbers training changes.",
    "memory": "The most memory that its process held.",
    "sentences/s": "How many sentences a second the trained model predicts here. Reading a lower "
    "layer makes it faster.",
    "similarity lost": "Forgetting: how much worse the trained encoder agrees with people on which "
    "sentences are alike (Spearman, on the shipped probe). 0 is nothing lost.",
}
"""What the columns of the strategies say, for who meets the words for the first time."""

FLOORS = {"lexical": "floor: counting words", "majority": "floor: commonest label"}
FLOOR_MEANS = (
    "What takes no network at all: counting words, or always saying the commonest label. A "
    "strategy that is not above it buys nothing."
)
BALANCE_NAMES = {"uncertainty": "uncertainty weighting", "dwa": "dynamic weight averaging"}
NAMED_ROWS = 5
"""Of the rows that every strategy gets wrong, a task's first few are named in its sentence."""


def comparison_report(document: Document) -> Report:
    """Tell a comparison.

    Args:
        document: What `core.comparison.report.comparison_document` gave.
    """
    sections = (
        Section(name="advice", blocks=tuple(_advice(document))),
        Section(name="code", title="The same, without Thaw", blocks=tuple(_code(document))),
        Section(name="strategies", title="Strategies", blocks=tuple(_strategies(document))),
        Section(name="charts", title="What each buys and costs", blocks=tuple(_charts(document))),
        Section(name="learning", title="Learning curves", blocks=tuple(_learning(document))),
        Section(name="tasks", title="Task by task, every score", blocks=tuple(_by_task(document))),
        Section(name="retention", title="Drift and forgetting", blocks=tuple(_retention(document))),
        *(strategy_section(document, each) for each in document["strategies"]),
        Section(name="further", title="With one thing changed", blocks=tuple(_further(document))),
        Section(name="notes", title="To know", blocks=tuple(_notes(document))),
        Section(
            name="second-look", title="Worth a second look", blocks=tuple(_second_look(document))
        ),
        Section(name="made", title="How it was made", blocks=(_made(document),)),
    )
    return Report(
        title=f"What to freeze: {document['data']}",
        sections=tuple(each for each in sections if each.blocks),
    )


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


def _advice(document: Document) -> Iterator[Block]:
    advice = document["advice"]
    if advice is None:
        yield Sentence(text=NO_ADVICE, lead=True)
    else:
        status = advice["status"]
        told = f"{advice['strategy']}, {STATUS.get(status, status)}"
        yield Sentence(of="What to freeze", text=told, lead=True, status=status)
        yield Sentence(text=advice["text"])
        yield Note(text=status_means(status, document["margin"]))
        for task, each in advice["tasks"].items() if len(advice["tasks"]) > 1 else ():
            yield Sentence(of=task, text=each["text"], status=each["status"])
    yield Note(text=_facts(document))


def _facts(document: Document) -> str:
    runs, seeds, epochs = len(document["runs"]), document["seeds"], document["epochs"]
    tested = "three folds" if document["folds"] else "its own test rows"
    trained = f"{epochs} epoch{'s' * (epochs != 1)} each" if epochs else "each until it stopped"
    over = "; the budget ended it" if document["over_budget"] else ""
    data = "the corpus" if document["data"] == "corpus" else document["data"]
    return (
        f"{document['rows']:,} rows of {data} tested on {tested}, "
        f"{seeds} seed{'s' * (seeds != 1)}, {runs} run{'s' * (runs != 1)}, {trained}{over}."
    )


def _code(document: Document) -> Iterator[Block]:
    """Write the advised strategy as scripts; none where a report says too little of it."""
    try:
        scripts = scripts_of(document)
    except ValueError:  # no advice, or a report of an older version
        return
    yield Note(
        text="The same freezing, rates and epochs, on all rows, as a script to take home.",
        long=True,
    )
    for each in scripts:
        yield Code(**vars(each), long=True)


def _strategies(document: Document) -> Iterator[Block]:
    several = len(document["tasks"]) > 1
    columns = [
        Column(heading="strategy", words=True),
        *([Column(heading="mean", means=MEANS["mean"])] if several else []),
        *(
            Column(
                heading=task, unit=main_score(kind_named(about["kind"]), document["score"]).title
            )
            for task, about in document["tasks"].items()
        ),
        Column(heading="versus heads", means=MEANS["versus heads"], room=1),
        Column(heading="versus best", means=MEANS["versus best"], room=2),
        Column(heading="seconds", means=MEANS["seconds"]),
        Column(heading="weights", means=MEANS["weights"], room=1),
        Column(heading="runs", part=1, room=1),
        Column(heading="s a step", part=1),
        Column(heading="memory, MB", means=MEANS["memory"], part=1),
        Column(heading="sentences/s", means=MEANS["sentences/s"], part=1),
        Column(heading="similarity lost", means=MEANS["similarity lost"], part=1),
        Column(heading="reads layer", words=True, part=1),
    ]
    rows = [_strategy(document, each, several) for each in document["strategies"]]
    if rows:
        rows += [_floor(document, kind, len(columns), several) for kind in FLOORS]
        yield Table(columns=tuple(columns), rows=tuple(rows))
        yield Note(text=LEGEND)


def _strategy(document: Document, each: Document, several: bool) -> Row:
    best = each.get("versus_best") or {}
    memory = each["peak_memory_bytes"]
    cells = (
        words(each["name"]),
        *([score(each["mean"])] if several else []),
        *(_scored(document, each["tasks"][task]) for task in document["tasks"]),
        points(each["versus_heads"]) if each["versus_heads"] else EMPTY,
        points(best["mean"]) if best.get("mean") else EMPTY,
        number(each["seconds"], 1),
        number(each["trainable_parameters"]),
        number(len(each["seeds"])),
        number(each["seconds_per_step"], 3),
        number(None if memory is None else memory / 1e6),
        number(each["inference_sentences_per_second"]),
        correlation(each["forgetting"]),
        words(layers_read(runs_of(document, each["name"]))),
    )
    look = BEST if each["name"] == document["best"] else ""
    return Row(cells=cells, about=each["name"], look=look)


def _scored(document: Document, found: Document) -> Cell:
    cell = score(main_figure(found, document["score"]))
    if found.get("clears_floor") is not False:
        return cell
    return Cell(text=cell.text, interval=cell.interval, aside="below the floor")


def _floor(document: Document, kind: str, columns: int, several: bool) -> Row:
    """Lay out what one of the two ways reaches that take no network."""
    floors = [document["floor"].get(task) for task in document["tasks"]]
    of = score if kind == "lexical" else share
    tasks = [of(None if each is None else each[kind]) for each in floors]
    known = [each["lexical"]["mean"] for each in floors if each is not None]
    mean = sum(known) / len(known) if known and len(known) == len(floors) else None
    first = [share(mean) if kind == "lexical" else EMPTY] if several else []
    cells = [words(FLOORS[kind]), *first, *tasks]
    return Row(cells=(*cells, *[EMPTY] * (columns - len(cells))), look=FLOOR)


def _charts(document: Document) -> Iterator[Block]:
    names = list(document["tasks"])
    for task in [None, *names] if len(names) > 1 else names:
        for drawn in (cost_figure(document, task), forgetting_figure(document, task)):
            if drawn is not None:
                yield Chart(figure=drawn, of=task or "", long=True)


def _learning(document: Document) -> Iterator[Block]:
    drawn = curves_figure(document)
    if drawn is not None:
        yield Chart(figure=drawn, long=True)


def _by_task(document: Document) -> Iterator[Block]:
    """Lay out every score of every task, and how far each strategy is from heads and the best."""
    best = document["best"]
    rivals = ["heads"] if best == "heads" else ["heads", best]
    for task, about in document["tasks"].items():
        scores = scores_of(kind_named(about["kind"]))
        heads = [*(each.title for each in scores), *(f"versus {name}" for name in rivals)]
        rows = []
        for each in document["strategies"]:
            found = each["tasks"][task]
            of_best = (each.get("versus_best") or {}).get("tasks", {}).get(task)
            gaps = [points(found.get("versus_heads")), points(of_best)][: len(rivals)]
            figures = [score(found[own.key]) for own in scores]
            cells = (words(each["name"]), *figures, *gaps)
            rows.append(Row(cells=cells, about=each["name"]))
        if rows:
            columns = (Column(heading="strategy", words=True), *map(_column, heads))
            yield Table(title=task, columns=columns, rows=tuple(rows), long=True)


def _column(heading: str) -> Column:
    return Column(heading=heading)


def _retention(document: Document) -> Iterator[Block]:
    for each in document["strategies"]:
        told = retention_in_words(each)
        if told:
            yield Sentence(of=each["name"], text=told, about=each["name"], long=True)


def retention_in_words(strategy: Document) -> str:
    """Say how far an encoder has drifted and what it has forgotten, which are two things.

    Args:
        strategy: One of the report's.

    Returns:
        A sentence; empty where it was not measured.
    """
    lost, probe = strategy.get("forgetting"), (strategy.get("drift") or {}).get("probe")
    if not lost or not probe or probe.get("cka") is None:
        return ""
    if lost["mean"] == lost["low"] == lost["high"] == 0:
        return "The encoder is frozen: it neither drifts nor forgets, exactly."
    drifted = (
        f"The encoder has drifted to a CKA of {probe['cka']:.3f} (1 is as pretrained), with "
        f"{probe['neighbours_kept']:.1f} of 10 nearest neighbours kept"
    )
    told = lost_in_words(lost["mean"], lost["low"], lost["high"])
    if lost["low"] > 0:
        return f"{drifted}, and has forgotten {told}."
    return f"{drifted}, and no forgetting is shown: {told}."


def _further(document: Document) -> Iterator[Block]:
    """Lay out the tables that were asked for beside the comparison."""
    drawn = efficiency_figure(document)
    if drawn is not None:
        yield Chart(figure=drawn, long=True)
    for task, lines in document.get("single_task", {}).items():
        yield from _changed(
            f"{task} alone",
            "all tasks together",
            "Above zero the task does better alone, so sharing the encoder hurts it; below zero "
            "sharing helps.",
            lines,
        )
    for name, lines in document.get("balances", {}).items():
        yield from _changed(
            f"losses balanced by {BALANCE_NAMES.get(name, name)}",
            "their plain sum",
            "Above zero it does better than adding the tasks' losses up.",
            lines,
        )
    for each in document.get("per_class", ()):
        yield from _changed(
            f"{each['rows_per_class']} rows of each class",
            "all rows",
            f"Trained on {each['rows']:,.0f} rows a run; below zero is what fewer rows cost.",
            each["strategies"],
        )


def _changed(changed: str, against: str, meaning: str, lines: Any) -> Iterator[Block]:  # noqa: ANN401
    """Lay the strategies out with one thing changed.

    Args:
        changed: What is.
        against: What the differences are to.
        meaning: How the sign of a difference reads, a sentence.
        lines: A strategy each, `{name, mean, versus}`.
    """
    columns = (
        Column(heading="strategy", words=True),
        _column("mean"),
        _column(f"against {against}"),
    )
    rows = (
        Row(cells=(words(e["name"]), score(e["mean"]), points(e["versus"])), about=e["name"])
        for e in lines
    )
    yield Table(title=f"With {changed}", columns=columns, rows=tuple(rows))
    yield Note(text=meaning)


def _notes(document: Document) -> Iterator[Block]:
    names = tuple(each["name"] for each in document["strategies"])

    def note(text: str, about: str = "") -> Note:
        begun = text if text.startswith((*names, about or " ")) else text[:1].upper() + text[1:]
        return Note(text=begun.rstrip(".") + ".", about=about, warning=bool(about))

    yield from map(note, document["notes"])
    for each in document["strategies"]:
        yield from (note(text, each["name"]) for text in each["notes"])
    for name, reasons in document["failed"].items():
        yield from (note(f"{name} did not end, {reason}", name) for reason in reasons)
    if document["over_budget"]:
        yield note("The budget ended the comparison before all runs were done")


def _second_look(document: Document) -> Iterator[Block]:
    for task, found in document["second_look"].items():
        yield Sentence(text=worth_a_look(task, found))
    for task, found in document["second_look"].items():
        hidden = len(found["rows"]) > len(found["shown"])
        first = f"; the first {len(found['shown'])} are shown" if hidden else ""
        heads = (found["unit"], "label", "predicted", "text")
        yield Table(
            title=f"{task}{first}",
            columns=tuple(Column(heading=head, words=head != found["unit"]) for head in heads),
            rows=tuple(
                Row(cells=tuple(map(words, (row["place"], row["actual"], said, row["text"]))))
                for row in found["shown"]
                for said in [", ".join(f"{label} ({n})" for label, n in row["predicted"].items())]
            ),
            long=True,
        )


def worth_a_look(task: str, found: Document) -> str:
    """Say of how many rows the labels are worth a second look, and which are the first.

    Args:
        task: Of which task.
        found: What the report's `second_look` says of it.
    """
    count, unit = len(found["rows"]), found["unit"]
    rows = f"1 {unit}" if count == 1 else f"{count:,} {unit}s"
    its = "its label" if count == 1 else "their labels"
    named = ", ".join(f"{place:,}" for place in found["rows"][:NAMED_ROWS])
    more = f" and {count - NAMED_ROWS:,} more" if count > NAMED_ROWS else ""
    return (
        f"Every strategy gets {rows} of {task} wrong, worth a second look at {its}: "
        f"{unit}{'s' * (count != 1)} {named}{more}."
    )


def _made(document: Document) -> Table:
    """Say how it was made, so that somebody else can make it again."""
    folds = "three stratified folds, near-duplicates on one side"
    threads = document["threads"]
    facts = {
        "data": f"{document['data']}, {document['rows']:,} rows",
        "tasks": "; ".join(
            f"{name}: {', '.join(each['labels'])}" for name, each in document["tasks"].items()
        ),
        "data's hash": document["data_fingerprint"],
        "tested on": folds if document["folds"] else "the test rows of the data's own split",
        "seeds": document["seeds"],
        "epochs": document["epochs"] or "until the validation rows stop improving",
        "encoder": f"{document['encoder']['name']} ({document['encoder']['fingerprint']})",
        "runs": f"{len(document['runs'])}, {document['jobs']} side by side, on {threads} "
        f"thread{'s' * (threads != 1)} each, in {document['wall_seconds']:.0f} s",
        "machine": document["machine"],
        "versions": ", ".join(f"{name} {each}" for name, each in document["versions"].items()),
        "command": document["command"] or "–",
    }
    columns = (Column(heading="what", words=True), Column(heading="how", words=True))
    rows = (Row(cells=(words(name), words(fact))) for name, fact in facts.items())
    return Table(columns=columns, rows=tuple(rows), long=True)
