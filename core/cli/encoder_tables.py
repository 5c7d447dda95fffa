"""How embeddings, similarities, hits and facts about the encoder read in a terminal."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.cli.terminal import fits, output, plain_table, readable
from core.nearness import metric_named

MATRIX_SENTENCES = 12
"""A matrix of more than this is no longer read by eye; ranked pairs are."""


SHOWN_PAIRS = 10


SHOWN_CELLS = 12


def show_similarity(document: dict[str, Any]) -> None:
    """Show sentences, their matrix where it can be read, the best pairs and the token table."""
    console = output()
    sentences = document["sentences"]
    if len(sentences) <= MATRIX_SENTENCES:
        console.print(_numbered(sentences))
        console.print()
    if 2 < len(sentences) <= MATRIX_SENTENCES:
        matrix = _matrix(document["matrix"])
        if fits(console, matrix):
            console.print(matrix)
            console.print()
    console.print(_pairs(document))
    if metric_named(document["metric"]).is_distance:
        console.print("a distance is negated: higher is more alike")
    hidden = len(document["pairs"]) - SHOWN_PAIRS
    if hidden > 0:
        console.print(f"and {hidden:,} pairs that are less alike; --json lists all")
    if "tokens" in document:
        console.print()
        _show_tokens(console, document["tokens"], document["metric"])


def _line(text: str) -> Text:
    return Text(readable(text), no_wrap=True, overflow="ellipsis")


def _numbered(sentences: Sequence[str]) -> Table:
    table = plain_table(show_header=False)
    table.add_column(justify="right", style="cyan", no_wrap=True)
    table.add_column()
    for number, text in enumerate(sentences, 1):
        table.add_row(str(number), _line(text))
    return table


def _matrix(matrix: Sequence[Sequence[float]]) -> Table:
    table = plain_table(show_header=True)
    table.add_column("", justify="right", style="cyan", no_wrap=True)
    others = [cell for a, row in enumerate(matrix) for b, cell in enumerate(row) if a != b]
    digits = 2 if max(map(abs, others)) < 10 else 1
    for number in range(1, len(matrix) + 1):
        header = Text(str(number), style="cyan")
        table.add_column(header, justify="right", no_wrap=True)
    for a, row in enumerate(matrix):
        styles = ["dim" if a == b else _weight(cell, others) for b, cell in enumerate(row)]
        shown = [f"{round(cell, digits) + 0.0:.{digits}f}" for cell in row]  # no -0.00
        cells = [Text(cell, style=s) for cell, s in zip(shown, styles, strict=True)]
        table.add_row(str(a + 1), *cells)
    return table


def _weight(cell: float, cells: Sequence[float]) -> str:
    """Print the upper third of the cells' range bold."""
    low, high = min(cells), max(cells)
    return "bold" if cell >= high - (high - low) / 3 else ""


def _pairs(document: dict[str, Any]) -> Table:
    sentences = document["sentences"]
    table = plain_table(show_header=True)
    table.add_column(document["metric"], justify="right", style="bold", no_wrap=True)
    table.add_column("", justify="right", style="cyan", no_wrap=True)
    table.add_column("pair")
    table.add_column("")
    for pair in document["pairs"][:SHOWN_PAIRS]:
        a, b = pair["a"], pair["b"]
        numbers = f"{a + 1} · {b + 1}"
        table.add_row(f"{pair['score']:.4f}", numbers, _line(sentences[a]), _line(sentences[b]))
    return table


def _show_tokens(console: Console, tokens: dict[str, Any], metric: str) -> None:
    table = _token_table(tokens)
    if fits(console, table):
        console.print(table)
    else:
        console.print(_best_cells(tokens))
        console.print(
            f"the {SHOWN_CELLS} largest cells of {len(tokens['a'])} × "
            f"{len(tokens['b'])} pieces; --json lists all"
        )
    total = sum(sum(row) for row in tokens["table"])
    if tokens["exact"]:
        console.print(f"the cells add up to the {metric}: {total:.4f}")
    else:
        console.print(f"not exact: {tokens['reason']}")


def _token_table(tokens: dict[str, Any]) -> Table:
    cells = [cell for row in tokens["table"] for cell in row]
    table = plain_table(show_header=True)
    table.add_column("", style="cyan", no_wrap=True)
    for piece in tokens["b"]:
        table.add_column(Text(readable(piece), style="cyan"), justify="right", no_wrap=True)
    for piece, row in zip(tokens["a"], tokens["table"], strict=True):
        shown = [Text(f"{cell:.3f}", style=_weight(cell, cells)) for cell in row]
        table.add_row(Text(readable(piece)), *shown)
    return table


def _best_cells(tokens: dict[str, Any]) -> Table:
    pieces = [(a, b) for a in tokens["a"] for b in tokens["b"]]
    cells = [cell for row in tokens["table"] for cell in row]
    ranked = sorted(zip(cells, pieces, strict=True), key=lambda pair: -pair[0])
    table = plain_table(show_header=False)
    table.add_column(justify="right", style="bold", no_wrap=True)
    table.add_column()
    for cell, (a, b) in ranked[:SHOWN_CELLS]:
        table.add_row(f"{cell:.3f}", _line(f"{a} · {b}"))
    return table


def show_hits(document: dict[str, Any]) -> None:
    """Show what a search found, best first."""
    table = plain_table(show_header=True)
    table.add_column(document["metric"], justify="right", style="bold", no_wrap=True)
    table.add_column("sentence", justify="right", style="cyan", no_wrap=True)
    table.add_column("")
    for hit in document["hits"]:
        table.add_row(f"{hit['score']:.4f}", f"{hit['index'] + 1:,}", _line(hit["text"]))
    output().print(table)


def show_written(sentences: int, header: dict[str, Any], name: str) -> None:
    """Show what `embed` wrote, and where."""
    length = "length one" if header["normalized"] else "own length"
    many = "1 sentence" if sentences == 1 else f"{sentences:,} sentences"
    made = f"{header['model']}, {header['pooling']} pooling, {length}"
    text = f"{many} × {header['dimension']:,} numbers → {name} ({made})"
    output().print(readable(text), soft_wrap=True)


def show_info(document: dict[str, Any]) -> None:
    """Show what there is here, section by section."""
    console = output()
    packages = [f"{name} {number or 'missing'}" for name, number in document["versions"].items()]
    threads = document["threads"]["many_sentences"]
    facts = {
        "versions": ", ".join(packages),
        "machine": document["machine"],
        "devices": ", ".join(f"{each['name']} ({each['label']})" for each in document["devices"]),
        "device": document["device"],
        "cores": f"{document['cores']} usable",
        "threads": f"{threads or 'not measured yet'} for many sentences, "
        f"{document['threads']['few_sentences']} for a few",
    }
    console.print(_facts(facts))
    console.print()
    console.print(_facts(_encoder_facts(document["encoder"], document["fast"])))
    console.print()
    console.print(_catalogue(document["catalogue"]))
    console.print()
    kept = Text(readable(f"self-tests are kept in {document['kept']}; --self-test runs them"))
    console.print(kept, soft_wrap=True)


def _facts(facts: dict[str, str]) -> Table:
    table = plain_table(show_header=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        table.add_row(name, Text(readable(fact)))
    return table


def _encoder_facts(encoder: dict[str, Any], fast: dict[str, Any] | None) -> dict[str, str]:
    length = "length one" if encoder["normalized"] else "their own length"
    facts = {
        "encoder": encoder["name"] + ("" if encoder["loaded"] else " (not on this machine)"),
        "size": f"{encoder['layers']} layers, {encoder['parameters']:,} parameters",
        "embedding": f"{encoder['dimension']:,} numbers, {encoder['pooling']} pooling, {length}",
        "reads": f"{encoder['max_tokens']:,} tokens",
    }
    facts |= {f"prompt {use}": repr(text) for use, text in encoder["prompts"].items()}
    if fast is not None and not fast["measured"]:
        facts["fast"] = "not measured yet"
    elif fast is not None:
        offered = "offered" if fast["offered"] else "not worth having here"
        facts["fast"] = (
            f"{offered}: {fast['speedup']:.1f}× the speed of exact, cosines differ by up to "
            f"{fast['cosine_error']:.4f}"
        )
    return facts


def _catalogue(specs: Sequence[dict[str, Any]]) -> Table:
    table = plain_table(show_header=True)
    table.add_column("catalogue", style="cyan", no_wrap=True)
    for heading in ("layers", "numbers", "weights", "tokens"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("pooling", no_wrap=True)
    table.add_column("download", justify="right", no_wrap=True)
    for spec in specs:
        table.add_row(
            spec["name"],
            str(spec["layers"]),
            f"{spec['dimension']:,}",
            f"{spec['parameters'] / 1e6:,.0f}M",
            str(spec["max_tokens"]),
            spec["pooling"],
            "here" if spec["here"] else f"{spec['download_megabytes']:,} MB",
        )
    return table
