"""One training from labelled data to a model folder: rows dealt, layers chosen, heads begun."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from core.config import FOLDS, TrainingChoice
from core.data.dataset import Dataset
from core.data.dealing import DealtRows, deal_rows
from core.data.near_duplicates import groups_of
from core.data.rare_labels import without_rare_labels
from core.encoder.encoder import Encoder, Progress
from core.encoder.precision import SELF_TEST_SENTENCES
from core.frozen.prefix import Prefix
from core.frozen.processes import ALONE, Processes
from core.knowledge.layer_profile import layer_profile
from core.model.card import model_card
from core.model.model import MultiTaskModel, default_shapes
from core.model.model_folder import Saved, save_model
from core.model.prediction import predict
from core.strategy.scenario import AUTO, Scenario
from core.strategy.strategy import lowest_read
from core.strategy.thaw_plan import ThawPlan
from core.system.machine import machine_name, versions
from core.task import Example, Task
from core.training.checkpoint import RUN_FILES
from core.training.events import ChangeEvent, DoneEvent, Event, PlanEvent, event_document
from core.training.loop import train
from core.training.steering import Steering
from core.training.thawing import part_parameters

PACKAGES = ("torch", "tokenizers", "safetensors", "numpy")
"""What the weights of a run depend on."""


def resolve_read(
    encoder: Encoder,
    scenario: Scenario,
    examples: Sequence[Example],
    tasks: Sequence[Task],
    *,
    seed: int = 0,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> dict[str, int | str]:
    """Find where each task's head reads; `@auto` asks the layer profile of these rows.

    Where the encoder trains, only layers above what is frozen come into question, so that
    something of it does train.

    Raises:
        ValueError: If `@auto` is asked of too few rows to be profiled.
        CancelledError: If `cancelled` answered True.
    """
    if scenario.read != AUTO:
        read = encoder.layers if scenario.read is None else scenario.read
        return {task.name: read for task in tasks}
    groups = groups_of(examples)
    try:
        tested = without_rare_labels(examples, tasks, groups, FOLDS)
    except ValueError as error:
        named = f"{scenario.strategy.name}@{encoder.layers}"
        raise ValueError(f"@{AUTO} finds no layer: {error}; or name one, as in {named}") from error
    profile = layer_profile(
        encoder,
        tested.examples,
        tested.tasks,
        groups=groups,
        seed=seed,
        progress=progress,
        cancelled=cancelled,
    )
    return {**profile.best_from(lowest_read(scenario.strategy, encoder.layers))}


class Run:
    """One training of one strategy on some rows. Begin it with `begin_run`.

    Attributes:
        model: What trains, in place; whole and calibrated once `train` has ended.
        thaw: What trains when.
        scenario: What trains, as it was asked for.
        choice: Epochs, rates, batch, seed, threads.
        rows: What it learns from, and validates on.
        dataset: Where they came from.
        read: By task, the layer its head reads.
        notes: What a person should know before it begins.
        processes: Who trains it together.
    """

    def __init__(
        self,
        dataset: Dataset,
        rows: DealtRows,
        encoder: Encoder,
        plan: ThawPlan,
        choice: TrainingChoice,
        processes: Processes = ALONE,
    ) -> None:
        self.processes = processes
        self.dataset, self.rows, self.thaw, self.choice = dataset, rows, plan, choice
        self.scenario, self.read = plan.scenario, dict(plan.read)
        self.base = encoder.fingerprint()
        with torch.random.fork_rng(devices=[]):  # a caller's own draws stay as they were
            torch.manual_seed(choice.seed)
            self.model = MultiTaskModel(encoder, default_shapes(encoder, dataset.tasks, plan.read))
        self.model.to(encoder.device)
        self.notes = list(rows.notes)
        if not plan.strategy.trains_heads:
            self.notes.append("nothing trains: the heads are initial ones and predict by chance")
        self._parts = [part for part in plan.trained if part.layer is not None]
        self._before = {n: w.detach().clone() for n, w in self._trained_weights().items()}
        self._changes: list[ChangeEvent] = []
        self._plan: PlanEvent | None = None
        self._done: DoneEvent | None = None

    def _trained_weights(self) -> dict[str, Tensor]:
        """List the encoder's weights that may change, by name."""
        return {
            name: weight
            for part in self._parts
            for name, weight in part_parameters(self.model, part).items()
        }

    def _note(self, change: ChangeEvent) -> None:
        """Remember a change, and the weights of what it thawed: none of them has moved yet."""
        if change.refused:
            return
        self._changes.append(change)
        for part in self.thaw.parts:
            if part.layer is not None and str(part) in change.training and part not in self._parts:
                self._parts.append(part)
                weights = part_parameters(self.model, part)
                self._before.update({n: w.detach().clone() for n, w in weights.items()})

    def train(
        self,
        cancelled: Callable[[], bool] | None = None,
        *,
        folder: Path | None = None,
        resume: bool = False,
        command: str = "",
        prefix: Prefix | None = None,
        steering: Steering | None = None,
        snapshots: bool = False,
    ) -> Iterator[Event]:
        """Train, telling what happens.

        Args:
            cancelled: Asked before each step; True stops, after a checkpoint.
            folder: Where checkpoints go, as `run_folder` gives it; None for none.
            resume: Whether to go on from the checkpoint there.
            command: What a person typed, for the checkpoint to say.
            prefix: The frozen bottom, shared with other runs on rows of the same data; None
                makes one for this run alone.
            steering: Asked before each step, and answers with what changes, as `train` takes it.
            snapshots: Whether to tell where some sentences stand, as `train` does.

        Raises:
            ValueError: If the checkpoint is of another run, or the prefix of another encoder or
                other texts.
            RuntimeError: If a checkpoint cannot be written.
            DivergedError: If the loss is no longer a number.
            CancelledError: If `cancelled` answered True.
        """
        training, validation = self.rows.training, self.rows.validation
        about = {
            "command": command,
            "data": {"name": self.dataset.name, "fingerprint": self.dataset.fingerprint},
            "versions": versions(PACKAGES),
        }
        events = train(
            self.model,
            self.thaw,
            training,
            validation,
            self.choice,
            folder=folder,
            resume=resume,
            cancelled=cancelled,
            about=about,
            prefix=prefix,
            steering=steering,
            snapshots=snapshots,
            processes=self.processes,
        )
        for event in events:
            if isinstance(event, PlanEvent):
                self._plan = event
            elif isinstance(event, DoneEvent):
                self._done = event
            elif isinstance(event, ChangeEvent):
                self._note(event)
            yield event

    def changed(self) -> dict[str, Tensor]:
        """Return the encoder's weights that training changed, by name."""
        return {
            name: weight.detach()
            for name, weight in self._trained_weights().items()
            if not torch.equal(weight, self._before[name])
        }

    def about(self, command: str = "") -> dict[str, Any]:
        """Say how the model came about.

        Args:
            command: What a person typed to make it.

        Raises:
            ValueError: If the training has not ended.
        """
        if self._plan is None or self._done is None:
            raise ValueError("this run has not ended: train it first")
        done = event_document(self._done)
        return {
            "strategy": self.scenario.name,
            "settings": dict(self.scenario.strategy.settings),
            "read": self.read,
            "seed": self.choice.seed,
            "command": command,
            "data": {
                "name": self.dataset.name,
                "fingerprint": self.dataset.fingerprint,
                "text_column": self.dataset.text_column,
                "label_columns": dict(self.dataset.label_columns),
                "rows": len(self.dataset.examples),
                "training_rows": len(self.rows.training),
                "validation_rows": len(self.rows.validation),
            },
            "choice": vars(self.choice).copy(),
            "changes": [{"step": each.step, **each.change} for each in self._changes],
            "plan": event_document(self._plan),
            "epoch": done["epoch"],
            "steps": done["steps"],
            "seconds": done["seconds"],
            "figures": done["metrics"],
            "notes": [*self.dataset.notes, *self.notes, *self._done.notes],
            "versions": versions(PACKAGES),
            "machine": machine_name(),
            "expected": expected_predictions(self.model),
            "base_fingerprint": self.base,
        }

    def save(
        self,
        folder: Path,
        *,
        command: str = "",
        overwrite: bool = False,
        cross_validated: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the model folder: the heads, what changed in the encoder, and a card.

        Args:
            folder: Where.
            command: What a person typed to make it.
            overwrite: Whether a model that is there is replaced.
            cross_validated: By task, what a comparison found of the strategy, for a model that
                was trained on all rows.

        Raises:
            ValueError: If the training has not ended, or the folder may not be written.
            RuntimeError: If writing fails midway, as on a full disk; what was there is intact.
        """
        about = self.about(command)
        if cross_validated is not None:
            about["cross_validated"] = dict(cross_validated)
        saved = Saved(about=about, card=model_card(self.model, about))
        try:
            save_model(
                self.model, folder, self.changed(), saved, overwrite=overwrite, beside=RUN_FILES
            )
        except (OSError, SafetensorError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise RuntimeError(f"the model cannot be written to {folder} ({reason})") from error


def begin_run(
    dataset: Dataset,
    encoder: Encoder,
    scenario: Scenario,
    choice: TrainingChoice,
    *,
    validation: Dataset | None = None,
    hold: bool = True,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    processes: Processes = ALONE,
) -> Run:
    """Get a training ready: deal the rows, choose the layers read, build the initial heads.

    Args:
        dataset: The data.
        encoder: What is trained on top of, and where the strategy says so, itself.
        scenario: What trains and where the heads read.
        choice: Epochs, rates, batch, seed, threads.
        validation: Rows to validate on; None takes the split column's, or holds some out.
        hold: Whether anything validates at all.
        progress: Called while `@auto` runs the rows through the network.
        cancelled: Asked now and then; True stops.
        processes: Who trains it together; each of them begins it with the same arguments.

    Raises:
        ValueError: If the rows do not suffice.
        CancelledError: If `cancelled` answered True.
    """
    dataset = dataset.usable()
    rows = deal_rows(dataset, validation=validation, hold=hold, seed=choice.seed)
    read = processes.from_main(
        lambda: resolve_read(
            encoder,
            scenario,
            rows.training,
            dataset.tasks,
            seed=choice.seed,
            progress=progress,
            cancelled=cancelled,
        )
    )
    plan = ThawPlan(scenario=scenario, read=read, layers=encoder.layers, epochs=choice.epochs)
    return Run(dataset, rows, encoder, plan, choice, processes)


def expected_predictions(model: MultiTaskModel) -> list[dict[str, Any]]:
    """List what a model says of a few fixed sentences, so that a copy of it can be checked."""
    rows = []
    for each in predict(model, SELF_TEST_SENTENCES):
        row: dict[str, Any] = {"text": each.text}
        for name, said in each.labels.items():
            row[name] = {"label": said.label, "confidence": round(said.confidence, 4)}
        for name, found in each.entities.items():
            row[name] = [list(one.span) for one in found]
        rows.append(row)
    return rows
