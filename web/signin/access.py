"""Whether the claims of a token are those of an access token that holds now."""

from collections.abc import Mapping
from typing import Any

LEEWAY_S = 60
"""How far two clocks may be apart."""
KINDS = frozenset({"at+jwt", "application/at+jwt"})
"""The header of an access token (RFC 9068, section 2.1)."""
BEARER = "Bearer"
"""What Keycloak writes into the claims of one instead; an id token has "ID" there."""


def wrong_access(
    header: Mapping[str, Any], claims: Mapping[str, Any], now: float, lasts_s: float
) -> str:
    """What is wrong with a token whose signature, issuer and audience hold; empty for nothing.

    `lasts_s`: so long after it was made it is believed, whatever it says of its own end.
    """
    if str(header.get("typ", "")).lower() not in KINDS and claims.get("typ") != BEARER:
        return "is a token of another kind"
    if "cnf" in claims:
        # RFC 9449, section 7.2: who only has the token must not be taken for its owner.
        return "is bound to a key that was not shown"
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        return "does not say whose it is"
    if not all(is_number(claims.get(name)) for name in ("iat", "exp")):
        return "does not say from when till when it holds"
    if claims["exp"] <= now - LEEWAY_S:
        return "has expired"
    if not is_number(claims.get("nbf", 0)) or max(claims["iat"], claims.get("nbf", 0)) > (
        now + LEEWAY_S
    ):
        return "does not hold yet"
    if claims["iat"] <= now - lasts_s - LEEWAY_S:
        return "was made too long ago to be believed about your groups"
    return ""


def is_number(value: Any) -> bool:
    """Whether it is a number, which True is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)
