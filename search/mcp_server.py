"""The MCP server: its tools, as the official SDK serves them. Imported when somebody calls, not before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
from django.db import DataError, InterfaceError, OperationalError, connection
from django.http import Http404
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import ValidationError

from documents.exceptions import DocumentError
from search import answers, mcp_tools
from search.events import Event
from search.exceptions import NotFound, SearchError
from search.log import follow
from search.mcp_tools import Arguments, AskArguments, ReadArguments, SearchArguments, Told
from search.models import Answer
from search.representation import answer_json

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)

NAME = "document-portal"
#: Calls that use the database at the same time; the others wait for their turn.
THREADS = ThreadPoolExecutor(4, thread_name_prefix="mcp")

Context = ServerRequestContext[Any, Any]
Who = Callable[[Context], Awaitable["User"]]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool, its arguments, and what it does with them."""

    about: str
    arguments: type[Arguments]
    call: Callable[[Any, Any], Awaitable[Told]]
    reads_only: bool = True


def server(who: Who) -> Server[Any]:
    """A server without any state; ``who`` says on whose behalf a call comes, or raises."""

    async def list_tools(context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[described(name, offered) for name, offered in TOOLS.items()])

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult:
        try:
            told = await called(await who(context), params.name, params.arguments or {})
        except Exception as error:
            return failed(said(error, params.name))
        return CallToolResult(
            content=[TextContent(text=mcp_tools.to_read(told))], structured_content=told.structured
        )

    return Server(
        NAME,
        title="Document portal",
        version="1",
        instructions=mcp_tools.INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def described(name: str, offered: Offered) -> Tool:
    hints = ToolAnnotations(read_only_hint=offered.reads_only, destructive_hint=False, open_world_hint=False)
    schema = offered.arguments.model_json_schema()
    return Tool(name=name, description=offered.about, input_schema=schema, annotations=hints)


async def called(user: User, name: str, given: dict[str, Any]) -> Told:
    offered = TOOLS.get(name)
    if offered is None:
        raise NotFound(f"There is no tool {name[:50]!r}. Tools: {', '.join(TOOLS)}.")
    return await offered.call(user, offered.arguments.model_validate(given))


# --- What goes wrong, in words --------------------------------------------------------------


def failed(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=text)], is_error=True)


def said(error: Exception, tool: str) -> str:
    """What to tell of it; the details of what nobody foresaw are for the server's log."""
    match error:
        case ValidationError():
            return " ".join(f"{place(each['loc'])}{each['msg']}." for each in error.errors())
        case SearchError() | DocumentError():
            return str(error)
        case Http404():
            return str(NotFound())
        case DataError():
            return "A value among the arguments cannot be used."
        case OperationalError() | InterfaceError():
            logger.error("the database does not answer: %s", error)
            return "The database does not answer at the moment. Please try again shortly."
        case _:
            logger.exception("the tool %s failed", tool, exc_info=error)
            return "The portal failed at this call. Its log says why."


def place(parts: tuple[int | str, ...]) -> str:
    return ".".join(map(str, parts)) + ": " if parts else ""


# --- The tools ------------------------------------------------------------------------------


async def threaded(call: Callable[[], Result]) -> Result:
    """Run ``call`` on a thread; its database connection goes back at once."""

    def run() -> Result:
        try:
            return call()
        finally:
            connection.close()

    return await asyncio.get_running_loop().run_in_executor(THREADS, run)


async def search(user: User, wanted: SearchArguments) -> Told:
    return await threaded(partial(mcp_tools.search, user, wanted))


async def read_document(user: User, wanted: ReadArguments) -> Told:
    return await threaded(partial(mcp_tools.read_document, user, wanted))


async def ask(user: User, wanted: AskArguments) -> Told:
    """Asks, and follows the answer's log to its end. Whoever gives up waiting stops the answer."""
    with anyio.CancelScope(shield=True):  # else nobody would know what there is to stop
        answer = await threaded(partial(answers.ask, user=user, **asked(wanted)))
    try:
        with anyio.move_on_after(answers.WAIT_SECONDS) as waited:
            stored = await ended(answer, user)
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True):
            await threaded(partial(answers.stop, answer=answer))
        raise
    if waited.cancelled_caught:
        await threaded(partial(answers.stop, answer=answer))
        stored = await threaded(lambda: answer_json(Answer.objects.get(pk=answer.pk), user))
    return mcp_tools.answered(stored)


def asked(wanted: AskArguments) -> dict[str, Any]:
    return {
        "question": wanted.question,
        "conversation": wanted.conversation,
        "collections": [mcp_tools.without_nul(slug) for slug in wanted.collections],
        "documents": wanted.documents,
    }


async def ended(answer: Answer, user: User) -> dict[str, Any]:
    """The answer as ``user`` may see it, once it is there. Raises what became of one that failed."""
    async with aclosing(cast("AsyncGenerator[Event]", follow(answer.pk, 0, user))) as events:
        async for event in events:
            if event.type == "error":
                raise SearchError(event.payload["detail"])
            if event.type == "done" and event.payload:
                return event.payload
    raise NotFound("This answer was deleted.")


TOOLS = {
    "search": Offered(
        "Find the passages that answer a query best, in all documents that the caller may see. "
        "Gives each with its document's id and title, page, heading and text.",
        SearchArguments,
        search,
    ),
    "ask": Offered(
        "Ask a question about the documents. The answer's sentences cite passages by number; when the "
        "documents hold no answer, it says so. Both are kept among the caller's conversations.",
        AskArguments,
        ask,
        reads_only=False,
    ),
    "read_document": Offered(
        "Read a document's text by its id, from one page to another. "
        "A long stretch is cut, and next says where to go on.",
        ReadArguments,
        read_document,
    ),
}
