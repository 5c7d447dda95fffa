from typing import Any

import pytest

from demo.predict.examples import EXAMPLES, compute_examples, shipped_example
from tests.demo.similarity.test_examples import numbers

COMMAND = "run python -m demo.predict.examples: assets/model is another one than the examples'"


@pytest.fixture(scope="module")
def computed() -> dict[str, Any]:
    return compute_examples()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_the_shipped_examples_are_what_the_shipped_model_says(
    example: Any,  # noqa: ANN401 (a test's parameter)
    computed: dict[str, Any],
) -> None:
    view, row = shipped_example(example)
    shipped = numbers({"view": view, "row": row})
    expected = numbers(computed[example.title])
    assert shipped.keys() == expected.keys(), COMMAND
    for path, value in expected.items():
        same = pytest.approx(value, abs=1e-3) if isinstance(value, float) else value
        assert shipped[path] == same, f"{path}: {COMMAND}"


def test_the_examples_hold_what_makes_predicting_hard() -> None:
    texts = {example.title: example.text for example in EXAMPLES}
    assert "not" in texts["Negation"]
    assert texts["Person and place"].count("Florence") == 2
    assert texts["Lower-cased names"] == texts["Lower-cased names"].lower()
    assert {"Sarcasm", "No entity", "Two topics"} <= texts.keys()
    assert all(example.notice.endswith(".") for example in EXAMPLES)
