"""Embeddings as files: JSON, CSV, NPY and Parquet, written as a stream and put in place whole."""

import contextlib
import csv
import io
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

if TYPE_CHECKING:  # importing torch takes a second, and a wrong --out is told before that
    from core.encoder import Encoding

SUFFIXES = (".json", ".csv", ".npy", ".parquet")

_FORMULA_STARTS = tuple("=+-@\t\r＝＋－＠")  # the wide ones count as signs in some countries
_NPY_HEADER = 128
"""Bytes of an NPY header: a multiple of 64 with room for any count, as it is written twice."""


class EmbeddingWriter(Protocol):
    """Writes a document of embeddings, some sentences at a time."""

    def write(self, texts: Sequence[str], encoding: "Encoding") -> None:
        """Add sentences with their embeddings."""

    def finish(self) -> None:
        """Write what comes after the last sentence."""


class JsonWriter:
    """`{model, pooling, dimension, normalized, sentences: [...]}`, one sentence a line.

    Args:
        file: Takes UTF-8.
        header: Everything but the sentences.
    """

    def __init__(self, file: BinaryIO, header: Mapping[str, Any]) -> None:
        self._file = file
        self._before = "\n"
        start = json.dumps(header, ensure_ascii=False)[:-1]
        file.write(f'{start}, "sentences": ['.encode())

    def write(self, texts: Sequence[str], encoding: "Encoding") -> None:
        rows = zip(texts, encoding.vectors.tolist(), encoding.truncated, strict=True)
        for text, vector, truncated in rows:
            line = (
                f'{self._before}{{"text": {json.dumps(text, ensure_ascii=False)}, '
                f'"embedding": [{_numbers(vector, ", ")}], '
                f'"truncated": {json.dumps(truncated)}}}'
            )
            self._file.write(line.encode())
            self._before = ",\n"

    def finish(self) -> None:
        self._file.write(b"\n]}\n")


class CsvWriter:
    """`text,truncated,e1,e2,…`: a row a sentence, a column a dimension.

    Args:
        file: Takes UTF-8.
        dimension: Numbers in an embedding.
    """

    def __init__(self, file: BinaryIO, dimension: int) -> None:
        self._file = file
        columns = ",".join(f"e{number}" for number in range(1, dimension + 1))
        file.write(f"text,truncated,{columns}\n".encode())

    def write(self, texts: Sequence[str], encoding: "Encoding") -> None:
        rows = zip(texts, encoding.vectors.tolist(), encoding.truncated, strict=True)
        for text, vector, truncated in rows:
            start = _csv_cells(spreadsheet_safe(text), json.dumps(truncated))
            self._file.write(f"{start},{_numbers(vector, ',')}\n".encode())

    def finish(self) -> None:
        """Write nothing: a CSV has no end."""


class NpyWriter:
    """The numbers alone, fp32, (sentences, dimension), for `numpy.load` with or without mmap.

    Args:
        file: Can be rewound, as how many rows there are is known last and stands first.
        dimension: Numbers in an embedding.

    Source:
        NumPy Enhancement Proposal 1, format version 1.0.
    """

    def __init__(self, file: BinaryIO, dimension: int) -> None:
        self._file = file
        self._dimension = dimension
        self._rows = 0
        self._write_header()

    def write(self, texts: Sequence[str], encoding: "Encoding") -> None:
        self._file.write(encoding.vectors.numpy().astype("<f4").tobytes())
        self._rows += len(texts)

    def finish(self) -> None:
        self._file.seek(0)
        self._write_header()

    def _write_header(self) -> None:
        shape = (self._rows, self._dimension)
        described = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
        size = _NPY_HEADER - 10
        start = b"\x93NUMPY\x01\x00" + size.to_bytes(2, "little")
        self._file.write(start + described.ljust(size - 1).encode() + b"\n")


class ParquetWriter:
    """Columns text, embedding (a list of fp32) and truncated, the header in the file's metadata.

    Args:
        file: Takes bytes.
        header: What made the embeddings.
    """

    def __init__(self, file: BinaryIO, header: Mapping[str, Any]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._arrow = pa
        self._numbers = pa.list_(pa.float32(), header["dimension"])
        columns = {"text": pa.string(), "embedding": self._numbers, "truncated": pa.bool_()}
        described = {key: json.dumps(value) for key, value in header.items()}
        self._schema = pa.schema(list(columns.items()), metadata=described)
        self._writer = pq.ParquetWriter(file, self._schema)

    def write(self, texts: Sequence[str], encoding: "Encoding") -> None:
        flat = self._arrow.array(encoding.vectors.flatten().numpy())
        vectors = self._arrow.FixedSizeListArray.from_arrays(flat, type=self._numbers)
        columns = [list(texts), vectors, list(encoding.truncated)]
        self._writer.write_table(self._arrow.table(columns, schema=self._schema))

    def finish(self) -> None:
        self._writer.close()


def check_target(path: Path, *, suffixes: Sequence[str] = SUFFIXES, option: str = "--out") -> Path:
    """Refuse a file that cannot be written to, before anything is computed.

    Args:
        path: The file.
        suffixes: What its name may end in.
        option: What it was given to, for messages.

    Returns:
        The path, with links followed, so that a linked file is replaced and not its link.

    Raises:
        ValueError: If its suffix is none of `suffixes`, it is a folder, or its folder is missing
            or cannot be written to.
    """
    if path.suffix.lower() not in suffixes:
        given = f"ends in {path.suffix}" if path.suffix else "has no suffix"
        raise ValueError(f"{option} {path} {given}, must end in one of: {', '.join(suffixes)}")
    try:
        path = path.resolve()
        if path.exists() and not path.is_file():
            raise ValueError(f"{option} {path} is a folder or a device, must be a file")
        if not path.parent.is_dir():
            raise ValueError(f"{option} {path} is in a folder that is not there: make it first")
    except (OSError, RuntimeError) as error:  # a name too long, a link to itself
        raise ValueError(f"{option} {str(path)[:200]} cannot be written: {error}") from error
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"{option} {path} is in a folder that you may not write to: give another")
    return path


@contextlib.contextmanager
def embeddings_file(path: Path, header: Mapping[str, Any]) -> Iterator[EmbeddingWriter]:
    """Open a file of embeddings; it is there, whole, when the block ends, and else not at all.

    Args:
        path: Its suffix, one of `SUFFIXES`, says the format.
        header: What `core.documents.embedding_header` says.
    """
    with replaced_whole(path) as file:
        writer = _writer_for(path.suffix.lower(), file, header)
        try:
            yield writer
        except BaseException:
            with contextlib.suppress(Exception):  # pyarrow's writer must not outlive its file
                writer.finish()
            raise
        writer.finish()


def _writer_for(suffix: str, file: BinaryIO, header: Mapping[str, Any]) -> EmbeddingWriter:
    if suffix == ".json":
        return JsonWriter(file, header)
    if suffix == ".csv":
        return CsvWriter(file, header["dimension"])
    if suffix == ".npy":
        return NpyWriter(file, header["dimension"])
    return ParquetWriter(file, header)


@contextlib.contextmanager
def replaced_whole(path: Path) -> Iterator[BinaryIO]:
    """Write a file beside its place, and move it there when the block ends well.

    Whatever ends the block otherwise, Ctrl-C included, leaves the old file as it was and no
    new one.
    """
    part = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def spreadsheet_safe(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _csv_cells(*cells: str) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def _numbers(vector: Sequence[float], between: str) -> str:
    """Write fp32 numbers with the nine digits that bring each back exactly."""
    return between.join(["%.9g"] * len(vector)) % tuple(vector)
