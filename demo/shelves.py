"""Everything that visitors share: loaded once, kept within bounds, one of each a server."""

from dataclasses import dataclass

from demo.comparisons import ComparisonShelf
from demo.encoders import EncoderShelf
from demo.models import ModelShelf
from demo.working_data import DataShelf


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
