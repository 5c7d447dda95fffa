"""What the Freeze tab opens with: the corpus' layer profile, a strategy drawn, and the cards.

`python -m demo.freeze.examples` computes assets/examples/freeze.json again: run it whenever the
corpus changes. `--keep-profile` takes the profile that is there and lays out the rest anew.
"""

import functools
import json
import sys
from typing import Any

from core.config import ASSETS, DataChoice, EncoderChoice

PATH = ASSETS / "examples" / "freeze.json"

DRAWN = "lower:4"
"""The strategy that is drawn first."""


@functools.cache
def shipped() -> dict[str, Any]:
    """Read what is shipped: `{fingerprint, profile, strip, cards}`."""
    found: dict[str, Any] = json.loads(PATH.read_text("utf-8"))
    return found


def compute_example(profile: dict[str, Any] | None = None) -> dict[str, Any]:
    """Compute what is shipped.

    Args:
        profile: The corpus' layer profile; None computes it, which takes minutes.
    """
    from core.data.dataset import read_dataset
    from core.encoder.encoder import load_encoder
    from core.knowledge.layer_profile import profile_document, profile_of
    from demo.strategies.cards import cards_view, default_names
    from demo.strategies.strip import Network, strip_view

    corpus = read_dataset(DataChoice(source="corpus"))
    encoder = load_encoder(EncoderChoice())
    profile = profile or profile_document(encoder, corpus)
    network = Network(encoder=encoder, tasks=corpus.tasks, profile=profile_of(profile))
    return {
        "fingerprint": corpus.fingerprint,
        "profile": profile,
        "strip": strip_view(network, network.parse(DRAWN)),
        "cards": cards_view(network, default_names(network.layers)),
    }


def main(*arguments: str) -> None:
    """Compute it and write it to assets/examples/freeze.json."""
    kept = json.loads(PATH.read_text("utf-8"))["profile"] if "--keep-profile" in arguments else None
    text = json.dumps(compute_example(kept), ensure_ascii=False, indent=1)
    PATH.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
