"""Small tasks, labelled sentences and models for the tests of heads and of training."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from core.config import TrainingChoice
from core.encoder.encoder import Encoder, load_encoder
from core.model.heads import HeadShape
from core.model.model import MultiTaskModel
from core.model.model_folder import Saved, save_model
from core.strategy.scenario import Scenario
from core.task import Example, Span, Task
from core.training import loop
from core.training.events import Event
from core.training.thawing import plan_for

KIND = Task(name="kind", kind="sentence", labels=("travel", "work", "food"))
MOOD = Task(name="mood", kind="sentence", labels=("good", "bad"))
NAMES = Task(name="names", kind="token", labels=("PER", "LOC"))
TASKS = (KIND, MOOD, NAMES)

TRAINED_FAMILIES = ("minilm", "distilbert", "roberta-base", "mpnet", "stella-1.5b")
"""One encoder for each kind of network: all others of the catalogue are BERTs too."""

HOSTILE_TEXTS = (
    "",
    " ",
    "   Anna Müller saw the ferry.",
    "👩‍👩‍👧 Zoë 🇫🇷 flew to São Paulo 🎉",
    "e\u0301lodie went to Re\u0301union",  # combining accents
    "سافر أحمد إلى القاهرة",
    "\u202eאחמד\u202c in תל אביב",
    "李雷去了北京。",
    "\ttab\nnewline\r\n Anna",
    "\u00a0\u2003Anna\u200b\ufeff Lee",
    "[CLS] <s> </s> [SEP] <|endoftext|> [MASK]",
    "x" * 900,
    "Anna went to Oslo. " * 60,
    "\x00\x07 Anna",
    "DON'T @anna #Oslo x.com A.B-C's",
)


def labelled(text: str, *, kind: str | None = None, mood: str | None = None) -> Example:
    """Label a sentence in which *people* and _places_ are marked; a label that is None is missing.

    The marks are taken out of the text.
    """
    spans: list[Span] = []
    plain = ""
    start = 0
    opened = ""
    for character in text:
        if character not in "*_":
            plain += character
        elif opened:
            spans.append(Span(start, len(plain), "PER" if opened == "*" else "LOC"))
            opened = ""
        else:
            opened, start = character, len(plain)
    return Example(text=plain, labels={"kind": kind, "mood": mood, "names": tuple(spans)})


EXAMPLES = (
    labelled("*Anna* took the late ferry to _Oslo_.", kind="travel", mood="bad"),
    labelled("The boats left _Rome_ early again.", kind="travel", mood="good"),
    labelled("*Lee Wong* is eating a meal in _Lima_!", kind="food", mood="good"),
    labelled("The sushi made *Bo* sick.", kind="food", mood="bad"),
    labelled("Shares in the chip maker fell.", kind="work", mood="bad"),
    labelled("*Mia* cut her forecast for the firm in _New York_.", kind="work"),
    labelled("It works.", kind="work", mood="good"),
    labelled("Fog delayed the plane to _Bergen_ by nine hours.", kind="travel", mood="bad"),
    labelled("A man is eating food.", kind="food"),
    labelled("The chefs of *Ana Luz* sang, and the hall loved the meal.", mood="good"),
    labelled("Nobody works behind the last hall.", kind="work", mood="bad"),
    labelled("A woman sang on the ferry.", kind="travel", mood="good"),
    Example(text="The band left without a label.", labels={}),
    Example(text="Food, food, food.", labels={"kind": "food"}),
    labelled("*Zoë* flew to _São Paulo_.", kind="travel", mood="good"),
    labelled("Does it work?", kind="work", mood="bad"),
)


def tiny_model(
    family_folder: Callable[[str], Path],
    family: str = "minilm",
    *,
    tasks: Sequence[Task] = TASKS,
    read: int | str | None = None,
    seed: int = 0,
    **shape: Any,  # noqa: ANN401 (any of HeadShape's)
) -> MultiTaskModel:
    """Load a family's tiny encoder afresh and put untrained heads on it."""
    encoder = load_encoder(str(family_folder(family)), threads=1)
    return model_on(encoder, tasks=tasks, read=read, seed=seed, **shape)


def model_on(
    encoder: Encoder,
    *,
    tasks: Sequence[Task] = TASKS,
    read: int | str | None = None,
    seed: int = 0,
    **shape: Any,  # noqa: ANN401 (any of HeadShape's)
) -> MultiTaskModel:
    """Put untrained heads on an encoder; `spelling` is for the token heads alone."""
    torch.manual_seed(seed)
    place = encoder.layers if read is None else read
    spelling = shape.pop("spelling", False)
    shapes = [
        HeadShape(task=task, read=place, spelling=spelling and task.kind == "token", **shape)
        for task in tasks
    ]
    return MultiTaskModel(encoder, shapes).eval()


def save_tuned(family_folder: Callable[[str], Path], folder: Path, family: str = "minilm") -> None:
    """Write the folder of a model whose layers differ from the tiny encoder's they began as."""
    model = tiny_model(family_folder, family)
    base = model.encoder.fingerprint()
    torch.manual_seed(1)
    changed = {
        name: weight.detach() + weight.detach().std() * torch.randn_like(weight)
        for name, weight in model.encoder.backbone.named_parameters()
        if "layer." in name and name.endswith("weight") and weight.dim() == 2
    }
    save_model(model, folder, changed, Saved(about={"base_fingerprint": base}))


def train(
    model: MultiTaskModel,
    scenario: Scenario,
    examples: Sequence[Example],
    validation: Sequence[Example],
    choice: TrainingChoice,
    **more: Any,  # noqa: ANN401 (what the loop takes beside)
) -> Iterator[Event]:
    """Train by a plan that is made here, once, as a run makes it."""
    plan = plan_for(model, scenario, choice.epochs)
    return loop.train(model, plan, examples, validation, choice, **more)
