"""What the Freeze tab opens with: a strategy drawn, the cards, and a comparison of the corpus.

`python -m demo.freeze.examples` computes assets/examples/freeze.json again, with the corpus' layer
profile: run it whenever the corpus changes. `--keep-profile` takes the profile that is there and
lays out the rest anew. Both lay the shipped comparison out anew, as the page is built before torch.

`python -m core compare --data corpus --rows 300 --out report.json` makes a comparison, and
`python -m demo.freeze.examples report.json` takes it over into assets/examples/comparison.json with
the date and the machine: run both whenever the corpus or the strategies' defaults change.
"""

import functools
import json
import sys
import time
from pathlib import Path
from typing import Any

from core.config import ASSETS, DataChoice, EncoderChoice
from demo.freeze.views import result_view

PATH = ASSETS / "examples" / "freeze.json"
COMPARISON = ASSETS / "examples" / "comparison.json"

EXAMPLE = "example"
"""What the page calls the comparison."""

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


@functools.cache
def shipped_comparison() -> dict[str, Any] | None:
    """Read what is shipped, `{made, document, view}`; None where there is none."""
    if not COMPARISON.is_file():
        return None
    found: dict[str, Any] = json.loads(COMPARISON.read_text("utf-8"))
    return found


def taken_over(report: Path) -> dict[str, Any]:
    """Read a report that `python -m core compare --out` wrote, with its date and machine."""
    document = json.loads(report.read_text("utf-8"))
    date = time.strftime("%Y-%m-%d", time.localtime(report.stat().st_mtime))
    took = f"{document['wall_seconds']:.0f} s"
    return {
        "made": f"Computed on {date} on {document['machine']}, in {took}.",
        "document": document,
    }


def write_comparison(shipped: dict[str, Any]) -> None:
    """Lay a comparison out and write it to assets/examples/comparison.json."""
    view = result_view(shipped["document"], name=EXAMPLE, made=shipped["made"])
    text = json.dumps({**shipped, "view": view}, ensure_ascii=False, indent=None)
    COMPARISON.write_text(text + "\n", encoding="utf-8")


def main(*arguments: str) -> None:
    """Take a report over, or compute what the tab opens with and lay the comparison out anew."""
    reports = [argument for argument in arguments if argument != "--keep-profile"]
    if reports:
        write_comparison(taken_over(Path(reports[0])))
        return
    kept = json.loads(PATH.read_text("utf-8"))["profile"] if "--keep-profile" in arguments else None
    text = json.dumps(compute_example(kept), ensure_ascii=False, indent=1)
    PATH.write_text(text + "\n", encoding="utf-8")
    write_comparison(shipped_comparison() or {})


if __name__ == "__main__":
    main(*sys.argv[1:])
