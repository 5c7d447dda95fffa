"""Settings that a person or a caller chooses, checked where they are made."""

from dataclasses import dataclass
from pathlib import Path

from core import nearness, pooling

ASSETS = Path(__file__).resolve().parents[1] / "assets"

POOLINGS = tuple(each.name for each in pooling.EVERY)
HEAD_POOLINGS = ("mean", "cls")
METRICS = tuple(each.name for each in nearness.EVERY)
PRECISIONS = ("exact", "fast")
SCHEDULES = ("linear", "cosine")
CLASS_WEIGHTS = ("none", "balanced")
SCORES = ("accuracy", "macro-f1")
COSTS = ("seconds", "memory", "parameters", "forgetting", "inference")
MAP_METHODS = ("umap", "pca")
MAP_METRICS = tuple(each.name for each in nearness.EVERY if each.on_maps)

FOLDS = 3
"""Wherever rows are dealt into folds: more seeds are more repetitions, never more folds."""

MIX = "mix"
"""What a head may read in a layer's place: a learned average of all layers."""

MAX_SENTENCE_CHARACTERS = 100_000
"""What one sentence may hold anywhere; far more than any encoder reads before it truncates."""

MAX_MATRIX_SENTENCES = 1_000
"""The matrix of more, with its pairs, would be over 50 MB of JSON, which nobody reads."""

DEFAULT_NEIGHBOURS = 15
FEWEST_POINTS = 3
MOST_MAPPED = 50_000
MOST_PLACED = 1_000
"""Every point of a map is compared with every other: more would take many minutes."""

CLUSTER = "cluster"
"""What colours a map by the groups that it shows itself."""

SPREADS = (0.1, 10.0)
"""How far apart a map may lay what belongs together; beyond, UMAP's curve cannot be fitted."""


@dataclass(frozen=True, kw_only=True)
class EncoderChoice:
    """Which encoder, and how its token states become an embedding.

    Attributes:
        name: A name of the catalogue, a folder, or a hub name such as `owner/model`.
        pooling: One of `POOLINGS`, or None for what the encoder itself declares.
        normalize: Whether embeddings get length one, or None for what the encoder declares.
        precision: `exact` is fp32; `fast` is the machine's fast mode, where it has one.
        device: A torch device, or None for the best there is.

    Raises:
        ValueError: If pooling or precision is not one of those allowed.
    """

    name: str = "minilm"
    pooling: str | None = None
    normalize: bool | None = None
    precision: str = "exact"
    device: str | None = None

    def __post_init__(self) -> None:
        if self.pooling is not None:
            check_choice("pooling", self.pooling, POOLINGS)
        check_choice("precision", self.precision, PRECISIONS)
        if not self.name.strip():
            raise ValueError(
                "the encoder's name is empty: give a name of the catalogue or a folder"
            )


@dataclass(frozen=True, kw_only=True)
class DataChoice:
    """Which labelled data, and how its columns become texts and tasks.

    Attributes:
        source: A file, or the word `corpus`.
        text_column: The column of sentences; None guesses.
        label_columns: As typed, `NAME` or `TASK=NAME`; empty guesses.
        tasks: Names of the tasks wanted; empty is all.
        renames: Labels renamed, as typed: `FROM=TO`, or `TASK:FROM=TO`.
        split_column: The column that names each row's split; None for none.
        group_column: The column that names rows that belong together; None for none.
        rows: Take a stratified sample of this many rows; None is all.
        seed: Draws the sample.

    Raises:
        ValueError: If the source is empty or `rows` is not positive.
    """

    source: str
    text_column: str | None = None
    label_columns: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    renames: tuple[str, ...] = ()
    split_column: str | None = None
    group_column: str | None = None
    rows: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.source.strip():
            raise ValueError("no data is named: give a file, or the word corpus")
        if self.rows is not None and not self.rows > 0:
            raise ValueError(f"rows is {self.rows}, must be at least 1")


@dataclass(frozen=True, kw_only=True)
class TrainingChoice:
    """How to train.

    Attributes:
        epochs: The most passes over the rows.
        seed: Draws the order of the rows, the initial heads and dropout.
        encoder_rate: Learning rate of what trains in the encoder; None is the strategy's own.
        head_rate: Learning rate of the heads; None is the strategy's own.
        batch: Sentences in a step.
        head_penalty: L2 penalty on the heads' matrices, in nats per squared weight; None is the
            strategy's own.
        weight_decay: AdamW's, on weight matrices alone.
        warmup: The share of the steps over which the rates rise.
        clip: The largest norm of the gradient.
        patience: Epochs without a better score on the validation rows before it stops.
        schedule: How the rates fall after their rise, one of `SCHEDULES`.
        accumulate: In how many parts a step's sentences run through the network, for less memory.
        balance: How the tasks' losses become one, as `core.training.losses.parse_balance` reads it.
        class_weights: `none`, or `balanced`: rows of rare labels of sentence tasks count more.
        smoothing: Share of each label that is spread over all its task's classes.
        dropout: Whether what trains runs with its dropout.
        checkpoint_every: Steps from one checkpoint to the next, beside each epoch's end.
        prefix_megabytes: What the states of the frozen bottom may take in memory, before they go
            to files.
        bf16: Whether matrix products run in bfloat16.
        threads: torch threads of all processes together; None leaves them as they are.

    Raises:
        ValueError: If a number is out of range.
    """

    epochs: int = 4
    seed: int = 0
    encoder_rate: float | None = None
    head_rate: float | None = None
    batch: int = 32
    head_penalty: float | None = None
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip: float = 1.0
    patience: int = 3
    schedule: str = "linear"
    accumulate: int = 1
    balance: str = "sum"
    class_weights: str = "none"
    smoothing: float = 0.0
    dropout: bool = True
    checkpoint_every: int = 50
    prefix_megabytes: float = 1_000.0
    bf16: bool = False
    threads: int | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "patience", "accumulate", "checkpoint_every"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}, must be at least 1")
        for name in ("encoder_rate", "head_rate"):
            rate = getattr(self, name)
            if rate is not None and not 0 < rate <= 1:
                raise ValueError(f"{name} is {rate}, must be above 0 and at most 1")
        check_seed(self.seed)
        check_choice("schedule", self.schedule, SCHEDULES)
        check_choice("class_weights", self.class_weights, CLASS_WEIGHTS)
        if not 0 <= self.smoothing < 1:
            raise ValueError(f"smoothing is {self.smoothing}, must be 0 or more and below 1")
        if not self.prefix_megabytes >= 0:
            raise ValueError(f"prefix_megabytes is {self.prefix_megabytes}, must be 0 or more")
        if not 0 <= self.warmup <= 1:
            raise ValueError(f"warmup is {self.warmup}, must be a share from 0 to 1")
        if self.head_penalty is not None and not self.head_penalty >= 0:
            raise ValueError(f"head_penalty is {self.head_penalty}, must be 0 or more")
        if not (self.weight_decay >= 0 and self.clip > 0):
            raise ValueError("weight_decay must be 0 or more, clip above 0")


@dataclass(frozen=True, kw_only=True)
class AdviceChoice:
    """What a person wants of a strategy, by which the advice is given.

    Attributes:
        margin: How many points worse than the best is still good enough.
        score: What counts of a sentence task, one of `SCORES`; of a token task it is strict F1.
        cost: What a cheaper strategy is cheaper in, one of `COSTS`.

    Raises:
        ValueError: If the margin is out of range, or score or cost is not one of those allowed.
    """

    margin: float = 3.0
    score: str = "accuracy"
    cost: str = "seconds"

    def __post_init__(self) -> None:
        check_choice("score", self.score, SCORES)
        check_choice("cost", self.cost, COSTS)
        if not 0 < self.margin <= 100:
            raise ValueError(f"margin is {self.margin} points, must be above 0, at most 100")


@dataclass(frozen=True, kw_only=True)
class MapSettings:
    """How embeddings are laid out on a map.

    Attributes:
        method: One of `MAP_METHODS`.
        dimensions: 2 or 3.
        neighbours: How many of a point's nearest keep it in its place, itself counted; None is
            the smaller of `DEFAULT_NEIGHBOURS` and the points less one. PCA looks at all points.
        spread: How far apart UMAP lays what belongs together; 1 is its own scale.
        metric: One of `MAP_METRICS`: what near means among embeddings.
        seed: Draws what UMAP leaves to chance.

    Raises:
        ValueError: If a value is not allowed.
    """

    method: str = "umap"
    dimensions: int = 2
    neighbours: int | None = None
    spread: float = 1.0
    metric: str = "cosine"
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("method", self.method, MAP_METHODS)
        check_choice("metric", self.metric, MAP_METRICS)
        if self.method == "pca" and not nearness.metric_named(self.metric).kept_by_pca:
            on_maps = [each for each in nearness.EVERY if each.on_maps and each.kept_by_pca]
            kept = " or ".join(each.name for each in on_maps)
            raise ValueError(
                f"metric is {self.metric!r}, which pca cannot keep: give {kept}, or the method umap"
            )
        if self.dimensions not in (2, 3):
            raise ValueError(f"dimensions is {self.dimensions}, must be 2 or 3")
        low, high = SPREADS
        if not low <= self.spread <= high:
            raise ValueError(f"spread is {self.spread}, must be {low:g} to {high:g}")
        if self.neighbours is not None and not self.neighbours >= 2:
            raise ValueError(f"neighbours is {self.neighbours}, must be at least 2")
        check_seed(self.seed)

    def neighbours_among(self, points: int) -> int:
        """Return how many neighbours there are to look at among so many different points.

        Raises:
            ValueError: If there are too few points, or more neighbours were asked for.
        """
        if points < FEWEST_POINTS:
            raise ValueError(
                f"a map needs at least {FEWEST_POINTS} sentences with different embeddings, and "
                f"{'there is' if points == 1 else 'there are'} {points}: give more"
            )
        if self.neighbours is None:
            return min(DEFAULT_NEIGHBOURS, points - 1)
        if self.neighbours >= points:
            raise ValueError(
                f"neighbours is {self.neighbours}, must be 2 to {points - 1:,}: there are "
                f"{points:,} different points"
            )
        return self.neighbours


def check_choice(what: str, given: str, allowed: tuple[str, ...]) -> None:
    """Refuse a value that is not one of the allowed ones.

    Raises:
        ValueError: Naming what was given and every allowed value.
    """
    if given not in allowed:
        raise ValueError(f"{what} is {given!r}, must be one of: {', '.join(allowed)}")


def check_seed(seed: int) -> None:
    """Refuse a seed that one of those who draw by it cannot take.

    Raises:
        ValueError: If it is below 0 or has more than 32 bits.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed is {seed}, must be 0 to {2**32 - 1}")
