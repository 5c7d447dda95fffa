"""The run that the Train tab opens on, computed once and shipped.

`python -m demo.train.example` trains it again and writes assets/examples/train.json.
"""

import json
import tempfile
import threading
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from core.config import ASSETS, DataChoice, EncoderChoice
from demo.train.ask import TrainingAsk
from demo.train.charts import figures_of
from demo.train.words import summary_of

PATH = ASSETS / "examples" / "train.json"
ASK = TrainingAsk(rows=240, tasks=("topic", "sentiment"), strategy="lower:4", epochs=4)


def shipped_run() -> dict[str, Any]:
    """Read the run as it is drawn: all that it told, and what it came to."""
    found: dict[str, Any] = json.loads(PATH.read_text("utf-8"))
    return {"example": found | {"figures": figures_of(found["events"])}}


def shipped_similarity() -> dict[str, float]:
    """Read what the shipped run measured of its encoder before it was trained, by fingerprint."""
    saved = json.loads(PATH.read_text("utf-8"))["events"][-1]
    return {saved["base"]: saved["similarity"]["before"]}


def compute_run() -> dict[str, Any]:
    """Train it as a visitor's run is trained, in this process: `{events, summary}`."""
    from core.data.dataset import read_dataset
    from demo.train.worker import serve_training

    choice = DataChoice(source="corpus", rows=ASK.rows, tasks=ASK.tasks)
    job = ASK.job(read_dataset(choice), EncoderChoice())
    ours, theirs = Pipe()
    log: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        given = (theirs, job, str(Path(folder) / "model"))
        thread = threading.Thread(target=serve_training, args=given)
        thread.start()
        while not log or log[-1]["event"] not in ("saved", "failed"):
            log.append(ours.recv())
        thread.join()
    return {"events": log, "summary": summary_of(log, job)}


def main() -> None:
    """Train the run and write it down."""
    text = json.dumps(compute_run(), ensure_ascii=False, separators=(",", ":"))
    PATH.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
