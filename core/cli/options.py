"""The command line made of the settings: a command is a function of dataclasses of options."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from core.config import (
    DEVICE,
    THREADS,
    AdviceChoice,
    ComparisonSettings,
    DataChoice,
    EncoderChoice,
    ExportChoice,
    MapSettings,
    TrainingChoice,
)
from core.option import Option, option_in, options_of

JSON = Option("--json", help="Print one JSON document and no more.")
MODEL = Option("--model", "DIR", "A folder that train or export wrote; else the shipped one.")
AsJson = Annotated[bool, JSON]
Model = Annotated[str | None, MODEL]


@dataclass(frozen=True)
class Only:
    """Which fields of a dataclass a command asks for; the others keep their defaults."""

    names: tuple[str, ...]


NamedEncoder = Annotated[EncoderChoice, Only(("name",))]
PooledEncoder = Annotated[EncoderChoice, Only(("name", "pooling", "normalize"))]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a command runs on.

    Attributes:
        threads: torch threads; None leaves them as they are.
        device: A torch device; None for the best there is.
    """

    threads: int | None = THREADS.field(None)
    device: str | None = DEVICE.field(None)


@dataclass(frozen=True, kw_only=True)
class Given:
    """Sentences, typed or in a file.

    Attributes:
        texts: As typed.
        file: The file, or `-` for standard input.
        column: Which of its columns holds them; None guesses.
    """

    texts: tuple[str, ...] = Option("", "TEXT", "Sentences.").field(())
    file: str | None = Option(
        "--file",
        "F",
        "Sentences: TXT (one a line), CSV, TSV, JSONL or Parquet; - is standard input.",
    ).field(None)
    column: str | None = Option("--column", "NAME", "The column of sentences.").field(None)


GivenFile = Annotated[Given, Only(("file", "column"))]


def flag_of(setting: str) -> str:
    """Call a setting as it is typed."""
    return _FLAGS.get(setting, f"--{setting.replace('_', '-')}")


_FLAGS = {
    name: option.flag.partition("/")[0]
    for holder in (
        EncoderChoice,
        DataChoice,
        TrainingChoice,
        AdviceChoice,
        ComparisonSettings,
        MapSettings,
        ExportChoice,
    )
    for name, option in options_of(holder).items()
    if option.flag
}


@dataclass(frozen=True)
class _Typed:
    """An option of a command: how it is declared, of which type, and unless it is typed."""

    option: Option
    kind: Any
    default: Any

    @property
    def key(self) -> str:
        """By what its value is known."""
        called = self.option.flag.partition("/")[0] or self.option.metavar
        return called.strip("-").replace("-", "_").lower()

    @property
    def off(self) -> bool:
        """Whether to type it takes something away."""
        return self.option.flag.startswith("--no-")

    def parameter(self) -> inspect.Parameter:
        """Declare it as typer reads it."""
        option, kind, default = self.option, self.kind, self.default
        if get_origin(kind) is tuple:
            kind, default = list[str] | None, None
        elif option.read is not None:
            kind = str | None
        elif self.off:
            default = not default
        told: Any = {"metavar": option.metavar or "|".join(map(str, option.choices)) or None}
        told["help"] = option.help
        if option.first is not None:
            told |= {"is_eager": True, "callback": option.first}
        if option.flag:
            said = typer.Option(option.flag, **told)
        else:
            said = typer.Argument(**told, show_default=False)
        return inspect.Parameter(
            self.key,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if default is MISSING else default,
            annotation=Annotated[kind, said],
        )

    def value(self, typed: Any) -> Any:  # noqa: ANN401 (whatever typer read)
        """Turn what was typed into what the field holds."""
        if get_origin(self.kind) is tuple:
            return tuple(typed)
        if self.option.read is not None:
            return self.option.read(typed)
        return not typed if self.off else typed


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Make a command of a function: its parameters' dataclasses, taken apart into options.

    An option's first declaration counts, and what is typed for it goes wherever its flag is.
    """
    hints = get_type_hints(function, include_extras=True)
    defaults = {
        name: MISSING if each.default is inspect.Parameter.empty else each.default
        for name, each in inspect.signature(function).parameters.items()
    }
    hints.pop("return", None)
    asked: dict[str, _Typed] = {}
    for name, hint in hints.items():
        for each in _typed(hint, defaults[name]):
            asked.setdefault(each.key, each)
    shown = [each.parameter() for each in _in_order(list(asked.values()))]
    contexts = [name for name, hint in hints.items() if hint is typer.Context]

    def run(**typed: Any) -> None:  # noqa: ANN401 (as typer calls it)
        function(
            **{
                name: typed[name] if name in contexts else _made(hint, defaults[name], typed)
                for name, hint in hints.items()
            }
        )

    own = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        for name in contexts
    ]
    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__annotations__ = {}
    run.__signature__ = inspect.Signature([*own, *shown])  # type: ignore[attr-defined]
    return run


def _parts(hint: Any) -> tuple[Any, tuple[str, ...] | None, bool]:  # noqa: ANN401
    """Take an annotation apart: its type, the fields asked for, and whether it may be None."""
    only = None
    if get_origin(hint) is Annotated:
        only = next((each.names for each in get_args(hint)[1:] if isinstance(each, Only)), None)
        hint = get_args(hint)[0]
    if isinstance(hint, UnionType) and any(map(is_dataclass, get_args(hint))):
        return next(each for each in get_args(hint) if each is not NoneType), only, True
    return hint, only, False


def _fields(holder: type[Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield each field of a dataclass, its annotation with the option, and its default."""
    hints, options = get_type_hints(holder, include_extras=True), options_of(holder)
    for each in fields(holder):
        hint, option = hints[each.name], options.get(each.name)
        yield each.name, Annotated[hint, option] if option else hint, each.default


def _typed(hint: Any, default: Any) -> Iterator[_Typed]:  # noqa: ANN401
    """Yield the options of an annotation: its own, or those of a dataclass' fields."""
    kind, only, may_lack = _parts(hint)
    option = option_in(hint)
    if option is not None:
        if option.help and not option.follows:
            yield _Typed(option, kind, default)
    elif is_dataclass(kind):
        for name, inner, own in _fields(kind):  # type: ignore[arg-type]
            if only is None or name in only:
                yield from _typed(inner, None if may_lack and own is MISSING else own)


def _made(hint: Any, default: Any, typed: dict[str, Any]) -> Any:  # noqa: ANN401
    """Make what an annotation asks for of what was typed."""
    kind, only, may_lack = _parts(hint)
    option = option_in(hint)
    if option is not None:
        one = _Typed(option, kind, default)
        given = typed.get(one.key)
        return default if given is None else one.value(given)
    if not is_dataclass(kind):
        return default
    made = {}
    for name, inner, own in _fields(kind):  # type: ignore[arg-type]
        if only is None or name in only or (option_in(inner) or Option()).follows:
            made[name] = _made(inner, own, typed)
            if may_lack and made[name] is MISSING:
                return None
    return kind(**made)  # type: ignore[operator]


def _in_order(found: list[_Typed]) -> list[_Typed]:
    """Put those that must be typed first, and each other behind the one that it says."""
    flags = [each.option.flag for each in found if each.option.flag]
    placed = [each for each in found if each.option.after not in flags]
    placed.sort(key=lambda each: each.default is not MISSING)
    waiting = [each for each in found if each.option.after in flags]
    for each in _by_what_they_follow(waiting):
        before = [other.option.flag for other in placed]
        placed.insert(before.index(each.option.after) + 1, each)
    return placed


def _by_what_they_follow(waiting: list[_Typed]) -> Iterator[_Typed]:
    """Yield each after the one that it stands behind.

    Raises:
        ValueError: If they stand behind each other.
    """
    while waiting:
        left = {each.option.flag for each in waiting}
        ready = [each for each in waiting if each.option.after not in left]
        if not ready:
            raise ValueError(f"these options stand behind each other: {', '.join(left)}")
        yield from ready
        waiting = [each for each in waiting if each not in ready]
