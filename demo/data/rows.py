"""The rows of labelled data as a table that is searched, filtered, sorted and paged."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demo.data.views import MOST_LABEL_CHARACTERS, MOST_LABELS, SPLITS
from demo.frame.asking import whole_number
from demo.frame.views import View

if TYPE_CHECKING:
    from core.data.dataset import Dataset
    from core.task import Example, Span, Task

SIZES = (10, 25, 100)
MOST_SEARCH_CHARACTERS = 200
SHOWN_CHARACTERS = 600
"""What is drawn of a text, and how many more it has is said beside it."""

NONE = -1
"""Asks for rows that have no label of a task, or no span."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """What of the rows is asked for.

    Attributes:
        search: Rows whose text contains this, in any case.
        labels: By a task's number, the number of a label or `NONE`.
        facets: By a facet's name, its value.
        split: One split; empty for all.
        finding: The number of a finding whose rows are asked for, or None.
        sort: `place`, `length`, or the number of a sentence task.
        down: Whether the last comes first.
        page: Which page, from 0.
        size: Rows on a page.
    """

    search: str = ""
    labels: Mapping[int, int]
    facets: Mapping[str, str]
    split: str = ""
    finding: int | None = None
    sort: str | int = "place"
    down: bool = False
    page: int = 0
    size: int = SIZES[0]


ALL = Query(labels={}, facets={})


def read_query(given: Mapping[str, Any]) -> Query:
    """Read what a browser asked for.

    Raises:
        ValueError: If anything in it is not what it must be.
    """
    search, split = str(given.get("search") or ""), str(given.get("split") or "")
    if len(search) > MOST_SEARCH_CHARACTERS:
        raise ValueError(
            f"the search has {len(search):,} characters, must be at most {MOST_SEARCH_CHARACTERS}"
        )
    labels, facets = given.get("labels") or {}, given.get("facets") or {}
    if not isinstance(labels, Mapping) or not isinstance(facets, Mapping):
        raise ValueError("the filters are no object: reload the page")
    finding, sort = given.get("finding"), given.get("sort", "place")
    size = whole_number(given.get("size", SIZES[0]))
    if size not in SIZES:
        raise ValueError(f"rows on a page are {size}, must be one of {SIZES}")
    return Query(
        search=search.strip(),
        labels=dict(_numbered(labels)),
        facets={str(name): str(value) for name, value in facets.items()},
        split=split,
        finding=None if finding is None else whole_number(finding),
        sort=sort if sort in ("place", "length") else whole_number(sort),
        down=bool(given.get("down")),
        page=max(0, whole_number(given.get("page", 0))),
        size=size,
    )


def _numbered(labels: Mapping[Any, Any]) -> Iterator[tuple[int, int]]:
    for task, label in labels.items():
        if not str(task).isdecimal():
            raise ValueError(f"there is no task {str(task)[:40]!r} to filter by")
        yield int(task), whole_number(label)


def rows_view(dataset: "Dataset", document: dict[str, Any], query: Query) -> View:
    """Lay out one page of the rows that a query asks for, and what one may ask for.

    Args:
        dataset: The data.
        document: What the doctor says of it.
        query: What is asked for.

    Raises:
        ValueError: If there is no such task, label, facet or finding.
    """
    found = _asked_for(dataset, document, query)
    pages = max(1, -(-len(found) // query.size))
    page = min(query.page, pages - 1)
    shown = found[page * query.size : (page + 1) * query.size]
    return {
        "key": document["fingerprint"],
        "unit": dataset.unit,
        "corpus": document["data"] == "corpus",
        "tasks": [_task(task, document) for task in dataset.tasks],
        "facets": {name: sorted(set(values)) for name, values in dataset.facets.items()},
        "splits": [split for split in SPLITS if split in dataset.splits],
        "finding": query.finding,
        "search": query.search,
        "labels": {str(task): label for task, label in query.labels.items()},
        "facet": dict(query.facets),
        "split": query.split,
        "sort": query.sort,
        "down": query.down,
        "page": page,
        "pages": pages,
        "size": query.size,
        "total": len(dataset.examples),
        "matching": len(found),
        "rows": [_row(dataset, index, group) for index, group in shown],
    }


def _task(task: "Task", document: dict[str, Any]) -> View:
    most = MOST_LABEL_CHARACTERS
    counts = document["tasks"][task.name]["labels"]
    return {
        "name": task.name,
        "kind": task.kind,
        "labels": [label[:most] for label in task.labels[:MOST_LABELS]],
        "counts": [counts[label] for label in task.labels[:MOST_LABELS]],
        "more": max(0, len(task.labels) - MOST_LABELS),
    }


def _asked_for(dataset: "Dataset", document: dict[str, Any], query: Query) -> list[tuple[int, int]]:
    """List the rows by index, each with the number of the group it is shown in."""
    rows = _rows_of_finding(dataset, document, query.finding)
    wanted = [_label_wanted(dataset, task, label) for task, label in query.labels.items()]
    unknown = next((name for name in query.facets if name not in dataset.facets), None)
    if unknown is not None:
        raise ValueError(f"there is no {unknown[:40]!r} to filter by")
    needle = query.search.casefold()

    def passes(index: int) -> bool:
        example = dataset.examples[index]
        return (
            (not needle or needle in example.text.casefold())
            and (not query.split or dataset.splits[index] == query.split)
            and all(dataset.facets[name][index] == v for name, v in query.facets.items())
            and all(_has(example, task, label) for task, label in wanted)
        )

    found = [(index, group) for index, group in rows if passes(index)]
    return _sorted(dataset, found, query)


def _rows_of_finding(
    dataset: "Dataset", document: dict[str, Any], finding: int | None
) -> Iterable[tuple[int, int]]:
    if finding is None:
        return ((index, 0) for index in range(len(dataset.examples)))
    if not 0 <= finding < len(document["findings"]):
        raise ValueError(f"there is no finding {finding + 1}: reload the page")
    found = document["findings"][finding]
    index_of = {place: index for index, place in enumerate(dataset.places)}
    groups: Sequence[Sequence[int]] = found["groups"] or [found["rows"]]
    return ((index_of[place], number) for number, group in enumerate(groups) for place in group)


def _label_wanted(dataset: "Dataset", task: int, label: int) -> tuple["Task", str | None]:
    if not 0 <= task < len(dataset.tasks):
        raise ValueError(f"there is no task {task + 1}: reload the page")
    labels = dataset.tasks[task].labels
    if not NONE <= label < len(labels):
        raise ValueError(f"{dataset.tasks[task].name} has no label {label + 1}: reload the page")
    return dataset.tasks[task], None if label == NONE else labels[label]


def _has(example: "Example", task: "Task", label: str | None) -> bool:
    given = example.labels.get(task.name)
    if label is None:
        return not given
    if given is None or isinstance(given, str):
        return given == label
    return any(span.label == label for span in given)


def _sorted(
    dataset: "Dataset", found: list[tuple[int, int]], query: Query
) -> list[tuple[int, int]]:
    """Sort rows; those of one label stay in the file's order, whichever way it goes."""
    sort = query.sort
    if sort == "place":
        return found[::-1] if query.down else found
    examples = dataset.examples
    if sort == "length":
        return sorted(found, key=lambda row: len(examples[row[0]].text), reverse=query.down)
    number = whole_number(sort)
    if not 0 <= number < len(dataset.tasks):
        raise ValueError(f"there is no task {number + 1} to sort by: reload the page")
    task = dataset.tasks[number]
    place = {label: at for at, label in enumerate(task.labels)}

    def key(row: tuple[int, int]) -> int:
        given = examples[row[0]].labels.get(task.name)
        if isinstance(given, str):
            return place[given]
        return len(task.labels) if given is None else -len(given)

    return sorted(found, key=key, reverse=query.down)


def _row(dataset: "Dataset", index: int, group: int) -> View:
    example = dataset.examples[index]
    text = example.text
    return {
        "place": dataset.places[index],
        "group": group,
        "pieces": list(_pieces(text[:SHOWN_CHARACTERS], _spans(dataset.tasks, example))),
        "more": max(0, len(text) - SHOWN_CHARACTERS),
        "labels": [_label(example, task) for task in dataset.tasks],
        "facets": [values[index] for values in dataset.facets.values()],
        "split": dataset.splits[index],
    }


def _label(example: "Example", task: "Task") -> str | int | None:
    """Give a sentence task's label, of a token task the number of its spans."""
    given = example.labels.get(task.name)
    if given is None or isinstance(given, str):
        return given and given[:MOST_LABEL_CHARACTERS]
    return len(given)


def _spans(tasks: Sequence["Task"], example: "Example") -> list[tuple["Span", int]]:
    """List the spans to be marked, each with its label's number; the first task goes first."""
    marked: list[tuple[Span, int]] = []
    for task in tasks:
        given = example.labels.get(task.name)
        if given is None or isinstance(given, str):
            continue
        for span in given:
            if span.end > SHOWN_CHARACTERS:
                continue
            if all(span.end <= other.start or other.end <= span.start for other, _ in marked):
                marked.append((span, task.labels.index(span.label)))
    return sorted(marked)


def _pieces(text: str, spans: Sequence[tuple["Span", int]]) -> Iterator[View]:
    """Cut a text at its spans: here and not in the browser, which counts characters otherwise."""
    at = 0
    for span, look in spans:
        if text[at : span.start]:
            yield {"text": text[at : span.start]}
        label = span.label[:MOST_LABEL_CHARACTERS]
        yield {"text": text[span.start : span.end], "label": label, "look": look}
        at = span.end
    if text[at:]:
        yield {"text": text[at:]}
