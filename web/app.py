"""The web application: the HTTP API and the chat page, behind one guard."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from ingest.access import ANYBODY, Reader
from web import problems, who
from web.api import Assistant, api_for
from web.guard import Guard
from web.who import LocalDoor

CHAT = Path(__file__).parent / "chat"


def create_app(
    assistant: Assistant,
    *,
    reader: Reader = ANYBODY,
    suggestions: Sequence[str] = (),
    heartbeat_s: float = 15,
) -> FastAPI:
    """The application that answers `reader` through `assistant`.

    Every request is answered as `reader`: without a sign-in it must listen on loopback only.
    A stream that is silent for `heartbeat_s` gets a comment, so that nobody in between cuts it.
    """
    app = FastAPI(
        title="Docent",
        version="0.1.0",
        description="Answers a collaboration's questions from its own documents, with citations.",
        # FastAPI's own pages load their scripts from elsewhere; ours at /docs needs nobody.
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    who.install(app, LocalDoor(reader))
    app.include_router(api_for(assistant, reader, suggestions, heartbeat_s))
    _add_pages(app)
    app.add_middleware(Guard)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def _add_pages(app: FastAPI) -> None:
    def page(path: str, name: str) -> None:
        async def show() -> FileResponse:
            return FileResponse(CHAT / name, headers={"Cache-Control": "no-cache"})

        app.add_api_route(path, show, methods=["GET", "HEAD"], include_in_schema=False)

    page("/", "index.html")
    # The page asks the API for the document, so this address tells nothing about what exists.
    page("/documents/{document_id:path}", "index.html")
    page("/docs", "docs.html")
    app.mount("/chat", StaticFiles(directory=CHAT), name="chat")


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        # Problems are written by handlers, which FastAPI does not look into.
        schema["components"]["schemas"]["Problem"] = problems.Problem.model_json_schema()
        app.openapi_schema = schema
    return app.openapi_schema
