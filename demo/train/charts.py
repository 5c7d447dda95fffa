"""The charts of a live run: its curves, empty, for the browser to fill, and what it confuses."""

from collections.abc import Iterable, Mapping
from typing import Any

from core.measures.scores import main_score
from core.report.run_figures import confusion_figure, loss_figure, score_figure
from core.task import kind_named
from demo.frame.views import View


def figures_of(events: Iterable[Mapping[str, Any]]) -> View:
    """Draw what a run has told: `{curves, confusions}`, each only where there is news of it.

    Args:
        events: The documents of its log, or of its newest part.
    """
    found: View = {}
    for event in events:
        if event["event"] == "plan":
            found["curves"] = _curves(event)
        elif event["event"] == "evaluation":
            found["confusions"] = [
                _confusion(event["epoch"], task, scores)
                for task, scores in event["metrics"].items()
                if "confusion" in scores
            ]
    return found


def _curves(plan: Mapping[str, Any]) -> list[View]:
    metrics = {task["name"]: main_score(kind_named(task["kind"])).title for task in plan["tasks"]}
    loss = loss_figure(list(metrics), end=plan["steps"])
    return [loss.document(), score_figure(metrics, end=plan["steps"]).document()]


def _confusion(epoch: int, task: str, scores: Mapping[str, Any]) -> View:
    drawn = confusion_figure(task, scores["labels"], scores["confusion"]).document()
    return drawn | {"title": f"{drawn['title']}, epoch {epoch}"}
