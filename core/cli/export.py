"""The command that takes a model out of Thaw: `export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from rich.text import Text

from core.cli import terminal
from core.cli.options import AsJson, Model
from core.config import ExportChoice
from core.option import Option

if TYPE_CHECKING:
    from core.export.model import Exported


def export(
    out: Annotated[str, Option("--out", "DIR", "The folder to write, a new one.")],
    model: Model = None,
    *,
    choice: ExportChoice,
    as_json: AsJson = False,
) -> None:
    """Write a model as others read it: sentence-transformers or ONNX, with its heads."""
    with terminal.waiting("loading the model"):
        from core.export.model import check_export_target, export_model
        from core.model.model_folder import SHIPPED, load_model, read_manifest

        source = SHIPPED if model is None else Path(model)
        check_export_target(Path(out), overwrite=choice.overwrite, sources=[source])
        about = read_manifest(source).get("about")
        loaded = load_model(model, device="cpu")
    with terminal.waiting(f"writing {out}"):
        done = export_model(
            loaded,
            Path(out),
            about if isinstance(about, dict) else {},
            choice,
            sources=[source],
        )
    for note in done.notes:
        terminal.say(note)
    document = {
        "model": loaded.name,
        "encoder": loaded.encoder.name,
        "out": out,
        "format": choice.format,
        "tasks": [task.name for task in loaded.tasks],
        **vars(done),
        "whole_weight_bytes": done.whole_weight_bytes,
    }
    if as_json:
        terminal.print_json(document)
    else:
        show_exported(document, done)


def show_exported(document: dict[str, Any], done: "Exported") -> None:
    """Show what was written, and how much smaller a truncated encoder is."""
    console = terminal.output()
    size = _megabytes(done.weight_bytes)
    if done.layers < done.whole_layers:
        whole = _megabytes(done.whole_weight_bytes)
        kept = f"{done.layers} of {done.whole_layers} layers, weights {size} instead of {whole}"
    else:
        kept = f"all {done.layers} layers, weights {size}"
    facts = (
        f"{document['model']} → {document['out']} ({document['format']})",
        f"{kept} ({done.parameters:,} of {done.whole_parameters:,} parameters)",
        f"an embedding has {done.dimension:,} numbers",
        f"heads: {', '.join(document['tasks'])}",
    )
    for fact in facts:
        console.print(Text(terminal.readable(fact)), soft_wrap=True)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
