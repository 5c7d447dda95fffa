import io
import tracemalloc

import pytest

from core.tables.lines import MAX_LINE_CHARACTERS, Lines


def lines_of(content: bytes) -> list[str]:
    return list(Lines("f", io.BufferedReader(io.BytesIO(content))))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_text_is_read_in_every_encoding_with_every_line_end(encoding: str, end: str) -> None:
    content = end.join(["Größe", "日本", "👍"]).encode(encoding)
    assert lines_of(content) == ["Größe\n", "日本\n", "👍"]


@pytest.mark.parametrize("order", ["le", "be"])
def test_utf_16_is_read_in_either_byte_order(order: str) -> None:
    mark = b"\xff\xfe" if order == "le" else b"\xfe\xff"
    assert lines_of(mark + "é\nb".encode(f"utf-16-{order}")) == ["é\n", "b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"caf\xe9\n", r"f: line 1 has the byte 0xE9, which is not UTF-8"),
        (b"ok\nok\nna\xefve\n", r"f: line 3 has the byte 0xEF"),
        (b"ok\r" * 3 + b"\xff\r", r"f: line 4 has the byte 0xFF"),
        (b"ok\n" * 50_000 + b"\xe9", r"f: line 50,001 has the byte 0xE9"),
        (b"x" * 10_000 + b"\n\xe9", r"f: line 2 has the byte 0xE9"),
        (b"ok\n\xe2\x82", r"f: line 2 has the byte 0xE2"),
        (b"\xff\xfea\x00\n\x00\x00\xd8b\x00", r"f: line 2 has the byte 0x00, .* not UTF-16"),
        (b"a\0b", r"f is no text: line 1 has a NUL byte"),
        ("a\nb\n".encode("utf-16-le"), r"f is no text: line 1 has a NUL byte"),
        (b"ok\n" * 9_000 + b"a\0\n", r"f is no text: line 9,001 has a NUL byte"),
        ("a".encode("utf-32"), r"f is in UTF-32, must be UTF-8, or UTF-16 with a byte order mark"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", r"f is no text"),
    ],
)
def test_what_is_no_text_is_refused_with_its_line(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lines_of(content)


def test_a_line_without_end_is_refused_before_it_is_held() -> None:
    content = io.BytesIO(b"ok\n" + b"x" * (30 * MAX_LINE_CHARACTERS))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"f: line 2 has more than 1,000,000 characters"):
        list(Lines("f", io.BufferedReader(content)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * MAX_LINE_CHARACTERS


def test_the_bytes_stay_open_when_the_lines_are_read() -> None:
    file = io.BufferedReader(io.BytesIO(b"a\nb\n"))
    assert list(Lines("f", file)) == ["a\n", "b\n"]
    assert not file.closed
