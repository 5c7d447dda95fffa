"""Settings that a person or a caller chooses, checked where they are made."""

import re
from dataclasses import dataclass
from pathlib import Path

from core import nearness, pooling
from core.errors import InputError, setting
from core.option import Option, check_options

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
LOCAL, RAY = "local", "ray"
EXPORT_FORMATS = ("sentence-transformers", "onnx")

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


MARGIN = 3.0
MOST_SEEDS = 300
MOST_RATES = 9
"""Each learning rate that is tried is a run more."""

SEED = Option("--seed", "N", "Draws all that is left to chance.", least=0, most=2**32 - 1)
METRIC = Option("--metric", "M", f"One of: {', '.join(METRICS)}.", choices=METRICS)
DATA = Option(
    "--data", "F", "Labelled sentences: CSV, TSV, JSONL, Parquet or CoNLL, or the word corpus."
)
EPOCHS = Option(
    "--epochs",
    "N",
    "The most epochs; else the strategy's own (--strategy help says them).",
    least=1,
)
PATIENCE = Option(
    "--patience",
    "N",
    "Epochs without a better score to stop at; else the strategy's own.",
    least=1,
    after="--schedule",
)
THREADS = Option("--threads", "N", "Threads to encode with.")
DEVICE = Option("--device", "D", "cpu, cuda, mps; else the best.")


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

    name: str = Option("--encoder", "E", "A catalogue name, a folder or a hub name.").field(
        "minilm"
    )
    pooling: str | None = Option(
        "--pooling", "P", f"One of: {', '.join(POOLINGS)}.", choices=POOLINGS
    ).field(None)
    normalize: bool | None = Option(
        "--normalize/--no-normalize", help="Give embeddings length one."
    ).field(None)
    precision: str = Option("--precision", help="fp32, or faster.", choices=PRECISIONS).field(
        "exact"
    )
    device: str | None = Option("--device", follows=True).field(None)

    def __post_init__(self) -> None:
        check_options(self)
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

    source: str = DATA.field()
    text_column: str | None = Option(
        "--text-column", "NAME", "The column of sentences; else guessed."
    ).field(None)
    label_columns: tuple[str, ...] = Option(
        "--label-column",
        "NAME|TASK=NAME",
        "A column of labels or spans; repeat for more; else guessed.",
    ).field(())
    tasks: tuple[str, ...] = Option(
        "--task", "TASK", "A task wanted; repeat for more; else all."
    ).field(())
    renames: tuple[str, ...] = Option(
        "--map", "[TASK:]FROM=TO", "Rename the label FROM; repeat for more."
    ).field(())
    split_column: str | None = Option(
        "--split-column", "NAME", "The column of train, validation, test."
    ).field(None)
    group_column: str | None = Option(
        "--group-column", "NAME", "The column of what belongs together."
    ).field(None)
    rows: int | None = Option(
        "--rows", "N", "Take a sample of N rows, every label in its share.", least=1
    ).field(None)
    seed: int = Option("--seed", follows=True).field(0)

    def __post_init__(self) -> None:
        check_options(self)
        if not self.source.strip():
            raise ValueError("no data is named: give a file, or the word corpus")


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

    epochs: int = EPOCHS.field(4)
    seed: int = SEED.field(0)
    encoder_rate: float | None = Option(
        "--lr", "X", "Learning rate of layers; else the strategy's.", above=0, most=1
    ).field(None)
    head_rate: float | None = Option(
        "--head-lr", "X", "Learning rate of heads; else the strategy's.", above=0, most=1
    ).field(None)
    batch: int = Option("--batch", "N", "Sentences in a step.", least=1).field(32)
    head_penalty: float | None = Option(least=0).field(None)
    weight_decay: float = Option(least=0).field(0.01)
    warmup: float = Option(least=0, most=1).field(0.1)
    clip: float = Option(above=0).field(1.0)
    patience: int = PATIENCE.field(3)
    schedule: str = Option(
        "--schedule", help="How the rates fall.", choices=SCHEDULES, after="--no-dropout"
    ).field("linear")
    accumulate: int = Option(
        "--accumulate", "N", "Parts that a step runs in, one by one, to save memory.", least=1
    ).field(1)
    balance: str = Option(
        "--balance",
        "NAME",
        "How the tasks' losses become one: sum, uncertainty, dwa, or weights such as "
        "topic=2+entities=1.",
    ).field("sum")
    class_weights: str = Option(
        "--class-weights", help="Whether rows of rare labels count more.", choices=CLASS_WEIGHTS
    ).field("none")
    smoothing: float = Option(
        "--smoothing", "X", "Share of each label that is spread over all of them.", least=0, below=1
    ).field(0.0)
    dropout: bool = Option(
        "--no-dropout", help="Train without dropout, layers and heads alike."
    ).field(True)
    checkpoint_every: int = Option(
        "--checkpoint-every",
        "STEPS",
        "Steps from one checkpoint to the next, beside each epoch's end.",
        least=1,
        after="--patience",
    ).field(50)
    prefix_megabytes: float = Option(
        "--prefix-memory",
        "MB",
        "What the states of frozen layers may take in memory; past it they go to files.",
        least=0,
        after="--checkpoint-every",
    ).field(1_000.0)
    bf16: bool = False
    threads: int | None = Option("--threads", follows=True, least=1).field(None)

    def __post_init__(self) -> None:
        check_options(self)


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

    margin: float = Option(
        "--margin",
        "POINTS",
        f"How much worse than the best is good enough; else {MARGIN:g}.",
        above=0,
        most=100,
    ).field(MARGIN)
    score: str = Option("--score", help="What counts of a sentence task.", choices=SCORES).field(
        "accuracy"
    )
    cost: str = Option("--cost", help="What a cheaper one is cheaper in.", choices=COSTS).field(
        "seconds"
    )

    def __post_init__(self) -> None:
        check_options(self)


def seconds_of(typed: str) -> float:
    """Read a budget as typed: seconds, or minutes or hours by their letter.

    Raises:
        ValueError: If it is none.
    """
    found = re.fullmatch(r"(\d{1,7}(?:\.\d{1,3})?)\s*([smh]?)", typed.strip().lower(), re.ASCII)
    if found is None or not float(found[1]) > 0:
        raise InputError(field="budget", given=typed[:40], allowed="such as 60s, 5m or 1h")
    return float(found[1]) * {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}[found[2]]


@dataclass(frozen=True, kw_only=True)
class ComparisonSettings:
    """How often strategies are compared, and what may be spent on it.

    Attributes:
        seeds: How many; seed s tests fold s mod 3 of repetition s div 3.
        epochs: Exactly so many for every strategy; None trains each until its validation rows
            stop improving, at most as many as the strategy declares.
        budget_seconds: No run begins or goes on after it; None is as long as it takes.
        rates: Of how many learning rates each run takes the one that its validation rows like
            best; 1 is the strategy's own.
        jobs: Runs side by side; None decides by the cores there are.
        threads: torch threads of all runs together; None takes the usable cores. On a Ray
            cluster, of each run; None is one.
        engine: Where runs are done: `local`, in processes of this machine, or on a `ray` cluster.
        single_task: Whether each task is trained alone too.
        balances: Whether the losses are balanced in other ways too.
        per_class: Whether it is done with 8, 16, 32 … training rows of each class too.

    Raises:
        ValueError: If a number is out of range, or there is no such engine.
    """

    seeds: int = Option(
        "--seeds",
        "N",
        "How many; three test every row once by every strategy.",
        least=1,
        most=MOST_SEEDS,
    ).field(3)
    epochs: int | None = Option(
        "--epochs",
        "N",
        "Exactly so many for all; else each trains until its validation rows stop improving.",
        least=1,
    ).field(None)
    budget_seconds: float | None = Option(
        "--budget",
        "60s|5m|1h",
        "A deadline: cheap strategies first, seeds only where they can change the answer.",
        above=0,
        below=1e9,
        read=seconds_of,
    ).field(None)
    rates: int = Option(
        "--rates",
        "N",
        "Learning rates that each run tries; its validation rows choose.",
        least=1,
        most=MOST_RATES,
    ).field(1)
    jobs: int | None = Option(
        "--jobs", "N", "Runs side by side; else by the cores there are.", least=1, after="--cost"
    ).field(None)
    threads: int | None = Option("--threads", follows=True, least=1).field(None)
    engine: str = Option(
        "--engine",
        help="Where runs are done: in processes here, or on a Ray cluster (ray start --head).",
        choices=(LOCAL, RAY),
        after="--jobs",
    ).field(LOCAL)
    single_task: bool = Option(
        "--single-task", help="Also train each task alone: does sharing help?", after="--train-best"
    ).field(False)
    balances: bool = Option(
        "--balances", help="Also balance the tasks' losses in other ways.", after="--single-task"
    ).field(False)
    per_class: bool = Option(
        "--per-class", help="Also train on 8, 16, 32 … rows of each class only.", after="--balances"
    ).field(False)

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True, kw_only=True)
class ExportChoice:
    """In which form a model is exported.

    Attributes:
        format: One of `EXPORT_FORMATS`.
        truncate: Whether to end at the highest layer that a head reads.
        overwrite: Whether a model or an export that the folder holds is replaced.

    Raises:
        ValueError: If there is no such format.
    """

    format: str = Option(
        "--format",
        help="A folder that plain sentence-transformers loads, or one ONNX file.",
        choices=EXPORT_FORMATS,
    ).field(EXPORT_FORMATS[0])
    truncate: bool = Option(
        "--truncate",
        help="End at the highest layer that a head reads: smaller, faster, another embedding.",
    ).field(False)
    overwrite: bool = Option(
        "--overwrite", help="Replace the model or export that --out holds."
    ).field(False)

    def __post_init__(self) -> None:
        check_options(self)


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

    method: str = Option("--method", help="How to lay out.", choices=MAP_METHODS).field("umap")
    dimensions: int = Option("--dimensions", help="Axes.", choices=(2, 3)).field(2)
    neighbours: int | None = Option(
        "--neighbours", "N", "Of each point; else 15, or all there are.", least=2
    ).field(None)
    spread: float = Option(
        "--spread", "X", "How loosely groups lie, 0.1 to 10.", least=SPREADS[0], most=SPREADS[1]
    ).field(1.0)
    metric: str = Option(
        "--metric", "M", f"One of: {', '.join(MAP_METRICS)}.", choices=MAP_METRICS
    ).field("cosine")
    seed: int = SEED.field(0)

    def __post_init__(self) -> None:
        check_options(self)
        if self.method == "pca" and not nearness.metric_named(self.metric).kept_by_pca:
            on_maps = [each for each in nearness.EVERY if each.on_maps and each.kept_by_pca]
            kept = " or ".join(each.name for each in on_maps)
            raise InputError(
                f"{setting('metric')} is {self.metric!r}, which pca cannot keep: give {kept}, or "
                f"{setting('method')} umap"
            )

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
            raise InputError(
                f"{setting('neighbours')} is {self.neighbours}, must be 2 to {points - 1:,}: there "
                f"are {points:,} different points"
            )
        return self.neighbours


def check_choice(what: str, given: str, allowed: tuple[str, ...]) -> None:
    """Refuse a value that is not one of the allowed ones.

    Raises:
        ValueError: Naming what was given and every allowed value.
    """
    if given not in allowed:
        raise ValueError(f"{what} is {given!r}, must be one of: {', '.join(allowed)}")
