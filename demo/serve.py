"""Starting the page: its command line, its port, and what loads behind it."""

import argparse
import atexit
import ipaddress
import os
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from core.config import EncoderChoice
from core.encoder.catalogue import CATALOGUE
from demo.data.views import look_over
from demo.frame.theme import launch_options
from demo.frame.work import close
from demo.map.shelf import MapShelf
from demo.page import FILES, build_app
from demo.shelves.comparisons import ComparisonShelf
from demo.shelves.encoders import EncoderShelf
from demo.shelves.kept_comparisons import kept_comparisons
from demo.shelves.models import ModelShelf
from demo.shelves.shelves import Shelves
from demo.shelves.working_data import WorkingData
from demo.train.sessions import Sessions

HOST, PORT = "127.0.0.1", 7860
BAD_INPUT = 2
QUIET_SECONDS = 2.0
"""torch is imported when a first page is drawn, or after this: both at once slow the page."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Start the page and serve it until Ctrl-C; bad input exits with 2 and one sentence."""
    given = parse(arguments)
    try:
        app, _ = start(
            given.host,
            given.port,
            given.encoder,
            share=given.share,
            model=given.model,
            runs=given.runs,
        )
    except (ValueError, RuntimeError) as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201  # a command line prints
        raise SystemExit(BAD_INPUT) from None
    try:
        app.block_thread()
    finally:
        close()


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    names = ", ".join(spec.name for spec in CATALOGUE)
    parser = argparse.ArgumentParser(prog="python -m demo", description="Start Thaw's page.")
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", HOST))
    parser.add_argument("--port", default=os.environ.get("GRADIO_SERVER_PORT", str(PORT)))
    parser.add_argument(
        "--encoder", default="minilm", help=f"{names}, a model folder or a hub name"
    )
    parser.add_argument("--model", type=Path, help="a model folder; the shipped model without")
    parser.add_argument(
        "--runs", type=Path, help="a folder that python -m core compare --runs wrote, or several"
    )
    parser.add_argument("--share", action="store_true", help="also open it at a public address")
    return parser.parse_args(arguments)


def start(
    host: str,
    port: str | int,
    encoder: str,
    *,
    share: bool,
    model: Path | None = None,
    runs: Path | None = None,
) -> tuple[gr.Blocks, str]:
    """Build and launch the page, and start loading its encoder and model behind it.

    Returns:
        The page, and its address.

    Raises:
        ValueError: If the port is taken or no port, or there is no such encoder, model or runs.
    """
    choice = EncoderChoice(name=encoder)
    if encoder != EncoderChoice().name:
        from core.encoder.hub import find_encoder

        find_encoder(encoder)  # before the page is up, so that a wrong name is told at once
    if model is not None:
        from core.model.model_folder import read_manifest

        read_manifest(model)
    if runs is not None and not kept_comparisons(runs):
        raise ValueError(
            f"--runs {runs} holds no comparison: python -m core compare --runs {runs} makes one"
        )
    number = free_port(host, port)
    encoders = EncoderShelf(choice, local=not share and is_loopback(host))
    shelves = Shelves(
        encoders=encoders, models=ModelShelf(model), comparisons=ComparisonShelf(runs)
    )
    maps = shelves.one(MapShelf)
    atexit.register(shelves.comparisons.close)
    atexit.register(shelves.one(Sessions).close)
    app = build_app(shelves)
    server, address, _ = app.launch(
        server_name=host,
        server_port=number,
        share=share,
        prevent_thread_lock=True,
        **launch_options(FILES),
    )
    server.get("/healthz")(
        lambda: {
            "status": "ok",
            "encoder_ready": encoders.is_ready(choice),
            "model_ready": shelves.models.is_ready(),
            "umap_ready": maps.is_ready(),
        }
    )
    threading.Thread(target=_load_behind, args=(shelves,), daemon=True, name="thaw-load").start()
    return app, address


def free_port(host: str, port: str | int) -> int:
    """Check that a port can be had.

    Raises:
        ValueError: If it is no port, or somebody else has it.
    """
    if not str(port).isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError(f"--port is {port}, must be 1 to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # as the server does: a port that was just given up is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            reason = error.strerror or str(error)
            raise ValueError(
                f"port {port} on {host} cannot be had ({reason}): give another one with --port"
            ) from error
    return int(port)


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach a host name."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _load_behind(shelves: Shelves) -> None:
    encoders = shelves.encoders
    encoders.visited.wait(QUIET_SECONDS)
    encoders.warm_up()
    shelves.models.warm_up()
    look_over(shelves.data, WorkingData(), encoders.default.name)  # the corpus, which Data opens on
    shelves.one(MapShelf).get_ready()  # UMAP, in its process
