"""Take the pictures of the README from a page that is running.

Run `python -m demo` in one window and `python -m tests.browser.pictures` in another.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import BROWSERS, FLAGS, open_tab

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "pictures"
WIDTH = 1280
PICTURES = {"Compare": "#tokens", "Freeze": "#freeze-strip"}
"""By tab, the last thing on its picture."""


def main(address: str = "http://127.0.0.1:7860") -> None:
    """Write every picture to assets/pictures."""
    program = next(filter(None, map(shutil.which, BROWSERS)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        for tab, last in PICTURES.items():
            page = browser.new_page(viewport={"width": WIDTH, "height": 900})
            page.goto(f"{address}/?__theme=light")
            page.wait_for_selector("#encoder-status:has-text('Ready.')", state="attached")
            open_tab(page, tab)
            page.wait_for_timeout(3000)  # the sidebar has slid in, and the tab is drawn
            box = page.locator(last).bounding_box()
            height = int(box["y"] + box["height"]) + 16
            page.set_viewport_size({"width": WIDTH, "height": height})
            page.wait_for_timeout(500)
            page.screenshot(path=FOLDER / f"{tab.lower()}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
