"""Everything that visitors share: loaded once, kept within bounds, one of each a server."""

from dataclasses import dataclass, field
from typing import Any, Protocol, Self, TypeVar

from demo.shelves.comparisons import ComparisonShelf
from demo.shelves.encoders import EncoderShelf
from demo.shelves.models import ModelShelf
from demo.shelves.working_data import DataShelf


class OfShelves(Protocol):
    """What a tab keeps for all its visitors, made of what the page keeps."""

    @classmethod
    def of(cls, shelves: "Shelves") -> Self:
        """Make the one of a server."""


Kept = TypeVar("Kept", bound=OfShelves)


@dataclass(frozen=True, kw_only=True)
class Shelves:
    """Where things come from.

    Attributes:
        encoders: The encoders.
        models: The models.
        data: Visitors' labelled data.
        comparisons: Comparisons, running and done.
        made: What tabs keep of their own, by its class.
    """

    encoders: EncoderShelf
    models: ModelShelf = field(default_factory=ModelShelf)
    data: DataShelf = field(default_factory=DataShelf)
    comparisons: ComparisonShelf = field(default_factory=ComparisonShelf)
    made: dict[type, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.encoders.models = self.models

    def one(self, kind: type[Kept]) -> Kept:
        """Return the one of a class, making it when it is first asked for."""
        if kind not in self.made:
            self.made[kind] = kind.of(self)
        found: Kept = self.made[kind]
        return found
