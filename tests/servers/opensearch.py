"""A server that takes the requests of OpenSearch 3 that its documentation describes, and no others.

Every field of every body is checked: one that is not known here is refused with 400, as the real
one refuses it. Searches see what was refreshed, `GET _doc` what was written. What it cannot show:
shards and replicas, the security plugin, and the recall of Lucene's graph (it compares everything).
"""

import fnmatch
import json
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from ingest.index.postgres.words import kept_length

Body = dict[str, Any]
SCRIPT = "cosineSimilarity(params.query_value, doc[params.field]) + 1.0"
NUMBERS = ("long",)


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        cause = {"type": kind, "reason": reason}
        self.body = {"error": {"root_cause": [cause], **cause}, "status": status}


def refuse(reason: str, kind: str = "parsing_exception", status: int = 400) -> None:
    raise Refused(status, kind, reason)


def exactly(body: Any, needed: set[str], allowed: Set[str] = frozenset()) -> None:
    """A body has these keys, and of others only the allowed."""
    if not isinstance(body, dict):
        refuse(f"[{body!r}] is no object")
    if missing := needed - body.keys():
        refuse(f"required [{sorted(missing)}]")
    if unknown := body.keys() - needed - set(allowed):
        refuse(f"unknown field {sorted(unknown)}")


class Index:
    """One index: documents as written, and as searches see them."""

    def __init__(self, body: Body) -> None:
        exactly(body, {"settings", "mappings"})
        exactly(body["settings"], {"index"}, {"analysis"})
        exactly(body["settings"]["index"], set(), {"number_of_shards", "knn", "similarity"})
        exactly(body["mappings"], {"dynamic", "properties"})
        self.fields: Body = body["mappings"]["properties"]
        for field in self.fields.values():
            exactly(field, {"type"}, {"enabled", "analyzer", "dimension", "method"})
            if field["type"] == "knn_vector":
                self._knn(field, body["settings"]["index"])
            if field["type"] == "text":
                known = body["settings"].get("analysis", {}).get("analyzer", {})
                if known.get(field["analyzer"]) != {"type": "custom", "tokenizer": "whitespace"}:
                    refuse(f"analyzer [{field['analyzer']}] has not been configured")
        self.written: dict[str, Body] = {}
        self.seen: dict[str, Body] = {}
        self._holding: dict[str, dict[Any, list[str]]] = {}

    def refresh(self) -> None:
        """Let searches see what was written."""
        self.seen = dict(self.written)
        self._holding.clear()

    def delete(self, query: Body) -> int:
        """Delete what searches find; how many that were."""
        gone = self.matching(query)
        for key in gone:
            self.written.pop(key, None)
            self.seen.pop(key, None)
        self._holding.clear()
        return len(gone)

    @staticmethod
    def _knn(field: Body, settings: Body) -> None:
        if settings.get("knn") is not True:
            refuse("a knn_vector that is searched needs index.knn")
        exactly(field["method"], {"name", "engine", "space_type"}, {"parameters"})
        method = field["method"]
        if (method["name"], method["engine"]) != ("hnsw", "lucene") or field["dimension"] > 16_000:
            refuse("Invalid method")
        if method["space_type"] not in ("l2", "cosinesimil", "innerproduct"):
            refuse("Invalid space type")
        exactly(method.get("parameters", {}), set(), {"m", "ef_construction"})

    def check(self, document: Body) -> None:
        for name, value in document.items():
            if name not in self.fields:
                refuse(f"mapping set to strict, dynamic introduction of [{name}] is not allowed",
                       "strict_dynamic_mapping_exception")  # fmt: skip
            field = self.fields[name]
            for one in (
                value if isinstance(value, list) and field["type"] != "knn_vector" else [value]
            ):
                kind = field["type"]
                well = {
                    "long": isinstance(one, int) and -(2**63) <= one < 2**63,
                    "keyword": isinstance(one, str) and len(one.encode()) <= 32_766,
                    "text": isinstance(one, str),
                    "boolean": isinstance(one, bool),
                    "object": isinstance(one, dict),
                    "knn_vector": isinstance(one, list) and len(one) == field.get("dimension"),
                }[kind]
                if not well:
                    refuse(f"failed to parse field [{name}] of type [{kind}]",
                           "mapper_parsing_exception")  # fmt: skip

    # --- queries: a mask and a score for every document that is seen ----------------------------

    def matching(self, query: Body) -> dict[str, float]:
        if not isinstance(query, dict) or len(query) != 1:
            refuse("[query] malformed, one query expected")
        [(kind, body)] = query.items()
        ways: dict[str, Callable[[Any], dict[str, float]]] = {
            "bool": self._bool, "term": self._term, "terms": self._terms, "range": self._range,
            "match": self._match, "knn": self._nearest, "script_score": self._script,
        }  # fmt: skip
        if kind not in ways:
            refuse(f"unknown query [{kind}]")
        return ways[kind](body)

    def _bool(self, body: Body) -> dict[str, float]:
        exactly(body, set(), {"filter", "must"})
        found = dict.fromkeys(self.seen, 0.0)
        for one in body.get("filter", []):
            held = self.matching(one)
            found = {name: score for name, score in found.items() if name in held}
        for one in body.get("must", []):
            held = self.matching(one)
            found = {name: score + held[name] for name, score in found.items() if name in held}
        return found

    def _field(self, body: Body) -> tuple[str, Any]:
        if not isinstance(body, dict) or len(body) != 1:
            refuse("one field expected")
        [(name, value)] = body.items()
        if self.fields.get(name, {}).get("type") not in ("long", "keyword", "boolean"):
            refuse(f"field [{name}] cannot be filtered", "query_shard_exception")
        return name, value

    def _holders(self, name: str) -> dict[Any, list[str]]:
        """The documents of each value of a field, worked out once until the next refresh."""
        if name not in self._holding:
            held = self._holding.setdefault(name, {})
            for key, document in self.seen.items():
                value = document.get(name, [])
                for one in set(value) if isinstance(value, list) else {value}:
                    held.setdefault(one, []).append(key)
        return self._holding[name]

    def _with(self, name: str, holds: Callable[[Any], bool]) -> dict[str, float]:
        held = self._holders(name)
        return dict.fromkeys(
            (key for value, keys in held.items() if holds(value) for key in keys), 1.0
        )

    def _term(self, body: Body) -> dict[str, float]:
        name, value = self._field(body)
        return self._with(name, lambda one: bool(one == value))

    def _terms(self, body: Body) -> dict[str, float]:
        name, values = self._field(body)
        if not isinstance(values, list) or len(values) > 65_536:
            refuse("[terms] takes a list of at most 65536")
        wanted = set(values)
        return self._with(name, lambda one: one in wanted)

    def _range(self, body: Body) -> dict[str, float]:
        name, limits = self._field(body)
        exactly(limits, set(), {"gt", "gte", "lte"})
        return self._with(
            name,
            lambda one: (
                one > limits.get("gt", -math.inf)
                and limits.get("gte", -math.inf) <= one <= limits.get("lte", math.inf)
            ),
        )

    def _match(self, body: Body) -> dict[str, float]:
        [(name, asked)] = body.items()
        exactly(asked, {"query"}, {"operator"})
        if self.fields.get(name, {}).get("type") != "text" or asked.get("operator") != "or":
            refuse(f"[match] of [{name}]")
        bags = {key: bag_of(one[name]) for key, one in self.seen.items()}
        average = sum(length for _, length in bags.values()) / max(1, len(bags))
        scores: dict[str, float] = {}
        for term in asked["query"].split():
            holding = {key: bag[term] for key, (bag, _) in bags.items() if term in bag}
            told = math.log(1 + (len(bags) - len(holding) + 0.5) / (len(holding) + 0.5))
            for key, count in holding.items():
                norm = 1.2 * (0.25 + 0.75 * kept_length(bags[key][1]) / average)
                scores[key] = scores.get(key, 0.0) + told * count / (count + norm)
        return scores

    def _nearest(self, body: Body) -> dict[str, float]:
        [(name, asked)] = body.items()
        exactly(asked, {"vector", "k"}, {"filter"})
        if not 0 < asked["k"] <= 10_000:
            refuse("[knn] requires 0 < k <= 10000")
        allowed = self.matching(asked["filter"]) if "filter" in asked else self.seen
        cosines = self._cosines(name, asked["vector"], allowed)
        best = sorted(cosines, key=lambda key: -cosines[key])[: asked["k"]]
        return {key: (1 + cosines[key]) / 2 for key in best}

    def _script(self, body: Body) -> dict[str, float]:
        exactly(body, {"query", "script"})
        exactly(body["script"], {"source", "params"})
        params = body["script"]["params"]
        exactly(params, {"field", "query_value"})
        if body["script"]["source"] != SCRIPT:
            refuse("compile error", "script_exception")
        allowed = self.matching(body["query"])
        cosines = self._cosines(params["field"], params["query_value"], allowed)
        return {key: cosine + 1.0 for key, cosine in cosines.items()}

    def _cosines(self, name: str, vector: Any, allowed: Any) -> dict[str, float]:
        field = self.fields.get(name, {})
        if field.get("type") != "knn_vector" or len(vector) != field["dimension"]:
            refuse(f"Query vector has invalid dimension for [{name}]", "query_shard_exception")
        asked = np.asarray(vector)
        if not np.linalg.norm(asked):
            refuse("zero vector is not supported for cosinesimil")
        found = {}
        for key in allowed:
            own = np.asarray(self.seen[key][name])
            found[key] = float(own @ asked / np.linalg.norm(own) / np.linalg.norm(asked))
        return found

    # --- requests -------------------------------------------------------------------------------

    def search(self, body: Body) -> Body:
        exactly(body, {"query", "size"}, {"_source", "sort", "search_after", "aggs"})
        if body["size"] > 10_000:
            refuse("Result window is too large, size must be less than or equal to: [10000]",
                   "illegal_argument_exception")  # fmt: skip
        found = self.matching(body["query"])
        order = sorted(found, key=lambda key: (-found[key], key))
        if "sort" in body:
            if body["sort"] != [{"row": "asc"}]:
                refuse("sort")
            order = sorted(found, key=lambda key: self.seen[key]["row"])
            after = body.get("search_after", [-math.inf])[0]
            order = [key for key in order if self.seen[key]["row"] > after]
        hits = [
            {"_id": key, "_score": found[key], "sort": [self.seen[key].get("row")],
             "_source": chosen(self.seen[key], body.get("_source"))}
            for key in order[: body["size"]]
        ]  # fmt: skip
        told: Body = {"hits": {"total": {"value": len(found)}, "hits": hits}}
        if "aggs" in body:
            told["aggregations"] = {n: self._buckets(a, found) for n, a in body["aggs"].items()}
        return told

    def _buckets(self, asked: Body, found: dict[str, float]) -> Body:
        exactly(asked, {"terms"})
        exactly(asked["terms"], {"field"}, {"size"})
        counts: dict[Any, int] = {}
        for key in found:
            value = self.seen[key][asked["terms"]["field"]]
            counts[value] = counts.get(value, 0) + 1
        best = sorted(counts.items(), key=lambda pair: -pair[1])[: asked["terms"].get("size", 10)]
        return {"buckets": [{"key": value, "doc_count": count} for value, count in best]}

    def term_vectors(self, body: Body) -> Body:
        exactly(body, {"doc", "fields", "term_statistics", "field_statistics"},
                {"positions", "offsets", "payloads"})  # fmt: skip
        [name] = body["fields"]
        bags = [bag_of(one[name])[0] for one in self.seen.values()]
        terms = {
            term: {
                "term_freq": 1,
                **({"doc_freq": n} if (n := sum(term in b for b in bags)) else {}),
            }
            for term in body["doc"][name].split()
        }
        return {
            "term_vectors": {name: {"field_statistics": {"doc_count": len(bags)}, "terms": terms}}
        }


@lru_cache(maxsize=10_000)
def bag_of(text: str) -> tuple[Counter[str], int]:
    """How often each term is in a text, and how long that is."""
    words = text.split()
    return Counter(words), len(words)


def chosen(document: Body, wanted: list[str] | None) -> Body:
    """The fields that were asked for; `a.b` is a part of `a`."""
    if wanted is None:
        return document
    found: Body = {}
    for name in wanted:
        first, _, rest = name.partition(".")
        if first not in document:
            continue
        if rest:
            found.setdefault(first, {})[rest] = document[first].get(rest)
        else:
            found[first] = document[first]
    return found


class OpenSearchServer:
    """The cluster behind the socket."""

    def __init__(self) -> None:
        self.indexes: dict[str, Index] = {}
        self.aliases: dict[str, set[str]] = {}
        self.lock = threading.RLock()
        self.full = 0
        """So many changes are refused as too much, with 429."""
        self.cut_after: int | None = None
        """After so many changes the connection breaks in the middle of an answer."""
        self.url = ""

    def answer(self, method: str, target: str, raw: bytes) -> tuple[int, Body]:
        parts = urlsplit(target)
        path = [unquote(one) for one in parts.path.strip("/").split("/") if one]
        options = {k: v[-1] for k, v in parse_qs(parts.query).items()}
        body: Any = json.loads(raw) if raw and path[-1:] != ["_bulk"] else None
        match (method, *path):
            case ("POST", "_bulk"):
                return 200, self._bulk(raw.decode())
            case ("POST", "_aliases"):
                return 200, self._switch(body)
            case ("HEAD", "_alias", name):
                return (200 if self.aliases.get(name) else 404), {}
            case ("HEAD", name):
                return (200 if name in self.indexes else 404), {}
            case ("PUT", name):
                if name in self.indexes:
                    refuse(f"index [{name}] already exists", "resource_already_exists_exception")
                self.indexes[name] = Index(body)
                return 200, {"acknowledged": True, "index": name}
            case ("GET", pattern) if not pattern.startswith("_"):
                return 200, {name: {} for name in fnmatch.filter(self.indexes, pattern)}
            case ("DELETE", name):
                self.indexes.pop(name, None)
                return 200, {"acknowledged": True}
            case ("POST", names, "_refresh"):
                for name in names.split(","):
                    self._index(name).refresh()
                return 200, {"_shards": {"failed": 0}}
            case ("PUT", name, "_doc", key):
                return 201, self._put(name, key, body, refresh=options.get("refresh") == "true")
            case ("GET", name, "_doc", key):
                written = self._index(name).written
                if key in written:
                    return 200, {"_id": key, "found": True, "_source": written[key]}
                return 404, {"_id": key, "found": False}
            case ("POST", name, "_search"):
                if options != {"allow_partial_search_results": "false"}:
                    refuse(f"parameters {options}")
                return 200, self._index(name).search(body)
            case ("POST", name, "_count"):
                exactly(body, {"query"})
                return 200, {"count": len(self._index(name).matching(body["query"]))}
            case ("POST", name, "_delete_by_query"):
                exactly(body, {"query"})
                return 200, {"deleted": self._index(name).delete(body["query"]), "failures": []}
            case ("POST" | "GET", name, "_termvectors"):
                return 200, self._index(name).term_vectors(body)
            case ("GET", pattern, "_stats", "store"):
                named = [self.indexes[one] for one in fnmatch.filter(self.indexes, pattern)]
                size = sum(len(json.dumps(one.written)) for one in named)
                return 200, {"_all": {"total": {"store": {"size_in_bytes": size}}}}
        refuse(f"no handler found for uri [{target}] and method [{method}]",
               "illegal_argument_exception")  # fmt: skip
        return 400, {}

    def _index(self, name: str) -> Index:
        if name not in self.indexes:
            refuse(f"no such index [{name}]", "index_not_found_exception", 404)
        return self.indexes[name]

    def _put(self, name: str, key: str, body: Body, *, refresh: bool) -> Body:
        held = self._index(name)
        held.check(body)
        held.written[key] = body
        if refresh:
            held.refresh()
        return {"_id": key, "result": "created"}

    def _switch(self, body: Body) -> Body:
        exactly(body, {"actions"})
        for action in body["actions"]:
            [(kind, one)] = action.items()
            exactly(one, {"index", "alias"})
            named = set(fnmatch.filter(self.indexes, one["index"]))
            if kind == "remove":
                self.aliases[one["alias"]] = self.aliases.get(one["alias"], set()) - named
            elif kind == "add" and named:
                self.aliases[one["alias"]] = self.aliases.get(one["alias"], set()) | named
            else:
                refuse(f"alias action [{kind}]")
        return {"acknowledged": True}

    def _bulk(self, text: str) -> Body:
        if not text.endswith("\n"):
            refuse("The bulk request must be terminated by a newline [\\n]")
        lines = iter(text.split("\n")[:-1])
        items = []
        for line in lines:
            [(kind, about)] = json.loads(line).items()
            exactly(about, {"_index", "_id"})
            body = json.loads(next(lines))
            items.append({kind: self._change(kind, about["_index"], about["_id"], body)})
        return {"errors": any("error" in one for item in items for one in item.values()),
                "items": items}  # fmt: skip

    def _change(self, kind: str, index: str, key: str, body: Body) -> Body:
        if self.full:
            self.full -= 1
            reason = {"type": "rejected_execution_exception", "reason": "queue is full"}
            return {"_index": index, "_id": key, "status": 429, "error": reason}
        if self.cut_after is not None:
            self.cut_after -= 1
            if self.cut_after < 0:
                raise ConnectionResetError
        held = self._index(index)
        if kind == "index":
            held.check(body)
            held.written[key] = body
            return {"_index": index, "_id": key, "status": 201}
        exactly(body, {"doc"})
        held.check(body["doc"])
        held.written[key] = held.written[key] | body["doc"]
        return {"_index": index, "_id": key, "status": 200}


@contextmanager
def opensearch_server() -> Iterator[OpenSearchServer]:
    """A cluster on a socket of this machine."""
    cluster = OpenSearchServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # in one piece: a second one would wait 40 ms for word of the first

        def answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                with cluster.lock:
                    status, told = cluster.answer(self.command, self.path, raw)
            except Refused as error:
                status, told = error.status, error.body
            except ConnectionResetError:
                self.close_connection = True
                return
            data = json.dumps(told).encode() if self.command != "HEAD" else b""
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer

        def log_message(self, *args: object) -> None:
            """Nothing on the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    cluster.url = f"opensearch+http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield cluster
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
