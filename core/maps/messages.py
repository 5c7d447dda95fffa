"""Messages between the page and the process that draws maps: JSON, then arrays as they lie.

A message is a length, a header in JSON of that length, and the arrays that the header names. No
pickle is written or read.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

Arrays = Mapping[str, "np.ndarray[Any, Any]"]
Fields = dict[str, Any]

LARGEST_HEADER = 10_000_000
_LENGTH = struct.Struct("<Q")


def send(stream: BinaryIO, fields: Fields, arrays: Arrays | None = None) -> None:
    """Write one message."""
    given = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    shapes = {name: [a.dtype.str, list(a.shape)] for name, a in given.items()}
    header = json.dumps({**fields, "arrays": shapes}).encode()
    stream.write(_LENGTH.pack(len(header)) + header)
    for array in given.values():
        stream.write(array.tobytes())
    stream.flush()


def receive(stream: BinaryIO) -> tuple[Fields, dict[str, "np.ndarray[Any, Any]"]]:
    """Read one message.

    Raises:
        EOFError: If the other side has gone.
    """
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    if length > LARGEST_HEADER:
        raise EOFError("this is no message")
    fields = json.loads(_exactly(stream, length))
    arrays = {}
    for name, (kind, shape) in fields.pop("arrays").items():
        dtype = np.dtype(kind)
        size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(_exactly(stream, size), dtype=dtype).reshape(shape)
    return fields, arrays


def _exactly(stream: BinaryIO, size: int) -> bytes:
    found = stream.read(size)
    if len(found) < size:
        raise EOFError("the other side has gone")
    return found
