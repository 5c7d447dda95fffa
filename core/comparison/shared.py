"""What all runs of a comparison share, done once by one worker: floor, profile, prefix, measures.

Its encoder stays as it was pretrained. What it shares lies in files that the runs' workers map.
"""

import functools
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

from core.comparison.cost import Measured, measure_steps
from core.comparison.folds import ComparedData, Deal
from core.config import FOLDS, EncoderChoice
from core.data.rare_labels import without_rare_labels
from core.encoder.encoder import Encoder, load_encoder
from core.frozen.layer_states import LayerStates, compute_layer_states
from core.frozen.prefix import Prefix, prefix_of
from core.frozen.scoring import needs_of
from core.knowledge.floor import score_floor
from core.knowledge.forgetting import Yardstick
from core.knowledge.layer_profile import LayerProfile, layer_profile
from core.knowledge.probe import load_probe
from core.model.model import MultiTaskModel, default_shapes
from core.strategy.thaw_plan import ThawPlan
from core.system.machine import use_threads


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all runs of a comparison share; a worker is given it once.

    Attributes:
        data: The rows.
        encoder: What is trained on top of.
        threads: torch threads of a run.
        memory_bytes: What shared states may take in memory, before they go to files.
        scratch: The folder for temporary files; who started the worker removes it.
        command: What a person typed.
    """

    data: ComparedData
    encoder: EncoderChoice
    threads: int
    memory_bytes: float
    scratch: str
    command: str

    def begin(self) -> None:
        """Get a worker ready: its threads, and where its temporary files go."""
        use_threads(self.threads)
        tempfile.tempdir = self.scratch  # a worker that is killed removes nothing itself


@dataclass(frozen=True, kw_only=True)
class Failed:
    """What was asked for did not come to its end.

    Attributes:
        reason: Why, to a person.
        fault: Whether the reason is ours.
        refused: Whether it is in what was given, and would be so again; a disk may be emptied.
    """

    reason: str
    fault: bool = False
    refused: bool = False


@dataclass(frozen=True, kw_only=True)
class About:
    """Asks what the encoder is."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the encoder is."""

    fingerprint: str
    layers: int
    hidden: int
    pooling: str
    normalized: bool
    max_tokens: int
    both_ways: bool


@dataclass(frozen=True, kw_only=True)
class FloorJob:
    """Asks for the floor on the tested rows of some deals."""

    deals: tuple[Deal, ...]


@dataclass(frozen=True, kw_only=True)
class MeasureJob:
    """Asks what steps take, on some training rows."""

    deal: Deal
    batch: int


@dataclass(frozen=True, kw_only=True)
class ProfileJob:
    """Asks what the layers know of some rows: the training rows of a seed."""

    rows: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Profiled:
    """What the layers of the pretrained encoder know of some rows, and what asking cost."""

    profile: LayerProfile | None
    reason: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class PrefixJob:
    """Asks for the states that a run takes from the frozen bottom of the network.

    Attributes:
        plan: What trains when, of the tasks that it has.
        rows: What the run trains and validates on.
    """

    plan: ThawPlan
    rows: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class RetentionJob:
    """Asks for the states that a tuned encoder is held against.

    Attributes:
        depth: The highest layer that never trains; None where the embeddings train.
    """

    depth: int | None


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Where the states are, and what they would cost a run on its own.

    Attributes:
        folder: For `core.frozen.prefix.open_prefix`; None where nothing is frozen at the bottom.
        seconds: Of the run's own rows alone.
    """

    folder: str | None
    seconds: float


Question = About | FloorJob | MeasureJob | ProfileJob | PrefixJob | RetentionJob
Answer = Known | dict[str, Any] | Measured | Profiled | Prepared


def do_shared(pipe: Connection, setting: Setting) -> None:
    """Do what all runs share, as it is asked for through a pipe, until it is closed."""
    setting.begin()
    shared: _Shared | None = None
    while True:
        asked = pipe.recv()
        try:
            shared = shared or _Shared(setting)
            pipe.send(shared.answer(asked))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:  # told to whoever asked, who decides
            pipe.send(failed(error))


def failed(error: Exception) -> Failed:
    """Say why something did not come to its end."""
    known = isinstance(error, ValueError | RuntimeError | MemoryError | OSError)
    reason = str(error) or type(error).__name__
    return Failed(
        reason=reason if known else f"{type(error).__name__}: {reason}",
        fault=not known,
        refused=isinstance(error, ValueError),
    )


class _Shared:
    """What all runs share, made when it is first asked for."""

    def __init__(self, setting: Setting) -> None:
        self.setting, self.data = setting, setting.data
        self.prefix: Prefix | None = None
        self.pretrained: Prefix | None = None  # of the probe and some own sentences
        self.lengths: list[int] = []  # by row, its tokens
        self.layer_seconds = 0.0  # of one layer, for one token
        self.states: LayerStates | None = None  # of all rows, for the profiles of all folds
        self.states_seconds = 0.0

    @functools.cached_property
    def encoder(self) -> Encoder:
        """The encoder as it was pretrained."""
        return load_encoder(self.setting.encoder, threads=self.setting.threads)

    @property
    def texts(self) -> list[str]:
        """All rows' texts."""
        return [example.text for example in self.data.dataset.examples]

    def answer(self, asked: Question) -> Answer:
        """Answer a question."""
        if isinstance(asked, FloorJob):
            return _floor(self.data, asked.deals)
        if isinstance(asked, MeasureJob):
            return measure_steps(self.data, self.setting.encoder, asked.deal, asked.batch)
        if isinstance(asked, ProfileJob):
            return self._profile(asked)
        if isinstance(asked, PrefixJob):
            return self._prepare(asked)
        if isinstance(asked, RetentionJob):
            return self._retain(asked)
        return Known(
            fingerprint=self.encoder.fingerprint(),
            layers=self.encoder.layers,
            hidden=self.encoder.hidden,
            pooling=self.encoder.pooling,
            normalized=self.encoder.normalized,
            max_tokens=self.encoder.max_tokens,
            both_ways=self.encoder.is_told_both_ways,
        )

    def _profile(self, job: ProfileJob) -> Profiled:
        """Profile some rows; the states of all rows are computed once, for whichever come next."""
        data, tasks = self.data.dataset, self.data.dataset.tasks
        if self.states is None:
            begun = time.perf_counter()
            self.states = compute_layer_states(
                self.encoder,
                self.texts,
                tokens=any(task.of_kind.by_token for task in tasks),
                memory_bytes=self.setting.memory_bytes,
            )
            self.states_seconds = time.perf_counter() - begun
        begun, own = time.perf_counter(), set(job.rows)
        alone = self.states_seconds * len(own) / len(data.examples)  # what these rows' would cost
        examples = [
            example if row in own else replace(example, labels={})
            for row, example in enumerate(data.examples)
        ]
        profile, reason = None, ""
        try:
            tested = without_rare_labels(examples, tasks, self.data.groups, FOLDS)
            profile = layer_profile(
                self.encoder,
                tested.examples,
                tested.tasks,
                groups=self.data.groups,
                states=self.states,
            )
        except ValueError as error:
            reason = str(error)
        seconds = alone + time.perf_counter() - begun
        return Profiled(profile=profile, reason=reason, seconds=seconds)

    def _prepare(self, job: PrefixJob) -> Prepared:
        """Run all rows through what a run freezes, unless an earlier run has had it."""
        plan = job.plan
        tasks = [task for task in self.data.dataset.tasks if task.name in plan.read]
        model = MultiTaskModel(self.encoder, default_shapes(self.encoder, tasks, plan.read))
        # At the end testing takes what never trains.
        needs = needs_of(model, (*plan.starts[: plan.epochs], plan.start))
        if not needs:
            return Prepared(folder=None, seconds=0.0)
        if self.prefix is None:
            ids = [text.ids for text in model.read(self.texts)]
            self.lengths = [len(each) for each in ids]
            self.prefix = prefix_of(self.encoder, ids, memory_bytes=self.setting.memory_bytes)
        depth = max(each.layer for each in needs)
        begun = time.perf_counter()
        self.prefix.compute(needs)
        spent = time.perf_counter() - begun
        if depth and not self.layer_seconds:  # the first that runs a layer; none was kept before
            self.layer_seconds = spent / (depth * self.prefix.texts.starts[-1] or 1)
        tokens = sum(self.lengths[row] for row in job.rows)
        seconds = self.layer_seconds * depth * tokens
        return Prepared(folder=str(self.prefix.share()), seconds=seconds)

    def _retain(self, job: RetentionJob) -> Prepared:
        """Run the probe through the pretrained encoder, unless an earlier run has had it."""
        yardstick = Yardstick(load_probe(), self.texts, self.encoder.tokenizer)
        if self.pretrained is None:
            memory = self.setting.memory_bytes
            self.pretrained = prefix_of(self.encoder, yardstick.ids, memory_bytes=memory)
        begun = time.perf_counter()
        self.pretrained.compute(yardstick.needs(self.encoder.layers, [job.depth]))
        seconds = time.perf_counter() - begun
        return Prepared(folder=str(self.pretrained.share()), seconds=seconds)


def _floor(data: ComparedData, deals: Sequence[Deal]) -> dict[str, Any]:
    """Score each task's floor; None where no tested row has a label of it."""
    folds = [((*deal.training, *deal.validation), deal.tested) for deal in deals]
    found: dict[str, Any] = {}
    for task in data.dataset.tasks:
        try:
            found[task.name] = asdict(score_floor(data.dataset.examples, task, folds))
        except ValueError:  # a task of few labels, and not all folds are tested
            found[task.name] = None
    return found
