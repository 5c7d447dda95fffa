"""What a run came to, in words: what improved, what was forgotten, what an experiment showed."""

from collections.abc import Mapping, Sequence
from typing import Any

from demo.frame.views import signed
from demo.train.worker import TrainingJob

Log = Sequence[Mapping[str, Any]]

KEPT_WELL = 0.01
"""A loss of Spearman below this is within what a probe of 294 pairs can tell from nothing."""


def summary_of(log: Log, job: TrainingJob) -> dict[str, Any]:
    """Say what a run came to: `{lead, rest: [...]}`.

    Args:
        log: What the run has told.
        job: What it trained.
    """
    done = _last(log, "done")
    evaluations = [each for each in log if each["event"] == "evaluation"]
    if done is None or not done["metrics"]:
        return {"lead": "The run is over; nothing was held out to judge it by.", "rest": []}
    first = evaluations[0]["metrics"] if evaluations else done["metrics"]
    parts = [_improved(name, first[name], done["metrics"][name]) for name in done["metrics"]]
    rest = [_forgotten(_last(log, "saved") or {})]
    if evaluations:
        rest.append(
            f"The weights of epoch {done['epoch']} of {len(evaluations)} were kept: there the "
            "validation rows came out best."
        )
    seen = _seen(job.experiment, log, done)
    return {"lead": seen or " ".join(parts), "rest": [*([" ".join(parts)] if seen else []), *rest]}


def _last(log: Log, event: str) -> Mapping[str, Any] | None:
    return next((each for each in reversed(log) if each["event"] == event), None)


def main_score(metrics: Mapping[str, Any]) -> tuple[str, float]:
    """Name a task's main score and give it."""
    from core.measures.scores import score_in

    score = score_in(metrics)
    return score.short, float(metrics[score.key])


def _improved(name: str, first: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    what, end = main_score(last)
    change = end - main_score(first)[1]
    since = f", {signed(100 * change, 1)} points since the first epoch" if change else ""
    plus = since.replace(", ", ", +", 1) if change > 0 else since
    return f"{name.capitalize()}: {what} {100 * end:.1f} %{plus}."


def _forgotten(saved: Mapping[str, Any]) -> str:
    if not saved.get("moved"):
        return "The encoder did not move, so it forgot nothing: its embeddings are as they were."
    before, after = saved["similarity"]["before"], saved["similarity"]["after"]
    lost = before - after
    said = (
        f"Similarity of everyday sentences (Spearman on the probe's 294 graded pairs) went from "
        f"{before:.3f} to {after:.3f}"
    )
    if lost < KEPT_WELL:
        return f"{said}: nothing to speak of was forgotten."
    return f"{said}: {lost:.3f} was forgotten, which other tasks will miss."


def _seen(experiment: str, log: Log, done: Mapping[str, Any]) -> str:
    """Say what a guided experiment showed, in numbers of this very run."""
    losses = [
        sum(each["loss"].values()) / len(each["loss"])
        for each in log
        if each["event"] == "evaluation"
    ]
    if not experiment or not losses:
        return ""
    moved = max((_last(log, "evaluation") or {}).get("drift", {}).values(), default=0.0)
    name = next(iter(done["metrics"]))
    what, score = main_score(done["metrics"][name])
    if experiment == "frozen":
        return (
            f"Nothing learned: after {done['steps']} steps the validation loss is "
            f"{losses[-1]:.3f}, as after the first epoch ({losses[0]:.3f}), and {name} {what} is "
            f"{100 * score:.0f} %, which is what an untrained head guesses. Thaw the head next."
        )
    if experiment == "one-layer":
        return (
            f"One layer and the head were enough to learn: validation loss {losses[0]:.3f} after "
            f"the first epoch, {losses[-1]:.3f} after the last, {name} {what} {100 * score:.0f} %."
        )
    similarity = (_last(log, "saved") or {}).get("similarity")
    if similarity is None:
        return ""
    return (
        f"Too high a rate: weights moved by up to {100 * moved:.0f} % of their size, {name} {what} "
        f"is {100 * score:.0f} %, and the encoder's sense of similarity fell from "
        f"{similarity['before']:.2f} to {similarity['after']:.2f}. Low rates move less and keep it."
    )


def estimate_in_words(estimate: Mapping[str, Any]) -> str:
    """Say how long a run will take, and what makes the time.

    Args:
        estimate: What `core.training.estimate.Estimates.document` gave.
    """
    return (
        f"About {duration(estimate['seconds'])} on this machine: {estimate['rows']:,} rows to "
        f"learn from and {estimate['validation_rows']:,} to validate on, "
        f"{estimate['steps_an_epoch']} steps an epoch."
    )


def duration(seconds: float) -> str:
    """Write a time as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
