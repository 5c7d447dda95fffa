"""The command that draws a map: `map`.

What is heavy is imported where it is first needed, so that bad input is answered before torch is
there.
"""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli import terminal
from core.cli.inputs import (
    Counted,
    given_or_file,
    load_chosen,
    load_predictor,
    on_threads,
    read_data,
    too_long,
)
from core.cli.options import (
    AsJson,
    Column,
    Device,
    EncoderName,
    File,
    GroupColumn,
    LabelColumns,
    Normalize,
    Pooling,
    Precision,
    Renames,
    Rows,
    Seed,
    SplitColumn,
    TaskNames,
    TextColumn,
    Threads,
    data_choice,
)
from core.config import (
    CLUSTER,
    MAP_METHODS,
    MAP_METRICS,
    MOST_MAPPED,
    MOST_PLACED,
    DataChoice,
    EncoderChoice,
    MapSettings,
)
from core.system.files import check_target, replaced_whole

if TYPE_CHECKING:
    from core.encoder.encoder import Encoder
    from core.maps.document import Named


def draw_map(
    file: File = None,
    column: Column = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="F",
            help="Labelled sentences: CSV, TSV, JSONL, Parquet or CoNLL, or the word corpus.",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="F", help="Where to write the map: a .html file."),
    ] = None,
    method: Annotated[
        str, typer.Option("--method", metavar="|".join(MAP_METHODS), help="How to lay out.")
    ] = "umap",
    dimensions: Annotated[int, typer.Option("--dimensions", metavar="2|3", help="Axes.")] = 2,
    neighbours: Annotated[
        int | None,
        typer.Option("--neighbours", metavar="N", help="Of each point; else 15, or all there are."),
    ] = None,
    spread: Annotated[
        float, typer.Option("--spread", metavar="X", help="How loosely groups lie, 0.1 to 10.")
    ] = 1.0,
    metric: Annotated[
        str, typer.Option("--metric", metavar="M", help=f"One of: {', '.join(MAP_METRICS)}.")
    ] = "cosine",
    colour: Annotated[
        str | None,
        typer.Option(
            "--colour", metavar="COLUMN", help=f"Colour by a task, a column, or {CLUSTER}."
        ),
    ] = None,
    place: Annotated[
        str | None,
        typer.Option(
            "--place",
            metavar="F",
            help="Sentences to place on the map of the others: a file as --file takes.",
        ),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(
            "--after",
            metavar="DIR",
            help="Map before and after fine-tuning in one frame: a folder that train wrote.",
        ),
    ] = None,
    seed: Seed = 0,
    text_column: TextColumn = None,
    label_column: LabelColumns = None,
    task: TaskNames = None,
    renames: Renames = None,
    split_column: SplitColumn = None,
    group_column: GroupColumn = None,
    rows: Rows = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="DIR", help="Map with the encoder of a folder that train wrote."
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
    """Draw a map of sentences, as a web page that needs nothing else."""
    settings = MapSettings(
        method=method,
        dimensions=dimensions,
        neighbours=neighbours,
        spread=spread,
        metric=metric,
        seed=seed,
    )
    choice = EncoderChoice(
        name=encoder, pooling=pooling, normalize=normalize, precision=precision, device=device
    )
    target = _target(out, as_json, (file, place))
    asked = None if data is None else data_choice(
        data, text_column, label_column, task, renames, split_column, group_column, rows, seed
    )  # fmt: skip
    if place == file == "-":
        raise ValueError("standard input can be read once: give --file or --place a file")
    named = replace(_given(file, column, asked, colour), placed=_read(place, None, MOST_PLACED))
    from core.maps.document import check_before_mapping, map_document

    check_before_mapping(named.texts, settings, named.placed)
    later = None if after is None else _loaded(after, choice, threads)
    chosen = _loaded(model, choice, threads)
    many = Counted(expected=len(named.texts) + len(named.placed))
    with on_threads(threads), terminal.Bar(many, doing="mapping", did="mapped") as bar:
        document = map_document(
            chosen,
            named,
            settings,
            after=later,
            progress=lambda share: bar.update(round(share * many.expected)),
        )
    said = [
        too_long(of_map["truncated"], many.expected, reader)
        for reader, of_map in ((chosen, document), (later, document["after"]))
        if reader is not None and of_map["truncated"]
    ]
    for line in dict.fromkeys(said):  # once, where both encoders read as far
        terminal.say(line)
    _write(document, target, out, as_json)


def _target(out: str | None, as_json: bool, read: tuple[str | None, ...]) -> Path | None:
    if out is None:
        if not as_json:
            raise ValueError("there is no place for the map: give --out map.html, or --json")
        return None
    target = check_target(Path(out), suffixes=(".html", ".htm"))
    if any(file is not None and Path(file).resolve() == target for file in read):
        raise ValueError(f"--out {out} is the file that is read: give another")
    return target


def _given(
    file: str | None, column: str | None, asked: DataChoice | None, colour: str | None
) -> "Named":
    """Read the sentences and what is known of them."""
    from core.maps.document import Named

    if (file is None) == (asked is None):
        there = "both --file and --data" if file is not None else "nothing to map"
        raise ValueError(f"there is {there}: give --file F or --data F")
    if asked is None and colour not in (None, CLUSTER):
        if str(file) == "-":
            raise ValueError(f"standard input has no columns to colour by: give --colour {CLUSTER}")
        asked = DataChoice(source=str(file), text_column=column, label_columns=(str(colour),))
        column = None
    if asked is not None:
        if column is not None:
            raise ValueError("--column goes with --file; with --data give --text-column")
        from core.maps.document import named_rows

        return named_rows(read_data(asked), colour)
    return Named(texts=_read(file, column, MOST_MAPPED), colour=colour)


def _read(file: str | None, column: str | None, most: int) -> list[str]:
    """Read a file of sentences; none without a file."""
    if file is None:
        return []
    with given_or_file(None, file, column) as sentences:
        texts = list(itertools.islice(sentences, most + 1))
    if len(texts) > most:
        what = "that one map holds" if most == MOST_MAPPED else "that can be placed on a map"
        raise ValueError(
            f"{sentences.name} has more than {most:,} sentences, the most {what}: give a part of "
            "them"
        )
    return texts


def _loaded(folder: str | None, choice: EncoderChoice, threads: int | None) -> "Encoder":
    if folder is None:
        return load_chosen(choice, threads)
    return load_predictor(folder, threads, choice.device).encoder.with_pooling(
        choice.pooling, choice.normalize
    )


def _write(document: dict[str, Any], target: Path | None, out: str | None, as_json: bool) -> None:
    if target is not None:
        from core.report.map_page import map_page

        page = map_page(document).encode("utf-8")
        with replaced_whole(target) as file:
            file.write(page)
    if as_json:
        terminal.print_json(document)
        return
    from core.maps.fields import quality_in_words

    console = terminal.output()
    count, placed = len(document["points"]), document["placed"]
    with_placed = f", {placed:,} of them placed on it" if placed else ""
    console.print(
        f"{count:,} sentences on a map{with_placed}: {terminal.readable(str(out))}", highlight=False
    )
    console.print(quality_in_words(document), highlight=False)
