"""Take the pictures of the README from a page that is running.

Run `python -m demo` in one window and `python -m tests.browser.pictures` in another.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import BROWSERS, FLAGS

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "pictures"
PICTURES = (  # file, width, theme, the last thing on it
    ("compare.png", 1200, "light", "#tokens"),
    ("compare-dark.png", 1200, "dark", "#tokens"),
    ("compare-phone.png", 390, "light", "#result"),
)


def main(address: str = "http://127.0.0.1:7860") -> None:
    """Write every picture to assets/pictures."""
    program = next(filter(None, map(shutil.which, BROWSERS)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        for file, width, theme, last in PICTURES:
            page = browser.new_page(viewport={"width": width, "height": 900})
            page.goto(f"{address}/?__theme={theme}")
            page.wait_for_selector("#encoder-status:has-text('Ready.')", state="attached")
            page.wait_for_timeout(1000)  # the sidebar has slid in or out
            box = page.locator(last).bounding_box()
            height = int(box["y"] + box["height"]) + 16
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(500)
            page.screenshot(path=FOLDER / file)
            page.close()
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
