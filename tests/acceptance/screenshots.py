"""``make screenshots``: every screen, in both themes and both widths, into the folder ``screenshots/``.

python -m tests.acceptance.screenshots [--only NAME …]
"""

from __future__ import annotations

import argparse
import shutil

from tests.acceptance.conftest import CHROMIUM, CHROMIUM_ARGUMENTS, ROOT, portal_of_its_own
from tests.acceptance.screens import HEIGHT, THEMES, WIDTHS, Looker, screens
from tests.acceptance.world import furnish

FOLDER = ROOT / "screenshots"


def main() -> None:
    wanted = arguments().only
    if CHROMIUM is None:
        raise SystemExit("Chromium is missing (Debian: apt-get install chromium-headless-shell)")
    from playwright.sync_api import sync_playwright

    if not wanted:
        shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(exist_ok=True)
    with portal_of_its_own() as portal, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        photograph(Looker(chromium, furnish(portal)), wanted)


def photograph(looker: Looker, wanted: list[str]) -> None:
    for screen in screens(looker.world):
        if wanted and screen.name not in wanted:
            continue
        with looker.looking(screen, WIDTHS[-1]) as page:
            page.wait_for_load_state("networkidle")
            for theme in THEMES:
                page.emulate_media(color_scheme=theme, reduced_motion="reduce")
                for width in reversed(WIDTHS):
                    page.set_viewport_size({"width": width, "height": HEIGHT})
                    page.evaluate("scrollTo(0, 0)")
                    page.wait_for_timeout(200)
                    path = FOLDER / f"{screen.name}-{theme}-{width}.png"
                    page.screenshot(path=path, full_page=True)
        print(screen.name, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    return parser.parse_args()


if __name__ == "__main__":
    main()
