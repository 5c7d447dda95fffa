"""Maps that are drawn: of which sentences, where each lies, and what is known of it."""

import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from core.config import EncoderChoice, MapSettings
from demo.map.examples import SETTINGS, same_sentences, shipped_map
from demo.shelves.encoders import EncoderShelf, name_of
from demo.shelves.models import OWN_MODEL, ModelShelf, WorkingModel
from demo.shelves.shelf import Bounds, Shelf
from demo.shelves.shelves import Shelves
from demo.shelves.working_data import DataShelf, WorkingData

if TYPE_CHECKING:
    import numpy as np

    from core.maps.changes import Changes
    from core.maps.process import MapWorker
    from core.maps.turning import Turn

MOST_POINTS = 10_000
"""Of more rows a sample of so many is drawn."""

MOST_MAPS, MOST_BYTES = 40, 300_000_000
"""How many maps are kept, and how much of embeddings; the one unused for longest goes first."""

WAITING = 4
"""How many maps are worked on, or wait for their turn, before others wait in silence."""

SHIPPED = "corpus"
PREDICTED = ", predicted"


@dataclass(frozen=True, kw_only=True)
class Column:
    """What points can be coloured by.

    Attributes:
        name: What it is called.
        labels: Its values.
        codes: Which of them each point has; -1 for none.
        kind: `label`, `verdict` (right, wrong), or `group` (which nobody named).
    """

    name: str
    labels: tuple[str, ...]
    codes: tuple[int, ...]
    kind: str = "label"

    @classmethod
    def of(cls, name: str, values: Sequence[str | None], kind: str = "label") -> "Column":
        """Take values as they stand; the commonest label comes first."""
        labels = sorted({value for value in values if value is not None})
        place = {label: k for k, label in enumerate(labels)}
        codes = tuple(-1 if value is None else place[value] for value in values)
        return cls(name=name, labels=tuple(labels), codes=codes, kind=kind)

    def value(self, point: int) -> str | None:
        """Return a point's label; None where it has none or was added later."""
        code = self.codes[point] if point < len(self.codes) else -1
        return None if code < 0 else self.labels[code]


@dataclass(frozen=True, kw_only=True, eq=False)
class After:
    """The second map of a pair, in the frame of the first.

    Attributes:
        vectors: The embeddings by the model's encoder, (points, dimension).
        places: Where each lies, (points, dimensions).
        fields: What `core.maps.fields.projection_fields` says of it.
        turn: What brought it into the frame of the first.
    """

    vectors: "np.ndarray[Any, Any]"
    places: "np.ndarray[Any, Any]"
    fields: dict[str, Any]
    turn: "Turn | None"


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnMap:
    """A map with all that its page may ask of it.

    Attributes:
        texts: The sentences; those placed later stand last.
        columns: What is known of them.
        settings: How it was laid out.
        fields: What `core.maps.fields.projection_fields` says of it.
        vectors: The embeddings, (points, dimension).
        places: Where each lies, (points, dimensions).
        made_with: What embedded them, for people.
        tuned: Whether that was the model's encoder and not the working set's.
        choice: The working set's encoder at that time.
        model: The working set's model at that time.
        after: With before and after: the map of the model's encoder.
        changes: With before and after: what moved of what the map was made of.
        placed: How many sentences were placed on it later.
        placed_changes: With before and after: what moved of those.
        notes: What a person should know of it.
        placed_notes: What a person should know of the sentences placed on it.
    """

    texts: tuple[str, ...]
    columns: tuple[Column, ...]
    settings: MapSettings
    fields: dict[str, Any]
    vectors: "np.ndarray[Any, Any]"
    places: "np.ndarray[Any, Any]"
    made_with: str
    choice: EncoderChoice
    model: WorkingModel = OWN_MODEL
    tuned: bool = False
    after: After | None = None
    changes: "Changes | None" = None
    placed: int = 0
    placed_changes: "Changes | None" = None
    notes: tuple[str, ...] = ()
    placed_notes: tuple[str, ...] = ()

    def with_columns(self, *more: Column) -> "DrawnMap":
        """Add columns, or put them in the place of those of the same name."""
        names = {column.name for column in more}
        kept = (column for column in self.columns if column.name not in names)
        return replace(self, columns=(*kept, *more))

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        text = sum(map(len, self.texts)) + 60 * len(self.texts)
        after = 0 if self.after is None else self.after.vectors.nbytes
        return int(self.vectors.nbytes + after + text)


@dataclass
class _Kept:
    drawn: DrawnMap
    visitor: str


class MapShelf:
    """Keeps the maps that pages show, and lends the process that draws them.

    Args:
        encoders: Where encoders come from.
        models: Where the model comes from.
        data: Where visitors' data is kept.
    """

    def __init__(self, encoders: EncoderShelf, models: ModelShelf, data: DataShelf) -> None:
        self.encoders, self.models, self.data = encoders, models, data
        # Whoever waits for the one process that draws must not keep others from comparing.
        self.threads = ThreadPoolExecutor(max_workers=WAITING, thread_name_prefix="thaw-map")
        self._held: Shelf[str, _Kept] = Shelf(
            Bounds(most=MOST_MAPS, most_bytes=MOST_BYTES, size_of=lambda kept: kept.drawn.size)
        )
        self._lock = threading.RLock()
        self._worker: MapWorker | None = None
        self._shipped: DrawnMap | None = None

    @classmethod
    def of(cls, shelves: Shelves) -> "MapShelf":
        """Make the one of a server."""
        return cls(shelves.encoders, shelves.models, shelves.data)

    @property
    def worker(self) -> "MapWorker":
        """The process that draws; it starts when it is first asked or told to."""
        with self._lock:
            if self._worker is None:
                from core.maps.process import MapWorker

                self._worker = MapWorker()
            return self._worker

    def is_ready(self) -> bool:
        """Say whether UMAP would begin at once."""
        return self._worker is not None and self._worker.ready.is_set()

    def get_ready(self) -> None:
        """Start importing and compiling UMAP, in its process."""
        self.worker.start()

    def keep(self, drawn: DrawnMap, visitor: str) -> str:
        """Keep a map for the page that shows it, and return a key that cannot be guessed."""
        key = secrets.token_urlsafe(16)
        self._held.put(key, _Kept(drawn, visitor))
        return key

    def get(self, key: str) -> DrawnMap:
        """Return a kept map.

        Raises:
            ValueError: If it is not kept any more.
        """
        if key == SHIPPED:
            return self.shipped()
        kept = self._held.find(key)
        if kept is None:
            raise ValueError("this map is not kept here any more: draw it again")
        return kept.drawn

    def forget(self, visitor: str, *but: str) -> None:
        """Remove a visitor's maps, except some."""
        own = {key for key, kept in self._held.items() if kept.visitor == visitor}
        self._held.drop((own - set(but)).__contains__)

    def shipped(self) -> DrawnMap:
        """Return the map of the corpus that ships with the page."""
        if self._shipped is None:
            self._shipped = shipped_drawn(self.data)
        return self._shipped

    def has_shipped(self, choice: EncoderChoice) -> bool:
        """Say whether the shipped map is this encoder's."""
        return choice == EncoderChoice()


def shipped_drawn(data: DataShelf) -> DrawnMap:
    """Put the shipped map together with the corpus it is of."""
    from core.maps.document import named_rows

    named, shipped = named_rows(data.get(WorkingData()).usable()), shipped_map()
    if same_sentences(named.texts) != shipped.sentences:
        raise ValueError(
            "the shipped map is of another corpus: run python -m demo.map.examples to draw it anew"
        )
    columns = [Column.of(name, values) for name, values in named.columns.items()]
    drawn = DrawnMap(
        texts=tuple(named.texts),
        columns=tuple(columns),
        settings=SETTINGS,
        fields=shipped.fields[SETTINGS.method],
        vectors=shipped.vectors,
        places=shipped.places[SETTINGS.method],
        made_with=name_of(EncoderChoice()),
        choice=EncoderChoice(),
        notes=(
            "The corpus of Thaw, without its test rows. The model that ships has learned from "
            "these sentences: where it is right here says little of new text.",
        ),
    )
    return drawn.with_columns(*predicted_columns(drawn, shipped.predicted))


def predicted_columns(
    drawn: DrawnMap, predicted: dict[str, tuple[list[str], list[int]]]
) -> list[Column]:
    """Make columns of predictions: each task's, and right or wrong where the labels are known."""
    columns = []
    known = {column.name: column for column in drawn.columns if column.kind == "label"}
    for task, (labels, codes) in predicted.items():
        said = [labels[code] for code in codes]
        columns.append(Column.of(f"{task}{PREDICTED}", said))
        if task in known:
            true = [known[task].value(point) for point in range(len(said))]
            verdicts = [
                None if label is None else ("right" if label == guess else "wrong")
                for label, guess in zip(true, said, strict=True)
            ]
            columns.append(
                Column(
                    name=f"{task}, right or wrong",
                    labels=("right", "wrong"),
                    codes=tuple(-1 if v is None else int(v == "wrong") for v in verdicts),
                    kind="verdict",
                )
            )
    return columns
