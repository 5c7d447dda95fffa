"""`/map` for scripts: the command line's document of a map."""

from collections.abc import Callable
from typing import Any

from gradio.events import api

from core.config import MOST_PLACED, MapSettings
from demo.endpoints.encoder import choice_of
from demo.frame.asking import number, read_within, whole_number
from demo.frame.spoken import as_script_says
from demo.frame.toasts import as_toast
from demo.frame.work import Work
from demo.map.shelf import MOST_POINTS, MapShelf


def map_with(shelf: MapShelf) -> Callable[..., dict[str, Any]]:
    """Make the function that `/map` calls.

    Args:
        shelf: Lends encoders, and the process that draws by UMAP.
    """

    def map_sentences(
        sentences: list[str] | str,
        method: str = "umap",
        dimensions: int = 2,
        neighbours: int | None = None,
        spread: float = 1.0,
        metric: str = "cosine",
        seed: int = 0,
        encoder: str = "",
        pooling: str = "",
        place: list[str] | str = "",
        after: bool = False,
    ) -> dict[str, Any]:
        """Lay sentences out on a map, as `python -m core map --json` does.

        Answers {method, dimensions, neighbours, trustworthiness, continuity, quality, points:
        [{text, x, y, z?, label, labels}], placed, after: {points: [{x, y, z?}], …}, changes, …}.

        Args:
            sentences: One sentence a line, or a list; 3 to 10,000.
            method: umap or pca.
            dimensions: 2 or 3.
            neighbours: How many of each point's nearest count; null for 15, or all there are.
            spread: How loosely groups lie, 0.1 to 10.
            metric: As `map --metric` takes it, such as cosine.
            seed: Draws what UMAP leaves to chance.
            encoder: A name of the catalogue or the hub; empty for the page's default.
            pooling: As `--pooling` takes it, such as mean or cls; empty for the encoder's own.
            place: Sentences to place on the map of the others, up to 1,000; they stand last.
            after: Map them by the page's model too, in the same frame.
        """

        def run(_: object, cancelled: Callable[[], bool]) -> dict[str, Any]:
            from core.maps.changes import HERE
            from core.maps.document import Named, map_document

            texts = read_within(sentences, MOST_POINTS)
            placed = read_within(place, MOST_PLACED) if place else []
            settings = MapSettings(
                method=str(method),
                dimensions=whole_number(dimensions),
                neighbours=None if neighbours is None else whole_number(neighbours),
                spread=number("spread", spread),
                metric=str(metric),
                seed=whole_number(seed),
            )
            return map_document(
                shelf.encoders.get(choice_of(shelf.encoders, encoder, pooling)),
                Named(texts=texts, placed=placed),
                settings,
                after=shelf.models.get().encoder if after else None,
                layouts=shelf.worker if settings.method == "umap" else HERE,
                cancelled=cancelled,
            )

        with as_toast(as_script_says):
            return Work(run, shelf.threads).result()

    return map_sentences


def build_map_endpoint(shelf: MapShelf) -> None:
    """Add `/map` to the page; call inside `gr.Blocks`, before a listener takes its name."""
    api(map_with(shelf), api_name="map", concurrency_limit=2)
