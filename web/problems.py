"""What goes wrong over HTTP, as RFC 9457 problem details: one sentence, nothing hidden in it."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from ingest.errors import DocentError

MEDIA_TYPE = "application/problem+json"
NO_DOCUMENT = "There is no such document, or you may not read it."
NO_CONVERSATION = "There is no such conversation, or it is not yours."
OPENAI_PATH = "/v1/"
UNEXPECTED = "Something went wrong inside Docent; the server's log says what."

_log = logging.getLogger(__name__)


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    sign_in_url: str | None = Field(default=None, description="Where to sign in; only with 401.")


class Refused(HTTPException):
    """A request that is answered with a problem. May be raised by anything a route stands on."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        sign_in_url: str | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.sign_in_url = sign_in_url


def declared(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, for its description; others are possible."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    named: dict[int | str, dict[str, Any]] = {
        status.value: {"description": status.phrase, "content": content} for status in statuses
    }
    return {**named, "default": {"description": "Any other error.", "content": content}}


def problem_to_dict(status: int, detail: str, sign_in_url: str | None = None) -> dict[str, Any]:
    """The members of a problem; `detail` is the one sentence for the person who asked."""
    title = HTTPStatus(status).phrase
    made = Problem(title=title, status=status, detail=detail, sign_in_url=sign_in_url)
    return made.model_dump(exclude_none=True)


def problem(status: int, detail: str, sign_in_url: str | None = None) -> JSONResponse:
    """A problem as a response."""
    content = problem_to_dict(status, detail, sign_in_url)
    return JSONResponse(content, status, media_type=MEDIA_TYPE)


def describe(error: Exception) -> tuple[int, str]:
    """Status and sentence for an error that escaped the assistant.

    Only our own errors are written for the asker; any other goes to the log, because its text may
    quote a document.
    """
    if isinstance(error, DocentError):
        return HTTPStatus.SERVICE_UNAVAILABLE, str(error)
    _log.error("A request failed.", exc_info=error)
    return HTTPStatus.INTERNAL_SERVER_ERROR, UNEXPECTED


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem."""

    @app.exception_handler(DocentError)
    async def _ours(request: Request, error: DocentError) -> JSONResponse:
        return _told(request, *describe(error))

    @app.exception_handler(RequestValidationError)
    async def _unacceptable(request: Request, error: RequestValidationError) -> JSONResponse:
        return _told(request, HTTPStatus.UNPROCESSABLE_ENTITY, _sentence(error))

    @app.exception_handler(HTTPException)
    async def _refused(request: Request, error: HTTPException) -> JSONResponse:
        return refused(request, error)


def refused(request: Request, error: HTTPException) -> JSONResponse:
    """A request that was not taken, as a problem."""
    if isinstance(error, Refused):
        response = _told(request, error.status_code, error.detail, error.sign_in_url)
    else:
        detail = _REFUSALS.get(error.status_code, error.detail)
        response = _told(request, error.status_code, detail)
    response.headers.update(error.headers or {})
    return response


def _told(
    request: Request, status: int, detail: str, sign_in_url: str | None = None
) -> JSONResponse:
    """A problem; where clients of OpenAI ask, with the member that they look for besides."""
    content = problem_to_dict(status, detail, sign_in_url)
    if request.url.path.startswith(OPENAI_PATH):
        content |= openai_error(status, detail)
    return JSONResponse(content, status, media_type=MEDIA_TYPE)


def openai_error(status: int, detail: str) -> dict[str, Any]:
    """A problem as OpenAI words it."""
    kind = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    return {"error": {"message": detail, "type": kind, "param": None, "code": str(status)}}


_REFUSALS: dict[int, str] = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take that method.",
}


def _sentence(error: RequestValidationError) -> str:
    """Which fields are wrong and why, without echoing what was sent."""
    parts = []
    for item in error.errors():
        if item["type"] == "json_invalid":
            return "The body is not valid JSON."
        # The first part says "body" or "query"; the asker thinks in fields.
        field = ".".join(str(part) for part in item["loc"][1:]) or "the body"
        parts.append(f"{field}: {item['msg']}")
    return "; ".join(parts) + "."
