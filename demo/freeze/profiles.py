"""The layer profile of the working data: what is shown at once, and what is computed on demand."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from core.config import EncoderChoice
from demo.frame.asking import Asked, Report
from demo.frame.spoken import as_sentence
from demo.frame.views import View, shorten
from demo.freeze.examples import shipped
from demo.shelves.encoders import EncoderShelf
from demo.shelves.shelf import Bounds, Shelf
from demo.shelves.shelves import Shelves
from demo.shelves.working_data import DataShelf, WorkingData
from demo.strategies.strip import Network

if TYPE_CHECKING:
    from core.data.dataset import Dataset
    from core.knowledge.layer_profile import LayerProfile

MOST_PROFILED = 400
"""Rows of a visitor's own data that are profiled: more would take longer than a few seconds."""

MOST_KEPT = 40
"""Profiles that are kept; each is small."""

MOST_TASKS = 8
"""Tasks whose profile is drawn."""


class ProfileShelf:
    """Finds the profile of any working data: the shipped one, one made lately, or a new one.

    Args:
        encoders: Where encoders come from.
        data: Where visitors' data is kept.
    """

    def __init__(self, encoders: EncoderShelf, data: DataShelf) -> None:
        self.encoders = encoders
        self.data = data
        self._known: Shelf[tuple[str, WorkingData], Mapping[str, Any]] = Shelf(
            Bounds(most=MOST_KEPT)
        )

    @classmethod
    def of(cls, shelves: Shelves) -> "ProfileShelf":
        """Make the one of a server."""
        return cls(shelves.encoders, shelves.data)

    def known(self, data: WorkingData, choice: EncoderChoice) -> Mapping[str, Any] | None:
        """Return the profile's document if it is at hand."""
        if data.is_corpus and choice.name == EncoderChoice().name:
            return shipped()["profile"]
        return self._known.find((choice.name, data))

    def network(self, data: WorkingData, choice: EncoderChoice) -> Network:
        """Return what a strategy would train, with the profile if it is at hand.

        Raises:
            ValueError: If the data or the encoder cannot be had.
            RuntimeError: If a download breaks midway.
        """
        from core.knowledge.layer_profile import profile_of

        found = self.known(data, choice)
        tasks = self.data.get(data).tasks
        encoder = self.encoders.get(exact(choice))
        profile: LayerProfile | None = None if found is None else profile_of(found)
        if profile is not None and any(task.name not in profile.tasks for task in tasks):
            profile = None  # a task whose labels are too rare to be tested has none
        return Network(encoder=encoder, tasks=tasks, profile=profile)

    def compute(
        self, data: WorkingData, choice: EncoderChoice, progress: Report, cancelled: Asked
    ) -> Mapping[str, Any]:
        """Profile a sample of the data.

        Raises:
            ValueError: If it has too few rows to be tested, or cannot be read.
            CancelledError: If `cancelled` answered True.
        """
        from core.knowledge.layer_profile import profile_document

        known = self.known(data, choice)
        if known is not None:
            return known
        dataset = self._sample(data)
        encoder = self.encoders.get(exact(choice))
        document = profile_document(encoder, dataset, progress=progress, cancelled=cancelled)
        self._known.put((choice.name, data), document)
        return document

    def _sample(self, data: WorkingData) -> "Dataset":
        from core.data.dataset import read_dataset

        dataset = self.data.get(data).usable()
        if len(dataset.examples) <= MOST_PROFILED:
            return dataset
        sampled = data.reading(replace(data.choice, rows=MOST_PROFILED))
        return self.data.made("sampled", data, lambda: self.data.read(sampled, read_dataset))


def exact(choice: EncoderChoice) -> EncoderChoice:
    """Return the encoder as it is trained: in full precision, as it came."""
    return replace(choice, precision="exact", pooling=None, normalize=None)


def profile_view(document: Mapping[str, Any], data: WorkingData) -> View:
    """Lay out a profile: the answer in words, and each task's score by layer.

    Args:
        document: What `core.knowledge.layer_profile.profile_document` returned.
        data: What it is a profile of.
    """
    from core.measures.scores import score_in

    tasks = list(document["tasks"].items())[:MOST_TASKS]
    drawn = []
    for name, layers in tasks:
        score = score_in(layers[0])
        told = [each[score.key] for each in layers]
        best = document["best"][name]
        drawn.append(
            {
                "name": shorten(name),
                "metric": score.title,
                "best": best,
                "scores": [[round(own[k], 4) for k in ("mean", "low", "high")] for own in told],
                "range": axis(told),
                "told": as_sentence(document["text"][name]),
            }
        )
    rows = document["rows"]
    what = "the corpus" if data.is_corpus else shorten(data.name)
    return {
        "tasks": drawn,
        "lead": lead(document),
        "notes": [
            f"A linear head on each layer of the frozen encoder, {document['folds']} folds of "
            f"{rows:,} rows of {what}; the bar is the 95 % interval. Nothing was trained in the "
            "encoder.",
            *(as_sentence(note) for note in document["notes"][:20]),
        ],
        "more": len(document["tasks"]) - len(tasks),
    }


def lead(document: Mapping[str, Any]) -> str:
    """Say in one sentence where what one needs is known."""
    last, best = document["layers"], document["best"]
    below = {name: layer for name, layer in best.items() if layer < last}
    if not below:
        return "Every task is read best at the last layer."
    said = ", ".join(f"{shorten(n)} at {f'layer {k}' if k else 'the embeddings'}"
                     for n, k in list(below.items())[:6])  # fmt: skip
    if len(below) == len(best):
        return f"What you need is known below the last layer: {said}."
    there = [shorten(name) for name in best if name not in below]
    return f"Known best below the last layer: {said}. At the last: {', '.join(there[:6])}."


def axis(scores: Sequence[Mapping[str, float]]) -> list[float]:
    """Choose where an axis begins and ends: whole tenths round all intervals, at least three."""
    low = int(10 * min(score["low"] for score in scores) + 1e-9)
    high = -int(-10 * max(score["high"] for score in scores) // 1)
    high = min(10, max(high, low + 3))
    return [max(0, min(low, high - 3)) / 10, high / 10]
