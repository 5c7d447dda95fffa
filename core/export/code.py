"""A compared strategy as code to take home: the same training by plain libraries, without Thaw.

What people wrote (labels, columns, names) enters a script as Python literals alone, never as code.
"""

import math
import pprint
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.config import MIX, TrainingChoice
from core.encoder.catalogue import find_spec
from core.export import code_blocks as blocks
from core.model.heads import DROPOUT
from core.strategy.scenario import parse_strategy, tuned
from core.strategy.strategy import Part, Strategy
from core.strategy.thaw_plan import ThawPlan
from core.system.files import replaced_whole
from core.task import Task

TRANSFORMERS, SENTENCE_TRANSFORMERS = "transformers", "sentence-transformers"

_WRITTEN = ("batch", "weight_decay", "warmup", "clip")
_ASSUMED = ("schedule", "balance", "class_weights", "smoothing", "head_penalty")


@dataclass(frozen=True, kw_only=True)
class Script:
    """A strategy as a Python script.

    Attributes:
        library: Whose model it trains.
        file: What to call it.
        text: The script; empty where there is none.
        note: What it leaves out, or why there is none: a sentence for people, or nothing.
    """

    library: str
    file: str
    text: str
    note: str = ""


def write_scripts(document: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the advised strategy's scripts into a folder, and say where they are.

    Raises:
        ValueError: If the report says too little.
        RuntimeError: If one cannot be written; what was there is intact.
    """
    written = []
    for script in scripts_of(document):
        if script.text:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / script.file
            with replaced_whole(path) as file:
                file.write(script.text.encode())
            written.append(path)
    return written


@dataclass(frozen=True, kw_only=True)
class _Recipe:
    """What a script is to do, as a comparison found it."""

    plan: ThawPlan
    tasks: tuple[Task, ...]
    rates: Mapping[str, float]
    encoder: Mapping[str, Any]
    text_column: str
    columns: Mapping[str, str]
    training: Mapping[str, Any]

    @property
    def strategy(self) -> Strategy:
        return self.plan.strategy

    @property
    def mixes(self) -> bool:
        return MIX in self.plan.read.values()


_STATES_ALONE = (
    "reads the tokens' states alone here; where a tokenizer lower-cases its text, Thaw's reads "
    "capitals and digits beside them and finds more."
)


def scripts_of(document: Mapping[str, Any], strategy: str | None = None) -> tuple[Script, ...]:
    """Write a strategy of a comparison as scripts for plain transformers and sentence-transformers.

    They train on all rows, as `--train-best` does: by the rates that the runs had, for the median
    of their best epochs, reading the layers that most of them read.

    Args:
        document: The comparison's report.
        strategy: Which of its strategies, by name; None is the advised one, or the best where
            there is no advice.

    Raises:
        ValueError: If there is no such strategy, or the report says too little of it.
    """
    name: object = strategy
    try:
        advice = document.get("advice")
        name = strategy or (advice["strategy"] if advice else document["best"])
        recipe = _recipe(document, str(name))
    except (LookupError, TypeError, StopIteration, statistics.StatisticsError) as error:
        raise ValueError(f"the report says too little of {str(name)[:60]} to write code") from error
    sentence = [task for task in recipe.tasks if not task.of_kind.by_token]
    left_out = [task.name for task in recipe.tasks if task.of_kind.by_token]
    if not recipe.strategy.trains_heads:
        note = f"{recipe.strategy.name} trains nothing, so there is nothing to write down."
        return tuple(_script(each, "", note) for each in (TRANSFORMERS, SENTENCE_TRANSFORMERS))
    alone = f"A head of {_listed(left_out)} {_STATES_ALONE}" if left_out else ""
    first = _script(TRANSFORMERS, _text(recipe, TRANSFORMERS), alone)
    why = (
        f"sentence-transformers gives one vector a sentence, and {_listed(left_out)} needs one a "
        "token: "
    )
    if not sentence:
        return first, _script(SENTENCE_TRANSFORMERS, "", f"{why}take the code for transformers.")
    own = _for_tasks(recipe, sentence)
    if own is None:
        note = f"{why}without it nothing would train."
        return first, _script(SENTENCE_TRANSFORMERS, "", note)
    note = f"{why}this trains {_listed([t.name for t in sentence])} alone." if left_out else ""
    return first, _script(SENTENCE_TRANSFORMERS, _text(own, SENTENCE_TRANSFORMERS), note)


def _script(library: str, text: str, note: str) -> Script:
    return Script(
        library=library, file=f"train_{library.replace('-', '_')}.py", text=text, note=note
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names)


def _for_tasks(recipe: _Recipe, tasks: Sequence[Task]) -> _Recipe | None:
    """Leave the other tasks out; None where nothing that trains is left."""
    read = {task.name: recipe.plan.read[task.name] for task in tasks}
    own = replace(recipe, tasks=tuple(tasks), plan=replace(recipe.plan, read=read))
    return own if own.plan.trained else None


def _recipe(document: Mapping[str, Any], name: str) -> _Recipe:
    """Read what the comparison recorded of a strategy."""
    own = next(each for each in document["strategies"] if each["name"] == name)
    runs = [run for run in document["runs"] if run["strategy"] == name]
    tasks = tuple(
        Task(name=task, kind=about["kind"], labels=tuple(about["labels"]))
        for task, about in document["tasks"].items()
    )
    layers = int(document["encoder"]["layers"])
    scenario = parse_strategy(name, layers, [task.name for task in tasks])
    training = {**vars(TrainingChoice()), **document.get("training", {})}
    other = [each for each in _ASSUMED if training[each] != getattr(TrainingChoice(), each)]
    if other:
        raise ValueError(f"it was compared with {_listed(other)} of its own, which no code is for")
    columns = document.get("columns", {"text": "text", "labels": {}})
    return _Recipe(
        plan=ThawPlan(
            scenario=tuned(scenario, **runs[0].get("settings", {})),
            read={t.name: _most_read([run["read"][t.name] for run in runs]) for t in tasks},
            layers=layers,
            epochs=max(1, round(statistics.median(own["best_epochs"]))),
        ),
        tasks=tasks,
        rates={
            part: _number(statistics.median(each[part] for each in own["rates"]))
            for part in ("encoder", "head")
        },
        encoder=document["encoder"],
        text_column=str(columns["text"]),
        columns={task.name: str(columns["labels"].get(task.name, task.name)) for task in tasks},
        training={each: _number(training[each]) for each in _WRITTEN},
    )


def _number(given: object) -> float:
    """Take a number of a report, which may be anybody's file."""
    if not isinstance(given, int | float) or not math.isfinite(given):
        raise ValueError(f"the report holds {str(given)[:40]!r} where a number must be")
    return given


def _most_read(found: Sequence[int | str]) -> int | str:
    """Name the layer that most runs read; of two, the lower."""
    known = [MIX if each == MIX else int(each) for each in found]
    return max(dict.fromkeys(known), key=lambda k: (known.count(k), 0 if k == MIX else -int(k)))


def _text(recipe: _Recipe, library: str) -> str:
    """Put a script together: constants from the recipe, then blocks that are the same for all."""
    plain = library == TRANSFORMERS
    token = any(task.of_kind.by_token for task in recipe.tasks)
    adapts = recipe.strategy.adapter_rank is not None
    once = not (recipe.plan.moves or recipe.mixes)
    both_ways, holds = _reads_both_ways(recipe.encoder), bool(_held(recipe))
    body = [
        *blocks.opening(library, adapts=adapts),
        *_constants(recipe),
        *blocks.rows(),
        *blocks.encoder(library, both_ways=both_ways),
        *blocks.heads(mixes=recipe.mixes),
        *_freezing(recipe),
        *blocks.targets(token=token, both_ways=both_ways),
        *blocks.reading(token=token, mixes=recipe.mixes, once=once),
        *blocks.optimiser(holds=holds, mixes=recipe.mixes),
        *blocks.training(
            once=once,
            changes=bool(_begins(recipe)),
            holds=holds,
            penalised=recipe.strategy.head_penalty > 0,
        ),
        *blocks.saving(plain=plain, adapts=adapts, mixes=recipe.mixes),
    ]
    return "\n".join(body) + "\n"


def _freezing(recipe: _Recipe) -> list[str]:
    """Write what is frozen, and when."""
    if not recipe.plan.moves:
        return blocks.frozen()
    rank = recipe.strategy.adapter_rank
    return [
        *blocks.layers(),
        *([] if rank is None else blocks.adapters(rank)),
        *blocks.freezing(changes=bool(_begins(recipe)), only=recipe.strategy.takes_in_code),
    ]


def _constants(recipe: _Recipe) -> list[str]:
    """Write what the comparison found as literals."""
    spec = find_spec(str(recipe.encoder["name"]))
    most = recipe.encoder.get("max_tokens", spec.max_tokens if spec else None)
    shares = {k: _share(recipe, k)[0] for k in range(recipe.plan.layers + 1)}
    found: list[tuple[str, object, str]] = [
        ("ENCODER", str(spec.hub_id if spec else recipe.encoder["name"]), ""),
        (
            "STRATEGY",
            recipe.plan.scenario.name,
            "as Thaw names it; the tables below say what it does",
        ),
        ("TEXT", recipe.text_column, "the column of the sentences"),
        ("COLUMN", {t.name: recipe.columns[t.name] for t in recipe.tasks}, "of each task's labels"),
        ("TASKS", {t.name: list(t.classes) for t in recipe.tasks}, "what each head tells apart"),
        ("READ", dict(recipe.plan.read), "the layer that each head reads; 0 is the embeddings"),
    ]
    if recipe.plan.moves:
        why = "of the encoder's rate, by layer: 0.0 is frozen, or needed by no head"
        found.append(("SHARE", shares, why))
    if spans := [t.name for t in recipe.tasks if t.of_kind.by_token]:
        found.append(("SPANS", spans, "the tasks whose labels are spans of characters"))
    if begins := _begins(recipe):
        found.append(("THAWS", begins, "the epoch, from 0, in which a layer begins to train"))
    if held := _held(recipe):
        found.append(("HELD", held, "heads that stay as they begin"))
    if penalty := recipe.strategy.head_penalty:
        found.append(("HEAD_PENALTY", penalty, "L2, nats per squared weight of the heads"))
    rates = (recipe.rates["encoder"], recipe.rates["head"])
    found += [
        ("ENCODER_RATE, HEAD_RATE", rates, ""),
        (
            "EPOCHS, BATCH",
            (recipe.plan.epochs, int(recipe.training["batch"])),
            "median of best epochs",
        ),
        ("DECAY, WARMUP, CLIP", tuple(recipe.training[k] for k in _WRITTEN[1:]), ""),
        ("MAX_TOKENS, HEAD_DROPOUT, SEED", (None if most is None else int(most), DROPOUT, 0), ""),
    ]
    return [line for each in found for line in _assigned(*each)]


def _assigned(name: str, value: object, why: str) -> list[str]:
    """Write an assignment of a literal. `repr` alone turns people's text into code."""
    literal = pprint.pformat(value, width=90, compact=True, sort_dicts=False)
    if isinstance(value, tuple):
        literal = ", ".join(map(repr, value))
    first, *rest = f"{name} = {literal}".split("\n")
    if not rest and len(first) + len(why) < 96:
        return [f"{first}  # {why}" if why else first]
    return [f"# {name}: {why}", first, *rest]


def _share(recipe: _Recipe, layer: int) -> tuple[float, int]:
    """Give a layer's share of the encoder's rate, and the epoch in which it begins to train.

    Raises:
        ValueError: If the strategy changes the share otherwise than from frozen to trained.
    """
    part, plan = Part(layer=layer), recipe.plan
    if part not in plan.trained:
        return 0.0, 0
    found = plan.shares[part][: plan.epochs]
    begins = next((k for k, share in enumerate(found) if share), len(found))
    if len(set(found[begins:])) > 1:
        raise ValueError(f"no code is for {plan.strategy.name}, whose rates change by the epoch")
    return (found[-1] if begins < len(found) else 0.0), begins


def _begins(recipe: _Recipe) -> dict[int, int]:
    """List the layers that thaw later than at once, by the epoch in which they do."""
    every = {layer: _share(recipe, layer) for layer in range(recipe.plan.top + 1)}
    return {layer: begins for layer, (share, begins) in every.items() if share and begins}


def _held(recipe: _Recipe) -> list[str]:
    """List the tasks whose heads do not train."""
    return [t.name for t in recipe.tasks if Part(task=t.name) not in recipe.plan.trained]


def _reads_both_ways(encoder: Mapping[str, Any]) -> bool:
    """Tell whether an encoder is a decoder that must be told to read in both directions."""
    spec = find_spec(str(encoder["name"]))
    return bool(encoder.get("both_ways", spec and spec.bidirectional))
