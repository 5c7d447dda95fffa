"""The command that draws a map: `map`.

What is heavy is imported where it is first needed, so that bad input is answered before torch is
there.
"""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import terminal
from core.cli.inputs import (
    Counted,
    check_not_read,
    load_chosen,
    load_predictor,
    on_threads,
    opened,
    read_data,
    too_long,
)
from core.cli.options import AsJson, Given, GivenFile, Machine
from core.config import (
    CLUSTER,
    DATA,
    MOST_MAPPED,
    MOST_PLACED,
    DataChoice,
    EncoderChoice,
    MapSettings,
)
from core.option import Option
from core.system.files import check_target, replaced_whole

if TYPE_CHECKING:
    from core.encoder.encoder import Encoder
    from core.maps.document import Named


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """What is drawn on a map beside its sentences, and where it goes.

    Attributes:
        data: Labelled sentences, in place of a file of plain ones.
        out: The page to write.
        colour: A task, a column, or `CLUSTER`.
        place: A file of sentences to place on the map of the others.
        after: The folder of a model, to map before and after its fine-tuning.
        model: The folder of a model with whose encoder it is mapped.
    """

    data: str | None = replace(DATA, after="--column").field(None)
    out: str | None = Option(
        "--out", "F", "Where to write the map: a .html file.", after="--data"
    ).field(None)
    colour: str | None = Option(
        "--colour", "COLUMN", f"Colour by a task, a column, or {CLUSTER}.", after="--metric"
    ).field(None)
    place: str | None = Option(
        "--place",
        "F",
        "Sentences to place on the map of the others: a file as --file takes.",
        after="--colour",
    ).field(None)
    after: str | None = Option(
        "--after",
        "DIR",
        "Map before and after fine-tuning in one frame: a folder that train wrote.",
        after="--place",
    ).field(None)
    model: str | None = Option(
        "--model", "DIR", "Map with the encoder of a folder that train wrote.", after="--rows"
    ).field(None)


def draw_map(
    given: GivenFile,
    asked: Mapping,
    settings: MapSettings,
    data: DataChoice | None,
    encoder: EncoderChoice,
    machine: Machine,
    as_json: AsJson = False,
) -> None:
    """Draw a map of sentences, as a web page that needs nothing else."""
    target = _target(asked.out, as_json, (given.file, asked.place))
    if asked.place == given.file == "-":
        raise ValueError("standard input can be read once: give --file or --place a file")
    placed = _read(Given(file=asked.place), MOST_PLACED)
    named = replace(_named(given, data, asked.colour), placed=placed)
    from core.maps.document import check_before_mapping, map_document

    check_before_mapping(named.texts, settings, named.placed)
    later = None if asked.after is None else _loaded(asked.after, encoder, machine)
    chosen = _loaded(asked.model, encoder, machine)
    many = Counted(expected=len(named.texts) + len(named.placed))
    with on_threads(machine.threads), terminal.Bar(many, doing="mapping", did="mapped") as bar:
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
    _write(document, target, asked.out, as_json)


def _target(out: str | None, as_json: bool, read: tuple[str | None, ...]) -> Path | None:
    if out is None:
        if not as_json:
            raise ValueError("there is no place for the map: give --out map.html, or --json")
        return None
    target = check_target(Path(out), suffixes=(".html", ".htm"))
    check_not_read(target, *read)
    return target


def _named(given: Given, asked: DataChoice | None, colour: str | None) -> "Named":
    """Read the sentences and what is known of them."""
    from core.maps.document import Named

    file, column = given.file, given.column
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
    return Named(texts=_read(given, MOST_MAPPED), colour=colour)


def _read(given: Given, most: int) -> list[str]:
    """Read a file of sentences; none without a file."""
    if given.file is None:
        return []
    with opened(given) as sentences:
        texts = list(itertools.islice(sentences, most + 1))
    if len(texts) > most:
        what = "that one map holds" if most == MOST_MAPPED else "that can be placed on a map"
        raise ValueError(
            f"{sentences.name} has more than {most:,} sentences, the most {what}: give a part of "
            "them"
        )
    return texts


def _loaded(folder: str | None, choice: EncoderChoice, machine: Machine) -> "Encoder":
    if folder is None:
        return load_chosen(choice, machine.threads)
    return load_predictor(folder, machine).encoder.with_pooling(choice.pooling, choice.normalize)


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
