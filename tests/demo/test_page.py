import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client

from core.config import EncoderChoice
from core.encoder.encoder import Encoder
from core.model.documents import (
    embed_document,
    predict_document,
    search_document,
    similarity_document,
)
from core.model.model_folder import load_model
from demo.frame.theme import launch_options
from demo.page import FILES, build_app
from demo.serve import free_port, is_loopback, main, start
from demo.shelves.encoders import EncoderShelf
from demo.shelves.shelves import Shelves

ROOT = Path(__file__).resolve().parents[2]
TEXTS = ["The ferry left late.", "The boat was delayed.", "Snow."]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app, url = start("127.0.0.1", port, "minilm", share=False)
    yield url
    app.close()


@pytest.fixture(scope="module")
def client(address: str) -> Client:
    return Client(address, verbose=False)


def approximately(found: Any, expected: Any) -> None:  # noqa: ANN401
    """Hold two JSON documents equal, numbers to 1e-6."""
    if isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-6)
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            approximately(found[key], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for mine, theirs in zip(found, expected, strict=True):
            approximately(mine, theirs)
    else:
        assert found == expected


def test_plain_http_needs_the_text_alone(address: str, default_encoder: Encoder) -> None:
    call = f"{address}gradio_api/call/v2/similarity"
    body = json.dumps({"sentences": "\n".join(TEXTS)}).encode()
    asked = urllib.request.Request(call, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{call}/{event}", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    data = lines[lines.index("event: complete") + 1].removeprefix("data: ")
    approximately(json.loads(data), [similarity_document(default_encoder, TEXTS)])


def test_similarity_is_the_command_lines_document(client: Client, default_encoder: Encoder) -> None:
    expected = similarity_document(default_encoder, TEXTS, metric="dot", tokens=True)
    approximately(client.predict("\n".join(TEXTS), "dot", True, api_name="/similarity"), expected)
    plain = similarity_document(default_encoder, TEXTS)
    approximately(client.predict(TEXTS, api_name="/similarity"), plain)


def test_embed_and_search_are_the_command_lines_documents(
    client: Client, default_encoder: Encoder
) -> None:
    max_pooled = embed_document(default_encoder.with_pooling("max"), TEXTS)
    approximately(client.predict(TEXTS, pooling="max", api_name="/embed"), max_pooled)
    found = search_document(default_encoder, "a late ship", TEXTS, top=2)
    approximately(client.predict("a late ship", TEXTS, 2, api_name="/search"), found)


def test_predict_is_the_command_lines_document(client: Client) -> None:
    model = load_model()
    text = "Apple shares fell sharply after Tim Cook warned of weak sales in China."
    found = client.predict(text, api_name="/predict")
    approximately(found, predict_document(model, [text]))
    for entity in found[0]["entities"]:
        assert text[entity["start"] : entity["end"]] == entity["text"]
    explained = client.predict([text, "Snow."], True, 0.99, api_name="/predict")
    approximately(explained, predict_document(model, [text, "Snow."], explain=True, threshold=0.99))


@pytest.mark.parametrize(
    ("endpoint", "arguments", "message"),
    [
        ("similarity", [["one"]], "there is one sentence, must be at least 2"),
        ("similarity", [["x"] * 201], "there are 201 sentences, must be at most 200"),
        ("similarity", [TEXTS, "angle"], "metric is 'angle', must be one of"),
        ("similarity", [TEXTS, "cosine", False, "nobody"], "there is no encoder 'nobody'"),
        ("embed", [""], "there is no sentence"),
        ("embed", ["x" * 2_000_001], "the text has 2,000,001 characters"),
        ("embed", [[1, 2]], "sentence 1 is a int, must be text"),
        ("embed", [None], "sentences is a NoneType, must be text or a list"),
        ("search", ["", TEXTS], "the query is empty"),
        ("search", ["a", TEXTS, 0], "top is 0, must be 1 to 50"),
        ("search", ["a", TEXTS, "many"], "'many' is not a whole number"),
        ("predict", [""], "there is no sentence"),
        ("predict", [["x"] * 1_001], "there are 1,001 sentences, must be at most 1,000"),
        ("predict", [TEXTS, False, 1.5], "threshold is 1.5, must be 0 to 1"),
        ("predict", [TEXTS, False, "half"], "threshold is 'half', must be a number"),
    ],
)
def test_a_direct_call_that_skips_the_queue_is_held_to_every_limit(
    address: str, endpoint: str, arguments: list[Any], message: str
) -> None:
    defaults = {
        "similarity": [[], "cosine", False, "", ""],
        "embed": ["", "", ""],
        "search": ["", [], 10, "cosine", "", ""],
        "predict": ["", False, None],
    }[endpoint]
    arguments = [*arguments, *defaults[len(arguments) :]]  # a direct call fills in no default
    request = urllib.request.Request(
        f"{address}gradio_api/run/{endpoint}",
        data=json.dumps({"data": arguments}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    said = json.loads(refused.value.read())["error"]
    assert message.lower() in said.replace("&#x27;", "'").lower()
    assert "Traceback" not in said


def test_only_the_named_endpoints_are_public_and_each_is_documented(client: Client) -> None:
    info = client.view_api(return_format="dict", print_info=False)
    there = ["/check", "/compare", "/embed", "/map", "/predict", "/search", "/similarity"]
    assert sorted(info["named_endpoints"]) == there
    assert info["unnamed_endpoints"] == {}
    for endpoint in info["named_endpoints"].values():
        assert endpoint["description"]
        later = endpoint["parameters"][2 if endpoint["parameters"][0]["label"] == "query" else 1 :]
        assert [p["parameter_name"] for p in later if not p["parameter_has_default"]] in (
            [],
            ["sentences"],  # /search: the query, then the list
        )


def test_map_is_the_command_lines_document(client: Client) -> None:
    document = client.predict(["a man eats", "a woman eats", "it left"], "pca", api_name="/map")
    assert (document["method"], len(document["points"])) == ("pca", 3)
    assert set(document["points"][0]) == {"text", "x", "y", "label", "labels"}


def test_health_is_told_and_what_nobody_should_read_is_closed(address: str) -> None:
    with urllib.request.urlopen(f"{address}healthz", timeout=10) as answer:
        assert json.loads(answer.read())["status"] == "ok"
    for path in ("monitoring/summary", "gradio_api/file=requirements.txt", "gradio_api/runs"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{address}{path}", timeout=10)
        assert refused.value.code in (403, 404)


def test_the_page_is_built_without_torch_or_a_network() -> None:
    program = (
        "import sys, socket\n"
        "def refuse(*_): raise SystemExit('the network was used')\n"
        "socket.socket.connect = refuse\n"
        "from demo.page import build_app\n"
        "build_app()\n"
        "print([m for m in ('torch', 'transformers', 'umap', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_building_the_page_twice_gives_two_pages() -> None:
    shelves = Shelves(encoders=EncoderShelf(EncoderChoice(), local=False))
    assert build_app(shelves) is not build_app(shelves)
    assert launch_options(FILES)["run_history"] is False


def test_every_script_and_sheet_of_the_page_is_loaded_once() -> None:
    there = {path for kind in ("js", "css") for path in (ROOT / "demo").rglob(f"*.{kind}")}
    drawn = {path for path in FILES if "demo" not in path.relative_to(ROOT).parts}
    assert set(FILES) - drawn == there
    assert {path.stem for path in drawn} == {"scatter"}
    assert len(set(FILES)) == len(FILES)


def check_one_sentence(err: str, message: str) -> None:
    assert message in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--encoder", "no such encoder"], "there is no encoder 'no such encoder'"),
        (["--encoder", " "], "the encoder's name is empty"),
        (["--model", "no such folder"], "no such folder is no model folder"),
        (["--port", "99999"], "--port is 99999, must be 1 to 65535"),
        (["--port", "http"], "--port is http, must be 1 to 65535"),
    ],
)
def test_a_bad_flag_is_one_sentence_and_exit_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    check_one_sentence(capsys.readouterr().err, message)


def test_the_file_that_a_space_runs_ends_so_too() -> None:
    done = subprocess.run(
        [sys.executable, "demo/app.py", "--encoder", "no such encoder"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    check_one_sentence(done.stderr, "there is no encoder 'no such encoder'")


def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"port {port} on 127.0.0.1 cannot be had"):
            free_port("127.0.0.1", port)


def test_host_and_port_come_from_gradios_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    from demo.serve import parse

    assert (parse([]).host, parse([]).port) == ("127.0.0.1", "7860") or "GRADIO" in str(os.environ)
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    monkeypatch.setenv("GRADIO_SERVER_PORT", "7999")
    assert (parse([]).host, parse([]).port) == ("0.0.0.0", "7999")


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("x.org", False)],
)
def test_only_a_loopback_page_lets_folders_be_named(host: str, local: bool) -> None:
    assert is_loopback(host) is local
