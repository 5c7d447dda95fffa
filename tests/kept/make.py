"""What a build wrote, kept in the tests: run once by that build, and not again.

    python tests/kept/make.py [FOLDER]

`tests/test_kept.py` opens what lies beside this file with the code as it is now; see README.md
for what there is. What is made anew by a later build no longer shows that the earlier one's files
can be read: run this only to keep artefacts of a further build, in a folder of its own.

The rows are fixed, one thread trains, and an encoder that lies in the folder already is used again:
the weights are drawn from seed 0, but the training of a tokenizer breaks ties by chance. All names
are relative, or a hub name that only the cache in `hub` knows, so that nothing depends on where a
checkout lies.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from tests import tiny_models  # noqa: E402 (the path comes first)

ENCODER, REVISION = "thaw-tests/tiny", "0" * 40
HIDDEN = 16
STOPPED_AT = 15
"""A step with a checkpoint, five steps before the next one: time enough to be killed at."""

ON = ("--data", "rows.jsonl", "--encoder", ENCODER, "--threads", "1")
TRAINED = (
    *("train", *ON, "--strategy", "lower:2", "--batch", "8", "--epochs", "15", "--patience", "15"),
    *("--lr", "0.005", "--head-lr", "0.05"),
)
STOPPED = (
    *("train", *ON, "--strategy", "gradual", "--batch", "4", "--epochs", "3", "--patience", "9"),
    *("--lr", "0.0003", "--head-lr", "0.0003", "--checkpoint-every", "5", "--seed", "5", "--json"),
)  # at higher rates rounding grows by itself; by this seed the best epoch comes after the stop
COMPARED = (
    *("compare", *ON, "--strategies", "heads@2,lower:2", "--epochs", "3", "--jobs", "1"),
    *("--cost", "parameters", "--runs", "runs", "--out", "report.json"),
)

KINDS = {
    "travel": ("the ferry left late", "boats were delayed by fog", "it left behind the fog"),
    "food": ("a man is eating food", "a woman is eating a meal", "naïve sushi chefs"),
    "work": ("it cut its forecast", "shares fell nine per cent", "the chip maker cut shares"),
}
PEOPLE = ("a woman", "nobody", "the band", "a man")


def rows(count: int) -> list[dict[str, Any]]:
    """Give labelled rows that a tiny random encoder can learn: two sentence tasks, a token one."""
    made = []
    for number in range(count):
        kind = list(KINDS)[number % 3]
        who = PEOPLE[number // 9 % 4]
        text = f"{KINDS[kind][number // 3 % 3]} and {who} {('sang', 'works')[number % 2]} {number}"
        start = text.index(f"and {who}") + 4
        names = [{"start": start, "end": start + len(who), "label": "WHO"}]
        mood = "good" if who in PEOPLE[:2] else "bad"
        made.append({"text": text, "kind": kind, "mood": mood, "names": names})
    return made


def environment(folder: Path) -> dict[str, str]:
    """Give what a command needs to find core, and the encoder in a folder's `hub`, offline."""
    settings = {"PYTHONPATH": str(ROOT), "HF_HUB_CACHE": str(folder / "hub"), "COLUMNS": "100"}
    offline = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return {**os.environ, **settings, **offline, "THAW_CACHE_DIR": str(folder / "cache")}


def command(*arguments: str) -> list[str]:
    """Spell a command of core."""
    return [sys.executable, "-m", "core", *arguments]


def run(folder: Path, *arguments: str) -> str:
    """Run a command of core in a folder, and return its standard output."""
    done = subprocess.run(
        command(*arguments), cwd=folder, env=environment(folder), stdout=subprocess.PIPE,
        text=True, check=True,
    )  # fmt: skip
    return done.stdout


def save_encoder(folder: Path) -> None:
    """Write a tiny random encoder as the hub's cache would hold it."""
    there = folder / "hub" / f"models--{ENCODER.replace('/', '--')}"
    snapshot = there / "snapshots" / REVISION
    snapshot.mkdir(parents=True)
    tiny_models.HIDDEN["minilm"] = HIDDEN  # narrower still than in other tests
    tiny_models.save_family("minilm", snapshot)
    (there / "refs").mkdir()
    (there / "refs" / "main").write_text(REVISION, encoding="utf-8")  # and no end of line


def stop_midway(folder: Path, out: str) -> None:
    """Begin the run that does not end, and kill it when it has written its checkpoint.

    Raises:
        RuntimeError: If it went on to the next checkpoint before it was killed.
    """
    process = subprocess.Popen(
        command(*STOPPED, "--out", out), cwd=folder, env=environment(folder),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "checkpoint" and event["step"] >= STOPPED_AT:
                process.kill()
                break
    checkpoint = (folder / out / "checkpoint.safetensors").read_bytes()
    header = json.loads(checkpoint[8 : 8 + int.from_bytes(checkpoint[:8], "little")])
    step = json.loads(header["__metadata__"]["thaw"])["step"]
    if step != STOPPED_AT:
        raise RuntimeError(f"it was killed at step {step}, not {STOPPED_AT}: run this again")


def make(folder: Path) -> None:
    """Make everything in a folder, with what the build answers about it in `expected`."""
    if not (folder / "hub").exists():
        save_encoder(folder)
    lines = [json.dumps(row, ensure_ascii=False) for row in rows(60)]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    texts = [row["text"] for row in rows(66)[60:]]
    (folder / "new.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    expected = folder / "expected"
    expected.mkdir()

    run(folder, *TRAINED, "--out", "model")
    scores = run(folder, "evaluate", *ON[:2], *ON[4:], "--model", "model", "--json")
    (expected / "evaluate.json").write_text(scores, encoding="utf-8")
    asked = ("--file", "new.txt", "--model", "model", "--explain", "--threads", "1", "--json")
    (expected / "predict.json").write_text(run(folder, "predict", *asked), encoding="utf-8")

    stop_midway(folder, "unfinished")
    run(folder, *STOPPED, "--out", "resumed")
    (expected / "resumed").mkdir()
    for name in ("heads.safetensors", "encoder.safetensors"):
        (folder / "resumed" / name).replace(expected / "resumed" / name)
    run(folder, *COMPARED)
    (folder / "report.json").replace(expected / "report.json")

    for left in folder.rglob(".lock"):
        left.unlink()
    for left in ("resumed", "cache"):
        shutil.rmtree(folder / left, ignore_errors=True)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    with tempfile.TemporaryDirectory() as made:
        if (target / "hub").exists():
            shutil.copytree(target / "hub", Path(made) / "hub")
        make(Path(made))
        shutil.copytree(made, target, dirs_exist_ok=True)
