"""A model as one ONNX file: from token ids to its embedding and the probabilities of its tasks.

Needs the packages onnx and onnxruntime, which Thaw does without otherwise: the second runs what
was written, as an export that goes wrong does so without a word.
"""

import importlib
import importlib.util
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.encoder.encoder import Encoder, pad
from core.encoder.precision import SELF_TEST_SENTENCES
from core.errors import InputError, setting
from core.export.encoder import write_encoder
from core.model.heads import TaskHead
from core.model.model import MultiTaskModel
from core.pooling import pool

MODEL, TOKENIZER = "model.onnx", "tokenizer.json"
INPUTS = ("input_ids", "attention_mask")
EMBEDDING = "sentence_embedding"
OPSET = 17
MAX_BYTES = 2_000_000_000
"""What an ONNX file can hold, as protobuf counts its size in 31 bits."""

NEEDED = ("onnx", "onnxruntime")
TOLERANCE = 1e-4
"""How far the written file may be from torch, on numbers of the size of one."""


def check_onnx() -> None:
    """Refuse where the packages for it are missing, before anything is computed.

    Raises:
        ValueError: Naming them.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"{setting('format')} onnx needs the package {' and '.join(missing)}, which Thaw does "
            f"without otherwise: run pip install {' '.join(NEEDED)}"
        )


def output_of(task: str) -> str:
    """Name the output that holds a task's probabilities."""
    return f"probabilities_{task}"


def onnx_heads(model: MultiTaskModel) -> dict[str, TaskHead]:
    """Give the heads that an ONNX file can hold: all that read nothing but states."""
    return {n: head for n, head in model.task_heads.items() if not head.shape.spelling}


def write_onnx(model: MultiTaskModel, encoder: Encoder, folder: Path) -> str:
    """Write a model as one ONNX file with its tokenizer, and compare it with torch.

    Args:
        model: Its heads.
        encoder: What they read: the model's own, or a shorter one.
        folder: Where the files go, there already.

    Returns:
        The file's name.

    Raises:
        ValueError: If a package is missing, or the model is larger than an ONNX file can be.
        RuntimeError: If the family cannot be exported, or the file gives other numbers.
    """
    check_onnx()
    if 4 * encoder.parameter_count > MAX_BYTES:
        raise ValueError(
            f"{encoder.name} has {encoder.parameter_count:,} weights, more than the 2 GB that an "
            "ONNX file can hold: export it as sentence-transformers"
        )
    heads = onnx_heads(model)
    with tempfile.TemporaryDirectory() as plain:
        write_encoder(encoder, Path(plain))
        network = _Network(encoder, _plain_transformer(Path(plain)), model, heads).eval()
        shutil.copyfile(Path(plain) / TOKENIZER, folder / TOKENIZER)
    outputs = [EMBEDDING, *map(output_of, heads)]
    axes = {name: {0: "batch"} for name in outputs}
    of_tokens = [output_of(name) for name, head in heads.items() if head.pools is None]
    axes |= {name: {0: "batch", 1: "tokens"} for name in (*INPUTS, *of_tokens)}
    try:
        _trace(network, _laid_out(encoder, SELF_TEST_SENTENCES[:2]), folder / MODEL, outputs, axes)
    except Exception as error:  # the exporter raises many types for what it cannot trace
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise RuntimeError(f"{encoder.name} cannot be exported as ONNX: {reason}") from error
    _compare(network, encoder, outputs, folder / MODEL)
    return MODEL


@torch.no_grad()
def _trace(
    network: nn.Module,
    given: tuple[Tensor, Tensor],
    path: Path,
    outputs: Sequence[str],
    axes: Mapping[str, Mapping[int, str]],
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of every shape that Python looks at
        torch.onnx.export(
            network,
            given,
            str(path),
            input_names=list(INPUTS),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,  # the newer exporter gave wrong vectors without a word
        )


class _Network(nn.Module):
    """What the file computes, from padded ids and their mask."""

    def __init__(
        self,
        encoder: Encoder,
        transformer: nn.Module,
        model: MultiTaskModel,
        heads: Mapping[str, TaskHead],
    ) -> None:
        super().__init__()
        self.transformer = transformer.requires_grad_(False)
        self.projections = encoder.projections
        self.parts = nn.ModuleList([*encoder.projections, *heads.values()])
        self.pooling, self.normalized = encoder.pooling, encoder.normalized
        self.heads = tuple(heads.values())
        self.temperatures = [model.calibration[name].temperature for name in heads]

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        out = self.transformer(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        layers = dict(enumerate(out.hidden_states))
        pooled = pool(out.last_hidden_state, mask, self.pooling)  # (batch, hidden)
        for projection in self.projections:
            pooled = projection(pooled)  # (batch, outputs)
        found = [F.normalize(pooled, dim=1) if self.normalized else pooled]  # (batch, dimension)
        for head, temperature in zip(self.heads, self.temperatures, strict=True):
            states = head.read(layers)  # (batch, tokens, hidden)
            if head.pools is not None:
                states = pool(states, mask, head.pools)  # (batch, hidden)
            found.append((head.classify(states) / temperature).softmax(dim=-1))
        return tuple(found)


def _plain_transformer(folder: Path) -> nn.Module:
    """Load transformers' own network, whose every step the exporter can follow."""
    from transformers import AutoModel
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        made = AutoModel.from_pretrained(
            str(folder), local_files_only=True, attn_implementation="eager", dtype=torch.float32
        )
        made.config.use_cache = False  # a decoder would give its cache as an output
        return made
    finally:
        if bars:
            logging.enable_progress_bar()


def _laid_out(encoder: Encoder, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    return pad([tokens.ids for tokens in encoder.tokenizer.encode(texts)])


def _compare(network: nn.Module, encoder: Encoder, outputs: Sequence[str], path: Path) -> None:
    """Run the file on other shapes than it was made with.

    Raises:
        RuntimeError: If it gives something else than torch, or the encoder.
    """
    runtime: Any = importlib.import_module("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for texts in (SELF_TEST_SENTENCES[:1], SELF_TEST_SENTENCES):
        ids, mask = _laid_out(encoder, texts)
        given = dict(zip(INPUTS, (ids.numpy(), mask.numpy()), strict=True))
        found = [torch.from_numpy(each) for each in session.run(list(outputs), given)]
        with torch.inference_mode():
            wanted = [*network(ids, mask), encoder.encode(texts).vectors]
        pairs = zip([*outputs, EMBEDDING], wanted, [*found, found[0]], strict=True)
        for name, ours, theirs in pairs:
            same = ours.shape == theirs.shape
            if not same or not ours.allclose(theirs, rtol=TOLERANCE, atol=TOLERANCE):
                raise RuntimeError(
                    f"the ONNX file gives other numbers than {encoder.name} ({name}): it was not "
                    "kept; export it as sentence-transformers"
                )
