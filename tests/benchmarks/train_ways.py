"""One way to train, timed in a process of its own: what tests/benchmarks/train_bench.py starts.

    python tests/benchmarks/train_ways.py '{"way": "thaw", "strategy": "heads", "seeds": [0]}'

Every way trains the built-in encoder with the same heads on the same rows of the corpus. Timed is
all from texts to trained heads: tokenising, what is kept of the frozen layers, as many passes over
the held-out rows as epochs. Not timed: imports, loading the base, a short session that warms up,
and the accuracy on other rows at the end. One JSON document is printed.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402 (the path comes first)

from core.encoder.bert import Bert  # noqa: E402
from core.encoder.encoder import Encoder, load_encoder  # noqa: E402
from core.encoder.hub import built_in_folder  # noqa: E402
from core.frozen.prefix import prefix_of  # noqa: E402
from core.model.model import MultiTaskModel, default_shapes  # noqa: E402
from core.model.prediction import predict  # noqa: E402
from core.strategy.scenario import parse_strategy  # noqa: E402
from core.strategy.strategies import Heads, Lower  # noqa: E402
from core.task import Example  # noqa: E402
from core.training.loop import train  # noqa: E402
from core.training.thawing import plan_for  # noqa: E402
from tests.benchmarks.train_session import (  # noqa: E402
    Rows,
    Session,
    Timed,
    learning_choice,
    read_rows,
)
from tests.benchmarks.trainers_way import number_of, train_with_trainer  # noqa: E402


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
        for _ in train(
            model,
            plan_for(model, scenario, choice.epochs),
            rows.training,
            rows.held_out,
            choice,
            prefix=prefix,
        ):
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
