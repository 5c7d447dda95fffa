"""How `tests/same_answers.py` writes down what it was told, and all that may differ in it."""

import contextlib
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

LONGEST = 2_000_000
"""Characters of a text that are written out, so that a difference can be read; else its hash."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What may differ between two recordings of one build, and what stands in its place."""

    why: str
    pattern: re.Pattern[str]
    instead: str


def _number(names: str) -> re.Pattern[str]:
    """Match the number, or null, that one of some JSON names has."""
    return re.compile(rf'("(?:{names})": ?)(?:-?[\d.]+(?:e[+-]?\d+)?|null)')


RULES = (
    Rule(
        why="seconds that were measured; a budget's are asked for and stay",
        pattern=_number(
            "seconds|wall_seconds|seconds_per_step|prefix_seconds|profile_seconds|seconds_left"
        ),
        instead=r"\1<seconds>",
    ),
    Rule(
        why="speeds that were measured",
        pattern=_number("inference_sentences_per_second|tokens_per_second"),
        instead=r"\1<speed>",
    ),
    Rule(
        why="memory that was measured",
        pattern=_number("peak_memory_bytes"),
        instead=r"\1<bytes>",
    ),
    Rule(
        why="versions of Python and packages: about.json names them once",
        pattern=re.compile(r'("versions": ?)\{[^{}]*\}'),
        instead=r"\1<versions>",
    ),
    Rule(
        why="the machine",
        pattern=re.compile(r'("machine": ?)"[^"]*"'),
        instead=r"\1<machine>",
    ),
    Rule(
        why="where in memory a function of the page's configuration lies",
        pattern=re.compile(r" at 0x[0-9a-f]+>"),
        instead=" at <place>>",
    ),
    Rule(
        why="info in a terminal: versions and machine",
        pattern=re.compile(r"^(versions|machine|devices) .*(?:\n {2,}.*)*", re.MULTILINE),
        instead=r"\1 <here>",
    ),
    Rule(
        why="what an epoch, a run or a training took, in words",
        pattern=re.compile(r"\b\d[\d,.]* (?:s|ms|min)\b(?! ?/)"),
        instead="<time>",
    ),
    Rule(
        why="what is left, or what all would take at most, by the clock",
        pattern=re.compile(r"\babout (?:\d+:)?\d+:\d\d\b"),
        instead="about <time>",
    ),
    Rule(
        why="a line that says how far it is, every ten seconds where it takes as long",
        pattern=re.compile(
            r"^(?:(?:embedded|predicted|profiled|mapped|read) [\d,]+ sentences|step [\d,]+ of ).*"
            r"\n",
            re.MULTILINE,
        ),
        instead="",
    ),
)
"""All that may differ: whatever else does is a difference."""


def normal(text: str, root: Path) -> str:
    """Put what stands for it in the place of all that may differ.

    Args:
        text: What was told.
        root: The checkout, which may be named in it.
    """
    text = text.replace(str(root), "<root>")
    for rule in RULES:
        text = rule.pattern.sub(rule.instead, text)
    return text


def told(text: str, root: Path) -> str:
    """Write a text so that differences can be read.

    JSON is laid out, behind a hash that holds it to the byte; what is too long is only hashed.
    """
    text = normal(text, root)
    laid_out = _laid_out(text)
    named = f"sha256 {sha256(text.encode())} of {len(text)} characters\n"
    if max(len(text), len(laid_out or "")) > LONGEST:
        return named
    return text if laid_out is None else named + laid_out + "\n"


def _laid_out(text: str) -> str | None:
    """Lay out JSON, or JSON by the line; None for anything else."""
    quoted = re.sub(r'": ?(<\w+>)', r'": "\1"', text)
    for documents in ([quoted], quoted.splitlines()):
        with contextlib.suppress(ValueError):
            read = [json.loads(each) for each in documents]
            if read and all(isinstance(each, dict | list) for each in read):
                return "\n".join(json.dumps(each, indent=1, ensure_ascii=False) for each in read)
    return None


def sha256(data: bytes) -> str:
    """Hash bytes."""
    return hashlib.sha256(data).hexdigest()


def contents(folder: Path) -> dict[str, str]:
    """Hash every file of a folder, by its path in it; bytecode is nobody's."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc")
    return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()) for path in files}


def file_told(path: Path, root: Path) -> str:
    """Describe a file: tensors by their hashes, text as text, all else by its hash."""
    data = path.read_bytes()
    if path.suffix == ".safetensors":
        return _tensors_told(data, root)
    try:
        return told(data.decode("utf-8"), root)
    except UnicodeDecodeError:
        return f"sha256 {sha256(data)}, {len(data)} bytes\n"


def tensors_header(data: bytes) -> tuple[dict[str, dict[str, object]], dict[str, str], bytes]:
    """Take a safetensors file apart: its tensors' places, its metadata, and their bytes."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    about = header.pop("__metadata__", {})
    return header, about, data[8 + size :]


def _tensors_told(data: bytes, root: Path) -> str:
    """Describe safetensors: what the header says, and a hash of each tensor's bytes.

    A whole file is hashed too, but a checkpoint, whose header holds a document with times.
    """
    tensors, about, body = tensors_header(data)
    document = about.pop("thaw", None)
    lines = [f"sha256 {sha256(data)}"] if document is None else []
    lines.append(f"metadata {json.dumps(about)}")
    for name, tensor in tensors.items():
        begin, end = tensor["data_offsets"]  # type: ignore[misc]
        lines.append(f"{name} {tensor['dtype']} {tensor['shape']} {sha256(body[begin:end])}")
    if document is not None:
        lines.append(told(document, root))
    return "\n".join(lines) + "\n"
