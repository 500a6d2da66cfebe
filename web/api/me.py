"""Who somebody is here, what he may use, and what to begin with."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter

from web.problems import declared
from web.schema import GlossaryOut, MeOut, SuggestionsOut
from web.services import Given
from web.who import Caller, Role, Scope, Whoever, needs

SAID_BY = 3
"""Of the documents that say what a short form means, so many are named."""

router = APIRouter(tags=["me"])


@router.get("/me", response_model=MeOut, responses=declared())
async def me(services: Given, caller: Whoever) -> Any:
    """Who is asking; also answers somebody who has not signed in."""
    if caller is None:
        return MeOut(sign_in_url=services.door.sign_in_url)
    return MeOut(
        user_id=caller.user_id,
        name=caller.name,
        role=caller.role,
        via=caller.via,
        groups=sorted(caller.reader.groups),
        signed_in=caller.via != "local",
        sign_in_url=services.door.sign_in_url,
        features=_features(caller),
    )


def _features(caller: Caller) -> dict[str, bool]:
    scopes = caller.scopes
    return {
        "ask": Scope.ASK in scopes,
        "search": Scope.SEARCH in scopes,
        "history": Scope.HISTORY in scopes,
        "share": Scope.HISTORY in scopes,
        "feedback": Scope.FEEDBACK in scopes,
        "tokens": Scope.TOKENS in scopes,
        "admin": Scope.ADMIN in scopes and caller.role >= Role.MAINTAINER,
        "sign_out": caller.via == "session",
    }


@router.get("/suggestions", response_model=SuggestionsOut, responses=declared())
async def suggestions(services: Given, caller: Annotated[Caller, needs(Scope.SEARCH)]) -> Any:
    """Questions to begin with, as the settings name them."""
    return SuggestionsOut(suggestions=list(services.settings.server.suggestions))


@router.get(
    "/glossary",
    response_model=GlossaryOut,
    responses=declared(HTTPStatus.SERVICE_UNAVAILABLE),
)
async def glossary(services: Given, caller: Annotated[Caller, needs(Scope.SEARCH)]) -> Any:
    """What short forms mean, as the documents say that the reader may see."""
    return {
        "entries": [
            {
                "short": entry.short,
                "long": entry.long,
                "sources": [
                    {"document_id": said.document_id, "title": said.title, "url": said.url}
                    for said in entry.sources[:SAID_BY]
                ],
            }
            for entry in await services.assistant.glossary(caller.reader)
        ]
    }
