"""A conversation as a file: Markdown to read, JSON to go on with. As its reader may see it now."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from search.conversations import by_question
from search.models import Answer, Conversation
from search.presentation import citation_url
from search.representation import JSON, answer_json

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: From a path of the portal to an address that can be opened from elsewhere.
Absolute = Callable[[str], str]

MARKDOWN = "text/markdown; charset=utf-8"

#: What Markdown may take for more than text, wherever it stands; ``:`` and ``www.`` begin bare links.
INLINE = re.compile(r"([\\`*_\[\]<>&|~$#]|(?<=http):|(?<=https):|(?<=ftp):|(?<=\bwww)\.|@)", re.IGNORECASE)
#: What it may take for a heading, a list, a line or a quotation at the beginning of a line.
LEADING = re.compile(r"^(\d{1,9})([.)])|^([+\-=])")


def download(request: HttpRequest, conversation: Conversation, reader: User, ending: str) -> HttpResponse:
    """The file, by its ending: ``md`` or ``json``. Raises ``Http404`` for any other."""
    absolute = request.build_absolute_uri
    response: HttpResponse
    if ending == "md":
        response = HttpResponse(as_markdown(conversation, reader, absolute), content_type=MARKDOWN)
    elif ending == "json":
        response = JsonResponse(as_json(conversation, reader, absolute))
    else:
        raise Http404
    name = slugify(conversation.title)[:60] or "conversation"
    response["Content-Disposition"] = f'attachment; filename="{name}.{ending}"'
    return response


def as_json(conversation: Conversation, reader: User, absolute: Absolute) -> JSON:
    """Every answer, replaced ones too (``replaces``), each citation with its address."""
    return {
        "id": str(conversation.pk),
        "title": conversation.title,
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
        "exported_at": timezone.now().isoformat(),
        "answers": [
            addressed(answer_json(row, reader), absolute) for row in answers_of(conversation, reader)
        ],
    }


def addressed(answer: JSON, absolute: Absolute) -> JSON:
    citations = [
        {**citation, "url": absolute(citation_url(citation))} if citation["document"] else citation
        for citation in answer["citations"]
    ]
    return {**answer, "citations": citations}


def as_markdown(conversation: Conversation, reader: User, absolute: Absolute) -> str:
    """Questions, their newest answers with [n] marks, and the sources of each.

    Whatever comes from people or documents is escaped: it stays the text that it is.
    """
    questions = by_question(answers_of(conversation, reader))
    blocks = [f"# {escaped(conversation.title)}"]
    for versions in questions:
        blocks += answer_blocks(answer_json(versions[-1], reader), absolute)
    return "\n\n".join(blocks) + "\n"


def answer_as_markdown(answer: Answer, reader: User, absolute: Absolute) -> str:
    """One answer with its question and its numbered sources: what is copied to be pasted elsewhere."""
    return "\n\n".join(answer_blocks(answer_json(answer, reader), absolute)) + "\n"


def answers_of(conversation: Conversation, reader: User) -> Iterable[Answer]:
    rows: Iterable[Answer] = conversation.answers.visible_to(reader).prefetch_related("citations")
    return rows


def answer_blocks(answer: JSON, absolute: Absolute) -> Iterator[str]:
    yield f"## {escaped(answer['question'])}"
    if answer["abstained"]:
        yield f"*{_('Not in these documents')}*"
    if answer["state"] not in (Answer.State.DONE, Answer.State.RUNNING):
        yield f"*{Answer.State(answer['state']).label}*"
    if answer["sentences"]:
        yield " ".join(sentence_text(sentence) for sentence in answer["sentences"])
    if answer["citations"]:
        yield f"{_('Sources')}:"
        yield "\n".join(source_line(citation, absolute) for citation in answer["citations"])


def sentence_text(sentence: JSON) -> str:
    marks = "".join(f" [{n}]" for n in sentence["citations"])
    if sentence.get("withdrawn"):
        return f"*{_('Withdrawn with its source.')}*{marks}"
    doubt = "" if sentence["supported"] else f" *({_('not backed by a passage')})*"
    return f"{escaped(sentence['text'])}{marks}{doubt}"


def source_line(citation: JSON, absolute: Absolute) -> str:
    if not citation["document"]:
        return f"- [{citation['n']}] *{_('This source was withdrawn.')}*"
    named = _("%(title)s, page %(page)s") % {
        "title": escaped(citation["document"]["title"]),
        "page": citation["page"],
    }
    quote = f": “{escaped(citation['quote'])}”" if citation["quote"] else ""
    return f"- [{citation['n']}] [{named}](<{absolute(citation_url(citation))}>){quote}"


def escaped(text: Any) -> str:
    """``text`` on one line, as Markdown that shows exactly it."""
    line = " ".join(str(text).split())
    return LEADING.sub(lead, INLINE.sub(r"\\\1", line))


def lead(match: re.Match[str]) -> str:
    number, mark, sign = match.groups()
    return f"{number}\\{mark}" if number else f"\\{sign}"
