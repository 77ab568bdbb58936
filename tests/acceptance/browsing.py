"""What the tests do in a browser, whichever page they look at."""

from __future__ import annotations

from typing import Any

from tests.acceptance.conftest import Portal


def sign_in(page: Any, portal: Portal, name: str = "admin") -> None:
    """By the form the first time, by the same session after it: each password takes half a second."""
    if name in portal.sessions:
        page.context.add_cookies([portal.sessions[name]])
        return
    password = portal.environment["ADMIN_PASSWORD"] if name == "admin" else f"{name}-password"
    page.goto(f"{portal.address}/login/")
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(lambda url: "/login/" not in url)
    (portal.sessions[name],) = (each for each in page.context.cookies() if each["name"] == "sessionid")


def is_error(line: Any) -> bool:
    # htmx reports requests that were under way when a page was left.
    return line.type == "error" and not line.text.startswith("htmx:")
