"""Writes docs/strategies.md from what the code says of each strategy: python docs/strategies.py."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from core.strategy.strategies import OFFERED, Heads  # noqa: E402 (the path comes first)
from core.strategy.strategy import Strategy  # noqa: E402

PAGE = ROOT / "docs/strategies.md"
SHOWN = """\
## What the sweep shows

The tables below say it in figures: on a few hundred rows, and with one or two seeds where no
interval stands.

- **The rate decides as much as the freezing.** A rate three times too low or too high costs a
  strategy about as much as lies between most strategies. At one rate for all, `full` looks far
  worse than `lower:2`; each at its own, the gap is a third of that. A comparison that gives all
  strategies one rate compares rates.
- **The fewer weights train, the higher the rate they bear**: full training is best at the lowest
  rate, upper layers alone and layer-wise rates at about three times that, adapters and biases at
  about ten times.
- **Where the heads read decides as much again**: heads alone on the fourth layer are as good as
  most strategies that train the encoder and read the last.
- **On few rows epochs are wanting**: more of them bring as much as the right rate does. So there
  are more by default than in the sweep; where rows are many, patience ends them.
- **A higher rate also forgets more**: `docs/figures/forgetting.md`. So a default is not simply the
  best rate of the sweep. Where that loses more than 0.05 of the probe's Spearman, or nobody
  measured it, the default is the lowest rate tried that is within 0.03 of the best score, which is
  what chance moves. By it `lower:K` goes one step down and no further, for `lower:2` would pay
  more; `full` and layer-wise rates would pay more at once, of `lp-ft` and `gradual` nothing lower
  was tried, and adapters and biases forget little at their best.
- **Heads alone**: steps cost nearly nothing, so they go on until nothing has been gained for long.
  What they want is not steps but a penalty: without one the loss on the training rows goes to
  zero and the last layer's heads know them by heart. With the penalty that is their own, half
  of the gap to scikit-learn's logistic regression on the same states closes, most of it in
  entities. What is left: that regression standardises the states and chooses a penalty for each
  task on the rows held out; and the epoch kept is that of the best mean over tasks, on few rows.
"""

RATES = ROOT / "docs/figures/rates.md"
"""The tables that `tests/benchmarks/rates_bench.py` writes."""

INTRO = """\
# Which strategies are there, and what does each do?

A strategy says which parts of the network train, and when. Layers are numbered from 1; 0 is the
embeddings. `python -m core train --strategy NAME` takes every name below, and `--strategy help`
lists them. Behind a name may stand where the heads read: `@K` the output of layer K, `@auto` each
task's best layer by its profile, `@mix` a learned mix of all layers; without it they read the last
one. What lies above the highest layer read is neither run nor trained.

What is frozen at the bottom runs once for each sentence, whatever the epochs: that is why a
strategy that freezes more costs less. Rates are AdamW's, encoder and heads apart; `--lr` and
`--head-lr` say otherwise, `--epochs` and `--patience` too. Heads alone have an L2 penalty of
{penalty:g} nats per squared weight besides; every matrix that trains has AdamW's decay.

This page is written by `python docs/strategies.py` from the code and from
`docs/figures/rates.md`; a test holds it to both.

| strategy | encoder's rate | heads' rate | epochs at most | stops after so many without a gain |
|---|---|---|---|---|"""


def strategies_page() -> str:
    """Write the page: every strategy that is offered, then what the sweep of rates found."""
    lines = [INTRO.format(penalty=Heads.head_penalty)]
    for name, kind in OFFERED:
        lines.append(f"| `{name}` | " + " | ".join(_settings(kind)) + " |")
    for _, kind in OFFERED:
        lines += ["", *_section(kind)] if "does" in vars(kind) else []
    rates = RATES.read_text(encoding="utf-8").strip().replace("\n#", "\n##")
    return "\n".join([*lines, "", SHOWN, f"#{rates}"]) + "\n"


def _settings(kind: type[Strategy]) -> list[str]:
    if not kind.trains_heads:
        return ["–"] * 4
    encoder = f"{kind.encoder_rate:g}" if kind.trains_encoder else "–"
    return [encoder, f"{kind.head_rate:g}", str(kind.epochs), str(kind.patience)]


def _section(kind: type[Strategy]) -> list[str]:
    names = [f"`{each}`" for each, other in OFFERED if issubclass(other, kind)]
    return [
        f"## {' and '.join(names)}",
        "",
        kind.does + (" The second name freezes one task's head besides." if names[1:] else ""),
        "",
        f"- **For it:** {kind.good}",
        f"- **Against it:** {kind.bad}",
        f"- **When:** {kind.when}",
        *([] if not kind.trains_heads else [f"- **Its rates:** {kind.rates_from}"]),
        f"- **Source:** {kind.source}",
    ]


if __name__ == "__main__":
    PAGE.write_text(strategies_page(), encoding="utf-8")
