"""From what stands in the Map tab's fields to a map: read, embed, lay out, place, colour."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from core.config import EncoderChoice, MapSettings
from core.nearness import metric_named
from demo.frame.asking import Asked, Report
from demo.frame.sentences import read_sentences
from demo.frame.spoken import as_page_says
from demo.map.examples import same_sentences, shipped_map
from demo.map.shelf import MOST_POINTS, After, Column, DrawnMap, MapShelf, predicted_columns
from demo.shelves.encoders import name_of
from demo.shelves.models import OWN_MODEL, WorkingModel
from demo.shelves.working_data import WorkingData

if TYPE_CHECKING:
    import numpy as np

    from core.encoder.encoder import Encoder
    from core.maps.projection import Projection

CORPUS, DATA, OWN = "Corpus", "Working data", "Sentences below"
SOURCES = (CORPUS, DATA, OWN)
PRETRAINED, TUNED, BOTH = "Pretrained", "The model's", "Before and after"
ENCODERS = (PRETRAINED, TUNED, BOTH)

GROUPS = 8
"""How many groups k-means parts a map in."""

LAID_OUT = 70
"""Of 100, how far it is when both maps of a pair are drawn, and what moved is yet to be found."""


@dataclass(frozen=True, kw_only=True)
class MapQuestion:
    """What a person asked to be drawn.

    Attributes:
        source: One of `SOURCES`.
        text: What stands in the box.
        encoders: One of `ENCODERS`.
        settings: How it is laid out.
        choice: The working set's encoder.
        data: The working set's data.
        model: The working set's model.
    """

    source: str
    text: str
    encoders: str
    settings: MapSettings
    choice: EncoderChoice
    data: WorkingData
    model: WorkingModel = OWN_MODEL


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Sentences that are embedded and wait to be laid out."""

    question: MapQuestion
    texts: tuple[str, ...]
    columns: tuple[Column, ...]
    vectors: "np.ndarray[Any, Any]"
    after: "np.ndarray[Any, Any] | None"
    made_with: str
    notes: tuple[str, ...]


def prepare(shelf: MapShelf, question: MapQuestion, progress: Report, cancelled: Asked) -> Prepared:
    """Read and embed what is to be drawn.

    Raises:
        ValueError: If there is too little or too much of it, or it cannot be read.
        CancelledError: If `cancelled` answered True.
    """
    from core.maps.document import check_before_mapping

    texts, columns, notes = _sentences(shelf, question)
    check_before_mapping(texts, question.settings)
    both = question.encoders == BOTH
    vectors, after, made_with = None, None, name_of(question.choice)
    cut: list[str] = []

    def part(which: int) -> Report:
        count = 2 if both else 1
        return lambda done, total: progress(which * total + done, count * total)

    if question.encoders != TUNED:
        vectors = _shipped(question, texts)
        if vectors is None:
            encoder = shelf.encoders.get(question.choice)
            vectors, cut = embedded(encoder, texts, part(0), cancelled)
    if question.encoders != PRETRAINED:
        model = shelf.models.get(question.model)
        after, more = embedded(model.encoder, texts, part(int(both)), cancelled)
        cut += [note for note in more if note not in cut]
        made_with = f"before: {made_with}; after: the model's encoder"
        if not both:
            vectors, after, made_with = after, None, "the model's encoder"
        elif vectors is not None and vectors.shape == after.shape and not (vectors - after).any():
            notes.append("The model's encoder was never tuned: before and after are the same.")
    if vectors is None:
        raise ValueError(f"embeddings is {question.encoders!r}, must be one of {ENCODERS}")
    return Prepared(
        question=question,
        texts=tuple(texts),
        columns=tuple(columns),
        vectors=vectors,
        after=after,
        made_with=made_with,
        notes=(*notes, *cut),
    )


def lay_out(
    prepared: Prepared, shelf: MapShelf, *, at_once: bool, progress: Report, cancelled: Asked
) -> DrawnMap:
    """Lay prepared sentences out.

    Args:
        prepared: What.
        shelf: Lends the process that draws by UMAP.
        at_once: By PCA, whatever was asked for, here and now.
        progress: Called with how far it is, of 100.
        cancelled: Asked now and then; True stops.

    Raises:
        ValueError: If no map can be made of it.
        StoppedMapError: If `cancelled` answered True.
    """
    from core.maps.changes import changes, project_pair
    from core.maps.fields import projection_fields
    from core.maps.projection import project

    settings = prepared.question.settings
    if at_once and settings.method == "umap":
        kept = metric_named(settings.metric).kept_by_pca
        settings = replace(settings, method="pca", metric=settings.metric if kept else "euclidean")
    both = prepared.after is not None

    def part(start: int, end: int) -> dict[str, Any]:
        def report(share: float) -> None:
            progress(int(start + (end - start) * share), 100)

        return {"cancelled": cancelled, "progress": report}

    there = part(0, LAID_OUT if both else 100)
    ours = shelf.worker if settings.method == "umap" else None
    second: Projection | None = None
    if prepared.after is None:
        if ours is not None:
            first = ours.project(prepared.vectors, settings, **there)
        else:
            first = project(prepared.vectors, settings, cancelled=cancelled)
    elif ours is not None:
        first, second = ours.project_pair(prepared.vectors, prepared.after, settings, **there)
    else:
        first, second = project_pair(
            prepared.vectors, prepared.after, settings, cancelled=cancelled
        )
    moved = None
    if prepared.after is not None and not at_once:
        moved = changes(prepared.vectors, prepared.after, **part(LAID_OUT, 100))
    return DrawnMap(
        texts=prepared.texts,
        columns=prepared.columns,
        settings=settings,
        fields=projection_fields(first),
        vectors=prepared.vectors,
        places=first.places,
        made_with=prepared.made_with,
        tuned=prepared.question.encoders == TUNED,
        choice=prepared.question.choice,
        model=prepared.question.model,
        after=None
        if second is None or prepared.after is None
        else After(
            vectors=prepared.after,
            places=second.places,
            fields=projection_fields(second),
            turn=second.turn,
        ),
        changes=moved,
        notes=prepared.notes,
    )


def grouped(shelf: MapShelf, drawn: DrawnMap, cancelled: Asked) -> DrawnMap:
    """Add the groups that nobody named: of the embeddings, and of the picture.

    Raises:
        ValueError: If there are too few points.
        StoppedMapError: If `cancelled` answered True.
    """
    first = len(drawn.texts) - drawn.placed
    vectors, places = drawn.vectors[:first], drawn.places[:first]
    count = min(GROUPS, max(2, first // 2))
    found = shelf.worker.groups(vectors, places, drawn.settings, count, cancelled=cancelled)
    columns = []
    for name, codes in (
        ("group of embeddings (k-means)", found["k_means"].tolist()),
        ("group of the picture (HDBSCAN)", found["dense"].tolist()),
    ):
        labels = tuple(f"group {number}" for number in range(1, max(codes, default=-1) + 2))
        own = tuple(codes) + (-1,) * drawn.placed
        columns.append(Column(name=name, labels=labels, codes=own, kind="group"))
    return drawn.with_columns(*columns)


def predicted(
    shelf: MapShelf, drawn: DrawnMap, which: WorkingModel, progress: Report, cancelled: Asked
) -> DrawnMap:
    """Add what the model predicts of each sentence, and whether that is right.

    Raises:
        ValueError: If the model cannot be had.
        CancelledError: If `cancelled` answered True.
    """
    from core.model.prediction import predict

    model = shelf.models.get(which)
    tasks = [task for task in model.tasks if task.of_kind.one_label]
    if not tasks:
        raise ValueError(f"{model.name} has no task with a label a sentence to colour by")
    said = predict(model, drawn.texts, progress=progress, cancelled=cancelled)
    codes = {
        task.name: (
            list(task.labels),
            [task.labels.index(each.labels[task.name].label) for each in said],
        )
        for task in tasks
    }
    return drawn.with_columns(*predicted_columns(drawn, codes))


def _sentences(shelf: MapShelf, question: MapQuestion) -> tuple[list[str], list[Column], list[str]]:
    """Read the texts, what is known of them, and what to say."""
    from core.maps.document import named_rows

    if question.source == OWN:
        read = read_sentences(question.text or "")
        if len(read.texts) > MOST_POINTS:
            raise ValueError(
                f"there are {len(read.texts):,} sentences, must be at most {MOST_POINTS:,}"
            )
        return list(read.texts), [], [read.note] if read.note else []
    if question.source not in SOURCES:
        raise ValueError(f"what to draw is {question.source!r}, must be one of {SOURCES}")
    data = WorkingData() if question.source == CORPUS else question.data
    notes: list[str] = []
    try:
        dataset = shelf.data.get(data).usable()
    except ValueError as error:
        raise ValueError(as_page_says(str(error), data.choice.source)) from error
    if len(dataset.examples) > MOST_POINTS:
        import numpy as np

        draws = np.random.default_rng(question.settings.seed)
        rows = np.sort(draws.choice(len(dataset.examples), MOST_POINTS, replace=False))
        notes.append(f"A sample of {MOST_POINTS:,} of {len(dataset.examples):,} rows, by the seed.")
        dataset = dataset.select(rows.tolist())
    named = named_rows(dataset)
    columns = [Column.of(name, values) for name, values in named.columns.items()]
    return list(named.texts), columns, notes


def _shipped(question: MapQuestion, texts: Sequence[str]) -> "np.ndarray[Any, Any] | None":
    """Return the corpus' embeddings by the built-in encoder, which ship; None for all else."""
    if question.choice == EncoderChoice() and question.source != OWN:
        shipped = shipped_map()
        if same_sentences(texts) == shipped.sentences:
            return shipped.vectors
    return None


def embedded(
    encoder: "Encoder", texts: Sequence[str], progress: Report, cancelled: Asked
) -> "tuple[np.ndarray[Any, Any], list[str]]":
    """Embed sentences, (sentences, dimension), and say which were too long.

    Raises:
        CancelledError: If `cancelled` answered True.
    """
    found = encoder.encode(texts, progress=progress, cancelled=cancelled)
    many = sum(found.truncated)
    verb = "is" if many == 1 else "are"
    note = (
        f"{many:,} of {len(texts):,} sentences {verb} longer than the {encoder.max_tokens:,} "
        "tokens that the encoder reads: the rest was left out."
    )
    return found.vectors.numpy(), [note] if many else []
