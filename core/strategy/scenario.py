"""A scenario: a strategy and where the heads read, as a person types it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.config import MIX
from core.errors import InputError, setting
from core.strategy.strategies import (
    KINDS,
    FreezeHead,
    Frozen,
    Full,
    Heads,
    HeadsButOne,
    Lower,
    Picked,
    is_number,
)
from core.strategy.strategy import Part, Strategy, Typed

AUTO = "auto"
"""Read each task's best layer by its profile on the training rows."""

MAX_SHOWN = 60
"""Of a longer name an error shows this much."""

NAMES = tuple(kind.pattern for kind in KINDS)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A strategy, and where the heads read.

    Attributes:
        strategy: What trains.
        read: A layer, `MIX`, `AUTO`, or None for the last.
    """

    strategy: Strategy
    read: int | str | None = None

    @property
    def name(self) -> str:
        """How a person types it."""
        return self.strategy.name if self.read is None else f"{self.strategy.name}@{self.read}"


def parse_strategy(name: str, layers: int, tasks: Sequence[str] | None = None) -> Scenario:
    """Read a strategy's name, with where the heads read after an @.

    Args:
        name: Such as `lower:2@4`, `heads@auto` or `full`.
        layers: How many layers the encoder has.
        tasks: The tasks there are; None checks no task's name.

    Raises:
        ValueError: If there is no such strategy, task or layer, or nothing of the encoder that
            is read would train; the sentence names what there is.
    """
    given, at, suffix = name.strip().partition("@")
    name = name if len(name) <= MAX_SHOWN else f"{name[:MAX_SHOWN]}…"
    strategy = _parse_plain(Typed(given=given, name=name, layers=layers, tasks=tasks))
    read = _parse_read(suffix, name, layers) if at else None
    reached = range(read + 1) if isinstance(read, int) else range(layers + 1)
    if strategy.trains_encoder and not any(strategy.trains(Part(layer=layer)) for layer in reached):
        raise ValueError(
            f"{name} reads layer {read}, up to which it freezes everything, so nothing of the "
            f"encoder would train: that is heads@{read}"
        )
    return Scenario(strategy=strategy, read=read)


def drawn_scenario(
    frozen: Collection[int],
    layers: int,
    *,
    read: int | str | None = None,
    frozen_heads: Collection[str] = (),
    tasks: Sequence[str] = (),
) -> Scenario:
    """Name what was picked part by part: the plainest strategy that freezes just that.

    Args:
        frozen: The layers that stay frozen, 0 being the embeddings; those above the layer read
            never run and do not count.
        layers: How many layers the encoder has.
        read: As in `Scenario`; the last layer's number is the same as None.
        frozen_heads: The tasks whose heads stay frozen.
        tasks: The tasks there are.

    Raises:
        ValueError: If no strategy freezes just that.
    """
    read = None if read == layers else read
    reached = frozenset(range(read + 1 if isinstance(read, int) else layers + 1))
    kept, held = reached & frozenset(frozen), [task for task in tasks if task in frozen_heads]
    return Scenario(strategy=_drawn_strategy(kept, reached, held, tasks), read=read)


def _drawn_strategy(
    kept: frozenset[int], reached: frozenset[int], held: Sequence[str], tasks: Sequence[str]
) -> Strategy:
    """Name the strategy that freezes some of the layers reached, and the heads of some tasks."""
    if kept == reached:
        if held and len(held) == len(tasks):
            return Frozen()
        if len(held) < 2:
            return HeadsButOne(task=held[0]) if held else Heads()
        raise ValueError(f"one head can stay frozen, or all can, not {len(held)} of {len(tasks)}")
    if held:
        if kept or len(held) > 1:
            raise ValueError(
                "a head stays frozen alone, with the whole encoder trained or the whole encoder "
                "frozen: thaw the head, or freeze or thaw the rest of the encoder first"
            )
        return FreezeHead(task=held[0])
    if not kept:
        return Full()
    below = max(kept)
    return Lower(layers=below) if len(kept) == below + 1 else Picked(frozen=kept)


def tuned(
    scenario: Scenario, *, lr_decay: float | None = None, unfreeze_every: int | None = None
) -> Scenario:
    """Set what a strategy lets a person set beside its name; None leaves it as it is.

    Args:
        scenario: Whose strategy.
        lr_decay: Of layer-wise rates, each layer's share of the rate of the one above it.
        unfreeze_every: Of gradual unfreezing, the epochs from one layer to the next; where
            nobody says, they are spread over two thirds of the epochs.

    Raises:
        ValueError: If the strategy has no such setting, or the number is out of range.
    """
    strategy = scenario.strategy
    for option, value in (("lr_decay", lr_decay), ("unfreeze_every", unfreeze_every)):
        if value is None:
            continue
        if option not in strategy.settable:
            whose = next(kind.pattern for kind in KINDS if option in kind.settable)
            raise InputError(
                f"{setting(option)} sets {whose}, the strategy is {strategy.name}: leave it out"
            )
        changed: Any = strategy  # each is a dataclass
        strategy = replace(changed, **{strategy.settable[option]: value})
    return replace(scenario, strategy=strategy)


def _parse_plain(typed: Typed) -> Strategy:
    for kind in KINDS:
        strategy = kind.parse(typed)
        if strategy is not None:
            return strategy
    raise ValueError(
        f"strategy is {typed.name!r}, must be one of: {', '.join(NAMES)}, each with @K, @auto or "
        "@mix behind it or nothing"
    )


def _parse_read(suffix: str, name: str, layers: int) -> int | str:
    if suffix in (AUTO, MIX):
        return suffix
    if is_number(suffix) and int(suffix) <= layers:
        return int(suffix)
    raise ValueError(
        f"{name!r} reads layer {suffix[:9]!r}, must be @0 to @{layers}, @{AUTO} or @{MIX}"
    )
