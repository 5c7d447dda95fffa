"""The strategies there are: each says what it does, when to use it, and what trains when."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from core.errors import InputError
from core.strategy.strategy import Moment, Part, Strategy, Typed
from core.strategy.words import layers_in_words, plural


@dataclass(frozen=True, kw_only=True)
class Frozen(Strategy):
    """Nothing trains."""

    pattern: ClassVar[str] = "frozen"
    called: ClassVar[str] = "Everything frozen"
    place: ClassVar[int] = 12
    trains_encoder: ClassVar[bool] = False
    trains_heads: ClassVar[bool] = False
    does: ClassVar[str] = "Freezes everything: nothing is updated, the heads stay as they came."
    good: ClassVar[str] = "Costs nothing and forgets nothing."
    bad: ClassVar[str] = "Heads that nobody trained predict by chance."
    when: ClassVar[str] = "To measure a model as it is."
    source: ClassVar[str] = "The encoder as a feature extractor."

    def trains(self, part: Part) -> bool:  # noqa: ARG002 (it asks of no part)
        return False


@dataclass(frozen=True, kw_only=True)
class Heads(Strategy):
    """The encoder is frozen, the heads train."""

    pattern: ClassVar[str] = "heads"
    called: ClassVar[str] = "Heads only"
    place: ClassVar[int] = 1
    listed: ClassVar[str] = "heads: the encoder frozen"
    trains_encoder: ClassVar[bool] = False
    does: ClassVar[str] = "Freezes the encoder and trains the heads on what it gives."
    good: ClassVar[str] = "Each sentence runs through the network once, whatever the epochs."
    bad: ClassVar[str] = "Can read off only what the encoder already knows."
    when: ClassVar[str] = "Few rows, little time, or an embedding that must not change."
    source: ClassVar[str] = "Alain & Bengio 2016 (arXiv:1610.01644)."
    rates_from: ClassVar[str] = (
        "The sweep. An L2 penalty on the heads' matrices keeps those of the last layer from "
        "learning the rows by heart; the rate is one at which they get to its optimum. Steps are "
        "nearly free here, so it trains until nothing has been gained for long."
    )
    head_rate: ClassVar[float] = 3e-2
    head_penalty: ClassVar[float] = 3e-3  # a few hundred rows are fewer than a state has numbers
    epochs: ClassVar[int] = 40
    patience: ClassVar[int] = 20

    def trains(self, part: Part) -> bool:
        return part.layer is None


@dataclass(frozen=True, kw_only=True)
class FreezeHead(Strategy):
    """The encoder and all heads but one train.

    Attributes:
        task: Whose head is frozen.
    """

    task: str
    pattern: ClassVar[str] = "freeze-head:TASK"
    called: ClassVar[str] = "One head frozen"
    place: ClassVar[int] = 10
    does: ClassVar[str] = "Freezes one task's head; the encoder and the other heads train."
    good: ClassVar[str] = "The encoder must keep speaking to a head that works already."
    bad: ClassVar[str] = "An untrained head that is frozen teaches the encoder noise."
    when: ClassVar[str] = "A head is in use, and the encoder is to learn another task beside it."
    source: ClassVar[str] = "Howard & Ruder 2018, ULMFiT, section 3.3 (arXiv:1801.06146)."

    @classmethod
    def parse(cls, typed: Typed) -> Self | None:
        return cls(task=_task_of(typed)) if typed.word == "freeze-head" and typed.rest else None

    @classmethod
    def example(cls, layers: int, tasks: Sequence[str]) -> str:  # noqa: ARG003 (any encoder)
        return cls(task=tasks[0]).name

    @property
    def name(self) -> str:
        return f"freeze-head:{self.task}"

    @property
    def title(self) -> str:
        return f"All but the {self.task} head"

    @property
    def held_head(self) -> str:
        return self.task

    def trains(self, part: Part) -> bool:
        return part.layer is not None or part.task != self.task


@dataclass(frozen=True, kw_only=True)
class HeadsButOne(Heads):
    """The encoder and one head are frozen, the other heads train.

    Attributes:
        task: Whose head is frozen.
    """

    task: str
    pattern: ClassVar[str] = "heads+freeze-head:TASK"
    called: ClassVar[str] = "Heads only, one of them frozen"
    place: ClassVar[int] = 11
    listed: ClassVar[str] = ""

    @classmethod
    def parse(cls, typed: Typed) -> Self | None:
        if typed.word != "heads+freeze-head" or not typed.rest:
            return None
        task = _task_of(typed)
        if typed.tasks is not None and len(typed.tasks) == 1:
            raise ValueError(
                f"{typed.name!r} freezes the encoder and the only head: that is frozen"
            )
        return cls(task=task)

    @classmethod
    def example(cls, layers: int, tasks: Sequence[str]) -> str:  # noqa: ARG003 (any encoder)
        return cls(task=tasks[0]).name if len(tasks) > 1 else ""

    @property
    def name(self) -> str:
        return f"heads+freeze-head:{self.task}"

    @property
    def title(self) -> str:
        return f"{Heads.called}, {self.task} head frozen"

    @property
    def held_head(self) -> str:
        return self.task

    def trains(self, part: Part) -> bool:
        return part.layer is None and part.task != self.task


def _task_of(typed: Typed) -> str:
    if typed.tasks is not None and typed.rest not in typed.tasks:
        allowed = ", ".join(typed.tasks)
        raise ValueError(
            f"{typed.name!r} freezes the head of {typed.rest[:40]!r}, must be of: {allowed}"
        )
    return typed.rest


@dataclass(frozen=True, kw_only=True)
class Lower(Strategy):
    """The embeddings and the lowest layers are frozen; the upper layers and the heads train.

    Attributes:
        layers: How many layers are frozen, beside the embeddings.
    """

    layers: int
    pattern: ClassVar[str] = "lower:K"
    called: ClassVar[str] = "Lower layers frozen"
    place: ClassVar[int] = 2
    does: ClassVar[str] = "Freezes the embeddings and the lowest layers; the rest trains."
    good: ClassVar[str] = "Adapts what is nearest to the task; the frozen part is computed once."
    bad: ClassVar[str] = "What the lower layers miss stays missed."
    when: ClassVar[str] = "A few hundred rows or more."
    source: ClassVar[str] = "Lee, Tang & Lin 2019, What would Elsa do? (arXiv:1911.03090)."
    rates_from: ClassVar[str] = (
        "The lowest of those tried for `lower:4`, `lower:2` and `lower:2@4` that is within 0.03 of "
        "each one's best: three times more forgets three times as much."
    )

    @classmethod
    def parse(cls, typed: Typed) -> Self | None:
        if typed.word != "lower":
            return None
        if not is_number(typed.rest) or int(typed.rest) >= typed.layers:
            raise ValueError(
                f"strategy {typed.name!r} freezes layers 0 to {typed.rest[:9] or '?'}, must be "
                f"lower:0 to lower:{typed.layers - 1} for an encoder of {typed.layers} layers"
            )
        return cls(layers=int(typed.rest))

    @classmethod
    def example(cls, layers: int, tasks: Sequence[str]) -> str:  # noqa: ARG003 (any tasks)
        return cls.shares(layers)[1].name if layers > 1 else cls(layers=0).name

    @classmethod
    def choices(cls, layers: int) -> list[tuple[str, str]]:
        last, third, two_thirds = cls.shares(layers)
        offered = [("one layer: the last", last)]
        for share, own in (("third", third), ("two thirds", two_thirds)):
            offered.append((f"{plural(layers - own.layers, 'layer')}: the upper {share}", own))
        found: dict[str, str] = {}  # with few layers some are the same
        for label, own in offered:
            found.setdefault(own.name, label)
        return [(label, name) for name, label in found.items()]

    @classmethod
    def shares(cls, layers: int) -> tuple[Self, Self, Self]:
        """Give those that train the last layer, the upper third, and the upper two thirds."""
        frozen = (layers - 1, 2 * layers // 3, layers // 3)
        last, third, two_thirds = (cls(layers=each) for each in frozen)
        return last, third, two_thirds

    @property
    def name(self) -> str:
        return f"lower:{self.layers}"

    @property
    def title(self) -> str:
        few = f"Lower {plural(self.layers, 'layer')} frozen"
        return few if self.layers else "Embeddings frozen"

    def trains(self, part: Part) -> bool:
        return part.layer is None or part.layer > self.layers


@dataclass(frozen=True, kw_only=True)
class Picked(Strategy):
    """Layers picked by hand are frozen, the rest trains.

    Attributes:
        frozen: The layers that stay frozen; 0 is the embeddings.
    """

    frozen: frozenset[int]
    pattern: ClassVar[str] = "freeze:0-2+5"
    called: ClassVar[str] = "Picked by hand"
    place: ClassVar[int] = 4
    does: ClassVar[str] = "Freezes the layers that were picked; the rest and the heads train."
    good: ClassVar[str] = "Thaws what matters and nothing else."
    bad: ClassVar[str] = "Somebody has to know which; frozen layers above a thawed one save little."
    when: ClassVar[str] = "The layer profile, or a comparison, points at some layers."
    source: ClassVar[str] = "Lee et al. 2023, Surgical Fine-Tuning (arXiv:2210.11466)."

    @classmethod
    def parse(cls, typed: Typed) -> Self | None:
        if typed.word != "freeze" or not typed.rest:
            return None
        frozen: set[int] = set()
        for piece in typed.rest.split("+"):
            match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", piece, flags=re.ASCII)
            first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
            if not first <= last <= typed.layers:
                raise ValueError(
                    f"strategy {typed.name!r} freezes {piece[:20]!r}, must be layers of 0 (the "
                    f"embeddings) to {typed.layers}, such as {cls.pattern}"
                )
            frozen.update(range(first, last + 1))
        if len(frozen) == typed.layers + 1:
            raise ValueError(f"{typed.name} freezes every layer: that is heads")
        return cls(frozen=frozenset(frozen))

    @classmethod
    def example(cls, layers: int, tasks: Sequence[str]) -> str:  # noqa: ARG003 (any tasks)
        half = max(0, layers // 2)
        return cls(frozen=frozenset({*range(half), layers} if half > 1 else {0})).name

    @property
    def name(self) -> str:
        return "freeze:" + "+".join(_runs(sorted(self.frozen)))

    @property
    def title(self) -> str:
        return f"{layers_in_words(self.frozen).capitalize()} frozen"

    def trains(self, part: Part) -> bool:
        return part.layer is None or part.layer not in self.frozen


@dataclass(frozen=True, kw_only=True)
class Full(Strategy):
    """Everything trains."""

    pattern: ClassVar[str] = "full"
    called: ClassVar[str] = "Everything trains"
    place: ClassVar[int] = 3
    listed: ClassVar[str] = "everything"
    does: ClassVar[str] = "Trains every layer, the embeddings and the heads."
    good: ClassVar[str] = "Can learn the most."
    bad: ClassVar[str] = "Costs the most, and can forget what the encoder was good for."
    when: ClassVar[str] = "Many rows, or a task far from what the encoder learned."
    source: ClassVar[str] = "Devlin et al. 2019, BERT, section 4 (arXiv:1810.04805)."
    rates_from: ClassVar[str] = "The best of those tried, in steps of about three."

    def trains(self, part: Part) -> bool:  # noqa: ARG002 (it says yes to every part)
        return True


@dataclass(frozen=True, kw_only=True)
class Gradual(Strategy):
    """The heads train first; then one more layer thaws at a time, from the top down.

    Attributes:
        every: Epochs from one layer to the next; None spreads the layers over two thirds of the
            epochs, so that in the last third everything trains, however deep the encoder is.

    Raises:
        ValueError: If that is less than one.
    """

    every: int | None = None
    pattern: ClassVar[str] = "gradual"
    called: ClassVar[str] = "Gradual unfreezing"
    place: ClassVar[int] = 5
    listed: ClassVar[str] = "gradually, from the top down"
    settable: ClassVar[Mapping[str, str]] = {"unfreeze_every": "every"}
    does: ClassVar[str] = "Trains the heads, then thaws one layer more at a time, top down."
    good: ClassVar[str] = "No layer is shaken by heads that still guess; early epochs are cheap."
    bad: ClassVar[str] = "The lowest layers train late, when the rate is low already."
    when: ClassVar[str] = "Full training forgets too much, and there is time for many epochs."
    source: ClassVar[str] = "Howard & Ruder 2018, ULMFiT, section 3.3 (arXiv:1801.06146)."
    rates_from: ClassVar[str] = "The best of those tried, in steps of about three."
    patience: ClassVar[int] = 10  # it is not to stop before the lowest layers have had their turn

    def __post_init__(self) -> None:
        if self.every is not None and not self.every > 0:
            raise InputError(field="unfreeze_every", given=self.every, allowed="at least 1 epoch")

    def trains(self, part: Part) -> bool:  # noqa: ARG002 (each part has its time)
        return True

    def rate(self, part: Part, moment: Moment) -> float:
        if part.layer is None:
            return 1.0
        place = moment.top - part.layer + 1  # of the parts that thaw, the heads' own being 0
        if self.every is not None:
            return float(moment.epoch >= place * self.every)
        last = max(1, 2 * moment.epochs // 3)
        return float(moment.epoch * (moment.top + 1) >= place * last)


@dataclass(frozen=True, kw_only=True)
class HeadsThenFull(Strategy):
    """The heads train first, then everything does."""

    pattern: ClassVar[str] = "lp-ft"
    called: ClassVar[str] = "Heads first, then everything"
    place: ClassVar[int] = 6
    listed: ClassVar[str] = "heads first, then everything"
    does: ClassVar[str] = "Trains the heads alone for a third of the epochs, then everything."
    good: ClassVar[str] = "The first gradients that reach the encoder come from heads that work."
    bad: ClassVar[str] = "Costs nearly as much as full training."
    when: ClassVar[str] = "New data differs from the old, and both must be served."
    source: ClassVar[str] = "Kumar et al. 2022, LP-FT, section 3 (arXiv:2202.10054)."
    rates_from: ClassVar[str] = "The best of those tried, in steps of about three."

    def trains(self, part: Part) -> bool:  # noqa: ARG002 (each part has its time)
        return True

    def rate(self, part: Part, moment: Moment) -> float:
        first = max(1, moment.epochs // 3)
        return 1.0 if part.layer is None else float(moment.epoch >= first)


@dataclass(frozen=True, kw_only=True)
class Biases(Strategy):
    """Of the encoder only the biases train."""

    pattern: ClassVar[str] = "bitfit"
    called: ClassVar[str] = "Biases only"
    place: ClassVar[int] = 8
    listed: ClassVar[str] = "biases only"
    takes_in_code: ClassVar[str] = 'name.endswith("bias")'
    does: ClassVar[str] = "Trains the biases of the encoder and the heads; every matrix is frozen."
    good: ClassVar[str] = "A thousandth of the weights, so the result is tiny."
    bad: ClassVar[str] = "Saves a third of the time at most: gradients run through all layers."
    when: ClassVar[str] = "Many models of one encoder have to be kept."
    source: ClassVar[str] = "Ben Zaken, Ravfogel & Goldberg 2022, BitFit (arXiv:2106.10199)."
    rates_from: ClassVar[str] = (
        "The best of those tried, in steps of about three; it forgets little even so."
    )
    encoder_rate: ClassVar[float] = 3e-3
    gradient: ClassVar[float] = 1.0

    def trains(self, part: Part) -> bool:  # noqa: ARG002 (every part has biases)
        return True

    def takes(self, weight: str) -> bool:
        return weight.startswith("heads.") or weight.endswith("bias")


@dataclass(frozen=True, kw_only=True)
class Adapters(Strategy):
    """Low-rank adapters beside the attention's queries and values train; the encoder is frozen.

    Attributes:
        rank: The adapters' rank.
    """

    rank: int = 8
    pattern: ClassVar[str] = "lora"
    called: ClassVar[str] = "Low-rank adapters (LoRA)"
    place: ClassVar[int] = 9
    listed: ClassVar[str] = "low-rank adapters (LoRA)"
    takes_in_code: ClassVar[str] = '"lora_" in name'
    does: ClassVar[str] = "Freezes the encoder and trains low-rank adapters beside its attention."
    good: ClassVar[str] = "Few weights; merged at the end, so that predicting costs nothing more."
    bad: ClassVar[str] = "Gradients run through all adapted layers, so that little time is saved."
    when: ClassVar[str] = "A large encoder whose full training does not fit in memory."
    source: ClassVar[str] = "Hu et al. 2021, LoRA, sections 4.1 and 4.2 (arXiv:2106.09685)."
    rates_from: ClassVar[str] = (
        "The best of those tried, in steps of about three; it forgets little even so."
    )
    encoder_rate: ClassVar[float] = 3e-3

    @property
    def adapter_rank(self) -> int:
        return self.rank

    def trains(self, part: Part) -> bool:
        return part.layer != 0

    def takes(self, weight: str) -> bool:
        return weight.startswith("heads.") or "lora_" in weight


@dataclass(frozen=True, kw_only=True)
class LayerwiseRates(Strategy):
    """Everything trains, the lower the slower.

    Attributes:
        decay: Each layer's share of the rate of the one above it.

    Raises:
        ValueError: If it is no such share.
    """

    decay: float = 0.8
    pattern: ClassVar[str] = "layerwise-lr"
    called: ClassVar[str] = "The lower, the slower"
    place: ClassVar[int] = 7
    listed: ClassVar[str] = "everything, the lower the slower"
    settable: ClassVar[Mapping[str, str]] = {"lr_decay": "decay"}
    does: ClassVar[str] = "Trains everything, each layer at a share of the rate of the one above."
    good: ClassVar[str] = "Moves most what is nearest to the task and keeps what is general."
    bad: ClassVar[str] = (
        "Costs as much as full training, and at its own higher rate forgets more; one more rate to "
        "choose."
    )
    when: ClassVar[str] = "Full training helps but forgets: at `full`'s rate this forgets less."
    source: ClassVar[str] = "Howard & Ruder 2018, ULMFiT, section 3.1 (arXiv:1801.06146)."
    rates_from: ClassVar[str] = "The better of two tried; the highest layer's, so above `full`'s."
    encoder_rate: ClassVar[float] = 1e-3

    def __post_init__(self) -> None:
        if not 0 < self.decay <= 1:
            raise InputError(field="lr_decay", given=self.decay, allowed="above 0 and at most 1")

    def trains(self, part: Part) -> bool:  # noqa: ARG002 (it says yes to every part)
        return True

    def rate(self, part: Part, moment: Moment) -> float:
        return 1.0 if part.layer is None else self.decay ** max(0, moment.top - part.layer)


KINDS: tuple[type[Strategy], ...] = (
    *(Frozen, Heads, FreezeHead, HeadsButOne, Lower, Full, Gradual, HeadsThenFull),
    *(Biases, Adapters, LayerwiseRates, Picked),
)
"""Every strategy, in the order in which names are listed."""

OFFERED = tuple((kind.pattern, kind) for kind in KINDS)
"""The same by how its name is typed."""


def kind_called(name: str) -> type[Strategy] | None:
    """Find whose a name is, as typed or told, without looking at what is filled in."""
    word = name.strip().partition("@")[0].partition(":")[0]
    return next((kind for kind in KINDS if kind.pattern.partition(":")[0] == word), None)


def is_number(given: str) -> bool:
    """Tell whether a text is a number of at most four digits, as people write them."""
    return given.isascii() and given.isdecimal() and len(given) < 5


def _runs(numbers: Sequence[int]) -> list[str]:
    """Write numbers with their runs joined: 0, 1, 2, 5 is `0-2` and `5`."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][-1] + 1:
            found[-1].append(number)
        else:
            found.append([number])
    return [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in found]
