"""What the API takes and gives of tokens, linked accounts and programs that ask to be let in."""

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, StringConstraints

from web.schema import Line, Moment, StrictIn
from web.who import Scope


def _moment(value: Any) -> Any:
    if isinstance(value, str):
        return value
    msg = "a moment is written as 2026-01-31T12:00:00Z"
    raise ValueError(msg)


class TokenIn(StrictIn):
    """A token to be made."""

    name: Line
    scopes: list[Annotated[Scope, Field(strict=False)]] = Field(min_length=1, max_length=len(Scope))
    expires_at: Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_moment)] = Field(
        description="At most 366 days from now."
    )


class TokenOut(BaseModel):
    """A token without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    created_at: Moment
    expires_at: Moment
    revoked_at: Moment | None
    last_used_at: Moment | None


class TokensOut(BaseModel):
    """Tokens, the latest first."""

    tokens: list[TokenOut]


class TokenMadeOut(TokenOut):
    """A token with its secret, which is told this once."""

    token: str


class LinkIn(StrictIn):
    """The code that another service has told somebody."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=100)]


class LinkOut(BaseModel):
    """An account of another service that is linked."""

    service: str = Field(description="`mattermost`, or `gitlab:` and its host.")
    name: str = Field(description="Of the account, as it was when it was linked.")
    linked_at: Moment


class LinksOut(BaseModel):
    """Somebody's linked accounts."""

    links: list[LinkOut]


class LinkAboutOut(BaseModel):
    """What a code would link."""

    service: str
    name: str
    expires_at: Moment


UserCode = Annotated[str, StringConstraints(min_length=1, max_length=20)]


class DeviceAboutIn(StrictIn):
    """The code that a program shows."""

    user_code: UserCode


class DeviceDecisionIn(StrictIn):
    """Whether the program that shows a code is let in."""

    user_code: UserCode
    allow: bool


class DeviceAboutOut(BaseModel):
    """A program that waits to be let in."""

    name: str = Field(description="What it calls itself: nobody has checked that.")
    expires_at: Moment = Field(description="When its code holds no more.")
    scopes: list[Scope]
    token_days: int
