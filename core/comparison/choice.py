"""What is compared with what, and how much may be spent on it."""

from dataclasses import dataclass, field

from core.config import AdviceChoice, TrainingChoice, check_choice
from core.strategy.scenario import AUTO, Scenario
from core.strategy.strategies import Full, Heads, Lower

LOCAL, RAY = "local", "ray"
ENGINES = (LOCAL, RAY)
WORKERS_IMPORT = ("core.comparison.work",)
"""What the server of processes imports for a comparison, so that no worker has to."""

MAX_SEEDS = 300
MAX_STRATEGIES = 100


@dataclass(frozen=True, kw_only=True)
class ComparisonChoice:
    """Which strategies, how often, and what decides between them.

    Attributes:
        strategies: What is compared, each once.
        seeds: How many; seed s tests fold s mod 3 of repetition s div 3.
        epochs: Exactly so many for every strategy; None trains each until its validation rows
            stop improving, at most as many as the strategy declares.
        budget_seconds: No run begins or goes on after it; None is as long as it takes.
        rates: Of how many learning rates each run takes the one that its validation rows like
            best; 1 is the strategy's own.
        advice: Margin, score, and the cost that matters.
        jobs: Runs side by side; None decides by the cores there are.
        threads: torch threads of all runs together; None takes the usable cores. On a Ray
            cluster, of each run; None is one.
        engine: Where runs are done: `local`, in processes of this machine, or on a `ray` cluster.
        single_task: Whether each task is trained alone too.
        balances: Whether the losses are balanced in other ways too.
        per_class: Whether it is done with 8, 16, 32 … training rows of each class too.
        training: Batch, balance and what else all runs share; its epochs, patience, seed, rates
            and threads do not count.

    Raises:
        ValueError: If a number is out of range, or a strategy is missing or there twice.
    """

    strategies: tuple[Scenario, ...]
    seeds: int = 3
    epochs: int | None = None
    budget_seconds: float | None = None
    rates: int = 1
    advice: AdviceChoice = field(default_factory=AdviceChoice)
    jobs: int | None = None
    threads: int | None = None
    engine: str = LOCAL
    single_task: bool = False
    balances: bool = False
    per_class: bool = False
    training: TrainingChoice = field(default_factory=TrainingChoice)

    def __post_init__(self) -> None:
        check_choice("engine", self.engine, ENGINES)
        names = [scenario.name for scenario in self.strategies]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"strategy {twice} is there twice: name each once")
        if not 1 <= len(names) <= MAX_STRATEGIES:
            raise ValueError(
                f"there are {len(names)} strategies, must be 1 to {MAX_STRATEGIES}: name some"
            )
        if not 1 <= self.seeds <= MAX_SEEDS:
            raise ValueError(f"seeds is {self.seeds}, must be 1 to {MAX_SEEDS}: it is a count")
        for name in ("epochs", "jobs", "threads", "rates"):
            number = getattr(self, name)
            if number is not None and not number > 0:
                raise ValueError(f"{name} is {number}, must be at least 1")
        if self.rates > 9:
            raise ValueError(f"rates is {self.rates}, must be 1 to 9: each is a run more")
        if self.budget_seconds is not None and not 0 < self.budget_seconds < 1e9:
            raise ValueError(f"budget is {self.budget_seconds} seconds, must be above 0")


def default_strategies(layers: int) -> tuple[Scenario, ...]:
    """Name what is compared unless a person says otherwise, for an encoder of some layers.

    Heads alone and two depths of freezing, read at the last layer and at the best, and full. What
    would be there twice, as with few layers, is there once.
    """
    third, two_thirds = layers // 3, 2 * layers // 3
    wanted = (
        Scenario(strategy=Heads()),
        Scenario(strategy=Heads(), read=AUTO),
        Scenario(strategy=Lower(layers=third), read=AUTO),
        Scenario(strategy=Lower(layers=third)),
        Scenario(strategy=Lower(layers=two_thirds)),
        Scenario(strategy=Full()),
    )
    return tuple({scenario.name: scenario for scenario in wanted}.values())
