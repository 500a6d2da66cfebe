"""What can go wrong while somebody signs in. The text is for the one who signs in."""

from http import HTTPStatus

from ingest.errors import DocentError


class SignInError(DocentError):
    """Nobody was signed in."""

    status = HTTPStatus.BAD_REQUEST


class SignInRefused(SignInError):
    """The provider knows who it is, and he may not come in."""

    status = HTTPStatus.FORBIDDEN


class ProviderAway(SignInError):
    """The provider does not answer, or not as a provider does."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
