"""How right the times are that are said before anything is trained.

    python -m tests.benchmarks.estimate_bench [--rows 300] [--epochs 3] [--part train] [--cpu]

Prints estimate, truth and their ratio for several strategies: of the Train tab
(`core.training.estimate`), where the truth is a run from its start to its model, and of the
comparison (`core.comparison.cost`), where it is a finished run with its figures. With --cpu all of
it runs in this process on one thread, and every clock is the processor's, so that what else the
machine does counts little; without, all of it runs in worker processes as it does for people.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import Pipe
from pathlib import Path

import torch

from core.comparison.choice import ComparisonChoice
from core.comparison.comparison import compare
from core.comparison.cost import measure_steps
from core.comparison.events import ComparisonPlan, RunFinished
from core.comparison.folds import compared_data
from core.comparison.shared import Prepared, Setting
from core.comparison.store import FinishedRun
from core.comparison.work import Job, do_run
from core.config import DataChoice, EncoderChoice, TrainingChoice
from core.data.dataset import Dataset, read_dataset
from core.encoder.encoder import load_encoder
from core.strategy.scenario import parse_strategy
from core.strategy.thaw_plan import ThawPlan
from core.training.estimate import Estimates
from demo.train.example import shipped_similarity
from demo.train.sessions import DONE, OVER, Sessions
from demo.train.worker import TrainingJob, serve_training

STRATEGIES = "heads,lower:4,lower:2@4,full,gradual,bitfit,lora"
RIGHT = 0.30
"""An estimate within this share of the truth is right."""

Timed = tuple[str, float, float]
"""A strategy, its estimate and the truth, seconds."""

Runs = Callable[[Dataset, Sequence[str], TrainingChoice], Iterator[Timed]]
SESSIONS = Sessions(shipped_similarity())


def train_here(job: TrainingJob) -> None:
    """Train as a run's own process does, in this one."""
    ours, theirs = Pipe()
    with tempfile.TemporaryDirectory() as folder:
        given = (theirs, job, str(Path(folder) / "model"))
        thread = threading.Thread(target=serve_training, args=given)
        thread.start()
        while (told := ours.recv())["event"] not in ("saved", "failed"):
            pass
        thread.join()
    if told["event"] == "failed":
        raise SystemExit(told["text"])


def train_there(job: TrainingJob) -> None:
    """Train in a process of its own, as the page does."""
    token = SESSIONS.start(job)
    while (state := SESSIONS.look(token)["state"]) not in OVER:
        time.sleep(0.02)
    if state != DONE:
        raise SystemExit(f"a run is {state}")
    SESSIONS.remove(token)


def live_runs(
    data: Dataset,
    names: Sequence[str],
    choice: TrainingChoice,
    train: Callable[[TrainingJob], None] = train_there,
) -> Iterator[Timed]:
    """Train as the Train tab does, and hold each run against what was said before."""
    encoder = load_encoder(EncoderChoice(), threads=torch.get_num_threads())
    known, estimates = shipped_similarity(), Estimates(SESSIONS.knows)
    for place, name in enumerate(names):
        job = TrainingJob(
            dataset=data,
            encoder=EncoderChoice(),
            strategy=name,
            choice=choice,
            known_similarity=known,
        )
        scenario = parse_strategy(name, encoder.layers, [task.name for task in data.tasks])
        said = estimates.seconds(encoder, scenario, data, choice)
        if not place:
            train(job)  # a person starts seconds later, when all has been imported behind the page
        begun = time.perf_counter()
        train(job)
        yield name, said, time.perf_counter() - begun


def live_runs_here(data: Dataset, names: Sequence[str], choice: TrainingChoice) -> Iterator[Timed]:
    """Do as `live_runs`, in this process."""
    return live_runs(data, names, choice, train_here)


def compared_runs(data: Dataset, names: Sequence[str], choice: TrainingChoice) -> Iterator[Timed]:
    """Compare as people do, and hold each run, and all of them, against the plan."""
    tasks = [task.name for task in data.tasks]
    layers = load_encoder(EncoderChoice()).layers
    wanted = ComparisonChoice(
        strategies=tuple(parse_strategy(name, layers, tasks) for name in names),
        seeds=3,
        epochs=choice.epochs,
    )
    plan, begun, sums = None, 0.0, dict.fromkeys(names, 0.0)
    for event in compare(data, EncoderChoice(), wanted):
        if isinstance(event, ComparisonPlan):
            plan, begun = event, time.perf_counter()
        elif isinstance(event, RunFinished):
            sums[event.record.strategy] += event.record.wall_seconds
    took = time.perf_counter() - begun
    assert plan is not None, "a comparison has a plan"
    for name in names:
        yield name, sum(run.seconds for run in plan.runs if run.strategy == name), sums[name]
    yield "all of it", plan.seconds, took


def compared_here(data: Dataset, names: Sequence[str], choice: TrainingChoice) -> Iterator[Timed]:
    """Run a comparison's runs in this process, each on its own, nothing shared or kept."""
    rows, encoder = compared_data(data), EncoderChoice()
    deal, layers = rows.deal(0), load_encoder(encoder).layers
    tasks = tuple(task.name for task in rows.dataset.tasks)
    measured = measure_steps(rows, encoder, deal, choice.batch)
    setting = Setting(
        data=rows, encoder=encoder, threads=1, memory_bytes=1e9, scratch="", command=""
    )
    for name in names:
        scenario = parse_strategy(name, layers, tasks)
        read = dict.fromkeys(tasks, layers if scenario.read is None else scenario.read)
        plan = ThawPlan(scenario=scenario, read=read, layers=layers, epochs=choice.epochs)
        said = measured.seconds(plan, deal, choice.batch)
        job = Job(
            plan=plan,
            deal=deal,
            choices=(choice,),
            profile_seconds=0.0,
            prefix=Prepared(folder=None, seconds=0.0),
            measure=False,
            retention=None,
            folder=None,
        )
        begun = time.perf_counter()
        (run,) = (each for each in do_run(setting, job, {}) if isinstance(each, FinishedRun))
        yield run.record.strategy, said, time.perf_counter() - begun


def main() -> None:
    """Print a table for each of the two estimates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--strategies", default=STRATEGIES)
    parser.add_argument("--part", choices=("train", "compare"))
    parser.add_argument("--cpu", action="store_true")
    given = parser.parse_args()
    if given.cpu:
        torch.set_num_threads(1)
        time.perf_counter = time.process_time  # every clock of the project's, in this process
    data = read_dataset(DataChoice(source="corpus", rows=given.rows))
    choice = TrainingChoice(
        epochs=given.epochs,
        batch=given.batch,
        patience=given.epochs,
        threads=1 if given.cpu else None,
    )
    everywhere: dict[str, Runs] = {"train": live_runs, "compare": compared_runs}
    here: dict[str, Runs] = {"train": live_runs_here, "compare": compared_here}
    parts = here if given.cpu else everywhere
    for part, runs in parts.items():
        if given.part not in (None, part):
            continue
        print(f"{part}: {given.rows} rows, {given.epochs} epochs, batches of {given.batch}")
        right = []
        for name, said, true in runs(data, given.strategies.split(","), choice):
            right.append(abs(said / true - 1) <= RIGHT)
            print(f"  {name:12} said {said:7.1f} s  took {true:7.1f} s  ratio {said / true:.2f}")
        print(f"  within {RIGHT:.0%}: {sum(right)} of {len(right)}", flush=True)
    SESSIONS.close()


if __name__ == "__main__":
    main()
