"""Layers in people's words."""

from collections.abc import Collection, Sequence


def layers_in_words(layers: Collection[int]) -> str:
    """Name layers as people read them: embeddings, layers 1 to 3 and 5."""
    runs: list[list[int]] = []
    for layer in sorted(each for each in layers if each):
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    pieces = [
        piece
        for run in runs
        for piece in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run))
    ]
    several = sum(map(len, runs)) > 1
    named = f"layer{'s' * several} {listed(pieces)}" if pieces else ""
    if 0 not in layers:
        return named
    return f"embeddings{', ' if len(pieces) > 1 else ' and '}{named}" if named else "embeddings"


def listed(names: Sequence[str]) -> str:
    """Join names: a, b and c."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def layer_name(layer: int | str | None) -> str:
    """Name a layer: 0 is the embeddings."""
    return f"layer {layer}" if layer else "the embeddings"


def plural(count: int, what: str) -> str:
    """Write a number of things."""
    return f"{count:,} {what}{'s' * (count != 1)}"
