"""A portal that was used tells what dashboard and alerts ask for: as text, of web and worker together."""

from __future__ import annotations

import httpx
import promql_parser as promql
import pytest

from tests.acceptance.calls import ended, send
from tests.acceptance.conftest import Portal, wait_for
from tests.portal.expressions import selected
from tests.portal.test_monitoring import expressions

pytestmark = pytest.mark.acceptance

#: What is told once something of the kind has happened: an error, an audit, a builder, a model's words.
NOT_YET = {
    "django_db_errors_total",
    "embedding_space_built_ratio",
    "llm_tokens_total",
    "search_recall_at_10",
    "up",
}


def test_a_portal_that_was_used_tells_all_that_is_asked_for(portal: Portal) -> None:
    with portal.client() as client:
        pk = send(client, "lighthouse.txt", "The lighthouse of Arkona is 19 metres high.")
        wait_for(lambda: ended(client, pk), 60)
        for _twice in range(2):
            client.get("search/", params={"q": "height of the lighthouse"})
        client.post("answers/", json={"question": "How high is the lighthouse of Arkona?"})
        client.get(f"{portal.address}/no-such-page/")
    text = httpx.get(f"{portal.address}/metrics").text
    told = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    assert asked_for() - told <= NOT_YET
    assert 'ingest_stage_seconds_count{stage="parsing"} ' in text
    assert 'search_seconds_count{cached="yes"} ' in text
    assert 'process="worker"' in text
    assert 'process="web"' in text


def asked_for() -> set[str]:
    found: set[str] = set()
    for each in expressions():
        found |= selected(promql.parse(each.values[0].replace("$__rate_interval", "5m")))
    return found
