"""Search, questions and answers as pages, tried as owner (alice), viewer (bob) and stranger (charlie)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from documents.models import Collection, Document
from documents.services import document_delete
from search.hits import excerpt
from search.models import Answer, Citation, Conversation
from search.navigation import chips
from search.types import Hit

SignIn = Callable[[User], Client]
QUOTE = "The boiler was built by Marlow & Sons in 1904."


@pytest.fixture
def browser(db: None) -> SignIn:
    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def document(collection: Collection, make_document: Any) -> Document:
    made: Document = make_document(collection, f"{QUOTE} It runs on Sundays.", title="Boiler manual")
    return made


@pytest.fixture
def answer(bob: User, document: Document) -> Answer:
    """Bob's, finished: one sentence with evidence, one without."""
    chunk = document.chunks.get()
    conversation = Conversation.objects.create(owner=bob, title="Boiler")
    made = Answer.objects.create(
        conversation=conversation,
        asked_by=bob,
        question="Who built the boiler?",
        state=Answer.State.DONE,
        finished_at=now(),
        sentences=[
            {"text": "Marlow & Sons built it.", "citations": [1], "supported": True},
            {"text": "It is loud.", "citations": [], "supported": False},
        ],
    )
    Citation.objects.create(
        answer=made,
        n=1,
        document=document,
        chunk_id=chunk.pk,
        content_hash=chunk.content_hash,
        page=1,
        quote=QUOTE,
        start=chunk.start,
        end=chunk.start + len(QUOTE),
        boxes=[[1, 10, 20.25, 30, 40], [2, 1, 1, 1, 1]],
    )
    return made


def test_search_shows_marked_words_and_opens_the_passage(
    browser: SignIn, bob: User, document: Document
) -> None:
    page = browser(bob).get("/search/", {"q": "who built the boiler", "mode": "keyword"}).content.decode()
    assert "<mark>boiler</mark>" in page
    assert "Marlow &amp; Sons" in page
    assert f"{document.get_absolute_url()}?page=1&amp;chunk=" in page


def test_search_finds_nothing_for_a_stranger(browser: SignIn, charlie: User, document: Document) -> None:
    for mode in ("hybrid", "vector", "keyword"):
        page = browser(charlie).get("/search/", {"q": "boiler", "mode": mode})
        assert b"Nothing found" in page.content


@pytest.mark.parametrize(
    "query", ["", "q=&mode=hybrid", "q=x&mode=nonsense", "q=%00", "q=boiler&collection=elsewhere"]
)
def test_search_without_a_query_or_with_an_odd_one(
    browser: SignIn, bob: User, document: Document, query: str
) -> None:
    response = browser(bob).get(f"/search/?{query}")
    assert response.status_code == 200
    assert b'data-testid="search-result"' not in response.content


def test_facets_link_to_the_narrowed_search_and_back(browser: SignIn, bob: User, document: Document) -> None:
    page = browser(bob).get("/search/", {"q": "boiler", "mode": "keyword"}).content.decode()
    assert '<a href="/search/?q=boiler&amp;mode=keyword&amp;type=text">' in page
    chosen = browser(bob).get("/search/", {"q": "boiler", "type": "text"}).content.decode()
    assert '<a href="/search/?q=boiler" aria-current="true">' in chosen
    assert ">Type: Text</span>" in chosen


def test_a_year_is_chosen_by_its_neighbours(browser: SignIn, bob: User, document: Document) -> None:
    Document.objects.filter(pk=document.pk).update(dated="2022-05-06")
    page = browser(bob).get("/search/", {"q": "boiler"}).content.decode()
    assert 'href="/search/?q=boiler&amp;before=2023&amp;after=2021"' in page
    chosen = browser(bob).get("/search/", {"q": "boiler", "after": "2021", "before": "2023"})
    assert 'href="/search/?q=boiler" aria-current="true"' in chosen.content.decode()
    assert 'type="hidden" name="after" value="2021"' in chosen.content.decode()


def test_operators_are_chips_that_can_be_taken_back(browser: SignIn, bob: User, document: Document) -> None:
    page = browser(bob).get("/search/", {"q": 'built "the boiler" -steam type:text'}).content.decode()
    assert 'href="/search/?q=built+-steam+type%3Atext"' in page
    assert ">“the boiler”</span>" in page
    assert ">without “steam”</span>" in page
    assert ">type: text</span>" in page
    plain = browser(bob).get("/search/", {"q": "built P-103"}).content.decode()
    assert 'data-testid="chips"' not in plain


def test_a_search_in_one_document_names_it(
    browser: SignIn, bob: User, charlie: User, document: Document
) -> None:
    asked = {"q": "boiler", "document": str(document.pk)}
    assert ">Only in: Boiler manual</span>" in browser(bob).get("/search/", asked).content.decode()
    assert "Boiler manual" not in browser(charlie).get("/search/", asked).content.decode()


@pytest.mark.parametrize("around", [" {}", "{}\t ", "{{{}}}"])
def test_a_document_is_named_whatever_stands_around_its_id(
    browser: SignIn, bob: User, document: Document, around: str
) -> None:
    response = browser(bob).get("/search/", {"q": "boiler", "document": around.format(document.pk)})
    assert response.status_code == 200
    assert ">Only in: Boiler manual</span>" in response.content.decode()


def test_what_is_no_id_is_shown_as_it_was_written(browser: SignIn, bob: User, document: Document) -> None:
    assert browser(bob).get("/search/", {"q": "boiler", "document": "no-id"}).status_code == 200
    given = QueryDict("document=no-id")
    assert [chip.label for chip in chips(given, bob)] == ["Only in: no-id"]


def test_a_misspelt_word_comes_with_a_link(browser: SignIn, bob: User, document: Document) -> None:
    page = browser(bob).get("/search/", {"q": "boilre type:text"}).content.decode()
    assert 'href="/search/?q=boiler+type%3Atext"' in page
    assert 'data-testid="suggestion"' in page


def test_every_hit_says_why(browser: SignIn, alice: User, bob: User, document: Document) -> None:
    page = browser(bob).get("/search/", {"q": "boiler manual"}).content.decode()
    for reason in (
        "1st by meaning",
        "1st by words",
        "It holds “boiler”",
        "in the document that your words name",
    ):
        assert reason in page
    assert "/search/explain/" not in page
    curator(alice)
    assert (
        "/search/explain/?q=boiler+manual" in browser(alice).get("/search/?q=boiler+manual").content.decode()
    )


def test_found_words_stand_in_the_quotation_marks_of_the_page(
    browser: SignIn, bob: User, document: Document
) -> None:
    german = browser(bob).get("/search/", {"q": "boiler manual"}, headers={"Accept-Language": "de"}).text
    assert "„boiler“" in german
    assert "“boiler”" not in german


def test_passages_that_gave_way_are_a_link_away(
    browser: SignIn, bob: User, collection: Collection, make_document: Any
) -> None:
    long = make_document(collection, "\n\n".join(["boiler " * 120] * 12), title="Boilers")
    for number in range(6):
        make_document(collection, f"Herons fish at dusk in lake {number}.", title=f"Lake {number}")
    page = browser(bob).get("/search/", {"q": "boiler"}).content.decode()
    assert page.count('data-testid="more-of-document"') == 1
    assert f'href="/search/?q=boiler&amp;document={long.pk}"' in page


@pytest.mark.parametrize("query", ["boiler type:nonsense", "boiler before:soon"])
def test_an_operator_that_is_none_is_explained(
    browser: SignIn, bob: User, document: Document, query: str
) -> None:
    response = browser(bob).get("/search/", {"q": query})
    assert response.status_code == 200
    assert 'role="alert"' in response.content.decode()


def test_a_wrong_date_in_the_address_is_explained(browser: SignIn, bob: User, document: Document) -> None:
    page = browser(bob).get("/search/", {"q": "boiler", "before": "soon"}).content.decode()
    assert "is no date" in page


def test_filters_alone_show_the_newest_documents(browser: SignIn, bob: User, document: Document) -> None:
    page = browser(bob).get("/search/", {"type": "text"}).content.decode()
    assert "Boiler manual" in page
    assert "1st of the newest documents that fit" in page


# --- Explain, and why not found -----------------------------------------------------------------


def curator(user: User) -> None:
    user.is_staff = True
    user.save()


def test_explain_is_for_curators(browser: SignIn, alice: User, bob: User, document: Document) -> None:
    address = "/search/explain/?q=boiler+manual"
    assert Client().get(address)["Location"].startswith("/login/")
    assert browser(bob).get(address).status_code == 404
    curator(alice)
    page = browser(alice).get(address).content.decode()
    for stage in ("vector", "keyword", "fusion"):
        assert f'data-testid="stage-{stage}"' in page
    assert "Boiler manual" in page
    assert "<meter" in page
    assert "style=" not in page


def test_explain_shows_no_curator_what_they_may_not_see(
    browser: SignIn, charlie: User, document: Document
) -> None:
    curator(charlie)
    assert "Boiler manual" not in browser(charlie).get("/search/explain/?q=boiler").content.decode()


@pytest.mark.parametrize("query", ["", "q=type:nonsense", "q=x&mode=nonsense", "q=%00", 'q=""', "q=-boiler"])
def test_odd_queries_are_explained_too(browser: SignIn, alice: User, document: Document, query: str) -> None:
    curator(alice)
    for page in ("explain", "why"):
        assert browser(alice).get(f"/search/{page}/?{query}").status_code == 200
    assert browser(alice).get(f"/search/why/?{query}&document={document.pk}").status_code == 200


def test_why_lets_its_reader_choose_a_document(
    browser: SignIn, bob: User, charlie: User, document: Document
) -> None:
    page = browser(bob).get("/search/why/", {"q": "steam"}).content.decode()
    assert f'href="/search/why/?q=steam&amp;document={document.pk}"' in page
    for client, title in ((browser(charlie), "boiler"), (browser(bob), "no such")):
        assert "No document" in client.get("/search/why/", {"q": "x", "find": title}).content.decode()
    assert Client().get("/search/why/")["Location"].startswith("/login/")


def test_why_takes_the_only_document_of_that_title(
    browser: SignIn, bob: User, document: Document, upload: Any
) -> None:
    asked = {"q": "steam", "find": "boiler"}
    page = browser(bob).get("/search/why/", asked).content.decode()
    assert 'data-testid="trace"' in page
    assert 'data-testid="choices"' not in page
    assert 'href="/search/why/?q=steam">Another document' in page
    upload(document.collection, "Words.", title="Boiler plans")
    assert 'data-testid="choices"' in browser(bob).get("/search/why/", asked).content.decode()


def test_why_follows_the_document(browser: SignIn, bob: User, charlie: User, document: Document) -> None:
    asked = {"q": "boiler", "document": str(document.pk)}
    page = browser(bob).get("/search/why/", asked).content.decode()
    assert "Found: its best passage is number 1" in page
    assert 'data-testid="step-keyword"' in page
    lost = browser(bob).get("/search/why/", {**asked, "type": "pdf"}).content.decode()
    assert "The filter “type: pdf” leaves it out" in lost
    assert browser(charlie).get("/search/why/", asked).status_code == 404


@pytest.mark.parametrize("query", ["", "q=", "q=%20&find=boiler", 'q=""'])
def test_why_asks_for_a_query_and_keeps_the_document(
    browser: SignIn, bob: User, charlie: User, document: Document, query: str
) -> None:
    address = f"/search/why/?{query}&document={document.pk}"
    page = browser(bob).get(address).content.decode()
    assert 'role="alert"' in page
    assert 'data-testid="trace"' not in page
    assert f'type="hidden" name="document" value="{document.pk}"' in page
    assert browser(charlie).get(address).status_code == 404


def test_why_as_somebody_else_is_for_curators(
    browser: SignIn, alice: User, bob: User, document: Document
) -> None:
    asked = {"q": "boiler", "document": str(document.pk), "as": "charlie"}
    assert "does not allow" in browser(bob).get("/search/why/", asked).content.decode()
    curator(alice)
    assert "charlie may not see it" in browser(alice).get("/search/why/", asked).content.decode()
    assert "no user of that name" in browser(alice).get("/search/why/", {**asked, "as": "x"}).content.decode()


def test_excerpt_begins_a_little_before_the_first_marked_word() -> None:
    text = "word " * 200 + "boiler at the end"
    start = text.index("boiler")
    hit: Any = Hit.__new__(Hit)
    object.__setattr__(hit, "text", text)
    object.__setattr__(hit, "highlights", ((start, start + 6),))
    html = excerpt(hit, None)
    assert html.startswith("… ")
    assert len(html) < 220
    assert html.endswith("<mark>boiler</mark> at the end")


def test_answer_page_is_the_askers_alone(
    browser: SignIn, alice: User, bob: User, charlie: User, answer: Answer
) -> None:
    address = reverse("answer-detail", args=[answer.pk])
    page = browser(bob).get(address).content.decode()
    assert "Marlow &amp; Sons built it." in page
    assert page.count('data-testid="answer-sentence"') == 2
    assert page.count('data-testid="unsupported"') == 1
    for stranger in (alice, charlie):
        assert browser(stranger).get(address).status_code == 404
        assert browser(stranger).post(reverse("answer-stop", args=[answer.pk])).status_code == 404


def test_citation_opens_the_quoted_words(browser: SignIn, bob: User, answer: Answer) -> None:
    client = browser(bob)
    page = client.get(reverse("answer-detail", args=[answer.pk])).content.decode()
    before = page.split('data-n="1"')[0]
    address = before[before.rindex('href="') + 6 :].split('"')[0].replace("&amp;", "&")
    assert address.endswith("&box=10.0,20.2,30.0,40.0#mark")
    opened = client.get(address.split("#")[0]).content.decode()
    assert f'tabindex="-1">{QUOTE.replace("&", "&amp;")}</mark>' in opened


def test_quotes_are_withdrawn_with_the_document(
    browser: SignIn, bob: User, answer: Answer, document: Document
) -> None:
    document_delete(document=document, user=None)
    page = browser(bob).get(reverse("answer-detail", args=[answer.pk])).content.decode()
    assert "Marlow" not in page
    assert "This source was withdrawn" in page


def test_quotes_are_withheld_from_one_who_was_shut_out(
    browser: SignIn, bob: User, answer: Answer, collection: Collection
) -> None:
    collection.memberships.all().delete()
    page = browser(bob).get(reverse("answer-detail", args=[answer.pk])).content.decode()
    assert "Marlow" not in page
    assert "Boiler manual" not in page


def test_htmx_gets_the_answer_alone(browser: SignIn, bob: User, answer: Answer) -> None:
    response = browser(bob).get(reverse("answer-detail", args=[answer.pk]), headers={"HX-Request": "true"})
    assert response.content.decode().strip().startswith("<article")


def test_running_answer_can_be_stopped_and_is_taken_up(browser: SignIn, bob: User, answer: Answer) -> None:
    Answer.objects.update(state=Answer.State.RUNNING, finished_at=None)
    page = browser(bob).get(reverse("answer-detail", args=[answer.pk])).content.decode()
    assert f'data-answer="{answer.pk}" data-state="running"' in page
    assert 'http-equiv="refresh"' in page
    browser(bob).post(reverse("answer-stop", args=[answer.pk]))
    answer.refresh_from_db()
    assert answer.stop_requested


def test_feedback_is_kept_and_shown(browser: SignIn, bob: User, charlie: User, answer: Answer) -> None:
    address = reverse("answer-feedback", args=[answer.pk])
    assert browser(charlie).post(address, {"rating": "1"}).status_code == 404
    page = browser(bob).post(address, {"rating": "-1"}, follow=True).content.decode()
    assert 'aria-pressed="true" data-testid="rate-down"' in page


def test_conversation_leads_to_its_latest_answer_and_can_be_deleted(
    browser: SignIn, bob: User, charlie: User, answer: Answer
) -> None:
    address = reverse("conversation-detail", args=[answer.conversation_id])
    assert browser(bob).get(address)["Location"] == f"/ask/{answer.pk}/"
    assert browser(charlie).get(address).status_code == 404
    remove = reverse("conversation-delete", args=[answer.conversation_id])
    assert browser(charlie).post(remove).status_code == 404
    browser(bob).post(remove)
    assert not Answer.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_question_without_javascript_ends_on_the_finished_answer(
    browser: SignIn, bob: User, document: Document
) -> None:
    response = browser(bob).post("/ask/", {"question": "Who built the boiler?"}, follow=True)
    page = response.content.decode()
    assert response.redirect_chain[0][0] == f"/ask/{Answer.objects.get().pk}/"
    assert 'data-testid="answer-sentence"' in page
    assert "Marlow &amp; Sons" in page


@pytest.mark.parametrize("given", [{"question": "  "}, {"question": "x" * 4001}])
def test_questions_that_are_none(browser: SignIn, bob: User, given: dict[str, str]) -> None:
    assert browser(bob).post("/ask/", given).status_code == 400
    assert not Answer.objects.exists()


def test_questions_are_kept_within_what_is_visible(
    browser: SignIn, charlie: User, collection: Collection
) -> None:
    response = browser(charlie).post("/ask/", {"question": "Who?", "collections": ["research"]})
    assert response.status_code == 400
    assert not Answer.objects.exists()


def test_home_welcomes_and_then_shows_what_there_is(
    browser: SignIn, bob: User, charlie: User, answer: Answer
) -> None:
    assert b"Start with a document" in browser(charlie).get("/").content
    page = browser(bob).get("/").content.decode()
    assert "Boiler manual" in page
    assert reverse("conversation-detail", args=[answer.conversation_id]) in page
