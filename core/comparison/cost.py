"""What a run will cost, from step times measured on this data and machine."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from core.comparison.folds import ComparedData, Deal
from core.config import EncoderChoice, TrainingChoice
from core.data.dealing import DealtRows
from core.encoder.encoder import Encoder, load_encoder
from core.knowledge.forgetting import Yardstick
from core.knowledge.probe import load_probe
from core.strategy.scenario import Scenario
from core.strategy.strategies import Full, Heads, Lower
from core.strategy.strategy import Part, Strategy
from core.strategy.thaw_plan import ThawPlan
from core.training.events import StepEvent
from core.training.run import Run

MEASURED_STEPS = 2
WORDS = "embeddings.word_embeddings.weight"
"""The table of the words, by its name: it is most of what trains where the embeddings do."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Step times on this machine, as measured.

    Attributes:
        layers: How many layers the encoder has.
        load: Seconds to load the encoder.
        head: Seconds of a step in which only heads train.
        layer: Seconds of a layer of which all weights train, for each token of a step.
        embeddings: Seconds that a step takes more where the embeddings train too.
        tokens: By row of the data, its tokens.
        probe: Tokens of all that drift and forgetting are measured on.
    """

    layers: int
    load: float
    head: float
    layer: float
    embeddings: float
    tokens: tuple[int, ...]
    probe: int = 0

    @property
    def forward(self) -> float:
        """Seconds of a forward run of a layer, for each token."""
        return self.layer / (1 + Full.gradient)

    def seconds(self, plan: ThawPlan, deal: Deal, batch: int) -> float:
        """Estimate a run, from its start to its figures.

        Args:
            plan: What trains when.
            deal: The rows.
            batch: Sentences in a step.
        """
        training, validation, tested = (
            sum(self.tokens[row] for row in rows)
            for rows in (deal.training, deal.validation, deal.tested)
        )
        steps = -(-len(deal.training) // batch)
        trained = self.forward * (1 + plan.strategy.gradient)
        total = self.load
        for epoch, run in enumerate(plan.layers_run):
            total += steps * self.head + run * (training * trained + validation * self.forward)
            if plan.shares[Part(layer=0)][epoch] > 0 and plan.takes(WORDS):
                total += steps * self.embeddings
        deepest = plan.top - min(plan.layers_run)
        return total + self.forward * ((training + validation) * deepest + tested * plan.top)

    def retention(self, plan: ThawPlan, *, pretrained: bool) -> float:
        """Estimate what measuring drift and forgetting takes, of one run.

        Args:
            plan: What trains when.
            pretrained: Whether the pretrained encoder is yet to be run, for all runs.
        """
        if plan.depth == plan.layers:  # nothing moves, and nothing is run
            return 0.0
        run = plan.layers - (plan.depth or 0) + (plan.layers if pretrained else 0)
        return self.forward * self.probe * run


def measure_steps(data: ComparedData, choice: EncoderChoice, deal: Deal, batch: int) -> Measured:
    """Measure steps of three depths of training on some rows of the data.

    Args:
        data: The rows.
        choice: The encoder. It is loaded once: what a step takes does not hang on the weights.
        deal: Whose training rows.
        batch: Sentences in a step.
    """
    begun = time.perf_counter()
    encoder = load_encoder(choice, threads=torch.get_num_threads())
    load = time.perf_counter() - begun
    texts = [example.text for example in data.dataset.examples]
    tokens = tuple(len(each.ids) for each in encoder.tokenizer.encode(texts))
    rows = deal.training[: MEASURED_STEPS * batch]
    each = sum(tokens[row] for row in rows) / -(-len(rows) // batch)  # tokens of a step
    strategies: tuple[Strategy, ...] = (Heads(), Lower(layers=0), Full())
    heads, upper, full = (_step_seconds(data, encoder, rows, batch, each) for each in strategies)
    return Measured(
        layers=encoder.layers,
        load=load,
        head=heads,
        layer=max(0.0, upper - heads) / (encoder.layers * max(1.0, each)),
        embeddings=max(0.0, full - upper),
        tokens=tokens,
        probe=sum(map(len, Yardstick(load_probe(), texts, encoder.tokenizer).ids)),
    )


def _step_seconds(
    data: ComparedData, encoder: Encoder, rows: Sequence[int], batch: int, strategy: Strategy
) -> float:
    """Train on some rows twice, and give the mean step of the second time.

    Each step has other tokens, and the first ones pay for what is set up once.
    """
    training = tuple(data.dataset.examples[row] for row in rows)
    dealt = DealtRows(training=training, validation=(), notes=())
    read: dict[str, int | str] = {task.name: encoder.layers for task in data.dataset.tasks}
    settings = TrainingChoice(epochs=2, batch=batch)
    scenario = Scenario(strategy=strategy)
    plan = ThawPlan(scenario=scenario, read=read, layers=encoder.layers, epochs=settings.epochs)
    run = Run(data.dataset, dealt, encoder, plan, settings)
    found, before = [], time.perf_counter()
    for event in run.train():
        now = time.perf_counter()
        if isinstance(event, StepEvent) and event.epoch == settings.epochs:
            found.append(now - before)
        before = now
    return sum(found) / len(found)


def mean_of(found: Sequence[Measured]) -> Measured:
    """Give the mean of what workers measured at the same time, one at least."""
    names = ("load", "head", "layer", "embeddings")
    means = {name: sum(getattr(each, name) for each in found) / len(found) for name in names}
    return replace(found[0], **means)
