"""Everything that visitors share: loaded once, kept within bounds, one of each a server."""

from dataclasses import dataclass

from demo.shelves.comparisons import ComparisonShelf
from demo.shelves.encoders import EncoderShelf
from demo.shelves.models import ModelShelf
from demo.shelves.working_data import DataShelf


@dataclass(frozen=True, kw_only=True)
class Shelves:
    """Where things come from.

    Attributes:
        encoders: The encoders.
        models: The models.
        data: Visitors' labelled data.
        comparisons: Comparisons, running and done.
    """

    encoders: EncoderShelf
    models: ModelShelf
    data: DataShelf
    comparisons: ComparisonShelf
