"""Reports of comparisons made up for tests, with any text in every place that people write in."""

from typing import Any

from core.knowledge.layer_profile import LayerProfile, LayerScore
from core.measures.metrics import Interval

HOSTILE = '"><script>alert(1)</script>&\x1b[2J'

TYPED = (
    "<b>bold</b>",
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "%{x}",
    "{{ 7*7 }}",
    "{% raw %}",
    "$x^2$ &lt;i&gt;",
    '"><svg onload=alert(3)>',
    "' onmouseover='alert(4)",
    "<!-- --><a href=javascript:alert(5)>",
)
"""Ten labels that are markup somewhere; each is to be shown as it was typed."""

LIKE_PLOTLY = (
    "<b>bold</b>",
    "<img src=x onerror=alert(1)>",
    "%{x} and %{y:.2f}",
    "<a href='javascript:alert(1)'>go</a>",
    "&lt;i&gt; &amp; &#37;",
    "$x^2$",
    "a<br>b",
    "<extra></extra>",
    "%{customdata}",
    "x<sub>2</sub>",
)
"""Ten labels that Plotly would read as something else."""


def interval(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.05, "high": mean + 0.05}


def strategy(
    name: str, mean: float, seconds: float, lost: float | None, *, text: str = HOSTILE
) -> dict[str, Any]:
    """Make up what a report says of a strategy."""
    return {
        "name": name,
        "read": [text],
        "seeds": [0],
        "mean": interval(mean),
        "versus_heads": None,
        "versus_best": None,
        "tasks": {
            text: {"accuracy": interval(mean), "macro_f1": interval(mean), "clears_floor": False}
        },
        "seconds": seconds,
        "seconds_per_step": seconds / 10,
        "trainable_parameters": 1000,
        "peak_memory_bytes": None,
        "inference_sentences_per_second": 50.0,
        "forgetting": None if lost is None else interval(lost),
        "drift": {"probe": {"cka": 0.9, "neighbours_kept": 8.0}},
        "notes": [text],
    }


def run(name: str, *, text: str = HOSTILE, labels: tuple[str, ...] = ()) -> dict[str, Any]:
    """Make up a run of a strategy."""
    named = [text, *labels]
    score = {"accuracy": 0.5, "labels": named, "confusion": [[2] * len(named)] * len(named)}
    epochs = [
        {"epoch": n, "step": 5 * n, "scores": {text: 0.2 * n}, "loss": {text: 1 / n}}
        for n in (1, 2, 3)
    ]
    return {
        "strategy": name,
        "seed": 0,
        "read": {text: 3},
        "tasks": {text: score},
        "best_epoch": 2,
        "epochs": 3,
        "steps": 15,
        "seconds": 1.5,
        "training_rows": 20,
        "curves": {"epochs": epochs, "loss": [{"step": 5, "loss": {text: 0.7}}]},
    }


def report(
    *strategies: dict[str, Any], text: str = HOSTILE, labels: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Make up a report, with a text wherever people write."""
    names = [each["name"] for each in strategies]
    shown = {"place": 3, "text": text, "actual": text, "predicted": {text: 2}}
    counsel = {"strategy": names[0], "status": "cannot_tell", "text": text}
    line = {"name": text, "mean": interval(0.5), "versus": interval(0.0)}
    fewer = [{"name": name, "mean": interval(0.4), "versus": interval(-0.2)} for name in names]
    return {
        "data": text,
        "data_fingerprint": "abc",
        "rows": 30,
        "tasks": {text: {"kind": "sentence", "labels": [text, *labels]}},
        "encoder": {"name": text, "fingerprint": "abc", "layers": 3},
        "seeds": 1,
        "folds": 3,
        "epochs": None,
        "score": "accuracy",
        "margin": 3.0,
        "over_budget": False,
        "jobs": 1,
        "threads": 2,
        "wall_seconds": 9.0,
        "floor": {text: {"majority": 0.3, "lexical": interval(0.4)}},
        "strategies": list(strategies),
        "best": names[0],
        "runs": [run(name, text=text, labels=labels) for name in names],
        "advice": {**counsel, "tasks": {text: counsel, "mood": counsel}},
        "single_task": {text: [line]},
        "balances": {"dwa": [line]},
        "per_class": [{"rows_per_class": 8, "rows": 10.0, "strategies": fewer}],
        "second_look": {text: {"rows": [3], "unit": "line", "shown": [shown]}},
        "failed": {text: [text]},
        "notes": [text],
        "command": text,
        "versions": {"torch": text},
        "machine": text,
    }


TWO = (strategy("heads", 0.6, 1.0, 0.0), strategy(f"full {HOSTILE}", 0.8, 60.0, 0.02))


def profile_of(means: list[float], name: str = "topic", metric: str = "accuracy") -> LayerProfile:
    """Make up a profile of one task."""
    scores = tuple(
        LayerScore(
            layer=layer,
            scores={metric: Interval(mean=m, low=max(0.0, m - 0.03), high=min(1.0, m + 0.03))},
        )
        for layer, m in enumerate(means)
    )
    return LayerProfile(tasks={name: scores})
