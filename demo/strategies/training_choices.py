"""The strategies that the Train tab's list offers, for an encoder of any depth."""

from demo.strategies.words import plural

Choice = tuple[str, str]
"""What the list says, and the strategy's name."""


def choices(layers: int) -> list[Choice]:
    """List what is offered; any other name may be typed, or made on the strip.

    Args:
        layers: How many layers the encoder has.
    """
    depths = [("one layer: the last", layers - 1)]
    for share, frozen in (("third", 2 * layers // 3), ("two thirds", layers // 3)):
        depths.append((f"{plural(layers - frozen, 'layer')}: the upper {share}", frozen))
    lower: dict[str, str] = {}  # with few layers some are the same
    for label, frozen in depths:
        lower.setdefault(f"lower:{frozen}", label)
    return [
        ("heads: the encoder frozen", "heads"),
        *((label, name) for name, label in lower.items()),
        ("everything", "full"),
        ("everything, the lower the slower", "layerwise-lr"),
        ("gradually, from the top down", "gradual"),
        ("heads first, then everything", "lp-ft"),
        ("biases only", "bitfit"),
        ("low-rank adapters (LoRA)", "lora"),
    ]


def first_choice(layers: int) -> str:
    """Name what is chosen at first: the upper third trains."""
    return f"lower:{2 * layers // 3}"


def followed(name: str, before: int, layers: int) -> str:
    """Name what a choice is on an encoder of another depth.

    What the list offered of a share of the layers is the same share; any other name stays.

    Args:
        name: What was chosen.
        before: How many layers the encoder had.
        layers: How many it has.
    """
    shares = [f"lower:{before - 1}", f"lower:{2 * before // 3}", f"lower:{before // 3}"]
    if name not in shares:
        return name
    return [f"lower:{layers - 1}", first_choice(layers), f"lower:{layers // 3}"][shares.index(name)]
