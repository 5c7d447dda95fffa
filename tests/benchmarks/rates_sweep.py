"""The runs by which learning rates are chosen: a race that is asked anew after each run."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.strategy.scenario import parse_strategy
from core.strategy.strategies import Heads

KEPT = Path(__file__).resolve().parents[2] / "docs/figures/rates.jsonl"
LAYERS = 6
JUDGED = 400
"""Validation rows of the corpus that judge every run."""

ROWS = 300
MANY = 1_200
EPOCHS_OF_HEADS = (30, 100)
PENALISED_EPOCHS, PENALISED_RATE = 40, 3e-2
"""Of heads alone where an L2 penalty is chosen: what the penalty decides, not the steps."""

HEAD_PENALTIES = (0.0, 3e-3, 1e-3, 1e-2)
HEAD_RATE = 1e-2
"""Of the heads, while the encoder's rate is chosen."""

LADDER = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
FIRST = {  # strategy → the rates tried first, by which it is chosen where to go on
    "heads": (1e-3, 3e-3, 1e-2),
    "heads@4": (1e-3, 3e-3, 1e-2),
    "lower:4": (1e-4, 3e-4, 1e-3, 3e-3),
    "full": (1e-4, 3e-4, 1e-3),
    "lower:2@4": (1e-4, 3e-4, 1e-3, 3e-3),
    "lora": (1e-3, 3e-3, 1e-2),
    "bitfit": (1e-3, 3e-3, 1e-2),
    "layerwise-lr": (3e-4, 1e-3),
    "lp-ft": (3e-4, 1e-3),
    "gradual": (3e-4, 1e-3),
    "lower:2": (1e-4, 3e-4, 1e-3),
}
EPOCHS = 6
"""Of every run where the encoder trains, gradual unfreezing aside; a rate needs no more to show."""

EPOCHS_OF_GRADUAL = 8
COMMON_RATE = 1e-3
"""What every strategy has tried."""

TRIED_ON = ("lower:4", 1e-3)
"""Where the heads' rate, the epochs and the batch are tried beside."""

OTHER_HEAD_RATES = (2e-3, 3e-3, 3e-2)
OTHER_LENGTHS = ((12, 32), (6, 16), (6, 8), (12, 16))
"""Epochs and batch."""

LOGISTIC = "logistic"
MANY_OF = ("lower:4", "full")


@dataclass(frozen=True, kw_only=True)
class Setup:
    """One run of the sweep.

    Attributes:
        strategy: As `--strategy` takes it.
        rows: Training rows, of which 15 % are held out to stop by.
        encoder_rate: None for heads alone.
        head_rate: The heads' own.
        epochs: The most; heads alone are never stopped before, others by their own patience.
        bf16: Whether matrix products of training ran in bfloat16; judging is in fp32.
        batch: Sentences in a step.
        seed: Draws rows, heads, order and dropout.
        head_penalty: L2 penalty on the heads' matrices.
    """

    strategy: str
    rows: int
    encoder_rate: float | None
    head_rate: float
    epochs: int
    bf16: bool = True
    batch: int = 32
    seed: int = 0
    head_penalty: float = 0.0

    @property
    def rate(self) -> float:
        """The rate that is being chosen."""
        return self.head_rate if self.encoder_rate is None else self.encoder_rate


class Sweep:
    """What is done, and what is to be done next."""

    def __init__(self, corpus: str) -> None:
        self.corpus = corpus
        lines = KEPT.read_text(encoding="utf-8").splitlines() if KEPT.exists() else []
        runs = [json.loads(line) for line in lines]
        self.runs = [run for run in runs if run["corpus"] == corpus]
        self.scores = {Setup(**run["setup"]): run["score"] for run in self.runs}

    def add(self, run: dict[str, Any]) -> None:
        """Keep a finished run."""
        with KEPT.open("a", encoding="utf-8") as file:
            file.write(json.dumps(run) + "\n")
        self.runs.append(run)
        self.scores[Setup(**run["setup"])] = run["score"]

    def waiting(self) -> Iterator[Setup]:
        """Give the runs that are missing, the next one first; ask anew after each run."""
        for setup in self._planned():
            if setup not in self.scores:
                yield setup

    def _planned(self) -> Iterator[Setup]:
        """Plan the race; what depends on runs that are missing comes only once they are there."""
        tried = self.setup(*TRIED_ON, EPOCHS)
        yield tried
        for head_rate in OTHER_HEAD_RATES:
            yield _changed(tried, head_rate=head_rate)
        for epochs, batch in OTHER_LENGTHS:
            yield _changed(tried, batch=batch, epochs=epochs)
        for name in FIRST:
            for epochs in epochs_of(name):
                yield from self._grid(name, epochs)
        yield from self._best_two(FIRST, seed=1)
        yield from self._best_two(MANY_OF, rows=MANY)
        yield from self._best_two(FIRST, seed=2)
        for seed in (0, 1):
            yield from self._best_two(MANY_OF, seed=seed, bf16=False)
        for seed in (1, 2):
            yield from self._best_two(MANY_OF, seed=seed, rows=MANY)
        yield from references()
        yield from penalised()

    def _best_two(self, names: Iterable[str], **changes: Any) -> Iterator[Setup]:  # noqa: ANN401
        for setup in self._best(names, 2):
            yield _changed(setup, **changes)

    def _best(self, names: Iterable[str], count: int) -> Iterator[Setup]:
        for name in names:
            yield from self.best(name, count)

    def _grid(self, name: str, epochs: int) -> Iterator[Setup]:
        """Give a strategy's first rates, then the next one while the best is at an end."""
        low, high = LADDER.index(FIRST[name][0]), LADDER.index(FIRST[name][-1])
        for rate in FIRST[name]:
            yield self.setup(name, rate, epochs)
        if len(FIRST[name]) < 3:  # of these only what suits `full` is tried
            return
        while True:
            tried = LADDER[low : high + 1]
            scores = [self.scores.get(self.setup(name, rate, epochs)) for rate in tried]
            if None in scores:
                return
            best = max(zip(scores, tried, strict=True))[1]
            if best == LADDER[low] and low > 0:
                low -= 1
                yield self.setup(name, LADDER[low], epochs)
            elif best == LADDER[high] and high < len(LADDER) - 1:
                high += 1
                yield self.setup(name, LADDER[high], epochs)
            else:
                return

    def setup(self, name: str, rate: float, epochs: int) -> Setup:
        """Name a run of the grid, with the first seed."""
        heads = is_heads(name)  # its steps cost nearly nothing: fp32, as the defaults are
        return Setup(
            strategy=name,
            rows=ROWS,
            encoder_rate=None if heads else rate,
            head_rate=rate if heads else HEAD_RATE,
            epochs=epochs,
            bf16=not heads,
        )

    def best(self, name: str, count: int) -> list[Setup]:
        """Give the best setups of a strategy's grid, by the first seed."""
        grid = [self.setup(name, rate, epochs) for rate in LADDER for epochs in epochs_of(name)]
        done = [setup for setup in grid if setup in self.scores]
        return sorted(done, key=lambda setup: -self.scores[setup])[:count]


def is_heads(name: str) -> bool:
    """Tell whether a strategy trains the heads alone."""
    return isinstance(parse_strategy(name, LAYERS).strategy, Heads)


def epochs_of(name: str) -> tuple[int, ...]:
    """List the epochs that a strategy's grid is run for."""
    if is_heads(name):
        return EPOCHS_OF_HEADS
    return (EPOCHS_OF_GRADUAL if name == "gradual" else EPOCHS,)


def references() -> list[Setup]:
    """Name the logistic regressions that heads alone are held against."""
    return [
        Setup(strategy=f"{LOGISTIC}@{layer}", rows=ROWS, encoder_rate=None, head_rate=0.0, epochs=0,
              bf16=False, seed=seed)
        for seed in (0, 1, 2)
        for layer in (LAYERS, 4)
    ]  # fmt: skip


def penalised() -> list[Setup]:
    """Name the runs by which the penalty of heads alone is chosen."""
    return [
        Setup(strategy=name, rows=ROWS, encoder_rate=None, head_rate=PENALISED_RATE, bf16=False,
              epochs=PENALISED_EPOCHS, head_penalty=penalty, seed=seed)
        for penalty in HEAD_PENALTIES
        for seed in (0, 1, 2)
        for name in ("heads", "heads@4")
    ]  # fmt: skip


def _changed(setup: Setup, **changes: Any) -> Setup:  # noqa: ANN401 (any field of it)
    return Setup(**{**asdict(setup), **changes})
