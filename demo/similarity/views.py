"""What Compare draws: sentences side by side, their tokens, hits; numbers and text, never HTML."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.measures.drift import spearman
from core.nearness import metric_named
from demo.frame.views import DIGITS, View, milliseconds, shorten, signed, truncation_notes

if TYPE_CHECKING:
    from core.encoder.token_table import TokenTable


Matrix = Sequence[Sequence[float]]


def compare_view(document: View, *, label: str, seconds: float, notes: Sequence[str] = ()) -> View:
    """Lay out a similarity document: the answer in words, the matrix, which pair to open.

    Args:
        document: What `core.model.documents.similarity_document` returns.
        label: What made it, for people.
        seconds: How long it took.
        notes: What else to say under the answer.
    """
    count, metric = len(document["sentences"]), document["metric"]
    best, note = document["pairs"][0], metric_named(metric).note
    took = f"{count} sentences, {label}, {metric}, {milliseconds(seconds)}"
    return {
        "metric": metric,
        "scale": "cosine" if metric_named(metric).by_direction else "range",
        "label": label,
        "sentences": [shorten(text) for text in document["sentences"]],
        "truncated": document["truncated"],
        "matrix": rounded(document["matrix"]),
        "answer": {
            **answer_in_words(document),
            "notes": [*notes, took + (f" ({note})" if note else "")],
            "warnings": truncation_notes(document["truncated"]),
        },
        "pick": [best["a"], best["b"]],
        "second": None,
    }


def beside_view(view: View, document: View, *, label: str, comparable: bool) -> View:
    """Add a second encoder's or pooling's matrix on the same sentences, and what differs.

    Args:
        view: What `compare_view` made of the first.
        document: The second one's similarity document.
        label: What made it, for people.
        comparable: Whether both score on one scale, so that differences mean something.
    """
    first, second = np.array(view["matrix"]), np.array(document["matrix"])
    difference = second - first
    changed = difference_in_words(first, second, comparable=comparable)
    warnings = list(view["answer"]["warnings"])
    for note in truncation_notes(document["truncated"]):
        warnings += [] if note in warnings else [f"For {label}: {note}"]
    return {
        **view,
        "answer": {
            **view["answer"],
            "notes": [changed, *view["answer"]["notes"]],
            "warnings": warnings,
        },
        "second": {
            "label": label,
            "matrix": rounded(document["matrix"]),
            "difference": rounded(difference.tolist()),
        },
    }


def answer_in_words(document: View) -> dict[str, str]:
    """Say which sentences are most and least alike: `{lead, rest}`."""
    best, worst = document["pairs"][0], document["pairs"][-1]
    if len(document["pairs"]) == 1:
        score = signed(best["score"])
        if metric_named(document["metric"]).is_distance:
            return {"lead": f"1 and 2 score {score}.", "rest": ""}
        return {"lead": f"1 and 2 are {score} alike.", "rest": ""}
    return {
        "lead": f"Most alike: {best['a'] + 1} and {best['b'] + 1} ({signed(best['score'])}).",
        "rest": f"Least alike: {worst['a'] + 1} and {worst['b'] + 1} ({signed(worst['score'])}).",
    }


def difference_in_words(first: "np.ndarray", second: "np.ndarray", *, comparable: bool) -> str:
    """Say which pair changed most, and whether both rank the pairs alike."""
    rows, columns = np.triu_indices(len(first), k=1)
    before, after = first[rows, columns], second[rows, columns]
    change = after - before
    if np.abs(change).max() < 5e-7:
        return "Side by side: the two give the same scores."
    most = int(np.abs(change).argmax())
    pair = f"{rows[most] + 1} and {columns[most] + 1}"
    moved = f"from {signed(before[most])} to {signed(after[most])}"
    text = f"Side by side: {pair} change most, {moved}"
    if len(change) > 2:
        text += f"; their order agrees by {signed(spearman(before, after))} (1: the same)"
    if not comparable:
        text += ". The two score on different scales: compare the order, not the size"
    return text + "."


def token_view(table: "TokenTable", texts: tuple[str, str], places: tuple[int, int]) -> View:
    """Lay out which words made the similarity of two sentences.

    Args:
        table: By token piece, from `core.encoder.token_table.token_table`.
        texts: Both sentences.
        places: Their numbers in the list, from 0.
    """
    from core.encoder.token_table import by_word

    words = by_word(table)
    special_a, special_b = special_words(table.words_a), special_words(table.words_b)
    score = signed(table.score)
    first, second = places
    return {
        "title": f"Which words make {first + 1} and {second + 1} alike ({score})",
        "first": first,
        "second": second,
        "texts": [shorten(text) for text in texts],
        "a": named_words(words.a, special_a),
        "b": named_words(words.b, special_b),
        "table": rounded(words.table.tolist()),
        "exact": table.exact,
        "score": table.score,
        "sum": sum_in_words(words.table.numpy(), table, special_a, special_b),
        "notes": (
            ["A sentence is longer than the encoder reads: only what it read is shown."]
            if table.truncated
            else []
        ),
    }


def special_words(owners: Sequence[int | None]) -> list[bool]:
    """For each row of a word table say whether it is a special token, in `by_word`'s order."""
    found: list[bool] = []
    last: int | None = None
    for owner in owners:
        if owner is None or owner != last or not found:
            found.append(owner is None)
        last = owner
    return found


def named_words(labels: Sequence[str], special: Sequence[bool]) -> list[View]:
    """Name the words of a row; special tokens are called start and end."""
    last = len(labels) - 1
    named = []
    for index, (label, is_special) in enumerate(zip(labels, special, strict=True)):
        text = {0: "start", last: "end"}.get(index, label) if is_special else label
        named.append({"text": text[:60], "special": is_special})
    return named


def sum_in_words(
    cells: "np.ndarray", table: "TokenTable", special_a: Sequence[bool], special_b: Sequence[bool]
) -> str:
    """Say what the cells add up to, and how much of it is between words."""
    if not table.exact:
        return f"These cells do not add up: {table.reason}."
    between = cells[~np.array(special_a, dtype=bool)][:, ~np.array(special_b, dtype=bool)].sum()
    total = f"The {cells.size:,} cells add up to {signed(table.score, 3)} exactly"
    if not any(special_a) and not any(special_b):
        return total + "."
    rest = cells.sum() - between
    return (
        f"{total}: {signed(between, 3)} between words and {signed(rest, 3)} with the start and end "
        "marks, which take part in the mean like every word."
    )


def search_view(document: View, *, searched: int, seconds: float) -> View:
    """Lay out a search document."""
    hits = document["hits"]
    best = hits[0]
    cut = document.get("truncated", 0)
    note = f" {cut:,} of them are longer than the encoder reads." if cut else ""
    return {
        "metric": document["metric"],
        "lead": f"Closest: sentence {best['index'] + 1} ({signed(best['score'])}).",
        "rest": f"Best {len(hits)} of {searched:,}, {milliseconds(seconds)}.{note}",
        "hits": [{**hit, "text": shorten(hit["text"])} for hit in hits],
    }


def rounded(matrix: Matrix) -> list[list[float]]:
    """Round a matrix for the browser."""
    return [[round(float(value), DIGITS) for value in row] for row in matrix]
