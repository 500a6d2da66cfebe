"""JSON pages, loaded so that a bomb is a failed page and nothing worse."""

import json
from collections.abc import Mapping
from typing import Any

from ingest.errors import ParseError
from ingest.model import Page
from ingest.parse.clean import decode


def load_json(page: Page) -> Any:
    """The value in a JSON page.

    Raises:
        ParseError: when it is not JSON or is nested beyond what Python can read.
    """
    try:
        # Exports carry raw control characters in strings; `clean` drops them later.
        return json.loads(decode(page), parse_int=_short_int, strict=False)
    except RecursionError:
        msg = f"{page.id} is nested too deeply to be read as JSON."
        raise ParseError(msg) from None
    except ValueError as error:
        msg = f"{page.id} is not valid JSON: {error}. Fetch it again or exclude it."
        raise ParseError(msg) from error


def _short_int(digits: str) -> int | float:
    # Python refuses integers of thousands of digits by raising; ours are ids and counts.
    return int(digits) if len(digits) < 100 else float("inf")


def records(value: Any, *wrappers: str) -> list[Mapping[str, Any]]:
    """The objects of an export: of a list, of the list under a wrapping key, or itself."""
    if isinstance(value, Mapping):
        inside = next((value[key] for key in wrappers if isinstance(value.get(key), list)), None)
        value = [value] if inside is None else inside
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def named(value: Any, *keys: str) -> str:
    """Names of an object or of a list of objects, joined by commas: the first key that is there."""
    given = value if isinstance(value, list) else [value]
    names = []
    for item in given[:100]:
        if isinstance(item, str):
            names.append(item)
        elif isinstance(item, Mapping):
            names.append(next((str(item[key]) for key in keys if item.get(key)), ""))
    return ", ".join(name for name in names if name)
