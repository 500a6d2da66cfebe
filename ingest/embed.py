"""Text to vectors: the `Embedder` seam and its two real ones, in process and behind a server."""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.catalogue import locate
from ingest.errors import ModelError
from ingest.precision import bfloat16_pays
from ingest.registry import find
from ingest.settings import EmbedderSettings, ModelsSettings

Vectors = NDArray[np.float32]
"""Shape (n, dim), rows of length 1, so that an inner product is a cosine."""

BATCH_TOKENS = 8192
"""Tokens of one forward pass with its padding, 32 texts of 256. Half of it is a little less work,
but its threads meet twice as often, and lose a fifth where other work shares the cores."""
VECTORS = "vectors.json"
"""In a model's folder: `{"length": N}`, of its vectors the first N numbers are kept. For models
that were trained so that these do alone (`docent tune embedder --dims`)."""
CUDA_BATCH_TOKENS = 65_536
WINDOW = 4096
"""Texts sorted by length together. Bounds the memory that their tokens need."""
TOKENISED_AT_ONCE = 256
"""Texts tokenised while the tokeniser is held, so that a query waits milliseconds only."""
LATELY = 32
"""Queries whose vectors are kept: a question is searched for, and then compared with sentences."""
SERVER_BATCH = 64
SERVER_AT_ONCE = 4
"""Requests under way in bulk: while one is written and another read, the server has work."""
SERVER_TIMEOUT_S = 60.0
CUT = {"truncate_prompt_tokens": -1}
"""How vLLM is told to cut a text to the model's window, as we do in this process; without, it
refuses the request. Sent to a server only after it did: others may not know the name."""
TOO_LONG = "maximum context length"
"""Stands in its refusal."""


class Embedder(Protocol):
    """Turns texts into unit vectors. Method names are LangChain's own; the arrays are numpy's."""

    @property
    def name(self) -> str:
        """Which model, precisely enough that two indexes with the same name may be compared."""
        ...

    @property
    def dim(self) -> int:
        """Length of one vector."""
        ...

    def embed_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] = lambda n: None
    ) -> Vectors:
        """Shape (len(texts), dim). `progress` is told how many were done since its last call."""
        ...

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Shape (dim,)."""
        ...


class LocalEmbedder:
    """A sentence-transformers folder, run in this process. Safe to use from several threads.

    Nothing is downloaded and no code of the folder is run: what is not there is a `ModelError`.
    """

    def __init__(self, path: Path, name: str) -> None:
        """Reads what the model is, not the model: that is loaded when the first text comes."""
        self._path = path
        self._name = f"{name}@{_weights_digest(path)[:12]}"
        self._dim = _dimension(path)
        self._lock = threading.Lock()
        self._loaded: _Model | None = None
        self._query = lru_cache(LATELY)(self._embedded_query)

    @property
    def name(self) -> str:
        """`MODEL@DIGEST`: the digest is of the weights and of how they are pooled."""
        return self._name

    @property
    def dim(self) -> int:
        """Length of one vector."""
        return self._dim

    def embed_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] = lambda n: None
    ) -> Vectors:
        """Shape (len(texts), dim); text beyond the model's window is cut off."""
        model = self._model()
        prompt = model.prompts.get("document") or model.prompts.get("passage") or ""
        vectors = np.empty((len(texts), self._dim), dtype=np.float32)
        for start in range(0, len(texts), WINDOW):
            window = [prompt + text for text in texts[start : start + WINDOW]]
            ids = model.token_ids(window)
            for batch in batches([len(one) for one in ids], model.budget):
                made = model.forward([ids[i] for i in batch], half=True)
                vectors[[start + i for i in batch]] = made
                progress(len(batch))
        return vectors

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Shape (dim,); not to be written into."""
        return self._query(text)

    def _embedded_query(self, text: str) -> NDArray[np.float32]:
        model = self._model()
        found = model.forward(model.token_ids([model.prompts.get("query", "") + text]))
        return _fixed(found[0])

    def _model(self) -> "_Model":
        with self._lock:
            if self._loaded is None:
                self._loaded = _Model(self._path)
            return self._loaded


class _Model:
    """A loaded sentence-transformers folder."""

    def __init__(self, path: Path) -> None:
        # Imported here because it takes seconds: commands that embed nothing must not wait for it.
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call] # transformers' own
        self._torch = torch
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self.budget = CUDA_BATCH_TOKENS if self._device == "cuda" else BATCH_TOKENS
        try:
            model = SentenceTransformer(str(path), device=self._device, local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            msg = (
                f"The embedder at {path} cannot be loaded: {error}. "
                f"Check it with: docent models verify, or fetch it again."
            )
            raise ModelError(msg) from error
        self._model = model.eval()
        self._kept = _kept(path)
        self._half = bfloat16_pays()
        self._lock = threading.Lock()
        self._max_tokens = int(model.max_seq_length or 512)
        self.prompts: dict[str, str] = {k: v or "" for k, v in (model.prompts or {}).items()}

    def token_ids(self, texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = []
        for start in range(0, len(texts), TOKENISED_AT_ONCE):
            # The tokeniser keeps its truncation setting in itself and refuses two threads.
            with self._lock:
                ids += self._model.tokenizer(
                    texts[start : start + TOKENISED_AT_ONCE],
                    truncation=True,
                    max_length=self._max_tokens,
                    padding=False,
                    return_attention_mask=False,
                    return_token_type_ids=False,
                )["input_ids"]
        return ids

    def forward(self, ids: list[list[int]], half: bool = False) -> Vectors:
        """Vectors of texts; `half` multiplies numbers of 16 bits where that is faster.

        Sums, normalisations and weights stay at 32, so that a vector turns by less than half a
        degree. Short texts, as queries are, gain nothing.
        """
        torch = self._torch
        longest = max(len(one) for one in ids)
        tokens = np.full((len(ids), longest), self._model.tokenizer.pad_token_id or 0, np.int64)
        mask = np.zeros((len(ids), longest), np.int64)
        for row, one in enumerate(ids):
            tokens[row, : len(one)] = one
            mask[row, : len(one)] = 1
        features: dict[str, Any] = {
            "input_ids": torch.from_numpy(tokens).to(self._device),
            "attention_mask": torch.from_numpy(mask).to(self._device),
            "modality": "text",
        }
        with (
            torch.inference_mode(),
            torch.autocast(self._device, torch.bfloat16, enabled=half and self._half),
        ):
            found = self._model(features)["sentence_embedding"].float()[:, : self._kept]
            unit: Vectors = torch.nn.functional.normalize(found, p=2, dim=1).cpu().numpy()
        return unit


def batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Positions in batches of similar length, each of at most `budget` tokens with its padding.

    Every position comes exactly once; a single text longer than the budget is a batch of its own.
    Longest first, so that memory that is too small shows at the start and not after an hour.
    """
    batch: list[int] = []
    longest = 0
    for position in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and longest * (len(batch) + 1) > budget:
            yield batch
            batch = []
        if not batch:
            longest = max(1, lengths[position])
        batch.append(position)
    if batch:
        yield batch


def _fixed(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """A copy that nobody changes for whoever asks the same."""
    kept = np.array(vector)
    kept.flags.writeable = False
    return kept


def _kept(path: Path) -> int | None:
    """How many numbers of a vector are kept; None for all."""
    try:
        return int(json.loads((path / VECTORS).read_text(encoding="utf-8"))["length"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path / VECTORS} does not say how many numbers of a vector are kept: {error!r}."
        raise ModelError(msg) from None


def _dimension(path: Path) -> int:
    if kept := _kept(path):
        return kept
    for name, key in (
        ("1_Pooling/config.json", "word_embedding_dimension"),
        ("1_Pooling/config.json", "embedding_dimension"),
        ("config.json", "hidden_size"),
    ):
        with suppress(FileNotFoundError, ValueError, KeyError):
            return int(json.loads((path / name).read_text(encoding="utf-8"))[key])
    msg = f"{path} does not say how long its vectors are. Name a sentence-transformers folder."
    raise ModelError(msg)


def _weights_digest(path: Path) -> str:
    weights = sorted(path.glob("*.safetensors")) or sorted(path.glob("pytorch_model*.bin"))
    if not weights:
        msg = (
            f"{path} holds no model weights. Set [embedder] model to a sentence-transformers "
            f"folder, or to an embedder that `docent models` lists."
        )
        raise ModelError(msg)
    pooling = [path / "sentence_bert_config.json", *sorted(path.glob("*_Pooling/config.json"))]
    pooling.append(path / VECTORS)
    digest = hashlib.sha256()
    for file in [*weights, *(one for one in pooling if one.is_file())]:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


class ServerEmbedder:
    """An OpenAI-compatible `/v1/embeddings` server, such as vLLM with `--runner pooling`."""

    def __init__(self, url: str, model: str, key: str) -> None:
        # Imported here for the same reason as above: a second that other commands need not pay.
        import httpx2
        import openai

        self._url = url
        self._model = model
        # The client checks no reply: one of another shape fails where it is read.
        odd = (ValueError, TypeError, AttributeError)
        self._errors = (openai.OpenAIError, httpx2.HTTPError, *odd)
        self._client = openai.OpenAI(
            base_url=url,
            # Servers on one's own network often have no key, but the client insists on one.
            api_key=key or "none",
            max_retries=3,
            timeout=openai.Timeout(SERVER_TIMEOUT_S, connect=5.0),
        )
        self._dim = 0
        self._query = lru_cache(LATELY)(self._embedded_query)

    @property
    def name(self) -> str:
        """`server:MODEL`. Without the address: the same model may move to another machine."""
        return f"server:{self._model}"

    @property
    def dim(self) -> int:
        """Length of one vector; asks the server once."""
        if not self._dim:
            self._ask(["dimension"])
        return self._dim

    def embed_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] = lambda n: None
    ) -> Vectors:
        """Shape (len(texts), dim)."""
        if not texts:
            return np.empty((0, self.dim), np.float32)
        # Longest first and alike together: many a server pads the texts of a request to one length.
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        places = [order[at : at + SERVER_BATCH] for at in range(0, len(order), SERVER_BATCH)]
        parts: list[Vectors] = []
        pool = ThreadPoolExecutor(SERVER_AT_ONCE)
        try:
            for part in pool.map(lambda at: self._ask([texts[place] for place in at]), places):
                progress(len(part))
                parts.append(part)
        finally:
            pool.shutdown(cancel_futures=True)
        vectors = np.empty((len(texts), parts[0].shape[1]), np.float32)
        vectors[order] = np.concatenate(parts)
        return vectors

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Shape (dim,); not to be written into."""
        return self._query(text)

    def _embedded_query(self, text: str) -> NDArray[np.float32]:
        return _fixed(self._ask([text])[0])

    def _ask(self, texts: Sequence[str]) -> Vectors:
        try:
            reply = self._reply(texts)
            rows = [row.embedding for row in sorted(reply.data, key=lambda row: row.index)]
            found = np.asarray(rows, dtype=np.float32)
        except self._errors as error:
            msg = (
                f"The embedding server at {self._url} does not answer for {self._model}: {error} "
                f"Start it, or set [embedder] url and model."
            )
            raise ModelError(msg) from error
        return self._checked(found, len(texts))

    def _reply(self, texts: Sequence[str]) -> Any:
        import openai

        # Plain floats: not every server knows the client's own default, base64.
        ask = partial(
            self._client.embeddings.create,
            model=self._model,
            input=list(texts),
            encoding_format="float",
        )
        try:
            return ask()
        except openai.BadRequestError as error:
            if TOO_LONG not in str(error):
                raise
            try:
                return ask(extra_body=CUT)
            except openai.BadRequestError:
                raise error from None

    def _checked(self, found: Vectors, asked: int) -> Vectors:
        where = f"The embedding server at {self._url}"
        if found.ndim != 2 or len(found) != asked:
            msg = (
                f"{where} sent vectors of shape {found.shape} for {asked} texts. It is not usable."
            )
            raise ModelError(msg)
        if self._dim and found.shape[1] != self._dim:
            msg = (
                f"{where} sent vectors of {found.shape[1]} numbers after ones of {self._dim}. "
                f"Its model was changed: start Docent again."
            )
            raise ModelError(msg)
        norms = np.linalg.norm(found, axis=1, keepdims=True)
        if not np.isfinite(norms).all() or not (norms > 0).all():
            msg = f"{where} sent a vector that is zero or not a number. It is not usable."
            raise ModelError(msg)
        self._dim = found.shape[1]
        unit: Vectors = (found / norms).astype(np.float32)
        return unit


def embedder_from(settings: EmbedderSettings, models: ModelsSettings) -> Embedder:
    """The embedder that the settings ask for: behind `url` if there is one, else in this process.

    Raises:
        ModelError: the model is not on this machine; names the command that fetches it.
    """
    if settings.url:
        return ServerEmbedder(
            settings.url, settings.model, os.environ.get(settings.api_key_env, "")
        )
    path = locate(settings.model, models)
    card = find(settings.model, models)
    # Of a registered one the digest says which version it is, however the settings name it.
    return LocalEmbedder(path, card.name if card else Path(settings.model).name)
