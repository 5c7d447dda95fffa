"""The commands that ask a model or an encoder what it knows: `predict`, `layers`, `evaluate`.

What is heavy is imported where it is first needed, so that bad input is answered before torch is
there.
"""

import contextlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from core.cli import terminal
from core.cli.inputs import (
    Counted,
    begun,
    check_not_read,
    load_chosen,
    load_predictor,
    on_threads,
    opened,
    read_data,
    say_what_was_left_out,
)
from core.cli.options import MODEL, AsJson, Given, Machine, Model, NamedEncoder
from core.config import SEED, DataChoice
from core.export.predictions import PREDICTION_SUFFIXES, predictions_file
from core.option import Option, check_options
from core.system.files import check_target

if TYPE_CHECKING:
    from core.data.dataset import Dataset
    from core.model.model import MultiTaskModel
    from core.tables.stream import Sentences


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """How predictions are made, and where they go.

    Attributes:
        explain: Whether the words that pushed each are shown.
        threshold: Below which probability one is unsure; None for each task's own.
        out: The file to write.
        model: The model's folder; None for the shipped one.
    """

    explain: bool = Option("--explain", help="Show the words that pushed each prediction.").field(
        False
    )
    threshold: float | None = Option(
        "--threshold",
        "P",
        "Unsure below this probability, 0 to 1; else each task's own.",
        least=0,
        most=1,
    ).field(None)
    out: str | None = Option("--out", "F", "Write to a file: .csv or .jsonl.").field(None)
    model: str | None = MODEL.field(None)

    def __post_init__(self) -> None:
        check_options(self)


def predict(given: Given, asked: Prediction, machine: Machine, as_json: AsJson = False) -> None:
    """Predict every task of a model: topic, sentiment and entities, or your own."""
    out = asked.out
    target = None if out is None else check_target(Path(out), suffixes=PREDICTION_SUFFIXES)
    check_not_read(target, given.file)
    with opened(given) as sentences:
        listed = begun(sentences)
        predictor = load_predictor(asked.model, machine)
        truncated = _predict(
            predictor, sentences, listed, target, as_json=as_json, threads=machine.threads,
            explain=asked.explain, threshold=asked.threshold,
        )  # fmt: skip
    say_what_was_left_out(sentences, truncated, predictor.encoder)
    if target is not None and not as_json:
        from core.cli.model_tables import show_predicted

        show_predicted(sentences.read, str(out), predictor.name)


def _predict(
    model: "MultiTaskModel",
    sentences: "Sentences",
    listed: Iterable[str],
    target: Path | None,
    *,
    as_json: bool,
    threads: int | None,
    **options: Any,  # noqa: ANN401 (predict_in_chunks' own)
) -> int:
    """Predict a stream into a file, standard output or both; say how many were truncated."""
    from core.cli.model_tables import show_predictions
    from core.model.documents import predict_in_chunks

    done = truncated = unreadable = 0
    with contextlib.ExitStack() as stack:
        stack.enter_context(on_threads(threads))
        file = None if target is None else predictions_file(target, model.tasks)
        written = None if file is None else stack.enter_context(file)
        printed = stack.enter_context(_JsonRows()) if as_json else None
        shown = written is None and printed is None
        bar = terminal.Bar(sentences, doing="predicting", did="predicted")
        through = shown and sys.stdout.isatty()  # there a bar would run through the blocks
        report = None if through else stack.enter_context(bar).update
        for rows in predict_in_chunks(model, listed, progress=report, **options):
            if written is not None:
                written.write(rows)
            if printed is not None:
                printed.write(rows)
            if shown:
                show_predictions(rows, done + 1)
            done += len(rows)
            truncated += sum(bool(row.get("truncated")) for row in rows)
            unreadable += sum(bool(row.get("unreadable")) for row in rows)
    if unreadable:
        terminal.say(
            f"{unreadable:,} of {done:,} sentences hold no word or sign that "
            f"{model.encoder.name} knows: what is predicted of them says nothing"
        )
    return truncated


class _JsonRows:
    """A JSON list on standard output, a row a line, written as rows come."""

    def __init__(self) -> None:
        self._before = "[\n"

    def __enter__(self) -> "_JsonRows":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            sys.stdout.buffer.write(b"[]\n" if self._before == "[\n" else b"\n]\n")
            sys.stdout.flush()

    def write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        for row in rows:
            line = json.dumps(row, ensure_ascii=False, allow_nan=False)
            sys.stdout.buffer.write(f"{self._before}{line}".encode())
            self._before = ",\n"


def layers(
    data: DataChoice,
    seed: Annotated[int, SEED] = 0,
    *,
    encoder: NamedEncoder,
    machine: Machine,
    as_json: AsJson = False,
) -> None:
    """Show what can be read off each layer: the accuracy of a linear head, without training."""
    dataset = read_data(data)
    loaded = load_chosen(encoder, machine.threads)
    from core.knowledge.layer_profile import profile_document

    many = Counted(expected=len(dataset.examples))
    with on_threads(machine.threads), terminal.Bar(many, doing="reading", did="read") as bar:
        document = profile_document(loaded, dataset, seed=seed, progress=bar.update)
    for note in document["notes"]:
        terminal.say(note)
    if as_json:
        terminal.print_json(document)
    else:
        from core.cli.model_tables import show_layers

        show_layers(document)


def evaluate(
    data: DataChoice, model: Model = None, *, machine: Machine, as_json: AsJson = False
) -> None:
    """Score a model on labelled rows: of a named split column on its test rows alone."""
    dataset = _test_rows(read_data(data))
    scored = load_predictor(model, machine)
    from core.model.evaluation import evaluate_document

    many = Counted(expected=len(dataset.examples))
    with (
        on_threads(machine.threads),
        terminal.Bar(many, doing="predicting", did="predicted") as bar,
    ):
        document = evaluate_document(scored, dataset, progress=bar.update)
    from core.data.dataset import CORPUS

    own = {dataset.fingerprint} | ({CORPUS} if dataset.name == CORPUS else set())
    if _learned_from(model) & own:
        terminal.say(
            f"{scored.name} has learned from these very rows: the figures say nothing of new text"
        )
    if as_json:
        terminal.print_json(document)
    else:
        from core.cli.model_tables import show_evaluation

        show_evaluation(document)


def _test_rows(dataset: "Dataset") -> "Dataset":
    """Take the test rows alone, where a split column was named and there are any."""
    test = [row for row, split in enumerate(dataset.splits) if split == "test"]
    if not test:
        return dataset
    terminal.say(f"the {len(test):,} test rows of {len(dataset.examples):,} are scored")
    return dataset.select(test)


def _learned_from(folder: str | None) -> set[str]:
    """Name the data that a model learned from and its fingerprint, where its folder says it."""
    from core.model.model_folder import SHIPPED, read_manifest

    about = read_manifest(SHIPPED if folder is None else Path(folder)).get("about")
    data = about.get("data") if isinstance(about, dict) else None
    said = [data.get(key) for key in ("name", "fingerprint")] if isinstance(data, dict) else []
    return {each for each in said if isinstance(each, str) and each}
