"""One way to train, timed in a process of its own: what tests/benchmarks/train_bench.py starts.

    python tests/benchmarks/train_ways.py '{"way": "thaw", "strategy": "heads", "seeds": [0]}'

Every way trains the built-in encoder with the same heads on the same rows of the corpus. Timed is
all from texts to trained heads: tokenising, what is kept of the frozen layers, as many passes over
the held-out rows as epochs. Not timed: imports, loading the base, a short session that warms up,
and the accuracy on other rows at the end. One JSON document is printed.
"""

import copy
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402 (the path comes first)
from torch import Tensor, nn  # noqa: E402

from core.bert import Bert  # noqa: E402
from core.config import DataChoice, TrainingChoice  # noqa: E402
from core.corpus import load_corpus  # noqa: E402
from core.dataset import read_dataset  # noqa: E402
from core.encoder import Encoder, load_encoder  # noqa: E402
from core.freezing import Heads, Lower  # noqa: E402
from core.hub import built_in_folder  # noqa: E402
from core.model import MultiTaskModel, default_shapes  # noqa: E402
from core.prediction import predict  # noqa: E402
from core.prefix import prefix_of  # noqa: E402
from core.scenario import parse_strategy  # noqa: E402
from core.task import IGNORED, Example, Task, tags_of  # noqa: E402
from core.training import train  # noqa: E402

TESTED = 1_000
"""Rows of the corpus that no way sees before it is judged on them."""

EVALUATION_BATCH = 64

# transformers' own classes, which are imported where they are used.
Tokenizer = Any
Predictions = Any


@dataclass(frozen=True, kw_only=True)
class Session:
    """What one process trains and times.

    Attributes:
        way: `thaw`, `trainer`, `grouped` (Trainer's own batches of like length) or `setfit`.
        strategy: `heads`, `lower:K` or `full`.
        seeds: Trained one after another; Thaw shares what is frozen between them.
        rows: Rows to learn from.
        held_out: Rows judged after each epoch.
        epochs: Passes over the rows.
        batch: Rows in a step.
        threads: torch threads.
        tasks: Tasks of the corpus, a head each; Trainer's may be token tasks too.
        read: By task, the layer that Trainer's head reads, where it is not the last. What lies
            above the highest one read is cut off, as a careful user would do it.
        profile: Whether to tell where the time goes; it costs some.
        tested: Of the rows that no way sees, how many it is judged on at the end.
    """

    way: str
    strategy: str
    seeds: tuple[int, ...] = (0,)
    rows: int = 600
    held_out: int = 200
    epochs: int = 3
    batch: int = 16
    threads: int = 2
    tasks: tuple[str, ...] = ("topic", "sentiment")
    read: Mapping[str, int] = field(default_factory=dict)
    profile: bool = False
    tested: int = TESTED


@dataclass(kw_only=True)
class Timed:
    """What a session found.

    Attributes:
        seconds: Since it began, as each seed ended.
        predict: By seed, what labels the trained model gives to texts, by task.
        flop: Multiplications and additions that Thaw's session needs in matrix products.
        shares: Of a profiled session, the share of the time by kind of work.
    """

    seconds: list[float] = field(default_factory=list)
    predict: list[Callable[[Sequence[str]], dict[str, list[str]]]] = field(default_factory=list)
    flop: float = 0.0
    shares: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of a session."""

    training: list[Example]
    held_out: list[Example]
    tested: list[Example]
    tasks: list[Task]


def read_rows(session: Session) -> Rows:
    """Deal the corpus; where it has too few rows, its sentences come again with their words turned.

    A sentence turned has the same words and length, but no way can take it for one seen before.
    """
    tasks = read_dataset(DataChoice(source="corpus")).tasks
    rows = [row.example for row in load_corpus()]
    random.Random(0).shuffle(rows)
    tested, rows = rows[:TESTED], rows[TESTED:]
    held_out, rows = rows[: session.held_out], rows[session.held_out :]
    training = [turned(rows[i % len(rows)], i // len(rows)) for i in range(session.rows)]
    chosen = [task for task in tasks if task.name in session.tasks]
    return Rows(training=training, held_out=held_out, tested=tested[: session.tested], tasks=chosen)


def turned(example: Example, times: int) -> Example:
    """Move some words of a sentence from its beginning to its end; its labels of tokens go."""
    words = example.text.split()
    labels = {name: label for name, label in example.labels.items() if isinstance(label, str)}
    at = times % max(1, len(words))
    text = " ".join(words[at:] + words[:at]) if at else example.text
    return Example(text=text, labels=labels)


def learning_choice(session: Session, seed: int) -> TrainingChoice:
    """Give Thaw's choices; Trainer is given the same rates, decay, warm-up and clipping."""
    return TrainingChoice(
        epochs=session.epochs,
        batch=session.batch,
        seed=seed,
        threads=session.threads,
        patience=session.epochs,
        head_penalty=0.0,  # Trainer has none
    )


def train_with_thaw(session: Session, rows: Rows, base: Encoder) -> Timed:
    """Train each seed with Thaw; those of more than one share the frozen prefix."""
    timed = Timed()
    scenario = parse_strategy(session.strategy, base.layers)
    start = time.perf_counter()
    prefix = None
    if len(session.seeds) > 1 and session.strategy != "full":
        texts = [example.text for example in (*rows.training, *rows.held_out)]
        prefix = prefix_of(base, [tokens.ids for tokens in base.tokenizer.encode(texts)])
    for seed in session.seeds:
        alone = isinstance(scenario.strategy, Heads)
        encoder = base if alone else load_encoder("minilm", threads=session.threads)
        torch.manual_seed(seed)
        model = MultiTaskModel(encoder, default_shapes(encoder, rows.tasks, {}))
        choice = learning_choice(session, seed)
        for _ in train(model, scenario, rows.training, rows.held_out, choice, prefix=prefix):
            pass
        timed.seconds.append(time.perf_counter() - start)
        timed.predict.append(lambda given, model=model: labels_of(model, given))
    if prefix is not None:
        prefix.close()
    timed.flop = matrix_flop(session, rows, base)
    return timed


def labels_of(model: MultiTaskModel, texts: Sequence[str]) -> dict[str, list[str]]:
    """Predict with a model of Thaw's."""
    found = predict(model, list(texts))
    return {task.name: [each.labels[task.name].label for each in found] for task in model.tasks}


def matrix_flop(session: Session, rows: Rows, encoder: Encoder) -> float:
    """Count what the matrix products of Thaw's session need: frozen layers once, the rest often."""
    assert isinstance(encoder.backbone, Bert)
    shape = encoder.backbone.shape
    strategy = parse_strategy(session.strategy, encoder.layers).strategy
    frozen = strategy.layers if isinstance(strategy, Lower) else 0
    frozen = encoder.layers if isinstance(strategy, Heads) else frozen
    trained = encoder.layers - frozen

    def layer(length: int) -> float:
        dense = 2 * length * (4 * shape.hidden**2 + 2 * shape.hidden * shape.intermediate)
        return dense + 4 * length**2 * shape.hidden

    def lengths(examples: Sequence[Example]) -> list[int]:
        read = encoder.tokenizer.encode([example.text for example in examples])
        return [len(tokens.ids) for tokens in read]

    learned, held_out = lengths(rows.training), lengths(rows.held_out)
    once = frozen * sum(map(layer, [*learned, *held_out]))
    each = 3 * trained * sum(map(layer, learned)) + trained * sum(map(layer, held_out))
    if 0 < frozen < encoder.layers:  # no gradient goes on below the lowest layer that trains
        each -= sum(2 * length * 3 * shape.hidden**2 for length in learned)
    return once + each * session.epochs * len(session.seeds)


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


def train_with_setfit(session: Session, rows: Rows) -> Timed:
    """Fit SetFit's head on its frozen body, for the first task alone; its body is not tuned."""
    from sentence_transformers import SentenceTransformer
    from setfit import SetFitModel
    from sklearn.linear_model import LogisticRegression

    timed, task = Timed(), rows.tasks[0]
    body = SentenceTransformer(str(built_in_folder()), device="cpu")
    some = [example for example in rows.training if example.labels.get(task.name) is not None]
    held_out = [example.text for example in rows.held_out]
    start = time.perf_counter()
    for seed in session.seeds:
        head = LogisticRegression(max_iter=1_000, random_state=seed)
        model = SetFitModel(model_body=body, model_head=head, labels=list(task.labels))
        numbers = [number_of(example, task) for example in some]
        model.fit([example.text for example in some], numbers, num_epochs=session.epochs)
        model.predict(held_out)
        timed.seconds.append(time.perf_counter() - start)
        timed.predict.append(
            lambda given, model=model: {task.name: list(map(str, model.predict(list(given))))}
        )
    return timed


KINDS = (
    ("matrix products", ("mm", "linear_pointwise", "_reorder_linear")),
    ("attention's softmax and masks", ("softmax", "scaled_dot_product", "flash_attention")),
    ("dropout", ("bernoulli", "dropout", "native_dropout", "div_")),
    ("gelu", ("gelu",)),
    ("norms of layers", ("layer_norm",)),
    ("optimiser and gradient norms", ("adamw", "_foreach", "vector_norm")),
    ("copies and fills", ("copy_", "fill_", "zero_", "cat", "index", "embedding", "empty")),
)


def profiled(run: Callable[[], Timed]) -> Timed:
    """Tell where a session's time goes, by kind of work on the main thread."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as found:
        timed = run()
    whole = timed.seconds[-1]
    spent = dict.fromkeys([kind for kind, _ in KINDS], 0.0)
    other = 0.0
    for event in found.key_averages():
        seconds = event.self_cpu_time_total / 1e6
        name = event.key.removeprefix("aten::").removeprefix("mkldnn::")
        kind = next((k for k, parts in KINDS if any(part in name for part in parts)), None)
        if kind is None:
            other += seconds
        else:
            spent[kind] += seconds
    shares = {kind: seconds / whole for kind, seconds in spent.items()}
    shares["other operations"] = other / whole
    shares["Python between them"] = max(0.0, 1 - sum(shares.values()))
    timed.shares = shares
    return timed


def sgemm_rate() -> float:
    """Measure fp32 matrix products of the encoder's widest shape, in flop a second."""
    tokens, hidden, wide = 4096, 384, 1536
    a, b = torch.randn(tokens, hidden), torch.randn(hidden, wide)
    best = float("inf")
    for _ in range(10):
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 2 * tokens * hidden * wide / best


def peak_mib() -> float:
    """Give the most memory this process has held, in MiB."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (2**20 if sys.platform == "darwin" else 2**10)


def session_of(way: str, threads: int) -> Callable[[Session, Rows], Timed]:
    """Load what a way begins with, and give the function that trains with it."""
    if way == "setfit":
        return train_with_setfit
    if way == "thaw":
        base = load_encoder("minilm", threads=threads)
        return lambda session, rows: train_with_thaw(session, rows, base)
    from transformers import AutoModel, AutoTokenizer

    body = AutoModel.from_pretrained(built_in_folder(), add_pooling_layer=False)
    tokenizer = AutoTokenizer.from_pretrained(built_in_folder())
    return lambda session, rows: train_with_trainer(session, rows, body, tokenizer)


def main() -> None:
    """Read the session, warm up, train, print."""
    given = json.loads(sys.argv[1])
    session = Session(
        **{name: tuple(each) if isinstance(each, list) else each for name, each in given.items()}
    )
    torch.set_num_threads(session.threads)
    rows = read_rows(session)
    train_session = session_of(session.way, session.threads)
    small = replace(rows, training=rows.training[:32], held_out=rows.held_out[:8])
    train_session(replace(session, seeds=(0,), epochs=1, rows=32, held_out=8), small)
    before = sgemm_rate()

    def run() -> Timed:
        return train_session(session, rows)

    timed = profiled(run) if session.profile else run()
    peak, rate = peak_mib(), (before + sgemm_rate()) / 2
    texts = [example.text for example in rows.tested]
    accuracy = []
    for labels in timed.predict:
        said = labels(texts)
        right: dict[str, list[bool]] = {name: [] for name in said}
        for place, example in enumerate(rows.tested):
            for name in said:
                if example.labels.get(name) is not None:
                    right[name].append(said[name][place] == example.labels[name])
        accuracy.append({name: sum(each) / max(1, len(each)) for name, each in right.items()})
    print(
        json.dumps(
            {
                **asdict(session),
                "seconds": timed.seconds,
                "peak_mib": peak,
                "accuracy": accuracy,
                "sgemm_share": timed.flop / timed.seconds[-1] / rate if timed.flop else None,
                "sgemm_gflop_per_second": rate / 1e9,
                "shares": timed.shares,
            }
        )
    )


if __name__ == "__main__":
    main()
