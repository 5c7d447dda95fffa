"""What a session of tests/benchmarks/train_ways.py is told, what it trains on, what it finds."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from core.config import DataChoice, TrainingChoice
from core.data.corpus import load_corpus
from core.data.dataset import read_dataset
from core.task import Example, Task

TESTED = 1_000
"""Rows of the corpus that no way sees before it is judged on them."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """What one process trains and times.

    Attributes:
        way: `thaw`, `trainer`, `grouped` (Trainer's own batches of like length) or `setfit`.
        strategy: `heads`, `lower:K` or `full`.
        seeds: Trained one after another; Thaw shares what is frozen between them.
        rows: Rows to learn from.
        held_out: Rows judged after each epoch.
        epochs: Passes over the rows.
        batch: Rows in a step.
        threads: torch threads.
        tasks: Tasks of the corpus, a head each; Trainer's may be token tasks too.
        read: By task, the layer that Trainer's head reads, where it is not the last. What lies
            above the highest one read is cut off, as a careful user would do it.
        profile: Whether to tell where the time goes; it costs some.
        tested: Of the rows that no way sees, how many it is judged on at the end.
    """

    way: str
    strategy: str
    seeds: tuple[int, ...] = (0,)
    rows: int = 600
    held_out: int = 200
    epochs: int = 3
    batch: int = 16
    threads: int = 2
    tasks: tuple[str, ...] = ("topic", "sentiment")
    read: Mapping[str, int] = field(default_factory=dict)
    profile: bool = False
    tested: int = TESTED


@dataclass(kw_only=True)
class Timed:
    """What a session found.

    Attributes:
        seconds: Since it began, as each seed ended.
        predict: By seed, what labels the trained model gives to texts, by task.
        flop: Multiplications and additions that Thaw's session needs in matrix products.
        shares: Of a profiled session, the share of the time by kind of work.
    """

    seconds: list[float] = field(default_factory=list)
    predict: list[Callable[[Sequence[str]], dict[str, list[str]]]] = field(default_factory=list)
    flop: float = 0.0
    shares: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of a session."""

    training: list[Example]
    held_out: list[Example]
    tested: list[Example]
    tasks: list[Task]


def read_rows(session: Session) -> Rows:
    """Deal the corpus; where it has too few rows, its sentences come again with their words turned.

    A sentence turned has the same words and length, but no way can take it for one seen before.
    """
    tasks = read_dataset(DataChoice(source="corpus")).tasks
    rows = [row.example for row in load_corpus()]
    random.Random(0).shuffle(rows)
    tested, rows = rows[:TESTED], rows[TESTED:]
    held_out, rows = rows[: session.held_out], rows[session.held_out :]
    training = [turned(rows[i % len(rows)], i // len(rows)) for i in range(session.rows)]
    chosen = [task for task in tasks if task.name in session.tasks]
    return Rows(training=training, held_out=held_out, tested=tested[: session.tested], tasks=chosen)


def turned(example: Example, times: int) -> Example:
    """Move some words of a sentence from its beginning to its end; its labels of tokens go."""
    words = example.text.split()
    labels = {name: label for name, label in example.labels.items() if isinstance(label, str)}
    at = times % max(1, len(words))
    text = " ".join(words[at:] + words[:at]) if at else example.text
    return Example(text=text, labels=labels)


def learning_choice(session: Session, seed: int) -> TrainingChoice:
    """Give Thaw's choices; Trainer is given the same rates, decay, warm-up and clipping."""
    return TrainingChoice(
        epochs=session.epochs,
        batch=session.batch,
        seed=seed,
        threads=session.threads,
        patience=session.epochs,
        head_penalty=0.0,  # Trainer has none
    )
