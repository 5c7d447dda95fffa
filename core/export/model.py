"""A model out of Thaw again: a plain sentence-transformers folder, with its heads beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.config import ExportChoice
from core.encoder.encoder import Encoder
from core.encoder.hub import find_encoder
from core.encoder.shortening import shortened
from core.export.card import ExportFacts, export_card
from core.export.encoder import WEIGHTS, read_back, reads_both_ways, write_encoder
from core.export.onnx import check_onnx, onnx_heads, output_of, write_onnx
from core.export.tokenizer import write_json
from core.model.manifest import EXPORTED, FORMAT, head_document
from core.model.model import MultiTaskModel
from core.model.model_folder import CARD, HEADS, check_target_folder, save_tensors
from core.model.spelling import FEATURES
from core.system.files import replaced_folder

ONNX = "onnx"


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What an export wrote.

    Attributes:
        layers: Layers of the exported encoder.
        whole_layers: Layers it had before.
        dimension: Numbers in its embedding.
        parameters: Weights of the exported encoder.
        whole_parameters: Weights it had before.
        weight_bytes: Size of the encoder's weights on disk.
        bytes: Size of the whole folder.
        notes: What a person should know, a sentence each.
    """

    layers: int
    whole_layers: int
    dimension: int
    parameters: int
    whole_parameters: int
    weight_bytes: int
    bytes: int
    notes: tuple[str, ...]

    @property
    def whole_weight_bytes(self) -> int:
        """Size that the weights would have with every layer: four bytes each, in fp32."""
        return self.weight_bytes + 4 * (self.whole_parameters - self.parameters)


def check_export_target(out: Path, *, overwrite: bool, sources: Sequence[Path]) -> Path:
    """Refuse a folder that cannot be written, or that would bury what is exported.

    Args:
        out: The folder to write.
        overwrite: Whether a model or an export that it holds is replaced.
        sources: The folders that are read: the model's and its encoder's.

    Returns:
        The folder, with links followed.

    Raises:
        ValueError: If it may not be written.
    """
    full = out.expanduser().resolve()
    for source in (each.expanduser().resolve() for each in sources):
        if full.is_relative_to(source) or source.is_relative_to(full):
            raise ValueError(
                f"{out} is, is in or holds the folder that is read, {source}: give another"
            )
    return check_target_folder(out, overwrite=overwrite)


def export_model(
    model: MultiTaskModel,
    out: Path,
    about: Mapping[str, Any],
    choice: ExportChoice,
    *,
    sources: Sequence[Path] = (),
) -> Exported:
    """Write a model as others read it, whole or not at all.

    Args:
        model: What to write.
        out: The folder to write.
        about: What the model's manifest says of how it came about.
        choice: In which form.
        sources: Folders that `out` must keep clear of, beside the encoder's own.

    Raises:
        ValueError: If the folder may not be written, the encoder cannot end where it should, a
            package is missing, or it cannot be written so that it gives the same embeddings.
        RuntimeError: If the family cannot be exported as ONNX.
    """
    sources = [*sources, find_encoder(model.encoder.name)[0]]
    folder = check_export_target(out, overwrite=choice.overwrite, sources=sources)
    if choice.format == ONNX:
        check_onnx()
    encoder = shortened(model.encoder, model.highest_read) if choice.truncate else model.encoder
    facts = ExportFacts(
        about=about,
        format=choice.format,
        whole_layers=model.encoder.layers,
        both_ways=reads_both_ways(encoder),
        notes=export_notes(model, encoder, choice),
    )
    with replaced_folder(folder) as building:
        if choice.format == ONNX:
            weights = building / write_onnx(model, encoder, building)
            fingerprint = encoder.fingerprint()
        else:
            write_encoder(encoder, building)
            weights = building / WEIGHTS
            fingerprint = read_back(encoder, building).fingerprint()
            save_tensors(model.heads.state_dict(), building / HEADS)
        document = _manifest(model, encoder, facts, fingerprint)
        write_json(building / EXPORTED, document)
        (building / CARD).write_text(export_card(model, encoder, facts), encoding="utf-8")
        sizes = {path: path.stat().st_size for path in building.rglob("*") if path.is_file()}
    return Exported(
        layers=encoder.layers,
        whole_layers=model.encoder.layers,
        dimension=encoder.dimension,
        parameters=encoder.parameter_count,
        whole_parameters=model.encoder.parameter_count,
        weight_bytes=sizes[weights],
        bytes=sum(sizes.values()),
        notes=tuple(facts.notes),
    )


def export_notes(model: MultiTaskModel, encoder: Encoder, choice: ExportChoice) -> list[str]:
    """Say what a person should know of an export, a sentence each."""
    notes = []
    if choice.truncate and encoder.layers == model.encoder.layers:
        notes.append(
            f"the heads read up to the last layer ({encoder.layers}): there is nothing to leave out"
        )
    if model.encoder.projections and not encoder.projections:
        notes.append(
            "the dense layers after pooling were made for the last layer's states and are left "
            f"out: an embedding has {encoder.dimension:,} numbers, not {model.encoder.dimension:,}"
        )
    if choice.format == ONNX:
        for name in model.task_heads.keys() - onnx_heads(model).keys():
            notes.append(
                f"{name} is left out: its head reads how words are written, which is not in an "
                "ONNX file"
            )
    elif reads_both_ways(encoder):
        notes.append(
            "this encoder reads both ways, which only transformers 5 follows: it needs "
            "sentence-transformers 6, and older ones stop with an error"
        )
    return notes


def _manifest(
    model: MultiTaskModel, encoder: Encoder, facts: ExportFacts, fingerprint: str
) -> dict[str, Any]:
    """Say what is in the folder, as `thaw.json` does of a model's own."""
    onnx = facts.format == ONNX
    return {
        "thaw_format": FORMAT,
        "kind": "onnx" if onnx else "export",
        "encoder": {
            "name": model.encoder.name,
            "pooling": encoder.pooling,
            "normalized": encoder.normalized,
            "layers": encoder.layers,
            "whole_layers": facts.whole_layers,
            "hidden": encoder.hidden,
            "dimension": encoder.dimension,
            "max_tokens": encoder.max_tokens,
            "fingerprint": fingerprint,
        },
        "heads": [_head(model, name, onnx) for name in model.task_heads],
        "about": dict(facts.about),
    }


def _head(model: MultiTaskModel, name: str, onnx: bool) -> dict[str, Any]:
    """Describe a head for those who score it by hand, too."""
    head = model.task_heads[name]
    more: dict[str, Any] = {"classes": list(head.task.classes)}
    if head.shape.spelling:
        more["spelling_features"] = list(FEATURES)
    if onnx:
        more["output"] = output_of(name) if name in onnx_heads(model) else None
    return {**head_document(model, name), **more}
