"""Parquet: typed columns, read in batches, bounded by what the file says of itself first."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from core.config import MAX_SENTENCE_CHARACTERS
from core.errors import InputError, setting
from core.tables.cells import choose_column, first_line
from core.tables.columns import Table
from core.tables.format import Format
from core.tables.held import Held
from core.tables.labels import as_json
from core.tables.stream import Cells, Sentences

_BATCH_ROWS = 256


class Parquet(Format):
    """Columns of one type each."""

    suffixes: ClassVar[tuple[str, ...]] = (".parquet",)
    media: ClassVar[str] = "application/vnd.apache.parquet"
    unit: ClassVar[str] = "row"

    def sentences(self, name: str, path: Path, column: str | None) -> Sentences:
        notes: list[str] = []
        found = ParquetColumn(path, column, notes)
        return Sentences(
            name, iter(found), unit=self.unit, notes=notes, share=found.share, close=found.close
        )

    def hold(self, path: Path, held: Held) -> None:
        import pyarrow as pa

        try:
            self._hold(path, held)
        except (pa.ArrowException, OSError, UnicodeDecodeError, RecursionError) as error:
            where = f" beyond row {held.rows:,}" if held.rows else " as Parquet"
            raise ValueError(f"{path} cannot be read{where}: {first_line(error)}") from error

    def _hold(self, path: Path, held: Held) -> None:
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            names = list(file.schema_arrow.names)
            held.know(names)
            chosen = [name for name in names if held.wants(name)]
            held.expect(file.metadata.num_rows, _unpacked(file.metadata, chosen))
        texts = [field.name for field in file.schema_arrow if is_text(field.type)]
        classes = _class_names(file.schema_arrow.metadata or {})
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=chosen):
                columns = [
                    _named(parquet_cells(held.name, column, held.rows), classes.get(name, ()))
                    for name, column in zip(batch.schema.names, batch.columns, strict=True)
                ]
                for cells in zip(*columns, strict=True):
                    held.add(held.rows + 1, dict(zip(batch.schema.names, cells, strict=True)))

    def copy(self, source: Path, kept: Collection[int], file: BinaryIO) -> int:
        import pyarrow as pa
        import pyarrow.parquet as pq

        row = written = 0
        try:
            with pq.ParquetFile(source) as read, pq.ParquetWriter(file, read.schema_arrow) as copy:
                for batch in read.iter_batches():
                    chosen = [at for at in range(batch.num_rows) if row + at + 1 in kept]
                    copy.write_batch(batch.take(pa.array(chosen, type=pa.int64())))
                    row += batch.num_rows
                    written += len(chosen)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"{source} cannot be copied: {first_line(error)}") from error
        return written

    def write(self, table: Table, rows: Sequence[int], file: BinaryIO, *, safe: bool) -> int:
        import pyarrow as pa
        import pyarrow.parquet as pq

        del safe  # its texts are typed as such
        arrays = []
        for name in table.names:
            cells = [as_json(table.columns[name][row]) for row in rows]
            try:
                arrays.append(pa.array(cells))
            except (pa.ArrowException, UnicodeEncodeError, OverflowError) as error:
                raise InputError(
                    f"column {name[:40]!r} cannot be written as Parquet, which holds one kind of "
                    f"value a column ({first_line(error)}): give {setting('cleaned')} a name in "
                    ".jsonl"
                ) from error
        pq.write_table(pa.table(arrays, names=list(table.names)), file)
        return 0


class ParquetColumn:
    """A column of text in a Parquet file; nothing but the file's footer is read before it is used.

    Args:
        path: The file.
        column: The one wanted, or None to guess.
        notes: A guess is added here, in words.

    Raises:
        ValueError: If it cannot be read, or has no such column of text. Iterating raises it for
            what is broken further down.
    """

    def __init__(self, path: Path, column: str | None, notes: list[str]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path = path
        self._broken = (pa.ArrowException, OSError, UnicodeDecodeError)
        self._read = 0
        try:
            self._file = pq.ParquetFile(path)
        except self._broken as error:
            raise ValueError(f"{path} cannot be read as Parquet: {first_line(error)}") from error
        try:
            self._name = self._choose(column, notes)
        finally:
            self.close()
        # By its dictionary, so that a long text is not held again for each row that repeats it.
        self._file = pq.ParquetFile(path, read_dictionary=[self._name])

    def __iter__(self) -> Cells:
        try:
            for batch in self._file.iter_batches(batch_size=_BATCH_ROWS, columns=[self._name]):
                for text in parquet_cells(str(self._path), batch.column(0), self._read):
                    self._read += 1
                    yield self._read, text
        except self._broken as error:
            raise ValueError(
                f"{self._path} cannot be read beyond row {self._read:,}: {first_line(error)}"
            ) from error

    @property
    def unpacked_bytes(self) -> int:
        """What the file says the column takes when unpacked."""
        return _unpacked(self._file.metadata, [self._name])

    def share(self) -> float:
        """Say how much is read, 0 to 1."""
        return self._read / max(1, self._file.metadata.num_rows)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _choose(self, column: str | None, notes: list[str]) -> str:
        schema = self._file.schema_arrow
        texts = [field.name for field in schema if is_text(field.type)]
        names = texts if column is None and texts else list(schema.names)
        name = names[choose_column(str(self._path), names, column, notes)]
        if name not in texts:
            kind = schema.field(name).type
            raise ValueError(f"{self._path}: column {name!r} holds {kind}, must be text")
        return name


def parquet_cells(name: str, column: Any, before: int) -> list[Any]:  # noqa: ANN401 (pyarrow has no types)
    """Unpack a column of a batch, unless a text in its dictionary is too long to be repeated.

    Args:
        name: What the file is called in messages.
        column: A column of a pyarrow batch.
        before: Rows read before it.

    Raises:
        ValueError: If a text in its dictionary is too long.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, pa.DictionaryArray) and is_text(column.type):
        longest = pc.max(pc.binary_length(column.dictionary)).as_py() or 0
        if longest > 4 * MAX_SENTENCE_CHARACTERS:  # bytes of UTF-8
            raise ValueError(
                f"{name} holds a text of {longest:,} bytes after row {before:,}, must be at most "
                f"{MAX_SENTENCE_CHARACTERS:,} characters: split it"
            )
    cells: list[Any] = column.to_pylist()
    return cells


def is_text(kind: Any) -> bool:  # noqa: ANN401 (pyarrow has no types)
    """Say whether a column of Parquet holds text, as it is or by its number in a dictionary."""
    import pyarrow.types as t

    inner = kind.value_type if t.is_dictionary(kind) else kind
    return bool(t.is_string(inner) or t.is_large_string(inner) or t.is_string_view(inner))


def _unpacked(footer: Any, chosen: Sequence[str]) -> int:  # noqa: ANN401 (pyarrow has no types)
    """Add up the bytes that a Parquet file says columns of it take when unpacked."""
    return sum(
        column.total_uncompressed_size
        for group in map(footer.row_group, range(footer.num_row_groups))
        for column in map(group.column, range(footer.num_columns))
        if column.path_in_schema.partition(".")[0] in chosen
    )


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Find what a file that the `datasets` library wrote calls the numbers of its classes."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        names = {column: about["names"] for column, about in features.items() if "names" in about}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return {
        column: called
        for column, called in names.items()
        if isinstance(called, list) and all(isinstance(name, str) for name in called)
    }


def _named(cells: list[Any], names: Sequence[str]) -> list[Any]:
    """Write classes by their names; -1 is how `datasets` writes that there is none."""
    if not names:
        return cells
    called: dict[int, str | None] = {**dict(enumerate(names)), -1: None}
    return [called.get(cell, cell) if type(cell) is int else cell for cell in cells]
