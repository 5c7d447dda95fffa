"""What `tests/same_answers.py` asks of a build: commands, the files they are given, endpoints."""

import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

KEPT = Path(__file__).resolve().parent / "kept"

A, B, C = "A man is eating food.", "A man is eating a meal.", "The ferry left late again."
NEWS = "Apple shares fell sharply after Tim Cook warned of weak sales in China."

SHORT = {
    "A": A,
    "B": B,
    "C": C,
    "NEWS": NEWS,
    "ONE": "--threads 1",
    "TINY": "--encoder thaw-tests/tiny --threads 1",
    "ROWS": "--data rows.jsonl",
    "SPLIT": "--data split.csv --split-column part",
    "TRAIN": "train --data rows.jsonl --encoder thaw-tests/tiny --threads 1 --epochs 2 --batch 16",
    "HEADS": "train --data rows.jsonl --encoder thaw-tests/tiny --threads 1 --strategy heads "
    "--out m",
    "COMPARE": "compare --data rows.jsonl --encoder thaw-tests/tiny --threads 1 --epochs 2 "
    "--cost parameters",
    "KEPT": "compare --data rows.jsonl --encoder thaw-tests/tiny --threads 1 --epochs 3 "
    "--strategies heads@2,lower:2 --jobs 1 --cost parameters --runs runs",
    "SLOW": "--batch 4 --epochs 3 --checkpoint-every 5 --json",
    "UNFINISHED": "train --data rows.jsonl --encoder thaw-tests/tiny --threads 1 --patience 9 "
    "--strategy gradual --lr 0.0003 --head-lr 0.0003 --batch 4 --epochs 3 --checkpoint-every 5 "
    "--json --out unfinished",
}
"""What a word of a command below stands for; A, B, C and NEWS are one argument each."""

_SENTENCES = frozenset({"A", "B", "C", "NEWS"})


@dataclass(frozen=True, kw_only=True)
class Case:
    """Commands run one after another in a folder of their own.

    Attributes:
        name: Of its records.
        steps: What is typed behind `python -m core`.
        bring: What lies in the folder of `tests/kept`; the inputs always do.
        stdin: What each is piped.
        columns: How wide its terminal is.
        stop: Kill each at this step's checkpoint.
        package: What is started: core or demo.
    """

    name: str
    steps: tuple[str, ...]
    bring: tuple[str, ...] = ()
    stdin: str = ""
    columns: int = 100
    stop: int | None = None
    package: str = "core"


def spelt(step: str) -> list[str]:
    """Spell a step's arguments out."""
    found: list[str] = []
    for word in shlex.split(step):
        if word in _SENTENCES:
            found.append(SHORT[word])
        else:
            found += shlex.split(SHORT[word]) if word in SHORT else [word]
    return found


STRATEGIES = (
    *("frozen", "heads", "heads@2", "heads@mix", "heads@auto", "freeze-head:kind"),
    *("heads+freeze-head:mood", "lower:2", "lower:1@2", "lower:1@auto", "full", "gradual"),
    *("lp-ft", "bitfit", "lora", "layerwise-lr", "freeze:0-1"),
)
SETTINGS = {
    "uncertainty": "--strategy full --balance uncertainty",
    "dwa": "--strategy full --balance dwa --epochs 3",
    "weights": "--strategy full --balance kind=2+mood=0.5+names=1",
    "classes": "--strategy lower:1 --class-weights balanced --smoothing 0.1",
    "accumulate": "--strategy lower:1 --accumulate 2 --schedule cosine --no-dropout",
    "validation-none": "--strategy lower:2 --validation none --seed 3",
    "validation-file": "--strategy lower:2 --validation split.csv --task kind",
    "patience": "--strategy heads --epochs 30 --patience 2",
    "cls": "--strategy heads --pooling cls --no-normalize",
    "decay": "--strategy layerwise-lr --lr-decay 0.5 --rows 40",
    "thaw": "--strategy gradual --unfreeze-every 1 --epochs 4 --prefix-memory 0",
}

CASES = (  # what takes long comes first
    Case(
        name="compare/further",
        steps=(
            "COMPARE --strategies heads,lower:2 --task kind --task mood --single-task --balances "
            "--per-class --predictions held.jsonl --rates 2 --score macro-f1 --json",
        ),
    ),
    Case(
        name="compare/fresh",
        steps=(
            "COMPARE --strategies heads,lower:2@auto,full --runs kept --out r.json "
            "--predictions held.csv --code code --train-best best --json",
        ),
    ),
    Case(
        name="compare/split",
        steps=(
            "compare SPLIT TINY --strategies heads,bitfit --seeds 2 --epochs 2 "
            "--cost parameters --json",
        ),
    ),
    Case(
        name="compare/kept",
        steps=(
            "KEPT --resume --json",
            "KEPT --resume --html r.html --out r.json",
            "KEPT --resume --margin 10 --cost seconds --code code",
        ),
        bring=("runs",),
    ),
    Case(name="compare/wide", steps=("KEPT --resume",), bring=("runs",), columns=220),
    Case(
        name="map/umap",
        steps=(
            "map --file many.txt TINY --json --out m.html",
            "map ROWS TINY --dimensions 3 --neighbours 5 --spread 2 --metric euclidean "
            "--colour mood --seed 4 --json",
            "map ROWS TINY --colour cluster --place new.txt --json",
        ),
    ),
    Case(
        name="map/pca",
        steps=(
            "map ROWS TINY --method pca --colour kind --out m.html --json",
            "map ROWS TINY --method pca --after model --json",
            "map --file many.txt --model model --method pca --out n.html",
        ),
        bring=("model",),
    ),
    Case(name="train/stopped", steps=("train ROWS TINY --strategy lower:1 SLOW --out m",), stop=15),
    Case(
        name="train/resumed",
        steps=(
            "UNFINISHED --seed 6 --resume",
            "UNFINISHED --seed 5",
            "UNFINISHED --seed 5 --resume",
        ),
        bring=("unfinished",),
    ),
    *(
        Case(
            name="train/" + re.sub(r"\W+", "-", each),
            steps=(f"TRAIN --strategy {each} --out m --json",),
        )
        for each in STRATEGIES
    ),
    *(
        Case(name=f"train/{name}", steps=(f"TRAIN {given} --out m --json",))
        for name, given in SETTINGS.items()
    ),
    Case(
        name="train/shown",
        steps=(
            "TRAIN --strategy lower:2 --out m",
            "TRAIN --strategy lower:2 --out m",
            "TRAIN --strategy lower:2 --out m --overwrite",
            "predict C --model m ONE --json",
        ),
    ),
    Case(
        name="train/built-in",
        steps=(
            "train SPLIT --group-column who --strategy heads --out m --epochs 2 ONE --json",
            "evaluate SPLIT --model m ONE --json",
        ),
    ),
    Case(name="info/json", steps=("info --json", "info TINY --json")),
    Case(name="info/shown", steps=("info", "info --encoder stella-1.5b")),
    Case(
        name="embed/json",
        steps=(
            "embed A 'naïve 日本 👍' ONE --json",
            "embed A TINY --pooling max --no-normalize --json",
            "embed --file many.txt TINY --pooling weighted-mean --json",
        ),
    ),
    Case(
        name="embed/files",
        steps=(
            *(f"embed --file few.csv TINY --out o.{end}" for end in ("csv", "npy", "parquet")),
            "embed A B TINY",
        ),
    ),
    Case(name="embed/piped", steps=("embed --file - TINY --json",), stdin=f"{A}\n\n{B}\n"),
    Case(
        name="similarity/json",
        steps=(
            "similarity A B C --tokens ONE --json",
            "similarity A B C --metric dot --pooling cls TINY --json",
            "similarity A B C --metric euclidean TINY --json",
            "similarity A B C --metric manhattan TINY --json",
            "similarity A B --tokens --pooling max TINY --json",
        ),
    ),
    Case(
        name="similarity/shown",
        steps=("similarity A B C --tokens ONE", "similarity --file many.txt TINY"),
    ),
    Case(
        name="search",
        steps=(
            "search 'late ships' --file few.csv ONE --json",
            "search 'late ships' --file many.txt --top 3 ONE",
            "search C --file few.jsonl --column said --metric dot TINY --json",
        ),
    ),
    Case(
        name="predict/shipped",
        steps=(
            "predict NEWS A --explain ONE --json",
            "predict NEWS C --explain ONE",
            "predict NEWS C --threshold 0.99 ONE",
        ),
    ),
    Case(
        name="predict/kept",
        steps=(
            "predict --file new.txt --model model ONE --explain --json",
            "predict --file new.txt --model model ONE --out p.csv",
            "predict --file new.txt --model model ONE --out p.jsonl",
            "predict --file new.txt --model model ONE",
        ),
        bring=("model",),
    ),
    Case(
        name="evaluate",
        steps=(
            "evaluate ROWS --model model ONE --json",
            "evaluate ROWS --model model ONE",
            "evaluate --data corpus --rows 24 ONE --json",
        ),
        bring=("model",),
    ),
    Case(
        name="layers",
        steps=(
            "layers ROWS TINY --json",
            "layers ROWS TINY --seed 2",
            "layers --data split.csv --task kind ONE --json",
        ),
    ),
    Case(
        name="check/rows",
        steps=("check ROWS --json", "check ROWS", "check --data corpus --rows 60 --json"),
    ),
    Case(
        name="check/dirty",
        steps=(
            "check --data dirty.csv --json",
            "check --data dirty.csv",
            "check --data dirty.csv --text-column text --label-column topic=kind "
            "--map topic:food=meal --cleaned clean.csv --json",
            "check --data names.conll --json",
            "check --data latin.csv --json",
            "check SPLIT --group-column who --json",
        ),
    ),
    Case(
        name="export/folder",
        steps=(
            "export --model model --out e --json",
            "export --model model --out e",
            "export --model model --out e --overwrite",
            "predict C --model e ONE --json",
        ),
        bring=("model",),
    ),
    Case(
        name="export/truncated",
        steps=("TRAIN --strategy heads@2 --out m", "export --model m --out e --truncate --json"),
    ),
    Case(
        name="export/onnx",
        steps=("export --model model --out o --format onnx --json",),
        bring=("model",),
    ),
    Case(name="help/top", steps=("--help", "", "-h")),
    Case(name="help/narrow", steps=("compare --help",), columns=60),
    Case(name="help/strategies", steps=("train --strategy help",)),
    Case(
        name="bad/kept-runs",
        steps=("KEPT", "KEPT --epochs 4 --resume", "KEPT --overwrite --resume"),
        bring=("runs",),
    ),
    Case(
        name="bad/demo",
        steps=("--help", "--port 99999", "--model no", "--runs no", "--encoder no"),
        package="demo",
    ),
)

NEW = {
    "next": ("next ROWS --pool many.txt --top 5 TINY --json", "next ROWS --pool many.txt TINY"),
    "fetch": ("fetch minilm --json", "fetch no-such"),
}
"""Commands that only a later build has."""

BAD = """
nothing
--nothing
embed -x
info --encoder no-such
info --encoder no/such --self-test
info --pooling middle
info extra
embed
embed ''
embed A --out o.xlsx
embed A --out no/o.json
embed A --file few.csv
embed A --pooling middle --json
embed A --encoder no/such --json
embed A TINY --threads 0 --json
embed A TINY --device cuda:9 --json
embed --file missing.txt
embed --file empty.txt
embed --file few.csv --column none
similarity A
similarity A B --metric angle
similarity A B --precision double
similarity A --nothing
search
search A
search A --file few.csv --top 0
search '' --file few.csv
search A --file broken.jsonl TINY
predict
predict A --threshold 1.5
predict A --threshold half
predict A --out o.txt
predict A --model no
predict A --model newer
predict A --model wrong
check
check --data missing.csv
check --data broken.jsonl
check --data few.csv
check --data empty.txt
check --data binary.parquet
check --data split.csv --split-column kind
check ROWS --text-column none
check ROWS --label-column none
check ROWS --task none
check ROWS --map food
check ROWS --rows 0
check ROWS --cleaned c.txt
check --data corpus --cleaned c.csv
layers
layers ROWS TINY --seed -1
layers ROWS TINY --rows 2
layers --data two.csv TINY
evaluate
evaluate ROWS ONE
evaluate ROWS --model newer
evaluate --data split.csv --split-column none
train ROWS
train ROWS --strategy none --out m
train ROWS --strategy lower:9 --out m
train ROWS --strategy lower:4@3 --out m
train ROWS --strategy freeze:0-9 --out m
TRAIN --strategy freeze-head:none --out m
TRAIN --strategy heads --out rows.jsonl
HEADS --epochs 0
HEADS --lr nan
HEADS --lr 2
HEADS --balance odd
HEADS --balance odd=1
HEADS --schedule odd
HEADS --smoothing 1
HEADS --seed -1
HEADS --resume
HEADS --resume --overwrite
HEADS --unfreeze-every 1
HEADS --validation missing.csv
train ROWS TINY --strategy full --out diverged --lr 1 --head-lr 1 --batch 1 --epochs 1 --rows 20
compare
compare --data two.csv TINY
COMPARE --strategies heads,,full
COMPARE --strategies odd
COMPARE --strategies heads,heads
COMPARE --seeds 0
COMPARE --budget soon
COMPARE --margin 0
COMPARE --cost odd
COMPARE --score odd
COMPARE --engine odd
COMPARE --jobs 0
COMPARE --resume
COMPARE --overwrite
COMPARE --out r.txt
COMPARE --html r.txt
COMPARE --predictions r.txt
COMPARE --code rows.jsonl
COMPARE --runs rows.jsonl
COMPARE --runs none --resume
export
export --out e --format odd
export --out e --model no
export --out e --model newer
export --out rows.jsonl
map --file many.txt
map --out m.html
map --file many.txt --out m.png
map --file many.txt ROWS --json
map --file two.csv TINY --json
map --file many.txt --method odd --json
map --file many.txt --spread 99 --json
map --file many.txt --dimensions 4 --json
map --file many.txt TINY --neighbours 99 --json
map ROWS TINY --colour none --json
"""


def cases(verbs: Sequence[str]) -> Iterator[Case]:
    """List what is asked of the command line, what takes long first."""
    yield from CASES
    for verb in verbs:
        yield Case(name=f"help/{verb}", steps=(f"{verb} --help",))
        if verb in NEW:
            yield Case(name=verb, steps=NEW[verb])
    refused: dict[str, list[str]] = {}
    for line in BAD.strip().splitlines():
        verb = spelt(line)[0]
        refused.setdefault(verb if verb in verbs else "top", []).append(line)
    bad = Case(name="bad", steps=(), bring=("newer", "wrong"))
    for verb, lines in refused.items():
        yield replace(bad, name=f"bad/{verb}", steps=tuple(lines))


def write_inputs(folder: Path) -> None:
    """Write the small files that commands are given, beside those of `tests/kept`."""
    kept = [json.loads(line) for line in (KEPT / "rows.jsonl").read_text("utf-8").splitlines()]
    split = "text,kind,mood,part,who\n"
    for number, row in enumerate(kept):
        part = ("train", "train", "train", "test", "validation")[number // 3 % 5]
        split += f"{row['text']},{row['kind']},{row['mood']},{part},{number // 2}\n"
    dirty = "text,kind,mood\n"
    for number, row in enumerate(kept[:30]):
        dirty += f"{row['text']},{row['kind']},{row['mood'] if number % 4 else ''}\n"
    dirty += f"{kept[0]['text']},food,good\n{kept[1]['text']},{kept[1]['kind']},good\n,food,bad\n"
    dirty += f"Der Nebel hielt die Fähre am Morgen auf.,travel,bad\n{'x y ' * 300},rare,good\n"
    files = {
        "many.txt": "\n".join(row["text"] for row in kept[:24]) + "\n",
        "few.csv": f'n,text\n1,"{A}"\n2,\n3,=1+1\n4,{C}\n5,{"ferry " * 99}\n',
        "few.jsonl": f'{{"said": "{A}", "n": 1}}\n{{"said": "{C}", "n": 2}}\n',
        "split.csv": split,
        "dirty.csv": dirty,
        "two.csv": f"text,kind\n{A},food\n{C},travel\n",
        "empty.txt": "",
        "broken.jsonl": '{"text": "one"}\n{"text": \n',
        "binary.parquet": "PAR1 and no more",
        "names.conll": "Mia B-PER\nLee I-PER\nsang O\nin O\nRome B-LOC\n\nBo B-PER\nate O\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    latin = "text,kind\nMüller aß,food\nfähre,travel\n" * 4
    (folder / "latin.csv").write_bytes(latin.encode("latin-1"))
    for name in ("rows.jsonl", "new.txt"):
        shutil.copy(KEPT / name, folder)


def bring(names: Sequence[str], folder: Path) -> None:
    """Copy what is kept into a folder; `newer` and `wrong` are models that cannot be read."""
    for name in names:
        if (KEPT / name).exists():
            shutil.copytree(KEPT / name, folder / name)
            continue
        (folder / name).mkdir()
        version = 99 if name == "newer" else "one"
        document = json.dumps({"thaw_format": version, "kind": "model", "heads": []})
        (folder / name / "thaw.json").write_text(document, encoding="utf-8")


NOT_OF_THE_PAGE = frozenset({"app_id", "version"})
"""What the page's configuration says of the process and of Gradio."""


def ask_page(address: str, folder: Path, keep: Callable[[str, str], None]) -> None:
    """Ask every endpoint of a page, with good and with bad input, and what it is built of.

    Args:
        address: The page's.
        folder: Where the inputs lie.
        keep: Takes a record's name, and what was answered.
    """
    from gradio_client import Client, handle_file

    client = Client(address, verbose=False)
    rows, dirty = handle_file(str(folder / "rows.jsonl")), handle_file(str(folder / "dirty.csv"))
    texts = [A, B, C]
    many = (folder / "many.txt").read_text("utf-8")
    compared = {"strategies": ["heads", "full"], "rows": 30, "epochs": 1, "cost": "parameters"}
    asked: dict[str, tuple[tuple[Any, ...], Mapping[str, Any]]] = {
        "embed/list": ((texts,), {}),
        "embed/pooled": (("\n".join(texts),), {"pooling": "max"}),
        "embed/bad-pooling": ((texts,), {"pooling": "odd"}),
        "embed/nothing": (("",), {}),
        "similarity/text": (("\n".join(texts), "dot", True), {}),
        "similarity/list": ((texts,), {}),
        "similarity/one": (([A],), {}),
        "similarity/bad-metric": ((texts, "angle"), {}),
        "similarity/bad-encoder": ((texts,), {"encoder": "nobody"}),
        "search/two": (("late ships", texts, 2), {}),
        "search/bad-top": (("late ships", texts, 0), {}),
        "predict/explained": (([NEWS, C], True, 0.99), {}),
        "predict/plain": ((NEWS,), {}),
        "predict/bad-threshold": ((NEWS, False, 2), {}),
        "check/rows": ((rows,), {}),
        "check/dirty": ((dirty,), {"label_columns": ["topic=kind"], "renames": ["food=meal"]}),
        "check/corpus": (("corpus",), {"rows": 60}),
        "check/bad-column": ((rows,), {"text_column": "none"}),
        "check/no-upload": (("/etc/passwd",), {}),
        "map/pca": ((many, "pca"), {"place": C}),
        "map/umap": ((many,), {"dimensions": 3, "seed": 4, "neighbours": 5}),
        "map/after": ((many, "pca"), {"after": True}),
        "map/bad-method": ((many, "odd"), {}),
        "map/few": ((A,), {}),
        "compare/rows": ((rows,), {**compared, "tasks": ["kind", "mood"]}),
        "compare/bad-strategy": ((rows,), {**compared, "strategies": ["odd"]}),
        "compare/bad-seeds": ((rows,), {**compared, "seeds": 0}),
    }
    for name, (given, named) in asked.items():
        try:
            found = client.predict(*given, **named, api_name=f"/{name.partition('/')[0]}")
            answer = json.dumps(found, ensure_ascii=False)
        except Exception as error:  # whatever a caller is told
            answer = f"{type(error).__name__}: {error}"
        keep(f"page/{name}", answer)
    described = client.view_api(return_format="dict", print_info=False)
    keep("page/api", json.dumps(described, ensure_ascii=False))
    for name, part in client.config.items():
        if name not in NOT_OF_THE_PAGE:
            keep(f"page/config/{name}", json.dumps(part, ensure_ascii=False))
