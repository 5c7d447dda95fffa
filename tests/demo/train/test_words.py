from typing import Any

import pytest

from core.config import EncoderChoice
from core.strategy.strategies import Lower
from core.training.steering import change_in_words
from demo.frame.views import View
from demo.train.archive import zip_piece
from demo.train.ask import MOST_ROWS, TrainingAsk
from demo.train.example import shipped_run, shipped_similarity
from demo.train.words import summary_of
from demo.train.worker import TrainingJob


class Rows:
    """As many rows as are counted."""

    def __init__(self, count: int) -> None:
        self.examples = [""] * count


FIELDS = [300, ["topic"], "lower:4", 3, 16, "", "", "sum", 0]


def fields(**changed: Any) -> list[Any]:  # noqa: ANN401 (whatever a field may hold)
    names = ["rows", "tasks", "strategy", "epochs", "batch", "encoder", "head", "balance", "seed"]
    return [changed.get(name, value) for name, value in zip(names, FIELDS, strict=True)]


def test_the_fields_are_read_as_they_stand() -> None:
    ask = TrainingAsk.of(fields(encoder="3e-4"))
    assert (ask.rows, ask.tasks, ask.encoder_rate, ask.head_rate) == (300, ("topic",), 3e-4, 0.0)
    job = ask.job(Rows(300), EncoderChoice())  # type: ignore[arg-type]
    assert job.choice.encoder_rate == 3e-4
    assert job.choice.head_rate is None, "empty is the strategy's own"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rows": None}, "rows is nothing, must be a whole number"),
        ({"rows": MOST_ROWS + 1}, "must be a whole number from 20 to 2,000"),
        ({"epochs": 1.5}, "epochs is 1.5"),
        ({"encoder": "high"}, "must be a number such as 3e-4"),
        ({"head": "nan"}, "must be above 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_a_field_that_is_none_is_refused_in_a_sentence(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TrainingAsk.of(fields(**changed))


def test_more_steps_than_a_page_takes_are_refused() -> None:
    ask = TrainingAsk.of(fields(epochs=30, batch=1))
    with pytest.raises(ValueError, match="9,000 steps, must be at most 6,000"):
        ask.job(Rows(300), EncoderChoice())  # type: ignore[arg-type]


def evaluation(loss: float, accuracy: float) -> View:
    metrics = {"topic": {"accuracy": accuracy}}
    return {
        "event": "evaluation",
        "loss": {"topic": loss},
        "metrics": metrics,
        "drift": {"layer 6": 0.5},
    }


def log_of(first: float, last: float, saved: View) -> list[View]:
    done = {"event": "done", "steps": 20, "epoch": 2, "metrics": {"topic": {"accuracy": last}}}
    return [evaluation(1.5, first), evaluation(1.2, last), done, {"event": "saved", **saved}]


def job(experiment: str = "") -> TrainingJob:
    ask = TrainingAsk().job(Rows(10), EncoderChoice())  # type: ignore[arg-type]
    return TrainingJob(
        dataset=ask.dataset,
        encoder=ask.encoder,
        strategy=ask.strategy,
        choice=ask.choice,
        experiment=experiment,
    )


def test_the_summary_says_what_improved_and_what_was_forgotten() -> None:
    moved = {"moved": ["layer 6"], "similarity": {"before": 0.745, "after": 0.7}}
    said = summary_of(log_of(0.5, 0.75, moved), job())
    assert said["lead"] == "Topic: accuracy 75.0 %, +25.0 points since the first epoch."
    assert "from 0.745 to 0.700: 0.045 was forgotten" in said["rest"][0]
    still = summary_of(log_of(0.5, 0.4, {"moved": []}), job())
    assert "−10.0 points" in still["lead"]
    assert "forgot nothing" in still["rest"][0]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("frozen", "Nothing learned: after 20 steps the validation loss is 1.200"),
        ("one-layer", "validation loss 1.500 after the first epoch, 1.200 after the last"),
        ("broken", "weights moved by up to 50 % of their size"),
    ],
)
def test_a_guided_experiment_ends_in_the_figures_of_its_own_run(name: str, said: str) -> None:
    saved = {"moved": ["layer 6"], "similarity": {"before": 0.745, "after": 0.4}}
    assert said in summary_of(log_of(0.5, 0.6, saved), job(name))["lead"]


def test_a_run_without_held_out_rows_says_so() -> None:
    done = {"event": "done", "steps": 1, "epoch": 1, "metrics": None}
    assert "nothing was held out" in summary_of([done], job())["lead"]


def test_a_change_is_said_in_words() -> None:
    assert change_in_words({"thawed": ["layer 2"], "head_rate": 0.01}) == (
        "layer 2 thawed; heads' rate 0.01"
    )
    assert change_in_words({"frozen": ["layer 1"]}, "layer 1 is frozen already") == (
        "not changed (layer 1 frozen): layer 1 is frozen already"
    )


def test_the_shipped_run_is_whole_and_of_the_built_in_encoder() -> None:
    example = shipped_run()["example"]
    kinds = [each["event"] for each in example["events"]]
    assert kinds[-1] == "saved"
    assert kinds.count("evaluation") == 4
    assert example["summary"]["lead"].startswith("Topic: accuracy")
    assert list(shipped_similarity().values()) == [pytest.approx(0.745, abs=0.003)]
    (plan,) = (each for each in example["events"] if each["event"] == "plan")
    rates = {part["rate"] for part in plan["parts"] if part["part"].startswith("layer")}
    assert rates == {None, Lower(layers=4).encoder_rate}, "python -m demo.train.example"


@pytest.mark.parametrize("kind", ["", "../model", "pickle"])
def test_only_two_kinds_of_archive_can_be_asked_for(kind: str, tmp_path: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match="must be model or export"):
        zip_piece(tmp_path, kind, 0)
