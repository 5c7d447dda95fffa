"""The worked examples of Compare, with the numbers that the built-in encoder gives.

`python -m demo.similarity.examples` computes assets/examples/*.json again.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.config import ASSETS, EncoderChoice

FOLDER = ASSETS / "examples"


@dataclass(frozen=True, kw_only=True)
class Example:
    """A few sentences that teach something.

    Attributes:
        name: Its file's name.
        title: What its button says.
        notice: One sentence on what to look for.
        sentences: The sentences, one a line.
        pick: The pair to open, from 0.
        query: A query for the search below.
    """

    name: str
    title: str
    notice: str
    sentences: tuple[str, ...]
    pick: tuple[int, int]
    query: str

    @property
    def text(self) -> str:
        """The sentences as they stand in the box."""
        return "\n".join(self.sentences)


EXAMPLES = (
    Example(
        name="paraphrase",
        title="Paraphrase",
        notice="1 and 2 say the same and share hardly a word, yet 1 and 4 score higher: they "
        "share all words but one, and that one turns the meaning round.",
        sentences=(
            "The ferry left late.",
            "The boat was delayed.",
            "The ship departed behind schedule.",
            "The ferry left early.",
            "The train was on time.",
        ),
        pick=(0, 1),
        query="a late ship",
    ),
    Example(
        name="negation",
        title="Negation",
        notice="“Works” and “does not work” come out nearly the same: one small word turns the "
        "meaning round, and hardly moves the embedding.",
        sentences=(
            "The app works on my phone.",
            "The app does not work on my phone.",
            "My phone runs the app without trouble.",
            "The app crashes every time I open it.",
            "I bought a new phone yesterday.",
        ),
        pick=(0, 1),
        query="software that fails",
    ),
    Example(
        name="word-order",
        title="Word order",
        notice="Who chased whom hardly matters to the score: 1 and 2 hold the same words in "
        "another order and are almost one point.",
        sentences=(
            "The dog chased the cat.",
            "The cat chased the dog.",
            "The cat was chased by the dog.",
            "The dog ran after the cat.",
            "The dog and the cat slept.",
        ),
        pick=(0, 1),
        query="a cat that flees",
    ),
    Example(
        name="homonyms",
        title="Homonyms",
        notice="Each word is read with its neighbours: the river bank is closer to the shore, "
        "which shares no word that matters, than to the other two banks.",
        sentences=(
            "She sat down on the bank of the river.",
            "He opened an account at the bank.",
            "The water came up to the grassy shore.",
            "The loan was refused by the lender.",
            "The pilot had to bank the plane to the left.",
        ),
        pick=(0, 2),
        query="money",
    ),
    Example(
        name="languages",
        title="Two languages",
        notice="This encoder learned English: it finds 2 and 6 most alike, two German sentences "
        "that say different things, and misses that 1 and 2 say the same.",
        sentences=(
            "The weather is beautiful today.",
            "Das Wetter ist heute schön.",
            "It is raining cats and dogs.",
            "Es regnet in Strömen.",
            "The restaurant is closed today.",
            "Das Restaurant ist heute geschlossen.",
        ),
        pick=(0, 1),
        query="bad weather",
    ),
)


def load_example(example: Example) -> dict[str, Any]:
    """Read an example's shipped results: `{similarity, tokens, search}` as drawn, `found`."""
    found: dict[str, Any] = json.loads((FOLDER / f"{example.name}.json").read_text("utf-8"))
    return found


def compute_example(example: Example) -> dict[str, Any]:
    """Compute what is shipped of an example, with the built-in encoder."""
    from core.encoder.encoder import load_encoder
    from demo.similarity.questions import Question, compare, explain, search

    choice, encoder = EncoderChoice(), load_encoder()
    question = Question(texts=example.sentences, choice=choice, note=example.notice)
    view = compare(lambda _: encoder, question)
    view["answer"]["notes"][-1] = view["answer"]["notes"][-1].rpartition(", ")[0]  # not the time
    hits, found = search(lambda _: encoder, example.query, question, top=5)
    hits["rest"] = hits["rest"].partition(",")[0] + "."
    return {
        "similarity": {**view, "pick": list(example.pick)},
        "tokens": explain(lambda _: encoder, question, *example.pick),
        "search": hits,
        "found": found,
    }


def main() -> None:
    """Compute every example and write it to assets/examples."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for example in EXAMPLES:
        text = json.dumps(compute_example(example), ensure_ascii=False, indent=1)
        Path(FOLDER / f"{example.name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
