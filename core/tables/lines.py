"""The lines of a text file: decoded, counted, and bounded before they are held."""

import codecs
import contextlib
import io
from collections.abc import Iterator

MAX_LINE_CHARACTERS = 1_000_000
"""What one line of a file may hold: the longest sentence, and much beside it."""

_NO_TEXT = {  # how a file begins → what it is, and what to do
    b"PK\x03\x04": "compressed (zip): unpack it; of a spreadsheet, save the sheet as CSV",
    b"PK\x05\x06": "compressed (zip), and empty: give the file that was meant",
    b"\x1f\x8b": "compressed (gzip): unpack it",
    b"BZh91AY&SY": "compressed (bzip2): unpack it",
    b"\xfd7zXZ\0": "compressed (xz): unpack it",
    b"\x28\xb5\x2f\xfd": "compressed (zstd): unpack it",
    b"7z\xbc\xaf\x27\x1c": "compressed (7-Zip): unpack it",
    b"Rar!\x1a\x07": "compressed (RAR): unpack it",
    b"PAR1": "Parquet: give it a name that ends in .parquet",
    b"\xd0\xcf\x11\xe0": "an old Office file: save the sheet as CSV",
    b"%PDF-": "a PDF: give its text",
}

READABLE = "UTF-8, or UTF-16 with a byte order mark"


class Lines:
    """The lines of a file that must be text, read as they are asked for.

    Args:
        name: What the file is called in messages.
        file: The bytes, at their start. They stay open.

    Attributes:
        number: The line yielded last, from 1.

    Raises:
        ValueError: If the file's head is not text in an encoding that is read here. Iterating
            raises it for a byte further down, and for a line too long.
    """

    def __init__(self, name: str, file: io.BufferedReader) -> None:
        self.name = name
        self.number = 0
        head = file.peek(8192)
        if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
            raise ValueError(f"{name} is in UTF-32, must be {READABLE}: save it as UTF-8")
        other = next((what for magic, what in _NO_TEXT.items() if head.startswith(magic)), None)
        if other is not None:
            raise ValueError(f"{name} is {other}")
        utf16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        if not utf16 and b"\0" in head:
            raise ValueError(_binary(name, 1 + head[: head.index(b"\0")].count(b"\n")))
        self._encoding = "utf-16" if utf16 else "utf-8-sig"
        self._text = io.TextIOWrapper(file, encoding=self._encoding)

    def __iter__(self) -> Iterator[str]:
        try:
            while line := self._next_line():
                self.number += 1
                if len(line) > MAX_LINE_CHARACTERS:
                    raise ValueError(
                        f"{self.name}: line {self.number:,} has more than "
                        f"{MAX_LINE_CHARACTERS:,} characters: split it"
                    )
                if "\0" in line:
                    raise ValueError(_binary(self.name, self.number))
                yield line
        finally:
            with contextlib.suppress(ValueError):  # whoever opened the bytes closes them
                self._text.detach()

    def _next_line(self) -> str:
        try:
            return self._text.readline(MAX_LINE_CHARACTERS + 1)
        except UnicodeDecodeError as error:
            # The block that would not decode starts inside the line after the last one yielded.
            before = error.object[: error.start].decode(error.encoding, errors="ignore")
            number = self.number + 1 + max(before.count("\n"), before.count("\r"))
            read = "UTF-16" if self._encoding == "utf-16" else "UTF-8"
            raise ValueError(
                f"{self.name}: line {number:,} has the byte 0x{error.object[error.start]:02X}, "
                f"which is not {read}; text is read in {READABLE}: save the file as UTF-8"
            ) from error


def _binary(name: str, line: int) -> str:
    return f"{name} is no text: line {line:,} has a NUL byte; text is read in {READABLE}"
