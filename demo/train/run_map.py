"""What a live run tells of its map: small whole numbers, so that each moment costs few bytes."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch is behind it, and the page is on screen before torch
    from core.maps.near import Floats
    from core.maps.run_map import RunMap
    from core.task import Label
    from core.training.events import SnapshotEvent

SCALE = 1000
"""Of a place at a distance of 1."""

MOST_LETTERS = 240
Document = dict[str, Any]


class RunMapTelling:
    """Describes the snapshots of one run, in their order."""

    def __init__(self) -> None:
        self._map: RunMap | None = None
        self._states: list[int] = []

    def document(self, snapshot: "SnapshotEvent") -> Document:
        """Describe a snapshot: `{event, epoch, step, share, states, tasks}`.

        The first says beside it which sentences these are; the others leave `states` out where
        they are as they were.
        """
        from core.maps.run_map import RunMap

        first = self._map is None
        self._map = self._map or RunMap()
        frame = self._map.frame(snapshot)
        states = _whole(frame.states)
        document: Document = {"event": "map", "epoch": frame.epoch, "step": frame.step}
        if first:
            document |= _sentences(snapshot)
        if first or states != self._states:
            document |= {"states": states, "share": round(frame.share, 3)}
        self._states = states
        tasks: Document = {}
        for name, said in snapshot.predicted.items():
            tasks[name] = {"says": [_words(each) for each in said]}
            if name in frame.said:
                sure = snapshot.probabilities[name].max(axis=1)  # (sentences,)
                tasks[name] |= {
                    "at": _whole(frame.said[name]),
                    "sure": [round(100 * float(each)) for each in sure],
                }
            else:  # spans are right only where their places are too
                truth = [each.labels.get(name) for each in snapshot.examples]
                tasks[name]["right"] = [
                    None if true is None else set(_spans(true)) == set(_spans(each))
                    for true, each in zip(truth, said, strict=True)
                ]
        return document | {"tasks": tasks}


def _sentences(snapshot: "SnapshotEvent") -> Document:
    truth = {
        name: [_words(each.labels.get(name)) for each in snapshot.examples]
        for name in snapshot.predicted
    }
    return {
        "texts": [each.text[:MOST_LETTERS] for each in snapshot.examples],
        "held_out": snapshot.held_out,
        "layer": snapshot.layer,
        "is": truth,
    }


def _spans(value: "Label") -> list[Any]:
    return [] if value is None or isinstance(value, str) else list(value)


def _words(value: "Label | None") -> str | None:
    """Say a label, or which kinds of spans there are."""
    if value is None or isinstance(value, str):
        return value
    return " + ".join(sorted({each.label for each in value})) or "none"


def _whole(places: "Floats") -> list[int]:
    """Give places as whole numbers, x and y in turn."""
    return [round(SCALE * float(each)) for each in places.ravel()]
