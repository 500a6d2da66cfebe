"""What the server refuses, and how it says so."""

import re
from typing import Any

from starlette.responses import JSONResponse, Response

LONGEST = 16_383

Record = dict[str, Any]


class Refusal(Exception):
    """What the server refuses, as it says it."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status

    def answer(self) -> Response:
        told = {
            "id": str(self), "message": str(self), "detailed_error": "",
            "request_id": "r" * 26, "status_code": self.status,
        }  # fmt: skip
        return JSONResponse(told, self.status)


def checked_id(value: Any, name: str) -> str:
    if value != "me" and not (isinstance(value, str) and re.fullmatch("[a-z0-9]{26}", value)):
        raise Refusal(400, f"api.context.invalid_url_param.app_error ({name})")
    return str(value)


def checked_text(text: Any) -> None:
    if not isinstance(text, str) or len(text) > LONGEST:
        raise Refusal(400, "model.post.is_valid.message_length.app_error")
