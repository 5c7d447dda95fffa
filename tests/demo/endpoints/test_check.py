"""`/check`: the command line's document over HTTP, and nothing of the machine but what was sent."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file

from core.config import DataChoice
from core.doctor.doctor import check_document, read_for_examination
from core.doctor.findings import find_reader
from demo.endpoints.check import uploaded
from demo.serve import start

ROWS = [f"Sentence {n} says something of its own {n * 7919}." for n in range(12)]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app, url = start("127.0.0.1", port, "minilm", share=False)
    yield Client(url, verbose=False)
    app.close()


@pytest.fixture
def moods(tmp_path: Path) -> str:
    path = tmp_path / "moods.csv"
    lines = [f"{text},{'good' if n % 2 else 'bad'},{'test' if n % 5 == 0 else 'train'}"
             for n, text in enumerate([*ROWS, ROWS[0], ""])]  # fmt: skip
    path.write_text("\n".join(["said,mood,split", *lines]) + "\n", encoding="utf-8")
    return str(path)


def test_a_file_is_checked_as_the_command_line_does(client: Client, moods: str) -> None:
    found = client.predict(handle_file(moods), api_name="/check")
    choice = DataChoice(source=moods)
    expected = check_document(read_for_examination(choice), find_reader("minilm"))
    assert found == json.loads(json.dumps(expected))
    assert {"empty", "leakage"} <= {finding["kind"] for finding in found["findings"]}


def test_columns_and_renamings_are_taken(client: Client, moods: str) -> None:
    found = client.predict(
        handle_file(moods),
        "said",
        ["feeling=mood"],
        renames=["bad=poor"],
        split_column="split",
        api_name="/check",
    )
    assert list(found["tasks"]) == ["feeling"]
    assert set(found["tasks"]["feeling"]["labels"]) == {"good", "poor"}
    assert found["splits"]["test"] > 0


def test_the_corpus_is_checked_by_its_name(client: Client) -> None:
    found = client.predict("corpus", rows=100, api_name="/check")
    assert found["data"] == "corpus"
    assert found["rows"] == 100


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("/etc/hostname", "must be the word corpus, or a file that is uploaded"),
        ("squad", "must be the word corpus"),
        ({"path": "/etc/hostname"}, "must be the word corpus"),
        (None, "must be the word corpus"),
        (["corpus"], "must be the word corpus"),
    ],
)
def test_nothing_of_the_machine_can_be_named(client: Client, given: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(Exception, match=f"(?i){message}"):
        client.predict(given, api_name="/check")


def test_a_path_that_climbs_out_of_the_uploads_is_refused() -> None:
    from gradio.utils import get_upload_folder

    with pytest.raises(ValueError, match="must be the word corpus"):
        uploaded({"path": f"{get_upload_folder()}/../../etc/hostname"})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text_column": "nope"}, "has no column .*nope.*, which text_column names"),
        ({"label_columns": "mood"}, "label_columns is .*, must be a list"),
        ({"text_column": 3}, "text_column is .*, must be text"),
        ({"rows": 0}, "rows is 0"),
        ({"encoder": "/etc"}, "there is no encoder"),
    ],
)
def test_a_wrong_argument_is_told(
    client: Client, moods: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(Exception, match=f"(?i){message}"):
        client.predict(handle_file(moods), **arguments, api_name="/check")
