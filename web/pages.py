"""The chat page, as `make page` builds it from `web/chat/src`."""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path, PurePosixPath

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from web.paths import ANYTHING
from web.problems import Refused, problem, refused

DIST = Path(__file__).parent / "chat" / "dist"
NOT_BUILT = "The page is not built: run `make page`. The HTTP API works without it."

# The page asks the API for what it shows, so an address tells nothing about what exists.
PAGES = (
    "/",
    "/c/{id}",
    "/search",
    f"/documents/{{id:{ANYTHING}}}",
    "/shared/{id}",
    "/tokens",
    "/data",
    "/device",
    "/link",
    "/maintain",
    "/maintain/{tab}",
    "/docs",
)
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
WOFF2 = "font/woff2"
PROGRAMS = ("/api/", "/v1/", "/auth/", "/chat/")
"""What is below these is asked for by programs, whatever they take."""
FOREVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"


def install(app: FastAPI, dist: Path = DIST) -> None:
    """Serve the page at all its addresses, and what it loads below `/chat`.

    Where there is nothing, a browser gets the page too, which says so, and all others a problem.
    """

    async def page() -> Response:
        return _page(dist)

    @app.exception_handler(HTTPStatus.NOT_FOUND)
    async def nowhere(request: Request, error: HTTPException) -> Response:
        # What a route itself refuses is an answer to whoever asked it.
        if isinstance(error, Refused) or not _by_a_person(request):
            return refused(request, error)
        return _page(dist, HTTPStatus.NOT_FOUND)

    async def loaded(path: str, request: Request) -> Response:
        found = _within(dist, path)
        if found is None:
            return problem(HTTPStatus.NOT_FOUND, "There is nothing at this address.")
        return _file(found, request.headers)

    for address in PAGES:
        app.add_api_route(address, page, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_api_route("/chat/{path:path}", loaded, methods=["GET", "HEAD"], include_in_schema=False)


def _page(dist: Path, status: HTTPStatus = HTTPStatus.OK) -> Response:
    if not (dist / "index.html").is_file():
        return PlainTextResponse(NOT_BUILT, HTTPStatus.SERVICE_UNAVAILABLE)
    return FileResponse(dist / "index.html", status, headers={"Cache-Control": ASK_AGAIN})


def _by_a_person(request: Request) -> bool:
    """Whether a browser goes to an address, as far as can be told."""
    return (
        request.method in ("GET", "HEAD")
        and "text/html" in request.headers.get("accept", "")
        and not f"{request.url.path}/".startswith(PROGRAMS)
    )


def _within(dist: Path, path: str) -> Path | None:
    """The file of the built page that is meant; None for any other."""
    parts = PurePosixPath(path).parts
    if any(part in ("..", "/") or "\\" in part or "\0" in part for part in parts):
        return None
    found = dist.joinpath(*parts)
    return found if found.suffix in {*TYPES, ".woff2"} and found.is_file() else None


def _file(path: Path, asked: Mapping[str, str]) -> FileResponse:
    # A name that has the digest of its content in it never means another content.
    hashed = path.parent.name == "assets"
    headers = {"Cache-Control": FOREVER if hashed else ASK_AGAIN, "Vary": "Accept-Encoding"}
    media_type = TYPES.get(path.suffix, WOFF2)
    packed = path.with_name(path.name + ".gz")
    if "gzip" in asked.get("accept-encoding", "") and packed.is_file():
        path, headers["Content-Encoding"] = packed, "gzip"
    return FileResponse(path, headers=headers, media_type=media_type)
