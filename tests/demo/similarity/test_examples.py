from typing import Any

import pytest

from core.encoder.encoder import Encoder
from demo.similarity.examples import EXAMPLES, Example, compute_example, load_example


def numbers(value: Any, path: str = "") -> dict[str, Any]:  # noqa: ANN401
    """Flatten JSON into one value a path."""
    if isinstance(value, dict):
        items: Any = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        return {path: value}
    return {
        key: found for k, child in items for key, found in numbers(child, f"{path}/{k}").items()
    }


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_shipped_numbers_are_what_the_default_encoder_computes(
    example: Example, default_encoder: Encoder
) -> None:
    assert default_encoder.name == "minilm"
    shipped, computed = numbers(load_example(example)), numbers(compute_example(example))
    assert shipped.keys() == computed.keys()
    for path, value in computed.items():
        if isinstance(value, float):
            assert shipped[path] == pytest.approx(value, abs=1e-5), path
        else:
            assert shipped[path] == value, path


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_teaches_with_a_sentence_and_few_lines(example: Example) -> None:
    assert 4 <= len(example.sentences) <= 8
    assert example.notice.endswith(".")
    a, b = example.pick
    assert a != b


def test_what_the_notices_claim_is_so() -> None:
    matrix = {each.name: load_example(each)["similarity"]["matrix"] for each in EXAMPLES}
    assert matrix["paraphrase"][0][3] > matrix["paraphrase"][0][1]
    assert matrix["negation"][0][1] == max(matrix["negation"][0][1:])
    assert matrix["word-order"][0][1] > 0.95
    assert matrix["homonyms"][0][2] > max(matrix["homonyms"][0][1], matrix["homonyms"][0][4])
    pairs = [value for i, row in enumerate(matrix["languages"]) for value in row[i + 1 :]]
    assert matrix["languages"][1][5] == max(pairs)
    assert matrix["languages"][0][1] < 0.2
