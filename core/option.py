"""An option: how a setting is typed, told and bounded, declared once, where the field stands."""

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, get_args, get_origin

from core.errors import InputError


@dataclass(frozen=True)
class Option:
    """What a field's annotation says of it beside its type.

    Attributes:
        flag: How it is typed: `--lr`; empty where it is not, or is an argument with no name.
        metavar: What is typed behind it; else the choices.
        help: What it is for; an option without is not typed by a person.
        choices: All it may be.
        least: It may be this or more.
        above: It must be more than this.
        most: It may be this or less.
        below: It must be less than this.
        after: The flag that it stands behind where all are listed; else as it is declared.
        follows: Whether it takes what is typed for another field of the same flag, and is no
            option where there is none.
        read: Reads what is typed, where that is more than its type.
        first: Sees what is typed before all else is read, and may end the command.
    """

    flag: str = ""
    metavar: str = ""
    help: str = ""
    choices: tuple[Any, ...] = ()
    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    after: str = ""
    follows: bool = False
    read: Callable[[str], Any] | None = None
    first: Callable[[str], str] | None = None

    def field(self, default: Any = MISSING) -> Any:  # noqa: ANN401 (as dataclasses declare fields)
        """Declare a dataclass' field that it sets; without a default it must be given."""
        return dataclasses.field(default=default, metadata={Option: self})

    @property
    def allowed(self) -> str:
        """What it must be, in words."""
        if self.choices:
            return f"one of: {', '.join(map(str, self.choices))}"
        if self.least is not None and self.most is not None:
            return f"{self.least:.16g} to {self.most:.16g}"
        low = f"above {self.above:.16g}" if self.above is not None else ""
        if self.least is not None:
            low = "0 or more" if self.least == 0 else f"at least {self.least:.16g}"
        high = f"at most {self.most:.16g}" if self.most is not None else ""
        high = f"below {self.below:.16g}" if self.below is not None else high
        return " and ".join(each for each in (low, high) if each)

    def takes(self, given: Any) -> bool:  # noqa: ANN401 (whatever a field holds)
        """Tell whether it may be this; nothing, where nobody says, it may always be."""
        if given is None:
            return True
        return (
            (not self.choices or given in self.choices)
            and (self.least is None or given >= self.least)  # so that NaN is refused too
            and (self.above is None or given > self.above)
            and (self.most is None or given <= self.most)
            and (self.below is None or given < self.below)
        )


def options_of(holder: type[Any]) -> dict[str, Option]:
    """Give the options that a dataclass declares, by the field, in its order."""
    held = {each.name: each.metadata.get(Option) for each in fields(holder)}
    return {name: option for name, option in held.items() if option is not None}


def option_in(hint: Any) -> Option | None:  # noqa: ANN401 (any annotation)
    """Find the option in an annotation; None where there is none."""
    said = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return next((each for each in said if isinstance(each, Option)), None)


def check_options(holder: Any) -> None:  # noqa: ANN401 (any dataclass)
    """Refuse a value that its option does not take; for a dataclass' `__post_init__`.

    Raises:
        InputError: Of the first field that holds one.
    """
    for name, option in options_of(type(holder)).items():
        given = getattr(holder, name)
        if not option.takes(given):
            raise InputError(field=name, given=given, allowed=option.allowed)
