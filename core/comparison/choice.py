"""What is compared with what, and how much may be spent on it."""

from dataclasses import dataclass, field

from core.config import AdviceChoice, ComparisonSettings, TrainingChoice
from core.strategy.scenario import AUTO, Scenario
from core.strategy.strategies import Full, Heads, Lower

WORKERS_IMPORT = ("core.comparison.work",)
"""What the server of processes imports for a comparison, so that no worker has to."""

MAX_STRATEGIES = 100


@dataclass(frozen=True, kw_only=True)
class ComparisonChoice(ComparisonSettings):
    """Which strategies, how often, and what decides between them.

    Attributes:
        strategies: What is compared, each once.
        advice: Margin, score, and the cost that matters.
        training: Batch, balance and what else all runs share; its epochs, patience, seed, rates
            and threads do not count.

    Raises:
        ValueError: As `ComparisonSettings` does; or if a strategy is missing or there twice.
    """

    strategies: tuple[Scenario, ...]
    advice: AdviceChoice = field(default_factory=AdviceChoice)
    training: TrainingChoice = field(default_factory=TrainingChoice)

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [scenario.name for scenario in self.strategies]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"strategy {twice} is there twice: name each once")
        if not 1 <= len(names) <= MAX_STRATEGIES:
            raise ValueError(
                f"there are {len(names)} strategies, must be 1 to {MAX_STRATEGIES}: name some"
            )


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
