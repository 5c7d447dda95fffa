"""Embeddings as files: JSON, CSV, NPY and Parquet, written as a stream and put in place whole."""

import contextlib
import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from core.system.files import replaced_whole, spreadsheet_safe

if TYPE_CHECKING:  # importing torch takes a second, and a wrong --out is told before that
    from core.encoder.encoder import Encoding

SUFFIXES = (".json", ".csv", ".npy", ".parquet")

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


@contextlib.contextmanager
def embeddings_file(path: Path, header: Mapping[str, Any]) -> Iterator[EmbeddingWriter]:
    """Open a file of embeddings; it is there, whole, when the block ends, and else not at all.

    Args:
        path: Its suffix, one of `SUFFIXES`, says the format.
        header: What `core.model.documents.embedding_header` says.
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


def _csv_cells(*cells: str) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def _numbers(vector: Sequence[float], between: str) -> str:
    """Write fp32 numbers with the nine digits that bring each back exactly."""
    return between.join(["%.9g"] * len(vector)) % tuple(vector)
