"""The commands that ask an encoder: info, embed, similarity and search."""

import contextlib
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from core.cli import encoder_tables, terminal
from core.cli.inputs import (
    begun,
    check_not_read,
    load_chosen,
    opened,
    say_what_was_left_out,
)
from core.cli.options import AsJson, Given, GivenFile, Machine, PooledEncoder
from core.config import MAX_MATRIX_SENTENCES, METRIC, EncoderChoice
from core.export.embeddings import SUFFIXES, EmbeddingWriter, JsonWriter, embeddings_file
from core.option import Option, check_options
from core.sentences import check_sentences
from core.system.files import check_target
from core.tables.sentence_files import given_sentences
from core.tables.stream import Sentences

if TYPE_CHECKING:
    from core.encoder.encoder import Encoder


DEFAULT_OUT = "sentence_embeddings.json"


def info(
    encoder: PooledEncoder,
    machine: Machine,
    self_test: Annotated[
        bool, Option("--self-test", help="Measure the thread count and the fast precision.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show versions, devices, threads and the encoder."""
    with terminal.waiting("measuring" if self_test else "looking around"):
        from core.encoder.about import info_document

        document = info_document(encoder, threads=machine.threads, self_test=self_test)
    if as_json:
        terminal.print_json(document)
    else:
        encoder_tables.show_info(document)


def embed(
    given: Given,
    out: Annotated[
        str | None,
        Option(
            "--out",
            "F",
            "Where to write: .json, .csv, .npy or .parquet. Without it, "
            f"{DEFAULT_OUT} here; with --json, nowhere.",
        ),
    ] = None,
    *,
    encoder: EncoderChoice,
    machine: Machine,
    as_json: AsJson = False,
) -> None:
    """Turn sentences into embeddings, and write them to a file."""
    name = out if out is not None or as_json else DEFAULT_OUT
    target = None if name is None else check_target(Path(name), suffixes=SUFFIXES)
    check_not_read(target, given.file)
    with opened(given) as sentences:
        listed = begun(sentences)
        model = load_chosen(encoder, machine.threads)
        truncated, header = _embed(model, listed, sentences, target, as_json)
    say_what_was_left_out(sentences, truncated, model)
    if name is not None and not as_json:
        encoder_tables.show_written(sentences.read, header, name)


def _embed(
    model: "Encoder",
    listed: Iterator[str],
    sentences: Sentences,
    target: Path | None,
    as_json: bool,
) -> tuple[int, dict[str, Any]]:
    """Embed a stream into a file, standard output or both; say how many were truncated."""
    from core.model.documents import embedding_header, encode_in_chunks

    header, truncated = embedding_header(model), 0
    with contextlib.ExitStack() as stack:
        writers: list[EmbeddingWriter] = []
        if target is not None:
            writers.append(stack.enter_context(embeddings_file(target, header)))
        if as_json:
            printed = JsonWriter(sys.stdout.buffer, header)
            writers.append(printed)
        bar = stack.enter_context(terminal.Bar(sentences))
        for some, encoding in encode_in_chunks(model, listed, progress=bar.update):
            truncated += sum(encoding.truncated)
            for writer in writers:
                writer.write(some, encoding)
        if as_json:
            printed.finish()
            sys.stdout.flush()
    return truncated, header


@dataclass(frozen=True, kw_only=True)
class Comparing:
    """How sentences are compared with each other.

    Attributes:
        metric: One of `METRICS`.
        tokens: Whether the first two are taken apart into their tokens.
    """

    metric: str = METRIC.field("cosine")
    tokens: bool = Option(
        "--tokens", help="Show which tokens make it, for the first two sentences."
    ).field(False)

    def __post_init__(self) -> None:
        check_options(self)


def similarity(
    given: Given,
    asked: Comparing,
    encoder: EncoderChoice,
    machine: Machine,
    as_json: AsJson = False,
) -> None:
    """Compare sentences with each other: two or more, every pair."""
    with opened(given) as sentences:
        listed = list(itertools.islice(sentences, MAX_MATRIX_SENTENCES + 1))
        if len(listed) > MAX_MATRIX_SENTENCES:
            raise ValueError(
                f"{sentences.name} has more than {MAX_MATRIX_SENTENCES:,} sentences, the most "
                "that are compared with each other: give fewer, or search them with search"
            )
        check_sentences(listed, at_least=2, at_most=MAX_MATRIX_SENTENCES)
        model = load_chosen(encoder, machine.threads)
        from core.model.documents import similarity_document

        with terminal.Bar(sentences) as bar:
            document = similarity_document(
                model, listed, metric=asked.metric, tokens=asked.tokens, progress=bar.update
            )
    say_what_was_left_out(sentences, sum(document["truncated"]), model)
    if as_json:
        terminal.print_json(document)
    else:
        encoder_tables.show_similarity(document)


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is looked for.

    Attributes:
        query: A sentence.
        top: How many hits to show.
        metric: One of `METRICS`.
    """

    query: str = Option("", "QUERY", "What to look for.").field()
    top: int = Option("--top", "N", "How many hits to show.", least=1).field(10)
    metric: str = METRIC.field("cosine")

    def __post_init__(self) -> None:
        check_options(self)


def search(
    given: GivenFile,
    asked: Search,
    encoder: EncoderChoice,
    machine: Machine,
    as_json: AsJson = False,
) -> None:
    """Find the sentences of a file that are most like a query."""
    query = "".join(given_sentences([asked.query], "the query"))
    if given.file is None:
        raise ValueError("there is nothing to search: give --file F, or --file - to pipe it in")
    with opened(given) as sentences:
        listed = begun(sentences)
        model = load_chosen(encoder, machine.threads)
        from core.model.documents import search_document

        with terminal.Bar(sentences) as bar:
            document = search_document(
                model, query, listed, top=asked.top, metric=asked.metric, progress=bar.update
            )
    say_what_was_left_out(sentences, document["truncated"], model)
    if as_json:
        terminal.print_json(document)
    else:
        encoder_tables.show_hits(document)
