"""A server of an embedder: OpenAI's `/v1/embeddings`, with words hashed into 64 buckets.

Unlike a fake in the process it can be shared by a server and by the runs that it starts.
"""

import json

from tests.fakes import HashEmbedder
from tests.servers import NOT_FOUND, Answer, Request, Server, json_answer

MODEL = "hash-64"


class EmbeddingServer(Server):
    """Its `v1` is what `[embedder] url` takes."""

    @property
    def v1(self) -> str:
        return f"{self.url}/v1"

    def answer(self, request: Request) -> Answer:
        if (request.method, request.path) != ("POST", "/v1/embeddings"):
            return NOT_FOUND
        if not request.headers.get("authorization", "").startswith("Bearer "):
            return json_answer({"error": {"message": "There is no key."}}, 401)
        asked = json.loads(request.body)
        texts = asked.get("input")
        if not isinstance(texts, list) or not texts or not all(isinstance(it, str) for it in texts):
            return json_answer({"error": {"message": "input is no list of texts."}}, 400)
        if (asked.get("model"), asked.get("encoding_format")) != (MODEL, "float"):
            return json_answer({"error": {"message": "That is not what is served here."}}, 404)
        rows = [
            {"object": "embedding", "index": number, "embedding": vector.tolist()}
            for number, vector in enumerate(HashEmbedder().embed_documents(texts))
        ]
        usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
        return json_answer({"object": "list", "data": rows, "model": MODEL, "usage": usage})
