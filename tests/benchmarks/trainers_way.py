"""Thaw's network and heads, trained with Hugging Face's Trainer as one writes it by hand.

transformers' own classes are imported where they are used.
"""

import copy
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from core.config import TrainingChoice
from core.strategy.scenario import parse_strategy
from core.strategy.strategies import Heads, Lower
from core.task import IGNORED, Example, Task, tags_of
from tests.benchmarks.train_session import Rows, Session, Timed, learning_choice

EVALUATION_BATCH = 64

Tokenizer = Any
Predictions = Any


class TrainersModel(nn.Module):
    """The same network and heads, as one writes them for Trainer."""

    def __init__(self, body: nn.Module, tasks: Sequence[Task], read: Mapping[str, int]) -> None:
        super().__init__()
        self.body, self.tasks = body, tuple(tasks)
        layers = len(body.encoder.layer)
        self.read = {task.name: read.get(task.name, layers) for task in tasks}
        body.encoder.layer = body.encoder.layer[: max(self.read.values())]
        hidden = body.config.hidden_size
        self.scores = nn.ModuleDict({t.name: nn.Linear(hidden, len(t.classes)) for t in tasks})

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, **labels: Tensor
    ) -> dict[str, Tensor]:
        layers = self.body(
            input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True
        ).hidden_states
        mask = attention_mask[:, :, None].to(layers[0].dtype)  # (batch, tokens, 1)
        scores, losses = {}, []
        for task in self.tasks:
            states = layers[self.read[task.name]]  # (batch, tokens, hidden)
            if task.kind == "sentence":
                states = (states * mask).sum(dim=1) / mask.sum(dim=1)  # (batch, hidden)
            states = nn.functional.dropout(states, 0.1, self.training)
            scores[task.name] = self.scores[task.name](states)  # (batch, [tokens,] classes)
            losses.append(
                nn.functional.cross_entropy(
                    scores[task.name].flatten(0, -2),  # (batch [* tokens], classes)
                    labels[task.name].flatten(),  # (batch [* tokens],)
                    ignore_index=IGNORED,
                )
            )
        return {"loss": torch.stack(losses).sum(), **scores}


def train_with_trainer(
    session: Session, rows: Rows, base: nn.Module, tokenizer: Tokenizer
) -> Timed:
    """Train each seed with Hugging Face's Trainer."""
    from transformers import Trainer, TrainingArguments

    timed = Timed()
    start = time.perf_counter()
    training, held_out = (
        tokenized(e, rows.tasks, tokenizer) for e in (rows.training, rows.held_out)
    )
    steps = session.epochs * -(-len(training) // session.batch)
    for seed in session.seeds:
        torch.manual_seed(seed)
        model = TrainersModel(copy.deepcopy(base), rows.tasks, session.read)
        optimizer = frozen_and_optimized(model, session.strategy)
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                output_dir=folder,
                num_train_epochs=session.epochs,
                per_device_train_batch_size=session.batch,
                per_device_eval_batch_size=EVALUATION_BATCH,
                train_sampling_strategy="group_by_length" if session.way == "grouped" else "random",
                warmup_steps=round(learning_choice(session, seed).warmup * steps),
                eval_strategy="epoch",
                save_strategy="no",
                logging_strategy="no",
                report_to=[],
                disable_tqdm=True,
                use_cpu=True,
                dataloader_pin_memory=False,
                label_names=[task.name for task in rows.tasks],
                seed=seed,
            )
            trainer = Trainer(
                model=model,
                args=arguments,
                train_dataset=training,
                eval_dataset=held_out,
                data_collator=lambda given: collated(given, rows.tasks, tokenizer),
                optimizers=(optimizer, None),
                compute_metrics=accuracies,
            )
            trainer.train()
        timed.seconds.append(time.perf_counter() - start)
        timed.predict.append(
            lambda given, model=model: trainers_labels(model, rows.tasks, tokenizer, given)
        )
    return timed


def tokenized(
    examples: Sequence[Example], tasks: Sequence[Task], tokenizer: Tokenizer
) -> list[dict[str, Any]]:
    """Give rows as Trainer takes them."""
    read = tokenizer(
        [example.text for example in examples],
        truncation=True,
        max_length=256,
        return_offsets_mapping=True,
    )
    return [
        {"input_ids": ids, **{task.name: numbers_of(example, task, spans) for task in tasks}}
        for ids, spans, example in zip(
            read["input_ids"], read["offset_mapping"], examples, strict=True
        )
    ]


def numbers_of(example: Example, task: Task, spans: Sequence[tuple[int, int]]) -> int | list[int]:
    """Give the number of a row's label, or of each token's; `IGNORED` where there is none."""
    if task.kind == "sentence":
        return number_of(example, task)
    label = example.labels.get(task.name)
    tags = tags_of(spans, label if isinstance(label, tuple) else ())
    return [
        IGNORED if label is None or start == end else task.classes.index(tag)
        for tag, (start, end) in zip(tags, spans, strict=True)
    ]


def number_of(example: Example, task: Task) -> int:
    """Give the number of a row's label, `IGNORED` where it has none."""
    label = example.labels.get(task.name)
    return IGNORED if label is None else task.labels.index(str(label))


def collated(
    given: Sequence[dict[str, Any]], tasks: Sequence[Task], tokenizer: Tokenizer
) -> dict[str, Tensor]:
    """Pad a batch to its longest row."""
    padded = tokenizer.pad(
        [{"input_ids": each["input_ids"]} for each in given], return_tensors="pt"
    )
    longest = padded["input_ids"].shape[1]
    labels = {}
    for task in tasks:
        own = [each[task.name] for each in given]
        if task.kind == "token":
            own = [each + [IGNORED] * (longest - len(each)) for each in own]
        labels[task.name] = torch.tensor(own)  # (batch,) or (batch, tokens)
    return {"input_ids": padded["input_ids"], "attention_mask": padded["attention_mask"], **labels}


def accuracies(found: Predictions) -> dict[str, float]:
    """Score the held-out rows, as Thaw does after each epoch."""
    scores = found.predictions if isinstance(found.predictions, tuple) else (found.predictions,)
    labels = found.label_ids if isinstance(found.label_ids, tuple) else (found.label_ids,)
    return {
        f"accuracy_{number}": float((score.argmax(axis=-1) == label)[label != IGNORED].mean())
        for number, (score, label) in enumerate(zip(scores, labels, strict=True))
    }


def frozen_and_optimized(model: TrainersModel, name: str) -> torch.optim.Optimizer:
    """Freeze what the strategy freezes, and give the rest Thaw's rates and decay."""
    layers = model.body.encoder.layer
    strategy = parse_strategy(name, model.body.config.num_hidden_layers).strategy
    choice = TrainingChoice()
    if isinstance(strategy, Heads):
        model.body.requires_grad_(False)
    elif isinstance(strategy, Lower):
        for part in (model.body.embeddings, *layers[: strategy.layers]):
            part.requires_grad_(False)
    groups = []
    for module, rate in ((model.body, strategy.encoder_rate), (model.scores, strategy.head_rate)):
        some = [weight for weight in module.parameters() if weight.requires_grad]
        for weights, decay in (
            ([w for w in some if w.ndim > 1], choice.weight_decay),
            ([w for w in some if w.ndim <= 1], 0.0),
        ):
            if weights:
                groups.append({"params": weights, "lr": rate, "weight_decay": decay})
    return torch.optim.AdamW(groups, fused=True)


@torch.inference_mode()
def trainers_labels(
    model: TrainersModel, tasks: Sequence[Task], tokenizer: Tokenizer, texts: Sequence[str]
) -> dict[str, list[str]]:
    """Predict sentence labels with a model that Trainer trained; token heads only run."""
    model.eval()
    sentence = [task for task in tasks if task.kind == "sentence"]
    found: dict[str, list[str]] = {task.name: [] for task in sentence}
    rows = tokenized([Example(text=text, labels={}) for text in texts], tasks, tokenizer)
    for start in range(0, len(rows), EVALUATION_BATCH):
        scores = model(**collated(rows[start : start + EVALUATION_BATCH], tasks, tokenizer))
        for task in sentence:
            best = scores[task.name].argmax(dim=1).tolist()
            found[task.name] += [task.labels[number] for number in best]
    return found
