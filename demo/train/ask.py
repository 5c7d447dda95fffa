"""What a visitor asks to be trained: read from the page's fields, bounded, and made a job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from core.config import EncoderChoice, TrainingChoice
from demo.shelves.working_data import WorkingData
from demo.train.worker import TrainingJob

if TYPE_CHECKING:  # the page is on screen before data is read
    from core.data.dataset import Dataset

LEAST_ROWS, MOST_ROWS = 20, 2_000
MOST_EPOCHS, MOST_BATCH = 30, 64
MOST_STEPS = 6_000
"""What one run on the page may take; the command line takes more."""

BALANCES = (("add the losses up", "sum"), ("weigh by uncertainty", "uncertainty"),
            ("weigh by who learns slowly", "dwa"))  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TrainingAsk:
    """What the fields hold.

    Attributes:
        rows: A stratified sample of so many; all where there are fewer.
        tasks: Which of the data's; empty is all.
        strategy: As a person types it.
        epochs: Passes over the rows.
        batch: Sentences in a step.
        encoder_rate: Learning rate of what trains in the encoder; 0 is the strategy's own.
        head_rate: That of the heads.
        balance: How the tasks' losses become one.
        seed: Draws the order of the rows, the initial heads and dropout.
    """

    rows: int = 300
    tasks: tuple[str, ...] = ()
    strategy: str = "lower:4"
    epochs: int = 3
    batch: int = 16
    encoder_rate: float = 0.0
    head_rate: float = 0.0
    balance: str = "sum"
    seed: int = 0

    @classmethod
    def of(cls, given: Sequence[Any]) -> "TrainingAsk":
        """Read the fields in the order of the attributes.

        Raises:
            ValueError: If a number is none, or out of range.
        """
        rows, tasks, strategy, epochs, batch, encoder_rate, head_rate, balance, seed = given
        return cls(
            rows=_whole("rows", rows, LEAST_ROWS, MOST_ROWS),
            tasks=tuple(str(task) for task in tasks or ()),
            strategy=str(strategy or "").strip(),
            epochs=_whole("epochs", epochs, 1, MOST_EPOCHS),
            batch=_whole("batch", batch, 1, MOST_BATCH),
            encoder_rate=rate_in("the layers' rate", encoder_rate),
            head_rate=rate_in("the heads' rate", head_rate),
            balance=str(balance or "sum"),
            seed=_whole("seed", seed, 0, 2**31 - 1),
        )

    def data(self, working: WorkingData) -> WorkingData:
        """Give the working data, cut to what is asked for."""
        choice = replace(working.choice, rows=self.rows, seed=self.seed, tasks=self.tasks)
        return working.reading(choice)

    def job(self, dataset: "Dataset", encoder: EncoderChoice) -> TrainingJob:
        """Make a job of it.

        Raises:
            ValueError: If there is no such balance, or there are more steps than a page takes.
        """
        steps = -(-len(dataset.examples) // self.batch) * self.epochs
        if steps > MOST_STEPS:
            raise ValueError(
                f"that would be {steps:,} steps, must be at most {MOST_STEPS:,} on the page: give "
                "fewer epochs or rows, a larger batch, or use python -m core train"
            )
        choice = TrainingChoice(
            epochs=self.epochs,
            batch=self.batch,
            seed=self.seed,
            encoder_rate=self.encoder_rate or None,
            head_rate=self.head_rate or None,
            balance=self.balance,
            patience=MOST_EPOCHS,
        )
        return TrainingJob(dataset=dataset, encoder=encoder, strategy=self.strategy, choice=choice)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A guided experiment: one click, seconds, and a sentence on what to watch.

    Attributes:
        name: Names it in a job.
        title: What its button says.
        watch: What to look at.
        ask: What is trained, always on the corpus.
        first: What is changed before the first step.
    """

    name: str
    title: str
    watch: str
    ask: TrainingAsk
    first: Mapping[str, Any] = field(default_factory=dict)

    def job(self, dataset: "Dataset", encoder: EncoderChoice) -> TrainingJob:
        """Make a job of it."""
        return replace(self.ask.job(dataset, encoder), first=dict(self.first), experiment=self.name)


EXPERIMENTS = (
    Experiment(
        name="frozen",
        title="Freeze everything",
        watch="Every block is ice, heads included. The steps are made, and nothing can come of "
        "them: watch the validation curve stay level.",
        ask=TrainingAsk(rows=200, tasks=("topic",), strategy="heads", epochs=4),
        first={"frozen": ["head topic"]},
    ),
    Experiment(
        name="one-layer",
        title="Thaw one layer",
        watch="One amber layer under the head, all others ice. Watch the loss fall, and only the "
        "amber blocks fill.",
        ask=TrainingAsk(rows=200, tasks=("topic",), strategy="freeze:0-5", epochs=4),
    ),
    Experiment(
        name="broken",
        title="Break it with a high rate",
        watch="All of it trains, ten times too fast. Watch every block fill, the curves jump, and "
        "read at the end what the encoder forgot.",
        ask=TrainingAsk(rows=120, tasks=("topic",), strategy="full", epochs=2, encoder_rate=5e-3),
    ),
)


def _whole(name: str, given: object, least: int, most: int) -> int:
    number = given if isinstance(given, int | float) and not isinstance(given, bool) else None
    if number is None or not least <= number <= most or number != int(number):
        shown = "nothing" if given is None else str(given)[:40]
        raise ValueError(f"{name} is {shown}, must be a whole number from {least:,} to {most:,}")
    return int(number)


def rate_in(name: str, given: object) -> float:
    """Read a learning rate as it is typed; 0 where nothing is.

    Raises:
        ValueError: If it is no number, or out of range.
    """
    if given is None or given == "":
        return 0.0
    try:
        rate = float(str(given))
    except ValueError as error:
        raise ValueError(f"{name} is {str(given)[:40]!r}, must be a number such as 3e-4") from error
    if not 0 <= rate <= 1:
        raise ValueError(f"{name} is {rate:g}, must be above 0 and at most 1; empty is its own")
    return rate
