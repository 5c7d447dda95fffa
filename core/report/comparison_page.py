"""The report of a comparison as one HTML page that needs nothing else: to read, send and keep.

All that people wrote (labels, texts, names, the command) is escaped; the page runs no script.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from core.comparison.words import further_tables_in_words, retention_in_words, worth_a_look
from core.export.code import scripts_of
from core.measures.scores import main_figure, scores_of
from core.report.comparison_pictures import (
    cost_picture,
    curves_picture,
    efficiency_picture,
    forgetting_picture,
)
from core.sentences import clean
from core.task import kind_named

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; color: #14212d;
  background: #ffffff; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.advice { border-left: .3rem solid #2a7ab0; background: #eef5fa; padding: .8rem 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { text-align: right; padding: .3rem .7rem; border-bottom: 1px solid #d9e3ec;
  vertical-align: top; }
th:first-child, td:first-child, td.text { text-align: left; }
.wide td, .wide th { white-space: nowrap; }
td.text { overflow-wrap: anywhere; unicode-bidi: isolate; }
tr.best { background: #eef5fa; } tr.floor, small, dt { color: #4a6072; }
pre { overflow-x: auto; background: #f4f7fa; padding: .8rem; font-size: .8rem; max-height: 32rem;
  user-select: all; } summary { cursor: pointer; }
dt { float: left; clear: left; min-width: 9rem; } dd { margin-left: 9.5rem;
  overflow-wrap: anywhere; }
"""


_LEGEND = (
    "Means with 95 % intervals over the rows tested; differences are in points, paired row by row. "
    "Seconds are what a run costs on its own. Forgotten: Spearman lost on the probe’s graded "
    "pairs, pretrained less tuned. The floor takes no network: counting words, or always saying "
    "the commonest label."
)


def comparison_html(document: Mapping[str, Any]) -> str:
    """Write a comparison's report as a page of its own.

    Args:
        document: What `core.comparison.report.comparison_document` gave.
    """
    title = f"What to freeze: {document['data']}"
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
        f"<h1>{_text(title)}</h1>",
        *_advice(document),
        *_code(document),
        "<h2>Strategies</h2>",
        '<div class="wide" tabindex="0" role="region" aria-label="Strategies">',
        *_strategies(document),
        "</div>",
        f"<p><small>{_LEGEND}</small></p>",
        *_pictures(document),
        *_by_task(document),
        *_retention(document),
        *_further(document),
        *_notes(document),
        *_second_look(document),
        *_made(document),
        "</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _text(given: object) -> str:
    """Give anything as text that a page shows and does not obey."""
    return escape(clean(str(given)))


def _row(cells: Sequence[object], *, tag: str = "td", style: str = "") -> str:
    marked = f' class="{style}"' if style else ""
    scope = ' scope="col"' if tag == "th" else ""
    return f"<tr{marked}>" + "".join(f"<{tag}{scope}>{_text(c)}</{tag}>" for c in cells) + "</tr>"


def _advice(document: Mapping[str, Any]) -> Iterator[str]:
    advice = document["advice"]
    if advice is None:
        yield '<p class="advice">Fewer than two strategies have finished: there is no advice.</p>'
        return
    yield f'<p class="advice">{_text(advice["text"])}</p>'
    tasks = advice["tasks"] if len(advice["tasks"]) > 1 else {}
    for name, each in tasks.items():
        yield f"<p>{_text(name)}: {_text(each['text'])}</p>"


def _code(document: Mapping[str, Any]) -> Iterator[str]:
    """Show the advised strategy as code; the page runs no script, so a click selects all of it."""
    try:
        scripts = scripts_of(document)
    except ValueError:  # a report that says too little of it, as one of an older version
        return
    yield "<h2>The same, without Thaw</h2>"
    for each in scripts:
        note = f"<p>{_text(each.note)}</p>" if each.note else ""
        if not each.text:
            yield f"<p>Plain {_text(each.library)}: {_text(each.note)}</p>"
            continue
        link = f"data:text/x-python;charset=utf-8,{quote(each.text)}"
        yield f"<details><summary>As a script of plain {_text(each.library)}</summary>{note}"
        yield f'<p><a download="{_text(each.file)}" href="{link}">Download {_text(each.file)}</a>'
        yield "or click into it, which selects all of it, and copy.</p>"
        yield f'<pre tabindex="0"><code>{escape(each.text)}</code></pre></details>'


def _strategies(document: Mapping[str, Any]) -> Iterator[str]:
    tasks = list(document["tasks"])
    costs = ("seconds", "a step", "weights", "memory, MB", "sentences/s", "forgotten")
    heads = [
        "strategy",
        "runs",
        "mean",
        *tasks,
        "versus heads",
        "versus best",
        *costs,
        "reads layer",
    ]
    yield f"<table><thead>{_row(heads, tag='th')}</thead><tbody>"
    for each in document["strategies"]:
        figures = [
            _figure(main_figure(found, document["score"])) for found in each["tasks"].values()
        ]
        memory, speed = each["peak_memory_bytes"], each["inference_sentences_per_second"]
        yield _row(
            [
                each["name"],
                len(each["seeds"]),
                _figure(each["mean"]),
                *figures,
                _points(each["versus_heads"]),
                _points(_of_best(each)),
                f"{each['seconds']:.1f}",
                f"{each['seconds_per_step']:.3f}",
                f"{each['trainable_parameters']:,}",
                "–" if memory is None else f"{memory / 1e6:,.0f}",
                "–" if speed is None else f"{speed:,.0f}",
                _lost(each["forgetting"]),
                "; ".join(each["read"]),
            ],
            style="best" if each["name"] == document["best"] else "",
        )
    for kind in ("lexical", "majority"):
        found = [_floor(document["floor"].get(name), kind) for name in tasks]
        rest = [""] * (3 + len(costs))
        yield _row([f"floor: {kind}", "", "", *found, *rest], style="floor")
    yield "</tbody></table>"


def _figure(found: Mapping[str, float] | None) -> str:
    if found is None:
        return "–"
    return f"{found['mean']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def _points(found: Mapping[str, float] | None) -> str:
    if found is None:
        return "–"
    mean, low, high = (100 * found[each] for each in ("mean", "low", "high"))
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f})"


def _lost(found: Mapping[str, float] | None) -> str:
    if found is None:
        return "–"
    return f"{found['mean']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def _floor(found: Mapping[str, Any] | None, kind: str) -> str:
    if found is None or found[kind] is None:
        return "–"
    return _figure(found[kind]) if kind == "lexical" else f"{found[kind]:.3f}"


def _pictures(document: Mapping[str, Any]) -> Iterator[str]:
    drawn = (
        ("Score against cost", cost_picture(document)),
        ("Score against forgetting", forgetting_picture(document)),
        ("Learning curves", curves_picture(document)),
    )
    for title, picture in drawn:
        if picture:
            yield f"<h2>{title}</h2>"
            yield picture
    yield "<p><small>Blue: the encoder is frozen; amber: it trains. Filled: no cheaper one is as "
    yield "good.</small></p>"


def _of_best(strategy: Mapping[str, Any], task: str | None = None) -> Mapping[str, float] | None:
    """Give how far a strategy is from the best, of one task or on average; None for that itself."""
    found: Mapping[str, Any] = strategy.get("versus_best") or {}
    gap: Mapping[str, float] | None = (
        found.get("mean") if task is None else found.get("tasks", {}).get(task)
    )
    return gap


def _by_task(document: Mapping[str, Any]) -> Iterator[str]:
    """Lay out every score of every task, and how far each strategy is from heads and the best."""
    best = document["best"]
    for task, about in document["tasks"].items():
        scores = scores_of(kind_named(about["kind"]))
        rivals = ["versus heads"] if best == "heads" else ["versus heads", f"versus {best}"]
        heads = ["strategy", *(score.title for score in scores), *rivals]
        yield f"<h2>{_text(task)}</h2>"
        yield f'<div class="wide"><table><thead>{_row(heads, tag="th")}</thead><tbody>'
        for each in document["strategies"]:
            found = each["tasks"][task]
            gaps = _points(found.get("versus_heads")), _points(_of_best(each, task))
            figures = [_figure(found[score.key]) for score in scores]
            yield _row([each["name"], *figures, *gaps[: len(rivals)]])
        yield "</tbody></table></div>"


def _retention(document: Mapping[str, Any]) -> Iterator[str]:
    told = [(each["name"], retention_in_words(each)) for each in document["strategies"]]
    if any(words for _, words in told):
        yield "<h2>Drift and forgetting</h2><ul>"
        yield from (f"<li>{_text(name)}: {_text(words)}</li>" for name, words in told if words)
        yield "</ul>"


def _further(document: Mapping[str, Any]) -> Iterator[str]:
    """Lay out the tables that were asked for beside the comparison."""
    picture = efficiency_picture(document)
    if picture:
        yield "<h2>Score against rows to learn from</h2>"
        yield picture
    for table in further_tables_in_words(document):
        heads = ["strategy", "mean", f"against {table.against}"]
        yield f"<h2>With {_text(table.title)}</h2><p><small>{_text(table.meaning)}</small></p>"
        yield f"<table><thead>{_row(heads, tag='th')}</thead><tbody>"
        for each in table.lines:
            yield _row([each["name"], _figure(each["mean"]), _points(each["versus"])])
        yield "</tbody></table>"


def _notes(document: Mapping[str, Any]) -> Iterator[str]:
    notes = [*document["notes"], *(note for s in document["strategies"] for note in s["notes"])]
    for name, reasons in document["failed"].items():
        notes += [f"{name} did not end, {reason}" for reason in reasons]
    if document["over_budget"]:
        notes.append("The budget ended the comparison before all runs were done.")
    if notes:
        yield "<h2>To know</h2><ul>"
        yield from (f"<li>{_text(note)}</li>" for note in notes)
        yield "</ul>"


def _second_look(document: Mapping[str, Any]) -> Iterator[str]:
    for task, found in document["second_look"].items():
        yield f"<h2>Worth a second look: {_text(task)}</h2>"
        hidden = len(found["rows"]) > len(found["shown"])
        first = f"; the first {len(found['shown'])} are shown" if hidden else ""
        said = worth_a_look(task, found)
        yield f"<p>{_text(said[:1].upper() + said[1:])}{first}.</p>"
        yield f"<table><thead>{_row([found['unit'], 'label', 'predicted', 'text'], tag='th')}"
        yield "</thead><tbody>"
        for each in found["shown"]:
            said = ", ".join(f"{label} ({n})" for label, n in each["predicted"].items())
            cells = "".join(f"<td>{_text(each[name])}</td>" for name in ("place", "actual"))
            yield f"<tr>{cells}<td>{_text(said)}</td>"
            yield f'<td class="text" dir="auto">{_text(each["text"])}</td></tr>'
        yield "</tbody></table>"


def _made(document: Mapping[str, Any]) -> Iterator[str]:
    """Say how it was made, so that somebody else can make it again."""
    folds = "three stratified folds, near-duplicates on one side"
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
        "runs": f"{len(document['runs'])}, {document['jobs']} side by side, on "
        f"{document['threads']} threads each, in {document['wall_seconds']:.0f} s",
        "machine": document["machine"],
        "versions": ", ".join(f"{name} {each}" for name, each in document["versions"].items()),
        "command": document["command"] or "–",
    }
    yield "<h2>How it was made</h2><dl>"
    yield from (f"<dt>{_text(name)}</dt><dd>{_text(fact)}</dd>" for name, fact in facts.items())
    yield "</dl>"
