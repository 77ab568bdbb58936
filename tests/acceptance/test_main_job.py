"""The main job, in a real browser and by REST: sign in, upload, ready, search, ask, open a citation."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.browsing import is_error, sign_in
from tests.acceptance.conftest import Portal, wait_for
from tests.documents.parsing.pdf_factory import make_pdf

pytestmark = pytest.mark.acceptance

PUMPS = """# Pumps of the north hall

Pump P-101 moves 40 litres per minute at a pressure of 6 bar. It was installed in 2019.

## Maintenance

Pump P-101 is serviced every 3 months by the night shift. The seals are replaced once a year.
"""
BOILER = "The boiler in the cellar was built by Ferraro in 1987. It heats the east wing to 21 degrees."
CONTRACT = [
    [
        "Lease contract",
        "The tenant is the Harbour Museum.",
        "The lease of the Harbour Museum ends on 30 June 2031.",
    ],
    ["Second page", "The monthly rent is 4,200 euros, due on the third working day."],
]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "pumps.md", tmp_path / "boiler.txt", tmp_path / "contract.pdf"]
    paths[0].write_text(PUMPS)
    paths[1].write_text(BOILER)
    paths[2].write_bytes(make_pdf(CONTRACT))
    return paths


def test_main_job_in_a_browser(portal: Portal, browser: Any, files: list[Path]) -> None:
    page = browser.new_context(locale="en-GB").new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if is_error(line) else None)
    sign_in(page, portal)

    page.goto(f"{portal.address}/documents/")
    page.set_input_files("[data-testid=upload-input]", [str(path) for path in files])
    for title in ("Pumps of the north hall", "boiler", "contract"):
        # Live: nobody reloads the page.
        row = page.locator("[data-testid=upload-row][data-state=ready]", has_text=title)
        row.wait_for(timeout=60_000)
    page.locator("[data-testid=document-status]", has_text="ready").nth(2).wait_for()

    page.goto(f"{portal.address}/search/")
    page.fill("[data-testid=search-input]", "Who built the boiler?")
    page.press("[data-testid=search-input]", "Enter")
    first = page.wait_for_selector("[data-testid=search-result]")
    assert "Ferraro" in first.inner_text()

    page.goto(f"{portal.address}/ask/")
    page.fill("[data-testid=ask-input]", "When does the lease of the Harbour Museum end?")
    page.press("[data-testid=ask-input]", "Control+Enter")
    sentence = page.locator("[data-testid=answer-sentence]", has_text="30 June 2031")
    sentence.wait_for(timeout=30_000)
    sentence.locator("[data-testid=citation]").first.click()
    mark = page.wait_for_selector("[data-testid=passage-mark]")
    assert "30 June 2031" in mark.inner_text()
    assert problems == []


DROP = """() => {
  const carried = new DataTransfer();
  const file = new File(["The dropped note speaks of kingfishers."], "dropped.txt", {type: "text/plain"});
  carried.items.add(file);
  return carried;
}"""


def test_a_file_that_is_dropped_on_the_page_becomes_ready(portal: Portal, browser: Any) -> None:
    page = browser.new_page()
    sign_in(page, portal)
    page.goto(f"{portal.address}/documents/")
    page.locator("[data-testid=upload-input]").wait_for(state="attached")
    carried = page.evaluate_handle(DROP)
    page.dispatch_event("body", "dragenter", {"dataTransfer": carried})
    page.dispatch_event("body", "drop", {"dataTransfer": carried})
    row = page.locator("[data-testid=upload-row][data-state=ready]", has_text="dropped")
    row.wait_for(timeout=60_000)
    found = portal.client().get("search/", params={"q": "kingfishers"}).json()
    assert found["results"][0]["document"]["title"] == "dropped"


def test_main_job_by_rest(portal: Portal) -> None:
    with portal.client() as client:
        accepted = client.post(
            "documents/",
            files={
                "file": (
                    "tower.txt",
                    b"The old water tower of Lindau is 42 metres tall. It stands by the gate.",
                )
            },
            data={"tags": "towers"},
        )
        assert accepted.status_code == 202, accepted.text
        pk = accepted.json()["id"]
        assert accepted.headers["location"].endswith(f"/api/v1/documents/{pk}/")
        wait_for(lambda: client.get(f"documents/{pk}/").json()["status"] == "ready", 30)

        found = client.get("search/", params={"q": "height of the water tower", "tag": "towers"}).json()
        assert found["results"][0]["document"]["id"] == pk

        answer = client.post("answers/", json={"question": "How tall is the water tower of Lindau?"}).json()
        assert not answer["abstained"]
        assert "42 metres" in answer["answer"]
        citation = answer["citations"][0]
        assert citation["document"]["id"] == pk
        page = client.get(f"documents/{pk}/pages/{citation['page']}/").json()
        assert citation["quote"] in page["text"]


def kept_files(portal: Portal) -> list[Path]:
    folders = (portal.data_dir / "files", portal.data_dir / "uploads")
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())


def test_a_file_over_the_limit_is_refused_and_nothing_is_stored(portal: Portal) -> None:
    before = kept_files(portal)
    answer = portal.client().post("documents/", files={"file": ("large.txt", b"x" * 60 * 1024 * 1024)})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert "50 MB" in answer.json()["detail"]
    assert kept_files(portal) == before


def test_the_same_file_twice_at_once_is_one_document(portal: Portal) -> None:
    client = portal.client()
    before = kept_files(portal)

    def upload(_: int) -> httpx.Response:
        return client.post("documents/", files={"file": ("twin.txt", b"The twins came at the same time.")})

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(upload, range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 202]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(kept_files(portal)) == len(before) + 1


def test_events_over_sse_are_numbered_and_complete(portal: Portal) -> None:
    with portal.client() as client:
        pk = client.post(
            "documents/", files={"file": ("bridge.txt", b"The stone bridge at Regen has nine arches.")}
        ).json()["id"]
        wait_for(lambda: client.get(f"documents/{pk}/").json()["status"] == "ready", 30)
        question = {"question": "How many arches has the stone bridge at Regen?"}
        with client.stream(
            "POST", "answers/", json=question, headers={"Accept": "text/event-stream"}
        ) as stream:
            events = [json.loads(line[5:]) for line in stream.iter_lines() if line.startswith("data:")]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    spoken = "".join(event["text"] for event in events if "text" in event and "citations" not in event)
    assert "nine arches" in spoken


def test_what_another_user_may_not_see(portal: Portal) -> None:
    portal.manage(
        "shell", "-c", "from django.contrib.auth.models import User; User.objects.create_user('eve')"
    )
    with portal.client() as client, portal.client("eve") as stranger:
        pk = client.post(
            "documents/", files={"file": ("secret.txt", b"The vault code of the museum is kept by Irma.")}
        ).json()["id"]
        wait_for(lambda: client.get(f"documents/{pk}/").json()["status"] == "ready", 30)
        assert stranger.get(f"documents/{pk}/").status_code == 404
        for mode in ("hybrid", "vector", "keyword"):
            found = stranger.get("search/", params={"q": "vault code of the museum", "mode": mode}).json()
            assert found["results"] == []
        assert stranger.post("answers/", json={"question": "Who keeps the vault code?"}).json()["abstained"]


def test_metrics_count_over_all_processes(portal: Portal) -> None:
    text = httpx.get(f"{portal.address}/metrics").text
    assert "request_latency_seconds_bucket{" in text
    assert 'document_processing_seconds_count{file_type="text"}' in text
    assert 'method="GET"' in text
