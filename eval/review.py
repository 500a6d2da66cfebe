"""The page on which a person goes through proposals: one at a time, on this machine only.

Whoever has the address may decide, so it holds a token that nobody can guess; a page of another
site can neither read nor send here. Texts of pages and models are data: the template escapes them,
and the only script is the one for the keys, let through by a nonce.
"""

import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, get_args
from urllib.parse import parse_qs

import uvicorn
from fastapi import FastAPI, Request
from fastapi import Path as InPath
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError
from starlette.middleware.trustedhost import TrustedHostMiddleware

from eval import proposals
from eval.datasets import AskedQuestion
from eval.proposals import Proposal, Verdict
from ingest.errors import DocentError

HOST = "127.0.0.1"
LARGEST = 256 * 1024
"""Bytes of a form."""
FORM = "application/x-www-form-urlencoded"

Form = dict[str, str]


class Desk:
    """Proposals and the file that accepted questions go to."""

    def __init__(self, proposed: Path, out: Path) -> None:
        """Raises DocentError at once when one of the files cannot be read."""
        self.proposed = proposed
        self.out = out
        self._lock = threading.Lock()
        if not self.all():
            msg = f"{proposed} holds no proposal. Make some by: docent eval propose"
            raise DocentError(msg)
        proposals.known_ids(out)

    def all(self) -> list[Proposal]:
        """As the file holds them now."""
        return proposals.read_proposals(self.proposed)

    def decide(self, name: str, question: AskedQuestion, verdict: Verdict) -> None:
        """Keep a verdict; an accepted question is put into its file first, so that none is lost.

        Raises:
            DocentError: a question that is in the file already cannot be rejected.
        """
        with self._lock:
            if verdict in proposals.ACCEPTED:
                proposals.accept(self.out, question)
            elif name in proposals.known_ids(self.out):
                msg = (
                    f"{name} stands in {self.out} already; taking it out would move the lines "
                    "behind it to the other half. Edit it, or take it out by hand."
                )
                raise DocentError(msg)
            proposals.decide(self.proposed, name, question, verdict)


def create_app(desk: Desk, token: str) -> FastAPI:
    """The pages, all of them under `/TOKEN/`; anything else is not there."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])

    def shown(number: int, trouble: str = "", form: Form | None = None) -> Response:
        return _page(desk, number, trouble, form)

    @app.get("/{given}/")
    def first(given: str) -> Response:
        if not _is(given, token):
            return _nothing()
        return _to(token, _next(desk.all(), 0))

    @app.get("/{given}/{number}")
    def one(given: str, number: Annotated[int, InPath(ge=0)]) -> Response:
        if not _is(given, token) or number > len(desk.all()):
            return _nothing()
        return shown(number)

    @app.post("/{given}/{number}")
    async def decide(
        request: Request, given: str, number: Annotated[int, InPath(ge=1)]
    ) -> Response:
        if not _is(given, token) or number > len(desk.all()):
            return _nothing()
        form = await _form(request)
        if form is None:
            return HTMLResponse("Another site's page may not decide.", status_code=403)
        return _decided(desk, number, form, shown, lambda: _to(token, _next(desk.all(), number)))

    return app


def _decided(
    desk: Desk,
    number: int,
    form: Form,
    shown: Callable[[int, str, Form], Response],
    onward: Callable[[], Response],
) -> Response:
    """Do what a form says; a form that cannot be taken is shown again as it was filled in."""
    proposal = desk.all()[number - 1]
    said = form.get("verdict", "")
    if said == "skip":
        return onward()
    try:
        if said == "rejected":
            desk.decide(proposal.id, proposal.question, "rejected")
        elif said == "accepted":
            question = edited(proposal.question, form)
            same = question == proposal.question and proposal.verdict != "edited"
            desk.decide(proposal.id, question, "accepted" if same else "edited")
        else:
            return shown(number, "Nothing was chosen: accept, reject or skip.", form)
    except ValidationError as error:
        told = error.errors()[0]
        where = ".".join(str(part) for part in told["loc"])
        return shown(number, f"{where} {told['msg'].removeprefix('Value error, ')}.", form)
    except DocentError as error:
        return shown(number, str(error), form)
    return onward()


def edited(question: AskedQuestion, form: Form) -> AskedQuestion:
    """The question as a form has it. A fact without text and keys is taken out.

    Raises:
        ValidationError: the form makes no valid question.
    """
    raw = question.model_dump(mode="json", by_alias=True)
    for name in ("question", "class", "answer"):
        raw[name] = form.get(name, "").strip()
    raw["documents"] = _lines(form.get("documents", ""))
    for name in ("facts", "wrong"):
        raw[name] = [fact for at in _places(form, name) if (fact := _fact(form, name, at))]
    return AskedQuestion.model_validate(raw)


def _places(form: Form, name: str) -> list[int]:
    places = (key.split(".") for key in form if key.startswith(f"{name}."))
    return sorted({int(parts[1]) for parts in places if len(parts) == 3 and parts[1].isdecimal()})


def _fact(form: Form, name: str, at: int) -> dict[str, Any]:
    told = {part: form.get(f"{name}.{at}.{part}", "") for part in ("text", "keys", "where")}
    if not told["text"].strip() and not told["keys"].strip():
        return {}
    fact: dict[str, Any] = {
        "text": told["text"].strip(),
        "keys": _lines(told["keys"]),
        "where": _lines(told["where"]),
    }
    if name == "facts":
        fact["required"] = form.get(f"facts.{at}.required") == "yes"
    return fact


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


# HTTP --------------------------------------------------------------------------------------------


def _is(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())


def _nothing() -> Response:
    return HTMLResponse("There is nothing here.", status_code=404, headers=_headers())


def _to(token: str, number: int) -> Response:
    return RedirectResponse(f"/{token}/{number}", status_code=303, headers=_headers())


def _next(there: list[Proposal], after: int) -> int:
    """The next one without a verdict, from 1, beginning anew at the end; 0 when there is none."""
    order = [*range(after, len(there)), *range(after)]
    return next((at + 1 for at in order if there[at].verdict is None), 0)


async def _form(request: Request) -> Form | None:
    """The fields of a form of this page; None when it is another's, or no form."""
    own = f"{request.url.scheme}://{request.headers['host']}"
    foreign = request.headers.get("origin", own) != own or (
        request.headers.get("sec-fetch-site", "same-origin") != "same-origin"
    )
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if foreign or media_type != FORM:
        return None
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST:
            return None
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[-1] for name, values in fields.items()}


def _headers(nonce: str = "") -> dict[str, str]:
    script = f" script-src 'nonce-{nonce}';" if nonce else ""
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'unsafe-inline';{script} base-uri 'none'; "
            "form-action 'self'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        # Not `no-referrer`: with it a browser hides the origin of a form, which is looked at.
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def _page(desk: Desk, number: int, trouble: str, form: Form | None) -> Response:
    there = desk.all()
    proposal = there[number - 1] if number else None
    question = proposal.question if proposal else None
    counts = {name: sum(one.verdict == name for one in there) for name in get_args(Verdict)}
    nonce = secrets.token_urlsafe(16)
    text = _template().render(
        nonce=nonce,
        number=number,
        total=len(there),
        counts=counts,
        open=sum(one.verdict is None for one in there),
        proposal=proposal,
        fields=_fields(question) | (form or {}) if question else {},
        facts=_numbers(len(question.facts), form, "facts") if question else [],
        wrong=_numbers(len(question.wrong), form, "wrong") if question else [],
        kinds=sorted({one.question.kind for one in there}),
        trouble=trouble,
        out=str(desk.out),
    )
    status = 422 if trouble else 200
    return HTMLResponse(text, status_code=status, headers=_headers(nonce))


def _numbers(there: int, form: Form | None, name: str) -> list[int]:
    """The rows to show: those of the question or of the form, and an empty one."""
    known = [*range(there), *(_places(form, name) if form else ())]
    return list(range(max(known, default=-1) + 2))


def _fields(question: AskedQuestion) -> Form:
    """A question as the fields of a form."""
    fields = {
        "question": question.question,
        "class": question.kind,
        "answer": question.answer,
        "documents": "\n".join(question.documents),
    }
    for name in ("facts", "wrong"):
        for at, fact in enumerate(getattr(question, name)):
            fields[f"{name}.{at}.text"] = fact.text
            fields[f"{name}.{at}.keys"] = "\n".join(fact.keys)
            fields[f"{name}.{at}.where"] = "\n".join(fact.where)
            if getattr(fact, "required", False):
                fields[f"{name}.{at}.required"] = "yes"
    return fields


def _template() -> Any:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError:
        msg = "The page of a review needs Jinja. Run: pip install 'docent[eval]'"
        raise DocentError(msg) from None
    pages = Environment(
        loader=PackageLoader("eval", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template("review.html")


# Serving -----------------------------------------------------------------------------------------


def serve(
    desk: Desk,
    port: int,
    tell: Callable[[str], None],
    started: Callable[[uvicorn.Server], None] = lambda server: None,
) -> None:
    """Serve the pages to this machine until Ctrl+C; `tell` gets the address.

    `started` gets the server, which ends when its `should_exit` is set.

    Raises:
        DocentError: the port is taken, or Jinja is not installed.
    """
    _template()
    token = secrets.token_urlsafe(24)
    try:
        listening = socket.create_server((HOST, port))
    except OSError as error:
        msg = f"Docent cannot listen on {HOST}, port {port}: {error.strerror}. Give another --port."
        raise DocentError(msg) from None
    with listening:
        settings = uvicorn.Config(
            create_app(desk, token), log_level="warning", access_log=False, lifespan="off"
        )
        server = uvicorn.Server(settings)
        started(server)
        address = f"http://{HOST}:{listening.getsockname()[1]}/{token}/"
        tell(f"Review at {address}\nStop by Ctrl+C; verdicts are kept in {desk.proposed}.")
        # uvicorn raises the Ctrl+C again that it has stopped on: to end so is no failure.
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
