"""The command line, run as a person runs it: in this process where that is enough, else anew."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from core.__main__ import main
from core.encoder.hub import built_in_folder

ROOT = Path(__file__).resolve().parents[3]
A, B = "A man is eating food.", "A man is eating a meal."

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in an empty folder; get its exit code, standard output and error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run_here(*arguments: str, stdin: bytes | None = None) -> tuple[int, str, str]:
        if stdin is not None:
            typed = io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin)))
            monkeypatch.setattr("sys.stdin", typed)
        capsys.readouterr()  # what fixtures printed
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run_here


@pytest.fixture
def tiny(family_folder: Callable[[str], Path]) -> str:
    return str(family_folder("minilm"))


def start(folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:  # noqa: ANN401
    """Start a command in a process of its own, from a folder that is not the project's."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        **options,
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


# What it answers


def test_the_cosine_is_that_of_sentence_transformers(run: Run) -> None:
    from sentence_transformers import SentenceTransformer

    code, out, err = run("similarity", A, B, "--json")
    peer = SentenceTransformer(str(built_in_folder()), device="cpu").encode([A, B])
    expected = float(peer[0] @ peer[1] / np.linalg.norm(peer[0]) / np.linalg.norm(peer[1]))
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["matrix"][0][1] == pytest.approx(expected, abs=1e-5)
    assert document["pairs"] == [{"a": 0, "b": 1, "score": document["matrix"][0][1]}]


def test_embed_writes_the_promised_file_into_the_current_folder(
    run: Run, tiny: str, tmp_path: Path
) -> None:
    code, out, err = run("embed", A, B, "--encoder", tiny)
    assert (code, err) == (0, "")
    assert "2 sentences × 32 numbers → sentence_embeddings.json" in out
    assert [path.name for path in tmp_path.iterdir()] == ["sentence_embeddings.json"]
    document = json.loads((tmp_path / "sentence_embeddings.json").read_text(encoding="utf-8"))
    assert (document["model"], document["pooling"], document["dimension"]) == (tiny, "mean", 32)
    assert document["normalized"] is True
    assert [sentence["text"] for sentence in document["sentences"]] == [A, B]
    assert len(document["sentences"][0]["embedding"]) == 32


def test_embed_with_json_prints_and_writes_only_where_it_is_told(
    run: Run, tiny: str, tmp_path: Path
) -> None:
    code, out, err = run("embed", "naïve 日本 👍", "--encoder", tiny, "--json")
    assert (code, err) == (0, "")
    printed = json.loads(out)
    assert printed["sentences"][0]["text"] == "naïve 日本 👍"
    assert list(tmp_path.iterdir()) == []
    code, out, _ = run("embed", "naïve 日本 👍", "--encoder", tiny, "--json", "--out", "here.json")
    assert code == 0
    assert json.loads(out) == printed
    assert json.loads((tmp_path / "here.json").read_text(encoding="utf-8")) == printed


def test_every_suffix_holds_the_same_numbers(run: Run, tiny: str, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text(f"{A}\n\n=1+1\n{'ferry ' * 99}\n", encoding="utf-8")
    for suffix in ("json", "csv", "npy", "parquet"):
        code, _, err = run("embed", "--file", "in.txt", "--encoder", tiny, "--out", f"o.{suffix}")
        assert code == 0
        assert "1 empty line was skipped" in err
        assert "1 of 3 sentences is longer than the 32 tokens" in err
    listed = json.loads((tmp_path / "o.json").read_text(encoding="utf-8"))["sentences"]
    numbers = np.array([row["embedding"] for row in listed], dtype=np.float32)
    assert [row["truncated"] for row in listed] == [False, False, True]
    with (tmp_path / "o.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert [row[0] for row in rows][:2] == [A, "'=1+1"]
    assert [row[1] for row in rows] == ["false", "false", "true"]
    table = pq.read_table(tmp_path / "o.parquet")
    assert table.column("truncated").to_pylist() == [False, False, True]
    loaded = np.load(tmp_path / "o.npy", allow_pickle=False, mmap_mode="r")
    for found in (
        np.array(loaded),
        np.array([row[2:] for row in rows], dtype=np.float32),
        np.array(table.column("embedding").to_pylist(), dtype=np.float32),
    ):
        np.testing.assert_array_equal(found, numbers)


def test_search_finds_a_line_and_its_index_counts_sentences(
    run: Run, tiny: str, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text(f'n,text\n1,"{A}"\n2,\n3,The ferry left.\n', encoding="utf-8")
    search = ("search", "The ferry left.", "--file", "in.csv", "--encoder", tiny, "--top", "1")
    code, out, err = run(*search, "--json")
    assert code == 0
    assert "reading column 'text'" in err
    document = json.loads(out)
    assert (document["query"], document["metric"]) == ("The ferry left.", "cosine")
    [hit] = document["hits"]
    assert (hit["index"], hit["text"]) == (1, "The ferry left.")
    assert hit["score"] == pytest.approx(1, abs=1e-5)
    code, out, _ = run(*search)
    assert "1.0000         2  The ferry left." in out


def test_similarity_reads_standard_input(run: Run, tiny: str) -> None:
    typed = f"{A}\n{B}\n".encode()
    code, out, err = run("similarity", "--file", "-", "--encoder", tiny, "--json", stdin=typed)
    assert (code, err) == (0, "")
    assert json.loads(out)["sentences"] == [A, B]


def test_the_token_table_of_the_document_adds_up(run: Run, tiny: str) -> None:
    code, out, _ = run("similarity", A, B, "--tokens", "--encoder", tiny, "--json")
    assert code == 0
    document = json.loads(out)
    tokens = document["tokens"]
    assert tokens["a"][0] == "[CLS]"
    assert tokens["exact"] is True
    assert sum(map(sum, tokens["table"])) == pytest.approx(document["matrix"][0][1], abs=1e-6)


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean", "manhattan"])
def test_every_metric_is_taken(metric: str, run: Run, tiny: str) -> None:
    code, out, _ = run("similarity", A, B, "--metric", metric, "--encoder", tiny, "--json")
    assert code == 0
    assert json.loads(out)["metric"] == metric


def test_pooling_and_normalisation_are_the_ones_asked_for(run: Run, tiny: str) -> None:
    code, out, _ = run(
        "embed", A, "--pooling", "cls", "--no-normalize", "--encoder", tiny, "--json",
        "--threads", "1", "--device", "cpu", "--precision", "exact",
    )  # fmt: skip
    assert code == 0
    document = json.loads(out)
    assert (document["pooling"], document["normalized"]) == ("cls", False)
    length = np.linalg.norm(document["sentences"][0]["embedding"])
    assert length != pytest.approx(1, abs=1e-3)


def test_info_says_what_there_is_and_measures_nothing(run: Run) -> None:
    code, out, err = run("info", "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert document["encoder"]["name"] == "minilm"
    assert document["encoder"]["dimension"] == 384
    assert document["cores"] >= 1
    assert document["catalogue"][0]["here"] is True
    assert len(document["catalogue"]) == 8
    assert document["devices"][0]["name"] == "cpu"


def test_info_tells_what_is_not_measured_and_measures_when_asked(
    run: Run, tiny: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("THAW_CACHE_DIR", str(tmp_path / "cache"))
    _, out, _ = run("info", "--encoder", tiny, "--json")
    assert json.loads(out)["fast"] == {"measured": False}
    assert not (tmp_path / "cache").exists()
    _, out, _ = run("info", "--encoder", tiny)
    assert "not measured yet" in out
    code, out, _ = run("info", "--encoder", tiny, "--json", "--self-test")
    assert code == 0
    fast = json.loads(out)["fast"]
    assert fast["measured"] is True
    assert fast["speedup"] > 0
    _, out, _ = run("info", "--encoder", tiny)
    assert "× the speed of exact" in out


def test_info_describes_an_encoder_that_is_not_here_and_fetches_nothing(run: Run) -> None:
    code, out, _ = run("info", "--encoder", "stella-1.5b", "--json")
    assert code == 0
    encoder = json.loads(out)["encoder"]
    assert (encoder["loaded"], encoder["dimension"]) == (False, 1024)
    code, out, _ = run("info", "--encoder", "stella-1.5b")
    assert "stella-1.5b (not on this machine)" in out


# How it reads


def test_similarity_shows_a_matrix_the_ranked_pairs_and_the_token_table(run: Run) -> None:
    code, out, err = run("similarity", A, B, "It rains.", "--tokens")
    assert (code, err) == (0, "")
    assert "1  A man is eating food." in out
    assert "1.00  0.93" in " ".join(out.split(" ")).replace("   ", "  ")
    assert "0.9262  1 · 2" in out
    assert "the cells add up to the cosine: 0.9262" in out
    assert max(map(len, out.splitlines())) <= 80


def test_many_sentences_are_shown_as_the_best_pairs(run: Run, tiny: str) -> None:
    code, out, _ = run("similarity", *(f"ferry {n}" for n in range(14)), "--encoder", tiny)
    assert code == 0
    assert "and 81 pairs that are less alike; --json lists all" in out
    assert len(out.splitlines()) == 12


def test_a_distance_is_explained(run: Run, tiny: str) -> None:
    _, out, _ = run("similarity", A, B, "--metric", "euclidean", "--encoder", tiny)
    assert "a distance is negated: higher is more alike" in out


def test_where_the_token_table_is_not_exact_the_reason_is_shown(run: Run, tiny: str) -> None:
    _, out, _ = run("similarity", A, B, "--tokens", "--pooling", "max", "--encoder", tiny)
    assert "not exact: max pooling takes each dimension from another token" in out


def test_a_table_too_wide_for_the_terminal_gives_way_to_its_largest_cells(run: Run) -> None:
    long = " ".join(["unbelievably", *["good"] * 20])
    code, out, _ = run("similarity", long, long, "--tokens")
    assert code == 0
    assert "the 12 largest cells of" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("command", ["similarity", "embed", "search"])
def test_hostile_text_is_shown_as_text(command: str, run: Run, tiny: str, tmp_path: Path) -> None:
    hostile = "[bold red]x[/] \x1b]0;owned\x07\x1b[2J\x9b31m \u202eevil [/nothing] :smile:"
    (tmp_path / "in.jsonl").write_text(json.dumps({"text": hostile}) * 1 + "\n", encoding="utf-8")
    given = {
        "similarity": ("similarity", hostile, hostile + "!", "--tokens"),
        "embed": ("embed", "--file", "in.jsonl"),
        "search": ("search", hostile, "--file", "in.jsonl"),
    }
    code, out, err = run(*given[command], "--encoder", tiny)
    assert code == 0
    assert not set(out + err) & set("\x1b\x07\x9b\u202e")
    if command != "embed":
        assert "[bold red]x[/]" in out
        assert ":smile:" in out


def test_hostile_names_of_files_and_columns_are_shown_as_text(run: Run, tmp_path: Path) -> None:
    code, _, err = run("embed", "--file", "no\x1b[2Jsuch\nfile.txt")
    assert code == 2
    assert err == "error: there is no file no[2Jsuch file.txt\n"
    (tmp_path / "f.csv").write_text("a\x1b[2J,b\n1,2\n")
    code, _, err = run("embed", "--file", "f.csv")
    assert code == 2
    assert "\x1b" not in err


def test_no_arguments_show_the_help(run: Run) -> None:
    code, out, _ = run()
    assert code == 0
    for command in ("info", "embed", "similarity", "search"):
        assert command in out


@pytest.mark.parametrize("command", ["info", "embed", "similarity", "search"])
def test_every_command_has_help(command: str, run: Run) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    for flag in ("--encoder", "--pooling", "--normalize", "--threads", "--device", "--json"):
        assert flag in out


# Bad input


BAD = [
    ((A, "--pooling", "middle"), "pooling is 'middle', must be one of: mean, cls, max,"),
    ((A, "--precision", "int8"), "precision is 'int8', must be one of: exact, fast"),
    ((A, "--encoder", "nobody"), "there is no encoder 'nobody': give one of minilm, mpnet,"),
    ((A, "--encoder", "mpnet"), "is not in the cache"),
    ((A, "--encoder", "some/body"), "is not in the cache"),
    ((A, "--encoder", "."), "is no model folder"),
    ((A, "--encoder", " "), "the encoder's name is empty"),
    ((A, "--device", "toaster"), "device 'toaster' cannot be used here"),
    ((A, "--threads", "0"), "threads is 0, must be 1 to"),
    ((A, "--threads", "many"), "invalid value for '--threads'"),
    ((A, "--nonsense"), "no such option: --nonsense"),
    ((A, "-5"), "no such option: -5; a sentence that starts with - goes after --"),
    ((A, "--file"), "--file"),
    ((A, " "), " is empty: write it, or leave it out"),
    ((A, "x" * 100_001), " has 100,001 characters, must be at most 100,000"),
    ((), "there is nothing to read: give sentences, or --file F"),
    ((A, "--file", "f.txt"), "there are sentences and --file: give either"),
    ((A, "--column", "text"), "--column names a column of a file"),
    (("--file", "none.txt"), "there is no file none.txt"),
    (("--file", "."), ". is a folder"),
    (("--file", "empty.txt"), "empty.txt is empty"),
    (("--file", "blank.txt"), "blank.txt has no sentence: 2 empty lines"),
    (("--file", "latin.txt"), "latin.txt: line 2 has the byte 0xE9, which is not UTF-8"),
    (("--file", "binary.txt"), "binary.txt is no text"),
    (("--file", "f.csv", "--column", "x"), "f.csv has no column 'x'; it has 'id', 'n'"),
    (("--file", "f.csv"), "no column is called text"),
    (("--file", "f.jsonl"), "f.jsonl: line 2 is not JSON: Expecting value at character 8"),
]


@pytest.fixture
def bad_files(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("a\nb\n")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "blank.txt").write_text("\n  \n")
    (tmp_path / "latin.txt").write_bytes(b"ok\ncaf\xe9\n")
    (tmp_path / "binary.txt").write_bytes(bytes(range(256)))
    (tmp_path / "f.csv").write_text("id,n\n1,2\n")
    (tmp_path / "f.jsonl").write_text('"a"\n{"a": \n')


@pytest.mark.usefixtures("bad_files")
@pytest.mark.parametrize(
    ("command", "given", "message"),
    [
        *(("embed", given, message) for given, message in BAD),
        *(("similarity", (B, *given) if A in given else given, said) for given, said in BAD),
        ("embed", (A, "--out", "o.xyz"), "must end in one of: .json, .csv, .npy, .parquet"),
        ("embed", (A, "--out", "none/o.csv"), "is in a folder that is not there"),
        ("embed", ("--file", "f.csv", "--out", "f.csv"), "is the file that is read"),
        ("similarity", (A,), "there is one sentence, must be at least 2 sentences"),
        ("similarity", (A, B, "--metric", "taxi"), "metric is 'taxi', must be one of: cosine,"),
        ("similarity", ("--file", "many.txt"), "has more than 1,000 sentences"),
        ("search", ("a", "--file", "f.txt", "--top", "0"), "top is 0, must be at least 1"),
        ("search", ("a", "--file", "f.txt", "--top", "x"), "invalid value for '--top'"),
        ("search", ("a", "--file", "f.txt", "--metric", "x"), "metric is 'x'"),
        ("search", (" ", "--file", "f.txt"), "the query is empty"),
        ("search", ("a",), "there is nothing to search: give --file F"),
        ("search", (), "missing argument 'QUERY'"),
        ("search", ("a", "--file", "blank.txt"), "blank.txt has no sentence"),
        ("info", ("--encoder", "nobody"), "there is no encoder 'nobody'"),
        ("info", ("--encoder", "some/body"), "info downloads nothing"),
        ("info", ("--encoder", "mpnet", "--self-test"), "a self-test needs its weights"),
        ("info", ("--pooling", "middle"), "pooling is 'middle'"),
        ("frob", (), "no such command 'frob': give info, embed, similarity, search"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    command: str, given: tuple[str, ...], message: str, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "many.txt").write_text("".join(f"ferry {n}\n" for n in range(1_001)))
    before = sorted(tmp_path.iterdir())
    code, out, err = run(command, *given)
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before, "nothing is written"


def test_bad_input_far_down_a_file_leaves_no_file(run: Run, tiny: str, tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"ferry {n % 50}"}) for n in range(5_000)]
    (tmp_path / "in.jsonl").write_text("\n".join([*lines, "{broken"]))
    code, out, err = run("embed", "--file", "in.jsonl", "--encoder", tiny, "--threads", "1")
    assert (code, out) == (2, "")
    assert "line 5,001 is not JSON" in err
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_sentence_of_100_000_characters_is_truncated_and_this_is_said(
    run: Run, tiny: str
) -> None:
    long = "word " * 20_000
    code, out, err = run("similarity", long[:100_000], "a", "--encoder", tiny, "--json")
    assert code == 0
    assert json.loads(out)["truncated"] == [True, False]
    assert "1 of 2 sentences is longer than the 32 tokens" in err


# How it ends, in a process of its own


def test_a_cold_similarity_imports_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    code = (
        "import json, sys\n"
        "from core.__main__ import main\n"
        f"assert main(['similarity', {A!r}, {B!r}, '--json']) == 0\n"
        "print(json.dumps([name for name in sys.modules if '.' not in name]))\n"
        "print(json.dumps('torch._dynamo' in sys.modules))\n"
    )
    exit_code, out, err = finished(start(tmp_path, "-c", code))
    assert (exit_code, err) == (0, "")
    _, modules, compiler = map(json.loads, out.splitlines())
    assert "torch" in modules
    unwanted = {"transformers", "sentence_transformers", "pandas", "pyarrow", "sklearn", "gradio"}
    assert not unwanted & set(modules)
    assert compiler is False, "torch's compiler takes a second to import"


@pytest.mark.parametrize("arguments", [["--help"], ["embed", "--file", "none.txt"]])
def test_help_and_bad_input_are_answered_without_torch(
    arguments: list[str], tmp_path: Path
) -> None:
    code = (
        "import sys\n"
        "from core.__main__ import main\n"
        f"main({arguments!r})\n"
        "assert not {'torch', 'numpy', 'pyarrow'} & set(sys.modules)\n"
    )
    exit_code, _, err = finished(start(tmp_path, "-c", code))
    assert exit_code == 0, err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")
@pytest.mark.parametrize("suffix", ["json", "parquet"])
def test_ctrl_c_in_the_midst_ends_with_130_and_leaves_no_half_file(
    suffix: str, tiny: str, tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text("".join(f"ferry {n} late again\n" for n in range(300_000)))
    embed = ("-m", "core", "embed", "--file", "in.txt", "--threads", "1", "--encoder", tiny)
    process = start(tmp_path, *embed, "--out", f"o.{suffix}")
    wait_for(lambda: any(path.stat().st_size for path in tmp_path.glob("*.part")), process)
    process.send_signal(signal.SIGINT)
    code, out, err = finished(process)
    assert (code, out, err) == (130, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")
@pytest.mark.parametrize("module", ["typer", "torch", "numpy"])
def test_ctrl_c_while_a_package_is_imported_shows_no_traceback(module: str, tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "class CtrlC:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, CtrlC())\n"
        "from core.__main__ import main\n"
        f"sys.exit(main(['similarity', {A!r}, {B!r}]))\n"
    )
    assert finished(start(tmp_path, "-c", code)) == (130, "", "")


@pytest.mark.parametrize(
    "arguments", [["embed", "--file", "in.txt", "--json"], ["similarity", A, B], ["--help"]]
)
def test_a_reader_that_has_enough_is_no_failure_to_shout_about(
    arguments: list[str], tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text("".join(f"ferry {n}\n" for n in range(300)))
    process = start(tmp_path, "-m", "core", *arguments)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) in (0, 1)


def wait_for(come: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while not come():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "waited for a minute"
        time.sleep(0.02)
