"""The commands that ask an encoder: info, embed, similarity and search."""

import contextlib
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli import encoder_tables, terminal
from core.cli.inputs import (
    begun,
    given_or_file,
    load_chosen,
    say_what_was_left_out,
)
from core.cli.options import (
    AsJson,
    Column,
    Device,
    EncoderName,
    File,
    Metric,
    Normalize,
    Pooling,
    Precision,
    Texts,
    Threads,
)
from core.config import MAX_MATRIX_SENTENCES, METRICS, EncoderChoice, check_choice
from core.export.embeddings import SUFFIXES, EmbeddingWriter, JsonWriter, embeddings_file
from core.sentences import check_sentences, check_top
from core.system.files import check_target
from core.tables.sentence_files import given_sentences
from core.tables.stream import Sentences

if TYPE_CHECKING:
    from core.encoder.encoder import Encoder


DEFAULT_OUT = "sentence_embeddings.json"


def info(
    encoder: EncoderName = "minilm",
    pooling: Pooling = None,
    normalize: Normalize = None,
    threads: Threads = None,
    device: Device = None,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Measure the thread count and the fast precision.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show versions, devices, threads and the encoder."""
    choice = EncoderChoice(name=encoder, pooling=pooling, normalize=normalize, device=device)
    with terminal.waiting("measuring" if self_test else "looking around"):
        from core.encoder.about import info_document

        document = info_document(choice, threads=threads, self_test=self_test)
    if as_json:
        terminal.print_json(document)
    else:
        encoder_tables.show_info(document)


def embed(
    texts: Texts = None,
    file: File = None,
    column: Column = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="F",
            help="Where to write: .json, .csv, .npy or .parquet. Without it, "
            f"{DEFAULT_OUT} here; with --json, nowhere.",
        ),
    ] = None,
    encoder: EncoderName = "minilm",
    pooling: Pooling = None,
    normalize: Normalize = None,
    precision: Precision = "exact",
    threads: Threads = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Turn sentences into embeddings, and write them to a file."""
    choice = _choice(encoder, pooling, normalize, precision, device)
    name = out if out is not None or as_json else DEFAULT_OUT
    target = None if name is None else check_target(Path(name), suffixes=SUFFIXES)
    if target is not None and file is not None and Path(file).resolve() == target:
        raise ValueError(f"--out {name} is the file that is read: give another")
    with given_or_file(texts, file, column) as sentences:
        listed = begun(sentences)
        model = load_chosen(choice, threads)
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


def similarity(
    texts: Texts = None,
    file: File = None,
    column: Column = None,
    metric: Metric = "cosine",
    tokens: Annotated[
        bool,
        typer.Option("--tokens", help="Show which tokens make it, for the first two sentences."),
    ] = False,
    encoder: EncoderName = "minilm",
    pooling: Pooling = None,
    normalize: Normalize = None,
    precision: Precision = "exact",
    threads: Threads = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Compare sentences with each other: two or more, every pair."""
    choice = _choice(encoder, pooling, normalize, precision, device)
    check_choice("metric", metric, METRICS)
    with given_or_file(texts, file, column) as sentences:
        listed = list(itertools.islice(sentences, MAX_MATRIX_SENTENCES + 1))
        if len(listed) > MAX_MATRIX_SENTENCES:
            raise ValueError(
                f"{sentences.name} has more than {MAX_MATRIX_SENTENCES:,} sentences, the most "
                "that are compared with each other: give fewer, or search them with search"
            )
        check_sentences(listed, at_least=2, at_most=MAX_MATRIX_SENTENCES)
        model = load_chosen(choice, threads)
        from core.model.documents import similarity_document

        with terminal.Bar(sentences) as bar:
            document = similarity_document(
                model, listed, metric=metric, tokens=tokens, progress=bar.update
            )
    say_what_was_left_out(sentences, sum(document["truncated"]), model)
    if as_json:
        terminal.print_json(document)
    else:
        encoder_tables.show_similarity(document)


def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for.")],
    file: File = None,
    column: Column = None,
    top: Annotated[int, typer.Option("--top", metavar="N", help="How many hits to show.")] = 10,
    metric: Metric = "cosine",
    encoder: EncoderName = "minilm",
    pooling: Pooling = None,
    normalize: Normalize = None,
    precision: Precision = "exact",
    threads: Threads = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Find the sentences of a file that are most like a query."""
    choice = _choice(encoder, pooling, normalize, precision, device)
    check_choice("metric", metric, METRICS)
    check_top(top)
    asked = "".join(given_sentences([query], "the query"))
    if file is None:
        raise ValueError("there is nothing to search: give --file F, or --file - to pipe it in")
    with given_or_file(None, file, column) as sentences:
        listed = begun(sentences)
        model = load_chosen(choice, threads)
        from core.model.documents import search_document

        with terminal.Bar(sentences) as bar:
            document = search_document(
                model, asked, listed, top=top, metric=metric, progress=bar.update
            )
    say_what_was_left_out(sentences, document["truncated"], model)
    if as_json:
        terminal.print_json(document)
    else:
        encoder_tables.show_hits(document)


def _choice(
    name: str, pooling: str | None, normalize: bool | None, precision: str, device: str | None
) -> EncoderChoice:
    return EncoderChoice(
        name=name, pooling=pooling, normalize=normalize, precision=precision, device=device
    )
