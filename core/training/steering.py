"""What a person changes of a run between two of its steps: rates, and what is frozen."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from core.config import TrainingChoice
from core.strategy.strategy import Moment, Part, Strategy
from core.training.adamw import AdamW
from core.training.thawing import Thawing, add_to_optimizer


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of a run between two steps; what is None or empty stays as it is.

    Attributes:
        encoder_rate: The full learning rate of what trains in the encoder.
        head_rate: The full learning rate of the heads.
        thawed: Parts that train from now on.
        frozen: Parts that are updated no more.

    Raises:
        ValueError: If nothing changes, a rate is out of range, or a part is to do both.
    """

    encoder_rate: float | None = None
    head_rate: float | None = None
    thawed: tuple[Part, ...] = ()
    frozen: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        for name in ("encoder_rate", "head_rate"):
            rate = getattr(self, name)
            if rate is not None and not 0 < rate <= 1:
                raise ValueError(f"{name} is {rate}, must be above 0 and at most 1")
        if not self.document():
            raise ValueError("nothing changes: give a rate, or a part to thaw or to freeze")
        both = set(self.thawed) & set(self.frozen)
        if both:
            raise ValueError(f"{min(map(str, both))} is both thawed and frozen: choose one")

    def document(self) -> dict[str, Any]:
        """Describe what changes, as JSON holds it; what stays is left out."""
        given = {
            "encoder_rate": self.encoder_rate,
            "head_rate": self.head_rate,
            "thawed": [str(part) for part in self.thawed],
            "frozen": [str(part) for part in self.frozen],
        }
        return {name: each for name, each in given.items() if each}


Steering = Callable[[], Sequence[Change]]
"""Asked before each step until nothing changes; until it has answered, the run waits."""


def change_of(document: Mapping[str, Any], parts: Sequence[Part]) -> Change:
    """Read a change back from what `Change.document` gave, or a page sent.

    Args:
        document: Rates as numbers, parts by name.
        parts: All parts of the model.

    Raises:
        ValueError: If a part is none of the model's, or a rate no number.
    """
    by_name = {str(part): part for part in parts}

    def named(key: str) -> tuple[Part, ...]:
        names = document.get(key) or []
        if not isinstance(names, list):
            raise ValueError(f"{key} is {str(names)[:40]!r}, must be a list of parts")
        unknown = [str(name)[:40] for name in names if name not in by_name]
        if unknown:
            allowed = ", ".join(by_name)
            raise ValueError(f"there is no part {unknown[0]!r}, must be of: {allowed}")
        return tuple(by_name[name] for name in names)

    def number(key: str) -> float | None:
        rate = document.get(key)
        if isinstance(rate, bool) or not isinstance(rate, int | float | None):
            raise ValueError(f"{key} is {str(rate)[:40]!r}, must be a number")
        return rate

    return Change(
        encoder_rate=number("encoder_rate"),
        head_rate=number("head_rate"),
        thawed=named("thawed"),
        frozen=named("frozen"),
    )


@dataclass(frozen=True, kw_only=True)
class Steered(Strategy):
    """A strategy that was changed while it ran.

    Attributes:
        base: What it was before.
        thawed: Parts that train whatever `base` says.
        frozen: Parts that do not train now, though they may have.
    """

    base: Strategy
    thawed: frozenset[Part] = frozenset()
    frozen: frozenset[Part] = frozenset()
    does: ClassVar[str] = "Trains what a person chose while it ran."
    good: ClassVar[str] = "What is seen of the run can be acted on."
    bad: ClassVar[str] = "No other run is quite like it."
    when: ClassVar[str] = "To find out what a part does."
    source: ClassVar[str] = "Thaw's own."

    @property
    def name(self) -> str:
        return self.base.name

    @property
    def title(self) -> str:
        return self.base.title

    @property
    def settings(self) -> Mapping[str, float]:
        return self.base.settings

    @property
    def was_changed(self) -> bool:
        return True

    def trains(self, part: Part) -> bool:
        return part in self.thawed or self.base.trains(part)

    def rate(self, part: Part, moment: Moment) -> float:
        if part in self.frozen:
            return 0.0
        own = self.base.rate(part, moment)
        return own or 1.0 if part in self.thawed else own

    def takes(self, weight: str) -> bool:
        return self.base.takes(weight)


def steered(thawing: Thawing, change: Change, epoch: int) -> Thawing:
    """Give what a change makes of what trains.

    Args:
        thawing: What trains now.
        change: What is to be thawed and frozen.
        epoch: Epochs done.

    Returns:
        The same where no part changes.

    Raises:
        ValueError: If a part never runs, has nothing to train, or is already what it is to be.
    """
    if not change.thawed and not change.frozen:
        return thawing
    plan = thawing.plan
    before = plan.strategy if isinstance(plan.strategy, Steered) else Steered(base=plan.strategy)
    after = replace(
        before,
        thawed=before.thawed | frozenset(change.thawed),
        frozen=before.frozen - frozenset(change.thawed) | frozenset(change.frozen),
    )
    planned = replace(plan, scenario=replace(plan.scenario, strategy=after))
    found = Thawing(thawing.model, planned)
    for part in (*change.thawed, *change.frozen):
        if part.layer is not None and part.layer > plan.top:
            raise ValueError(
                f"{part} is above layer {plan.top}, the highest that a head reads: it "
                "never runs, so there is nothing to thaw"
            )
        if (plan.shares[part][epoch] > 0) == (part in change.thawed):
            state = "trains" if part in change.thawed else "is frozen"
            raise ValueError(f"{part} {state} already")
        if not found.weights[part]:
            raise ValueError(f"{part} has no weight that {after.name} would train")
    return found


@dataclass(frozen=True, kw_only=True)
class Rates:
    """The full learning rates of a run as they are now.

    Attributes:
        encoder: Of what trains in the encoder.
        heads: Of the heads.
    """

    encoder: float
    heads: float

    @classmethod
    def of(cls, choice: TrainingChoice, strategy: Strategy) -> "Rates":
        """Give the rates that a run begins with."""
        encoder = choice.encoder_rate or strategy.encoder_rate
        return cls(encoder=encoder, heads=choice.head_rate or strategy.head_rate)

    def changed(self, change: Change) -> "Rates":
        """Give the rates after a change."""
        encoder = change.encoder_rate or self.encoder
        return Rates(encoder=encoder, heads=change.head_rate or self.heads)


def steer(
    thawing: Thawing, optimizer: AdamW, rates: Rates, weight_decay: float, epoch: int
) -> None:
    """Make an optimiser and a model do what a changed plan and changed rates say.

    Weights that were never to train until now are added to the optimiser, with moments of their
    own that begin at nothing.
    """
    known = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    for part, weights in thawing.weights.items():
        new = [weight for weight in weights.values() if id(weight) not in known]
        if new:
            rate = rates.heads if part.layer is None else rates.encoder
            add_to_optimizer(optimizer, new, part, rate, weight_decay)
    for group in optimizer.param_groups:
        part_of = group.get("part")
        heads = part_of is None or part_of.layer is None
        group["full_lr"] = rates.heads if heads else rates.encoder
    thawing.thaw(epoch)


def change_in_words(change: Mapping[str, Any], refused: str = "") -> str:
    """Say what was changed, or why it was not."""
    said = []
    for key, what in (("thawed", "thawed"), ("frozen", "frozen")):
        if change.get(key):
            said.append(f"{', '.join(change[key])} {what}")
    for key, what in (("encoder_rate", "layers' rate"), ("head_rate", "heads' rate")):
        if change.get(key):
            said.append(f"{what} {change[key]:g}")
    text = "; ".join(said)
    return f"not changed ({text}): {refused}" if refused else text
