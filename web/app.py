"""The web application: the HTTP API, what speaks OpenAI's, and the chat page, behind one guard."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from web import api, openai, pages, problems, who
from web.api import health
from web.guard import Guard
from web.logs import Telemetry
from web.services import Services


def create_app(services: Services) -> FastAPI:
    """The application over `services`."""
    app = FastAPI(
        title="Docent",
        version="1",
        description="Answers a collaboration's questions from its own documents, with citations.",
        # FastAPI's own pages load their scripts from elsewhere; ours at /docs needs nobody.
        docs_url=None,
        redoc_url=None,
        # An address that nearly fits is none; a redirect would tell that the other one is there.
        redirect_slashes=False,
    )
    problems.install(app)
    app.state.services = services
    who.install(app, services.door)
    for router in (api.api(), openai.router, health.machines, *services.routers, api.nowhere):
        app.include_router(router)
    pages.install(app)
    app.add_middleware(
        Guard,
        public_url=services.settings.server.public_url,
        signed_in=bool(services.door.sign_in_url),
    )
    # Outermost, so that what the guard refuses is counted and logged too.
    app.add_middleware(Telemetry, metrics=services.metrics, tracing=services.tracing)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        # Problems are written by handlers, which FastAPI does not look into.
        schema["components"]["schemas"]["Problem"] = problems.Problem.model_json_schema()
        app.openapi_schema = schema
    return app.openapi_schema
