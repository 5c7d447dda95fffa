"""What a comparison tells, as JSON has it: one shape for whoever follows it."""

import json

import pytest

from core.comparison.events import (
    ComparisonEvent,
    ComparisonPlan,
    ComparisonStage,
    PlannedRun,
    RunFailed,
    RunFinished,
    RunProgress,
    RunStarted,
    RunStopped,
    event_document,
)
from tests.made_runs import record_of, run_of

PLANNED = PlannedRun(strategy="heads", seed=0, part="", seconds=2.0, done=False)
WHICH = {"strategy": "heads", "seed": 0}


@pytest.mark.parametrize(
    ("event", "document"),
    [
        (ComparisonStage(what="profiling"), {"event": "stage", "what": "profiling"}),
        (
            ComparisonPlan(
                runs=(PLANNED,),
                seconds=2.0,
                rows=20,
                folds=3,
                jobs=1,
                threads=1,
                floor={},
                notes=(),
            ),
            {"event": "plan", "runs": [{**WHICH, "part": ""}], "seconds": 2.0},
        ),
        (RunStarted(**WHICH), {"event": "started", **WHICH, "part": ""}),
        (
            RunProgress(**WHICH, part="dwa", step=1, steps=4, epoch=1, loss={"mood": 0.5}),
            {
                **{"event": "progress", **WHICH, "part": "dwa"},
                **{"step": 1, "steps": 4, "epoch": 1, "loss": {"mood": 0.5}},
            },
        ),
        (
            RunFailed(**WHICH, reason="its process was killed"),
            {"event": "failed", **WHICH, "reason": "its process was killed", "part": ""},
        ),
        (RunStopped(**WHICH), {"event": "stopped", **WHICH}),
    ],
    ids=lambda each: type(each).__name__,
)
def test_an_event_has_one_document(event: ComparisonEvent, document: dict[str, object]) -> None:
    assert event_document(event) == document
    assert json.loads(json.dumps(document)) == document


def test_a_finished_run_is_told_as_the_report_lists_it() -> None:
    event = RunFinished(
        record=record_of("heads", scores={"mood": {"accuracy": 0.5}}),
        held_out=run_of("heads", [True, False]),
        part="",
        done=2,
        seconds_left=1.5,
        report=dict,
    )
    document = event_document(event)
    assert (document["event"], document["runs_done"], document["seconds_left"]) == ("run", 2, 1.5)
    assert document["run"]["tasks"] == {"mood": {"accuracy": 0.5}}
    assert "scores" not in document["run"]
