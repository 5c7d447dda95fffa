"""Sentences worth predicting, with what the shipped model says of them.

`python -m demo.predict.examples` computes assets/examples/predict.json again: run it whenever
assets/model is made anew.
"""

import json
from dataclasses import dataclass
from typing import Any

from core.config import ASSETS
from demo.frame.views import View

PATH = ASSETS / "examples" / "predict.json"


@dataclass(frozen=True, kw_only=True)
class PredictExample:
    """A sentence that asks something of a model.

    Attributes:
        title: What its button says.
        notice: One sentence on what to look for. It claims nothing of the answer, which is
            another one with every model.
        text: The sentence.
    """

    title: str
    notice: str
    text: str


EXAMPLES = (
    PredictExample(
        title="A news item",
        notice="Two topics are near, three names stand in it, and the tone is the writer's: "
        "falling shares alone make no negative sentence.",
        text="Apple shares fell sharply after Tim Cook warned of weak sales in China.",
    ),
    PredictExample(
        title="Sarcasm",
        notice="The words praise, the writer does not: see which words speak for which side.",
        text="Oh wonderful, the update deleted all my photos, five stars.",
    ),
    PredictExample(
        title="Negation",
        notice="It holds the word “good” and says the opposite: see what “not” and “good” push.",
        text="I would not call this a good hotel.",
    ),
    PredictExample(
        title="Person and place",
        notice="One name, twice: first it is a person's, then a city's. Only the words around "
        "it tell which.",
        text="Florence Pugh was filming in Florence when the storm hit.",
    ),
    PredictExample(
        title="Lower-cased names",
        notice="Nobody held the shift key: a name has to be known by its company alone.",
        text="met emma watson at heathrow, she was so kind",
    ),
    PredictExample(
        title="No entity",
        notice="There is nobody and no place in it: nothing should be marked.",
        text="Take two tablets after a meal and sleep it off.",
    ),
    PredictExample(
        title="Two topics",
        notice="Medicine and politics in one sentence: see how the two share the probability.",
        text="Doctors in Nairobi went on strike after parliament cut the budget for vaccines.",
    ),
)


def shipped_example(example: PredictExample) -> tuple[View, dict[str, Any]]:
    """Read what the shipped model says of an example: as it is drawn, and its row."""
    found = json.loads(PATH.read_text("utf-8"))[example.title]
    return found["view"], found["row"]


def compute_examples() -> dict[str, Any]:
    """Compute what is shipped, with the shipped model: `{title: {view, row}}`."""
    from core.model.model_folder import load_model
    from demo.predict.predictions import predict_one

    model, found = load_model(), dict[str, Any]()
    for example in EXAMPLES:
        view, row = predict_one(model, example.text, notes=[example.notice])
        view["notes"][-1] = view["notes"][-1].rpartition(", ")[0]  # not the time
        found[example.title] = {"view": view, "row": row}
    return found


def main() -> None:
    """Compute every example and write them to assets/examples/predict.json."""
    text = json.dumps(compute_examples(), ensure_ascii=False, indent=1)
    PATH.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
