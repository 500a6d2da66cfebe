"""How an address names what has any sign in its name: a line break, a slash, a per cent."""

from starlette.convertors import Convertor, register_url_convertor

ANYTHING = "anything"
"""The kind of a parameter, as in `/documents/{id:anything}`: the rest of the address."""


class _Anything(Convertor[str]):
    """Starlette's own `path` ends at a line break."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor(ANYTHING, _Anything())
