"""What the doctor looks for in the texts alone: each check takes a patient and gives findings."""

import html.entities
import re
from collections import Counter
from collections.abc import Callable, Iterator

from core.doctor.findings import Finding, Patient, counted, listed
from core.doctor.language import foreign_texts, script_of

_ENGLISH_ALONE = "English"
"""How the catalogue writes it where an encoder reads no other language."""

_FEW_WORDS = 2
_WORD = re.compile(r"\w+(?:['’\-.,]\w+)*")
_WITHOUT_SPACES = ("Chinese or Japanese", "Japanese", "Thai")

_LOST = "\ufffd"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_QUOTE = "â€"  # of a dash or curly quote; what comes after it is often dropped on the way
_RUN = re.compile(r"[^\x00-\x7f]{2,}")

_TAGS = (
    *("a", "abbr", "article", "b", "blockquote", "body", "br", "button", "center", "code", "dd"),
    *("div", "dl", "dt", "em", "font", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head", "hr"),
    *("html", "i", "iframe", "img", "input", "label", "li", "link", "meta", "ol", "option", "p"),
    *("pre", "q", "s", "script", "section", "small", "span", "strong", "style", "sub", "sup"),
    *("svg", "table", "tbody", "td", "th", "thead", "title", "tr", "u", "ul", "video"),
)
_TAG = re.compile(rf"</?(?:{'|'.join(_TAGS)})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|([A-Za-z][A-Za-z0-9]{1,31}));")


def empty_texts(patient: Patient) -> Iterator[Finding]:
    """Find rows without text."""
    empty = [i for i in range(len(patient.dataset.examples)) if i not in patient.texts]
    if empty:
        yield Finding(
            kind="empty",
            severity="warning",
            message=f"{_have(patient, empty)} no text: nothing can be learned from that, and it "
            "is left out of everything; a cleaned copy does without",
            rows=patient.places(empty),
        )


def too_long_texts(patient: Patient) -> Iterator[Finding]:
    """Find texts of which the encoder will not read the end."""
    reader = patient.reader
    if reader.max_tokens is None:
        return
    long = [
        index for index, text in patient.texts.items() if _surely_longer(text, reader.max_tokens)
    ]
    if reader.tokenizer is not None:
        # A token stands for a byte or more, so that most texts need not be cut into tokens.
        doubtful = [i for i, t in patient.texts.items() if len(t.encode()) + 8 > reader.max_tokens]
        tokens = reader.tokenizer.encode([patient.texts[index] for index in doubtful])
        long = [index for index, each in zip(doubtful, tokens, strict=True) if each.truncated]
    if long:
        counting = "" if reader.tokenizer else ", counted by words, as its tokenizer is not here"
        yield Finding(
            kind="too_long",
            severity="warning",
            message=f"{_have(patient, long)} more than the {reader.max_tokens:,} tokens that "
            f"{reader.name} reads{counting}: what comes after is not seen, in training or later; "
            "shorten or split such texts",
            rows=patient.places(long),
        )


def _surely_longer(text: str, tokens: int) -> bool:
    """Judge without a tokenizer: each word is a token at least, and two are special."""
    return len(text) > tokens and len(_WORD.findall(text)) + 2 > tokens


def odd_encodings(patient: Patient) -> Iterator[Finding]:
    """Find texts whose characters were lost or mixed up on the way."""
    signs: tuple[tuple[str, Callable[[str], bool]], ...] = (
        ("characters that were lost (U+FFFD)", lambda text: _LOST in text),
        ("characters read in the wrong encoding, such as Ã© for é", has_mojibake),
        ("control characters", lambda text: _CONTROL.search(text) is not None),
    )
    for what, is_there in signs:
        odd = [index for index, text in patient.texts.items() if is_there(text)]
        if odd:
            yield Finding(
                kind="encoding",
                severity="warning",
                message=f"{_have(patient, odd)} {what}: such words are noise to the encoder; "
                "save the source again as UTF-8, or mend these rows",
                rows=patient.places(odd),
            )


def has_mojibake(text: str) -> bool:
    """Say whether a text holds UTF-8 that was read as Windows-1252.

    >>> has_mojibake("cafÃ©"), has_mojibake("São Paulo, à la «carte»")
    (True, False)
    """
    if text.isascii():
        return False
    return _QUOTE in text or any(_is_mojibake(run) for run in _RUN.findall(text))


def _is_mojibake(run: str) -> bool:
    """Judge a run of characters beyond ASCII by what its bytes would be in UTF-8."""
    data = b"".join(_bytes_in_windows(character) for character in run)
    read = [c for c in data.decode("utf-8", errors="ignore") if not c.isascii()]
    # Accents, dashes, quotes, signs and emoji are what is met; by chance, as in « café » with
    # its no-break space, two or three such bytes may spell a rarer letter, but not two in a row.
    return any(_is_common(c) for c in read) or (len(read) > 1 and 3 * len(read) >= len(run) - 1)


def _bytes_in_windows(character: str) -> bytes:
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:  # five bytes have no character there and are read as themselves
        return bytes([ord(character)]) if ord(character) < 256 else b"\xff"


def _is_common(character: str) -> bool:
    point = ord(character)
    return 0xA0 <= point <= 0xFF or 0x2010 <= point <= 0x2122 or 0x1F000 <= point <= 0x1FAFF


def markup(patient: Patient) -> Iterator[Finding]:
    """Find texts with HTML in them."""
    marked = [index for index, text in patient.texts.items() if _has_markup(text)]
    if marked:
        yield Finding(
            kind="markup",
            severity="warning",
            message=f"{_have(patient, marked)} HTML tags or entities, such as <br> or &amp;: the "
            "encoder reads them as words; take them out before training, and before predicting",
            rows=patient.places(marked),
        )


def _has_markup(text: str) -> bool:
    if "<" in text and _TAG.search(text):
        return True
    if "&" not in text:
        return False
    names = (match[1] for match in _ENTITY.finditer(text))
    return any(name is None or f"{name};" in html.entities.html5 for name in names)


def other_languages(patient: Patient) -> Iterator[Finding]:
    """Find texts in a language that the encoder was not trained on."""
    reader = patient.reader
    if reader.languages not in ("", _ENGLISH_ALONE):
        return
    indices = list(patient.texts)
    found = {indices[at]: name for at, name in foreign_texts(list(patient.texts.values())).items()}
    if not found:
        return
    names = [name for name, _ in Counter(found.values()).most_common()]
    many, there = patient.many(len(found)), listed(names, 4).replace("'", "")
    verb = "seems" if len(found) == 1 else "seem"
    if reader.languages:
        what = f"{many} {verb} not to be English ({there}), which is all that {reader.name} reads"
        severity, then = "warning", "take an encoder for several languages, or translate"
    else:
        what = f"{many} {verb} not to be English ({there})"
        severity, then = "note", f"make sure that {reader.name} was trained on it"
    yield Finding(
        kind="language",
        severity=severity,
        message=f"{what}: its embeddings of them say little, and heads learn little; {then}",
        rows=patient.places(found),
    )


def short_texts(patient: Patient) -> Iterator[Finding]:
    """Find texts of a word or two."""
    short = [index for index, text in patient.texts.items() if _is_short(text)]
    if short:
        words = counted(_FEW_WORDS, "word")
        yield Finding(
            kind="short",
            severity="note",
            message=f"{_have(patient, short)} {words} or fewer: there is little to read in them, "
            "and what is predicted of such texts is often unsure; see that they are whole",
            rows=patient.places(short),
        )


def _is_short(text: str) -> bool:
    if len(text) > 60 or len(_WORD.findall(text)) > _FEW_WORDS:
        return False
    return script_of(text) not in _WITHOUT_SPACES


def _have(patient: Patient, indices: list[int]) -> str:
    return f"{patient.many(len(indices))} {'has' if len(indices) == 1 else 'have'}"
