"""What clients of OpenAI's API send and are given, as far as it means something here.

They send many other fields (temperature, tools, metadata …): those are taken and change nothing.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

MAX_MESSAGES = 1000
MAX_INPUTS = 256
MAX_INPUT_CHARS = 32_000


class PartIn(BaseModel):
    """A piece of a message; only text is read."""

    type: str
    text: str = ""


class MessageIn(BaseModel):
    """A message of the conversation."""

    role: str
    content: str | list[PartIn] | None = None

    @property
    def text(self) -> str:
        """All of its text."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type == "text")
        return self.content or ""


class StreamOptionsIn(BaseModel):
    """How to stream."""

    include_usage: bool = False


class CompletionIn(BaseModel):
    """A conversation to be gone on with: its last message of the user is the question."""

    model: str
    messages: list[MessageIn] = Field(min_length=1, max_length=MAX_MESSAGES)
    stream: bool | None = False
    stream_options: StreamOptionsIn | None = None
    n: Annotated[int, Field(ge=1, le=1)] | None = None


class UsageOut(BaseModel):
    """Tokens, as far as the model tells; else 0."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class UrlCitationOut(BaseModel):
    """A source, and which characters of the message are its number."""

    start_index: int
    end_index: int
    title: str
    url: str


class AnnotationOut(BaseModel):
    """What stands behind a part of a message."""

    type: Literal["url_citation"] = "url_citation"
    url_citation: UrlCitationOut


class AssistantMessageOut(BaseModel):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None
    annotations: list[AnnotationOut]


class ChoiceOut(BaseModel):
    """The one answer."""

    index: int = 0
    message: AssistantMessageOut
    logprobs: None = None
    finish_reason: Literal["stop"] = "stop"


class CompletionOut(BaseModel):
    """An answer as OpenAI words it; `docent` is the whole of it as `/api/v1/ask` gives it."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChoiceOut]
    usage: UsageOut
    docent: dict[str, Any] | None = None


class ModelOut(BaseModel):
    """A model."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["docent"] = "docent"


class ModelsOut(BaseModel):
    """What `model` may be."""

    object: Literal["list"] = "list"
    data: list[ModelOut]


InputText = Annotated[str, Field(min_length=1, max_length=MAX_INPUT_CHARS)]


class EmbeddingsIn(BaseModel):
    """Texts to be turned into vectors. Numbers of tokens are not understood: send text."""

    model: str
    input: InputText | Annotated[list[InputText], Field(min_length=1, max_length=MAX_INPUTS)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None


class EmbeddingOut(BaseModel):
    """A vector; base64 of little-endian 32-bit floats where that was asked for."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsOut(BaseModel):
    """Vectors in the order of their texts."""

    object: Literal["list"] = "list"
    data: list[EmbeddingOut]
    model: str
    usage: UsageOut
