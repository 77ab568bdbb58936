"""``manage.py mcp``, as a desktop client starts it beside a running portal: with the SDK's own client."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.acceptance.conftest import ROOT, Portal, wait_for

pytestmark = pytest.mark.acceptance

TEXT = b"The lighthouse of Eckmuehl was lit in 1897. Its lamp is seen 23 miles away."


@asynccontextmanager
async def client(portal: Portal, user: str) -> AsyncIterator[Client]:
    arguments = ["manage.py", "mcp", "--user", user]
    server = StdioServerParameters(
        command=sys.executable, args=arguments, env=portal.environment, cwd=str(ROOT)
    )
    async with Client(stdio_client(server)) as connected:
        yield connected


def text_of(result: Any) -> str:
    return "\n".join(part.text for part in result.content)


@pytest.fixture
def lighthouse(portal: Portal) -> str:
    with portal.client() as rest:
        accepted = rest.post("documents/", files={"file": ("lighthouse.txt", TEXT)}).json()
        wait_for(lambda: rest.get(f"documents/{accepted['id']}/").json()["status"] == "ready")
    return str(accepted["id"])


async def test_a_desktop_client_searches_asks_and_reads(portal: Portal, lighthouse: str) -> None:
    async with client(portal, "admin") as connected:
        assert len((await connected.list_tools()).tools) == 3
        found = await connected.call_tool("search", {"query": "lighthouse lamp"})
        assert found.structured_content["results"][0]["document"]["id"] == lighthouse
        asked = await connected.call_tool(
            "ask", {"question": "When was the lighthouse of Eckmuehl lit?", "documents": [lighthouse]}
        )
        assert "1897" in text_of(asked)
        read = await connected.call_tool("read_document", {"document": lighthouse})
        assert read.structured_content["pages"][0]["text"] == TEXT.decode()
        wrong = await connected.call_tool("read_document", {"document": "lighthouse"})
        assert wrong.is_error


async def test_a_stranger_sees_nothing_and_nobody_is_nobody(portal: Portal, lighthouse: str) -> None:
    made = "from django.contrib.auth.models import User; User.objects.create_user('stranger')"
    portal.manage("shell", "--no-imports", "-c", made)
    async with client(portal, "stranger") as connected:
        read = await connected.call_tool("read_document", {"document": lighthouse})
        assert read.is_error
        assert text_of(read) == "There is nothing here, or nothing that you may see."
        found = await connected.call_tool("search", {"query": "lighthouse lamp"})
        assert found.structured_content["results"] == []
        # Who is locked out in the middle of it is out.
        locked = "from django.contrib.auth.models import User; User.objects.update(is_active=False)"
        portal.manage(
            "shell", "--no-imports", "-c", locked.replace("objects", "objects.filter(username='stranger')")
        )
        assert (await connected.call_tool("search", {"query": "lighthouse"})).is_error
    refused = portal.manage("mcp", "--user", "nobody", check=False)
    assert refused.returncode == 1
    assert "There is no user named nobody" in refused.stderr
    assert refused.stdout == ""
