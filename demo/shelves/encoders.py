"""The encoders that the page has loaded, shared by all visitors."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from core.config import EncoderChoice
from core.encoder.catalogue import CATALOGUE, EncoderSpec, find_spec
from demo.shelves.models import ModelShelf, WorkingModel
from demo.shelves.shelf import Bounds, Shelf

if TYPE_CHECKING:  # torch is behind it, and the page is on screen before torch
    from core.encoder.encoder import Encoder

PLACES = 3
"""How many encoders stay in memory; the one unused for longest goes first."""

MODEL = "model:"
"""Begins the name of a working model's encoder; its id, a colon and what people call it follow."""

GetEncoder = Callable[[EncoderChoice], "Encoder"]


class EncoderShelf:
    """Loads an encoder on first use, once per process, and keeps the last few.

    Args:
        default: What the page starts with; it is never put away.
        local: Whether visitors may name folders of this machine and any model of the hub. False
            on a page that others can open: they could learn what lies on its disk, or fill it.
    """

    def __init__(self, default: EncoderChoice, *, local: bool) -> None:
        self.default = default
        self.local = local
        self.visited = threading.Event()  # somebody's page is drawn
        self.failure = ""  # why the default encoder is not there
        self.models: ModelShelf | None = None  # whose models' encoders may be asked for
        self._held: Shelf[tuple[str, str], Encoder] = Shelf(
            Bounds(most=PLACES), stays=lambda key, _: key[0] == default.name
        )

    def get(self, choice: EncoderChoice) -> "Encoder":
        """Return the encoder of a choice, loading it if it is not here; thread-safe.

        Raises:
            ValueError: If there is no such encoder, or it may not be named on this page.
            RuntimeError: If a download breaks midway.
        """
        base = self._loaded(choice.name, choice.precision)
        if choice.pooling is None and choice.normalize is None:
            return base
        return base.with_pooling(choice.pooling, choice.normalize)

    def warm_up(self) -> None:
        """Load the default encoder and run it once, so that the first click is a warm one."""
        try:
            self.get(self.default).encode("The first sentence pays for all.")
        except Exception as error:  # whatever it is, the page shows it beside the encoder's name
            self.failure = str(error)

    def is_ready(self, choice: EncoderChoice) -> bool:
        """Say whether `get` would answer at once."""
        return self._held.is_ready((choice.name, choice.precision))

    def _loaded(self, name: str, precision: str) -> "Encoder":
        return self._held.get((name, precision), lambda: self._load(name, precision))

    def _load(self, name: str, precision: str) -> "Encoder":
        if precision == "fast":
            return self._loaded(name, "exact").in_fast_precision()
        if name.startswith(MODEL) and self.models is not None:
            known, _, label = name.removeprefix(MODEL).partition(":")
            return self.models.get(WorkingModel(id=known, name=label)).encoder
        from core.encoder.encoder import load_encoder

        given = name == self.default.name  # by whoever started the server, who may name anything
        if not (self.local or given or find_spec(name)):
            known = ", ".join(spec.name for spec in CATALOGUE)
            raise ValueError(
                f"this page is open to others and has no encoder {name!r}: give one of {known}, or "
                "start Thaw on your own machine, where any encoder will do"
            )
        return load_encoder(EncoderChoice(name=name, device=self.default.device))


def facts_of_spec(spec: EncoderSpec) -> list[tuple[str, str]]:
    """List what the catalogue knows of an encoder, in words; needs no torch."""
    return [
        ("Dimension", f"{spec.dimension:,}"),
        ("Parameters", millions(spec.parameters)),
        ("Layers", str(spec.layers)),
        ("Reads up to", f"{spec.max_tokens:,} tokens"),
        ("Own pooling", spec.pooling + (", length 1" if spec.normalized else "")),
        ("Languages", spec.languages),
        ("Licence", spec.licence),
        ("Download", f"{spec.download_megabytes:,} MB"),
        ("Source", spec.source),
    ]


def facts_of_encoder(encoder: "Encoder") -> list[tuple[str, str]]:
    """List what a loaded encoder says of itself, for one that no catalogue knows."""
    return [
        ("Dimension", f"{encoder.dimension:,}"),
        ("Parameters", millions(encoder.parameter_count)),
        ("Layers", str(encoder.layers)),
        ("Reads up to", f"{encoder.max_tokens:,} tokens"),
        ("Own pooling", encoder.pooling + (", length 1" if encoder.normalized else "")),
    ]


def millions(count: int) -> str:
    """Write a number of parameters as people say it: 22.6 million."""
    if count < 1_000_000:
        return f"{count:,}"
    return f"{count / 1e9:.2f} billion" if count >= 1e9 else f"{count / 1e6:.1f} million"


def name_of(choice: EncoderChoice) -> str:
    """Name a choice for people: the encoder, and what was changed about it."""
    spec = find_spec(choice.name)
    own = choice.name.removeprefix(MODEL).partition(":")[2] if choice.name.startswith(MODEL) else ""
    name = spec.label.split(",")[0] if spec else own or choice.name
    parts = [name, f"{choice.pooling or (spec.pooling if spec else 'its own')} pooling"]
    if choice.normalize is not None:
        parts.append("length 1" if choice.normalize else "not normalised")
    if choice.precision == "fast":
        parts.append("fast")
    return ", ".join(parts)


def second_of(model: WorkingModel) -> str:
    """Name a working model's encoder, as `with_second` reads it."""
    return f"{MODEL}{model.id}:{model.name[:120]}"


def with_second(choice: EncoderChoice, second: str) -> EncoderChoice | None:
    """Turn the choice in “side by side with” into an encoder choice; None for nothing.

    Args:
        choice: What the page uses now.
        second: Empty, `pooling:` and one of the poolings, a name of the catalogue, or what
            `second_of` gave.
    """
    if not second:
        return None
    kind, _, value = second.partition(":")
    if kind == "pooling":
        return replace(choice, pooling=value)
    return EncoderChoice(name=second)
