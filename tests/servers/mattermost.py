"""A Mattermost as far as incoming webhooks go: `POST /hooks/KEY` with a text, answered by `ok`."""

import json

from tests.servers import NOT_FOUND, Answer, Request, Server, json_answer

KEY = "k7dq3x9m1pbe8fzw5tgh2rncya"
LONGEST = 16_383


class MattermostServer(Server):
    """`posts` are the texts that arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.posts: list[str] = []

    @property
    def hook(self) -> str:
        """The address that an administrator hands out."""
        return f"{self.url}/hooks/{KEY}"

    def answer(self, request: Request) -> Answer:
        if request.method != "POST":
            return NOT_FOUND
        if request.path != f"/hooks/{KEY}":
            return _refusal("Invalid webhook.")
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return _refusal("Unable to parse incoming data.")
        text = json.loads(request.body).get("text", "")
        if not text or len(text) > LONGEST:
            return _refusal("No text specified, or too much of it.")
        self.posts.append(text)
        return Answer("ok", type="text/plain")


def _refusal(message: str) -> Answer:
    told = {"id": "web.incoming_webhook.error", "message": message, "status_code": 400}
    return json_answer(told, 400)
