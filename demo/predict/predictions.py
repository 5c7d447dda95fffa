"""What the Predict tab asks of a model: plain values in, what the scripts draw."""

import contextlib
import json
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.encoder.catalogue import find_spec
from demo.frame.asking import Asked, Report
from demo.frame.sentences import MAX_CHARACTERS
from demo.frame.spoken import as_page_says, as_sentence
from demo.frame.views import DIGITS, View, milliseconds, shorten

if TYPE_CHECKING:
    from core.model.heads import TaskHead
    from core.model.model import MultiTaskModel
    from core.task import Task

MOST_PREDICTED = 10_000
MOST_WORDS = 400
"""Words that are drawn with what they add; few encoders read more."""

MOST_UNPACKED = 8 * MAX_CHARACTERS
"""Bytes that the sentences of a Parquet file may take: any script, and room for its coding."""

CUT = "Longer than the encoder reads: its end was left out."
UNREADABLE = "The encoder knows no word or sign of this: what is predicted says nothing."

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Given:
    """What is to be predicted.

    Attributes:
        texts: The sentences.
        notes: How they were read, each a sentence.
        shared: Whether a link may hold them; what stands in a file may not be for others.
    """

    texts: tuple[str, ...]
    notes: tuple[str, ...] = ()
    shared: bool = True


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """What was predicted last: all that a click on a row, and a download, need.

    Attributes:
        texts: The sentences.
        packed: The rows of `core.model.documents.predict_document` as JSON, compressed: they wait
            for a download that most visitors never ask for.
    """

    texts: tuple[str, ...]
    packed: bytes

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Predicted":
        """Pack rows."""
        packed = zlib.compress(json.dumps(list(rows)).encode(), level=1)
        return cls(texts=tuple(row["text"] for row in rows), packed=packed)

    @property
    def rows(self) -> list[Row]:
        """The rows, unpacked."""
        rows: list[Row] = json.loads(zlib.decompress(self.packed))
        return rows


def read_file(path: str, column: str) -> Given:
    """Read the sentences of an uploaded file.

    Args:
        path: Where the upload lies.
        column: Which column holds them; empty guesses.

    Raises:
        ValueError: If it cannot be read, naming the line, or holds too much.
    """
    from core.tables.sentence_files import open_sentences

    place = Path(path)
    if not place.is_file():
        raise ValueError("the file is no longer here: upload it again")
    try:
        if place.suffix.lower() == ".parquet":
            check_unpacked(place, column.strip() or None)
        with open_sentences(path, column.strip() or None) as sentences:
            texts = tuple(bounded(sentences, place.name))
            notes = [as_sentence(note, path) for note in sentences.notes]
            if sentences.skipped:
                notes.append(f"Left out {sentences.skipped:,} without text.")
    except ValueError as error:
        raise ValueError(as_page_says(str(error), path)) from error
    return Given(texts=texts, notes=tuple(notes), shared=False)


def check_unpacked(path: Path, column: str | None) -> None:
    """Refuse a Parquet file whose sentences are small only while they are packed.

    Raises:
        ValueError: If they are too much, or there is no such column.
    """
    from core.tables.parquet import ParquetColumn

    with contextlib.closing(ParquetColumn(path, column, [])) as found:
        if found.unpacked_bytes > MOST_UNPACKED:
            raise ValueError(
                f"{path} holds {found.unpacked_bytes:,} bytes of text when unpacked, must be at "
                f"most {MOST_UNPACKED:,}: give a part of it, or use python -m core predict --file"
            )


def bounded(texts: Iterable[str], name: str) -> Iterable[str]:
    """Pass on sentences, up to what the page predicts.

    Raises:
        ValueError: If there are more than `MOST_PREDICTED`, or more than `MAX_CHARACTERS`.
    """
    characters = 0
    for number, text in enumerate(texts, 1):
        characters += len(text)
        if number > MOST_PREDICTED or characters > MAX_CHARACTERS:
            raise ValueError(
                f"{name} has more than {MOST_PREDICTED:,} sentences or {MAX_CHARACTERS:,} "
                "characters: give a part of it, or use python -m core predict --file"
            )
        yield text


def predict_one(
    model: "MultiTaskModel", text: str, *, notes: Sequence[str] = ()
) -> tuple[View, Row]:
    """Predict a sentence and say why: what is drawn of it, and its row without the reasons.

    Args:
        model: What predicts.
        text: The sentence.
        notes: What to say under the answer.

    Raises:
        ValueError: If the sentence is too long.
        RuntimeError: If the model gives something else than numbers.
    """
    from core.model.documents import predict_document

    start = time.perf_counter()
    row = predict_document(model, [text], explain=True)[0]
    took = milliseconds(time.perf_counter() - start)
    view = one_view(model, row, [*notes, f"{described(model)}, {took}"])
    return view, {name: _without_reasons(said) for name, said in row.items()}


def _without_reasons(said: Any) -> Any:  # noqa: ANN401 (a row's own value)
    reasons = ("words", "special", "bias", "exact", "reason")
    if isinstance(said, dict):
        return {name: value for name, value in said.items() if name not in reasons}
    return said


def predict_many(
    model: "MultiTaskModel",
    given: Given,
    progress: Report | None = None,
    cancelled: Asked | None = None,
) -> tuple[View, Predicted]:
    """Predict a list: what is drawn of it, and what is kept.

    Raises:
        ValueError: If there is no sentence, there are too many, or one is too long.
        RuntimeError: If the model gives something else than numbers.
        CancelledError: If `cancelled` answered True.
    """
    from core.model.documents import predict_document
    from core.sentences import check_sentences, chunks

    check_sentences(given.texts, at_least=1, at_most=MOST_PREDICTED)
    start, rows = time.perf_counter(), list[Row]()
    for some in chunks(given.texts):
        rows += predict_document(
            model,
            some,
            progress=shifted(progress, len(rows), len(given.texts)),
            cancelled=cancelled,
        )
    took = milliseconds(time.perf_counter() - start)
    notes = [*given.notes, f"{described(model)}, {took}"]
    return many_view(model, rows, notes), Predicted.of(rows)


def shifted(progress: Report | None, before: int, total: int) -> Report | None:
    """Count on from what was done before."""
    return progress and (lambda done, _: progress(before + done, total))


def one_view(model: "MultiTaskModel", row: Row, notes: Sequence[str]) -> View:
    """Lay out a row with explanations: per task the answer, and what it was read from."""
    told = {"truncated": CUT, "unreadable": UNREADABLE}
    return {
        "text": shorten(row["text"]),
        "tasks": [_task_view(model, head, row) for head in model.task_heads.values()],
        "notes": list(notes),
        "warnings": [warning for flag, warning in told.items() if row.get(flag)],
    }


def _task_view(model: "MultiTaskModel", head: "TaskHead", row: Row) -> View:
    task, said = head.task, row[head.task.name]
    view = {**_task_facts(model, task), "read": where_read(head, model.encoder.layers)}
    if not task.of_kind.one_label:
        return {**view, "pieces": marked_pieces(row["text"], said)}
    view |= {"scores": [_rounded(said["scores"][label]) for label in task.labels]}
    if not said["exact"]:
        return {**view, "words": [], "reason": said["reason"]}
    return {
        **view,
        "words": word_pieces(row["text"], said["words"], task.labels),
        "sums": [
            _rounded(sum(word["contributions"][label] for word in said["words"]))
            for label in task.labels
        ],
        "special": [_rounded(said["special"][label]) for label in task.labels],
        "bias": [_rounded(said["bias"][label]) for label in task.labels],
        "reason": "",
    }


def _task_facts(model: "MultiTaskModel", task: "Task") -> View:
    return {
        "name": task.name,
        "kind": task.kind,
        "labels": list(task.labels),
        "threshold": _rounded(model.calibration[task.name].threshold),
    }


def marked_pieces(text: str, entities: Sequence[Row]) -> list[View]:
    """Cut a text at its entities: pieces that follow each other, some with a label.

    Cut here and not in the browser, which counts characters otherwise.
    """
    pieces, at = list[View](), 0
    for entity in entities:
        pieces.append({"text": _between(text, at, entity["start"])})
        sure = _rounded(entity["confidence"])
        text_shown = shorten(entity["text"])
        pieces.append({"text": text_shown, "label": entity["label"], "confidence": sure})
        at = entity["end"]
    pieces.append({"text": _between(text, at, len(text))})
    return [piece for piece in pieces if piece["text"]]


def word_pieces(text: str, words: Sequence[Row], labels: Sequence[str]) -> list[View]:
    """Lay out words with what each adds to each label, and what stands after each."""
    shown = words[:MOST_WORDS]
    ends = [word["start"] for word in shown[1:]] + [len(text)]
    return [
        {
            "text": word["text"][:60],
            "after": _between(text, word["end"], end),
            "adds": [_rounded(word["contributions"][label]) for label in labels],
        }
        for word, end in zip(shown, ends, strict=True)
    ]


def many_view(model: "MultiTaskModel", rows: Sequence[Row], notes: Sequence[str]) -> View:
    """Lay out rows for the table: of a sentence task label and confidence, of a token task spans.

    Labels travel as their numbers, as there may be ten thousand rows.
    """
    cut = sum(bool(row.get("truncated")) for row in rows)
    unreadable = sum(bool(row.get("unreadable")) for row in rows)
    unknown = "hold no word or sign that the encoder knows: what is predicted of them says nothing"
    warnings = (
        (cut, f"{cut:,} of them longer than the encoder reads: their ends were left out."),
        (unreadable, f"{unreadable:,} of them {unknown}."),
    )
    return {
        "tasks": [_task_facts(model, task) for task in model.tasks],
        "rows": [
            {"text": row["text"], "said": [_said(task, row[task.name]) for task in model.tasks]}
            for row in rows
        ],
        "notes": list(notes),
        "warnings": [warning for many, warning in warnings if many],
    }


def _said(task: "Task", said: Any) -> list[Any]:  # noqa: ANN401 (a row's own value)
    if task.of_kind.one_label:
        return [task.labels.index(said["label"]), _rounded(said["confidence"])]
    return [[e["text"], task.labels.index(e["label"]), _rounded(e["confidence"])] for e in said]


def rows_with_threshold(rows: Sequence[Row], threshold: float | None) -> list[Row]:
    """Say of each prediction anew whether it is unsure.

    Args:
        rows: As they were predicted, with each task's own threshold.
        threshold: Below this confidence a prediction is unsure; None leaves them as they are.
    """
    if threshold is None:
        return list(rows)

    def judged(said: Any) -> Any:  # noqa: ANN401 (a row's own value)
        if isinstance(said, dict):
            return {**said, "unsure": said["confidence"] < threshold}
        return [judged(each) for each in said] if isinstance(said, list) else said

    return [{name: judged(said) for name, said in row.items()} for row in rows]


def predictions_as(
    model: "MultiTaskModel", predicted: Predicted, kind: str, threshold: float | None
) -> str:
    """Write predictions as the text of a `csv` or `jsonl` file.

    Raises:
        ValueError: If the kind is another one.
    """
    from core.export.predictions import predictions_text

    text = predictions_text(rows_with_threshold(predicted.rows, threshold), f".{kind}", model.tasks)
    return f"\ufeff{text}" if kind == "csv" else text  # the mark makes Excel read it as UTF-8


def described(model: "MultiTaskModel") -> str:
    """Say which model it is, and how much of its encoder it runs."""
    name = model.name if model.name == "the shipped model" else Path(model.name).name
    spec = find_spec(model.encoder.name)
    encoder = spec.label.split(",")[0] if spec else Path(model.encoder.name).name
    layers, highest = model.encoder.layers, model.highest_read
    run = f"all {layers} layers" if highest == layers else f"{highest} of {layers} layers"
    return f"{name[:1].upper()}{name[1:]} on {encoder}, {run} run"


def where_read(head: "TaskHead", layers: int) -> str:
    """Say which layer's output a head reads."""
    if head.mix is not None:
        return f"reads a mix of all {layers} layers"
    layer = head.highest_read
    return f"reads layer {layer} of {layers}" if layer else "reads the embeddings, below layer 1"


def _between(text: str, start: int, end: int) -> str:
    return shorten(text[start:end])


def _rounded(value: float) -> float:
    return round(float(value), DIGITS)
