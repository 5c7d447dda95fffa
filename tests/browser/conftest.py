"""A real Chromium and a real server, once per session; every page is checked for errors."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
Browser, BrowserContext, Page = sync_api.Browser, sync_api.BrowserContext, sync_api.Page

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

PATIENCE = 20_000
"""Milliseconds that an expectation waits: the page, its runs and the browser share two cores."""

sync_api.expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a browser test try once more, and the summary tell: a click may fall between frames."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the system's Chromium; skip without one, unless THAW_REQUIRE_BROWSER=1."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        if os.environ.get("THAW_REQUIRE_BROWSER") == "1":
            pytest.fail(f"no browser: install one of {', '.join(BROWSERS)}")
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program, headless=True, args=list(FLAGS)
        )
        yield started
        started.close()


@pytest.fixture(scope="session")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Return a browser that has seen the page before: it keeps scripts as it compiled them."""
    opened = browser.new_context(accept_downloads=True)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Start the page as a person would, and wait until its encoder is there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "demo", "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(process, address)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_ready(process: "subprocess.Popen[str]", address: str) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the page did not start: {process.communicate()[0]}")
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=2) as answer:
                if b"true" in answer.read():
                    return
        except OSError:
            pass
        time.sleep(0.2)
    pytest.fail("the page was not ready after 90 seconds")


@pytest.fixture
def open_page(context: BrowserContext, server: str) -> Iterator[Callable[..., Page]]:
    """Return a function that opens the page as somebody new; nothing may go wrong on it."""
    wrong: list[str] = []
    pages: list[Page] = []

    def watch(page: Page) -> None:
        page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
        page.on("dialog", lambda dialog: (wrong.append("a dialog opened"), dialog.dismiss()))
        page.on(
            "console", lambda m: wrong.append(f"console: {m.text}") if m.type == "error" else None
        )
        page.on("request", lambda request: _check_local(request.url, server, wrong))

    def opened(
        path: str = "/", *, width: int = 1200, height: int = 900, theme: str = "light"
    ) -> Page:
        page = context.new_page()
        pages.append(page)
        forget(page, server)
        page.set_viewport_size({"width": width, "height": height})
        page.set_default_timeout(3 * PATIENCE)
        watch(page)
        page.goto(f"{server}{path}{'&' if '?' in path else '?'}__theme={theme}")
        page.wait_for_selector("#hits-picture[data-drawn]")
        page.wait_for_selector("#encoder-status:has-text('Ready.')", state="attached")
        return page

    yield opened
    for page in pages:
        page.close()
    assert wrong == []


def forget(page: Page, server: str) -> None:
    """Let the browser know nothing of earlier visits, as one in which nobody has been."""
    kept = {"origin": server, "storageTypes": "cookies,local_storage,indexeddb,cache_storage"}
    page.context.new_cdp_session(page).send("Storage.clearDataForOrigin", kept)


def open_tab(page: Page, name: str) -> None:
    """Open a tab as a person does: from the menu, where the row of tabs has no room for it."""
    tab = page.get_by_role("tab", name=name, exact=True)
    if not tab.is_visible():
        page.locator(".overflow-menu > button").click()
        page.locator(".overflow-menu").get_by_text(name, exact=True).click()
        return
    tab.click()


def _check_local(url: str, server: str, wrong: list[str]) -> None:
    if not url.startswith((server, "data:", "blob:")):
        wrong.append(f"a request left the machine: {url}")
