"""Fake a Qdrant server on the loopback for the real client, with the client's local mode behind it."""

import importlib.metadata
import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pydantic
from qdrant_client import QdrantClient, models

from harness.loopback import Call, Connection, LoopbackServer

OPENAPI = Path(__file__).with_name("qdrant-openapi.json")
OPEN_TO_ALL = {"/", "/healthz", "/readyz", "/livez"}  # these ask for no key, as on the real server
READ_ONLY_POSTS = ("/query", "/query/batch", "/scroll", "/count", "/facet", "/points")


class Refused(Exception):
    """A reply that is not a success, in Qdrant's words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Request:
    """A call whose path is taken apart; `name` is what stands after `/collections/`, `last` what ends it."""

    name: str
    last: str
    body: Any
    waits: bool


class QdrantServer(LoopbackServer):
    """`with QdrantServer() as server: QdrantClient(url=server.url)`.

    With `validate` each request is checked against Qdrant's own OpenAPI document as well: what does not fit
    is answered with 400, kept in `violations`, and raised as AssertionError at the end of the block. With
    `api_key` set, a missing or another key is 401; `read_only_api_key` may read, and is 403 elsewhere.

    Switches, each from the next request on: `down` refuses connections, `delay_s` slows every reply,
    `hang()` never answers, `fail()` answers with an error. `local` is the engine behind it.
    """

    def __init__(
        self,
        *,
        validate: bool = False,
        api_key: str | None = None,
        read_only_api_key: str | None = None,
        port: int = 0,
    ) -> None:
        super().__init__(port)
        self.validate = validate
        self.api_key = api_key
        self.read_only_api_key = read_only_api_key
        self.delay_s = 0.0
        self.local = QdrantClient(":memory:")
        self.violations: list[str] = []
        self._failure: tuple[Refused, float | None, str] | None = None
        self._hanging: tuple[float, str] | None = None
        self._indexes: dict[str, dict[str, Any]] = {}
        self._operations = 0
        self._engine = threading.RLock()  # local mode is not made for threads

    @property
    def down(self) -> bool:
        return self._held is not None

    @down.setter
    def down(self, is_down: bool) -> None:
        """True cuts all connections and refuses new ones; False serves again, with all points still there."""
        if is_down:
            self.go_down()
        else:
            self.come_up()

    def fail(
        self,
        status: int | None,
        message: str = "Service internal error: told to fail",
        *,
        retry_after: float | None = None,
        on: str = "",
    ) -> None:
        """Answer so every request whose path ends with `on`; None stops it."""
        self._failure = None if status is None else (Refused(status, message), retry_after, on)

    def hang(self, seconds: float | None = math.inf, *, on: str = "") -> None:
        """Be silent so long, then close without a reply; None stops it."""
        self._hanging = None if seconds is None else (seconds, on)

    def __exit__(self, kind: object, *rest: object) -> None:
        super().__exit__(kind, *rest)
        self.local.close()
        if self.violations and kind is None:
            raise AssertionError("requests that Qdrant's OpenAPI refuses:\n" + "\n".join(self.violations))

    def respond(self, call: Call, connection: Connection) -> None:
        began = time.perf_counter()
        connection.pause(self.delay_s)
        if self._hanging and call.path.endswith(self._hanging[1]):
            connection.pause(None if self._hanging[0] == math.inf else self._hanging[0])
            connection.close()
            return
        if self._failure and call.path.endswith(self._failure[2]):
            self._refuse(*self._failure[:2], connection=connection)
            return
        refusal = self._key_refusal(call)
        if refusal:
            connection.reply(refusal.status, refusal.message.encode(), {"Content-Type": "text/plain"})
            return
        if call.path in PLAIN:
            connection.reply(200, PLAIN[call.path], {"Content-Type": "text/plain"})
        elif call.path == "/":
            connection.reply_json(200, root())
        else:
            self._answer(call, connection, began)

    def _answer(self, call: Call, connection: Connection, began: float) -> None:
        try:
            with self._engine:
                result = self._result(call)
        except Refused as refusal:
            self._refuse(refusal, None, connection=connection)
        else:
            seconds = time.perf_counter() - began
            connection.reply_json(200, {"result": as_json(result), "status": "ok", "time": seconds})

    def _result(self, call: Call) -> Any:
        template, name, last = matched(call)
        self._check(call, template)
        route = ROUTES.get((call.method, template))
        if not route:
            raise NotImplementedError(f"the fake has no {call.method} {template}: write it, or call another")
        body_type, handler = route
        try:
            request = Request(name, last, parsed_body(body_type, call), call.query.get("wait") == "true")
            return handler(self, request)
        except ValueError as error:  # local mode knows no other
            raise refused(error) from error

    def _check(self, call: Call, template: str) -> None:
        if not self.validate:
            return
        faults = list(violations(call, template))
        if faults:
            self.violations += [f"{call.method} {call.path}: {fault}" for fault in faults]
            raise Refused(400, f"Format error in JSON body: {faults[0]}")

    def _key_refusal(self, call: Call) -> Refused | None:
        if not self.api_key or call.path in OPEN_TO_ALL:
            return None
        key = call.headers.get("api-key") or call.headers.get("authorization", "").removeprefix("Bearer ")
        if not key:
            return Refused(401, "Must provide an API key or an Authorization bearer token")
        if key == self.api_key:
            return None
        if key != self.read_only_api_key:
            return Refused(401, "Invalid API key or JWT")
        reads = call.method == "GET" or (call.method == "POST" and call.path.endswith(READ_ONLY_POSTS))
        return None if reads else Refused(403, "Forbidden: Write access required")

    def _refuse(self, refusal: Refused, retry_after: float | None, *, connection: Connection) -> None:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        status = {"error": refusal.message}
        connection.reply_json(refusal.status, {"status": status, "time": 0.0}, headers)

    # ---- collections

    def _collections(self, _: Request) -> Any:
        return self.local.get_collections()

    def _create_collection(self, request: Request) -> Any:
        if self.local.collection_exists(request.name):
            raise Refused(409, f"Wrong input: Collection `{request.name}` already exists!")
        body: models.CreateCollection = request.body
        return self.local.create_collection(
            request.name,
            vectors_config=body.vectors,
            sparse_vectors_config=body.sparse_vectors,
            metadata=body.metadata,
        )

    def _update_collection(self, request: Request) -> Any:
        self._collection(request)
        return True

    def _collection_info(self, request: Request) -> Any:
        name = self._collection(request)
        info = as_json(self.local.get_collection(name))
        schema = {
            field: {"data_type": data_type_of(schema), "points": info["points_count"]}
            for field, schema in self._indexes.get(name, {}).items()
        }
        return info | {"payload_schema": schema}

    def _collection_exists(self, request: Request) -> Any:
        return {"exists": self.local.collection_exists(request.name)}

    def _delete_collection(self, request: Request) -> Any:
        self._indexes.pop(request.name, None)
        return self.local.delete_collection(request.name)

    def _create_index(self, request: Request) -> Any:
        # Kept here: local mode only warns that an index has no effect, and a warning is an error in tests.
        self._indexes.setdefault(self._collection(request), {})[request.body.field_name] = as_json(
            request.body.field_schema
        )
        return self._done(request)

    def _delete_index(self, request: Request) -> Any:
        self._indexes.get(self._collection(request), {}).pop(request.last, None)
        return self._done(request)

    # ---- aliases

    def _change_aliases(self, request: Request) -> Any:
        actions = request.body.actions
        created = [
            a.create_alias.collection_name for a in actions if isinstance(a, models.CreateAliasOperation)
        ]
        for name in created:
            if not self.local.collection_exists(name):
                raise no_collection(name)
        return self.local.update_collection_aliases(actions)

    def _aliases(self, _: Request) -> Any:
        return self.local.get_aliases()

    def _aliases_of_collection(self, request: Request) -> Any:
        return self.local.get_collection_aliases(self._collection(request))

    # ---- points

    def _upsert(self, request: Request) -> Any:
        body = request.body
        points = body.batch if isinstance(body, models.PointsBatch) else body.points
        self.local.upsert(self._collection(request), points)
        return self._done(request)

    def _delete_points(self, request: Request) -> Any:
        self.local.delete(self._collection(request), request.body)
        return self._done(request)

    def _set_payload(self, request: Request) -> Any:
        body: models.SetPayload = request.body
        selector = body.points if body.points is not None else body.filter
        self.local.set_payload(self._collection(request), payload=body.payload, points=selector, key=body.key)
        return self._done(request)

    def _retrieve(self, request: Request) -> Any:
        body: models.PointRequest = request.body
        return self.local.retrieve(
            self._collection(request),
            ids=body.ids,
            with_payload=True if body.with_payload is None else body.with_payload,
            with_vectors=body.with_vector or False,
        )

    def _query(self, request: Request) -> Any:
        return self._points(self._collection(request), request.body)

    def _query_batch(self, request: Request) -> Any:
        name = self._collection(request)
        return [self._points(name, search) for search in request.body.searches]

    def _points(self, name: str, body: models.QueryRequest) -> Any:
        return self.local.query_points(
            name,
            query=body.query,
            using=body.using,
            prefetch=without_ignored_params(body.prefetch),
            query_filter=body.filter,
            search_params=idf_alone(body.params),
            limit=10 if body.limit is None else body.limit,
            offset=body.offset,
            with_payload=body.with_payload or False,
            with_vectors=body.with_vector or False,
            score_threshold=body.score_threshold,
            lookup_from=body.lookup_from,
        )

    def _count_points(self, request: Request) -> Any:
        return self.local.count(self._collection(request), count_filter=request.body.filter)

    def _scroll(self, request: Request) -> Any:
        body: models.ScrollRequest = request.body
        points, next_offset = self.local.scroll(
            self._collection(request),
            scroll_filter=body.filter,
            limit=10 if body.limit is None else body.limit,
            order_by=body.order_by,
            offset=body.offset,
            with_payload=True if body.with_payload is None else body.with_payload,
            with_vectors=body.with_vector or False,
        )
        return {"points": points, "next_page_offset": next_offset}

    def _facet(self, request: Request) -> Any:
        body: models.FacetRequest = request.body
        limit = 10 if body.limit is None else body.limit
        return self.local.facet(self._collection(request), body.key, facet_filter=body.filter, limit=limit)

    def _collection(self, request: Request) -> str:
        """Return the collection's own name, for a name or an alias. Raises Refused (404)."""
        for alias in self.local.get_aliases().aliases:
            if alias.alias_name == request.name:
                return alias.collection_name
        if not self.local.collection_exists(request.name):
            raise no_collection(request.name)
        return request.name

    def _done(self, request: Request) -> dict[str, Any]:
        self._operations += 1
        return {
            "operation_id": self._operations,
            "status": "completed" if request.waits else "acknowledged",
        }


Handler = Callable[[QdrantServer, Request], Any]
COLLECTION = "/collections/{collection_name}"
POINTS = f"{COLLECTION}/points"
ROUTES: dict[tuple[str, str], tuple[Any, Handler]] = {
    ("GET", "/collections"): (None, QdrantServer._collections),
    ("POST", "/collections/aliases"): (models.ChangeAliasesOperation, QdrantServer._change_aliases),
    ("GET", "/aliases"): (None, QdrantServer._aliases),
    ("PUT", COLLECTION): (models.CreateCollection, QdrantServer._create_collection),
    ("PATCH", COLLECTION): (models.UpdateCollection, QdrantServer._update_collection),
    ("GET", COLLECTION): (None, QdrantServer._collection_info),
    ("DELETE", COLLECTION): (None, QdrantServer._delete_collection),
    ("GET", f"{COLLECTION}/exists"): (None, QdrantServer._collection_exists),
    ("GET", f"{COLLECTION}/aliases"): (None, QdrantServer._aliases_of_collection),
    ("PUT", f"{COLLECTION}/index"): (models.CreateFieldIndex, QdrantServer._create_index),
    ("DELETE", f"{COLLECTION}/index/{{field_name}}"): (None, QdrantServer._delete_index),
    ("PUT", POINTS): (models.PointInsertOperations, QdrantServer._upsert),
    ("POST", POINTS): (models.PointRequest, QdrantServer._retrieve),
    ("POST", f"{POINTS}/delete"): (models.PointsSelector, QdrantServer._delete_points),
    ("POST", f"{POINTS}/payload"): (models.SetPayload, QdrantServer._set_payload),
    ("POST", f"{POINTS}/query"): (models.QueryRequest, QdrantServer._query),
    ("POST", f"{POINTS}/query/batch"): (models.QueryRequestBatch, QdrantServer._query_batch),
    ("POST", f"{POINTS}/count"): (models.CountRequest, QdrantServer._count_points),
    ("POST", f"{POINTS}/scroll"): (models.ScrollRequest, QdrantServer._scroll),
    ("POST", f"{COLLECTION}/facet"): (models.FacetRequest, QdrantServer._facet),
}
PLAIN = {
    "/healthz": b"healthz check passed",
    "/livez": b"livez check passed",
    "/readyz": b"all shards are ready",
}


def root() -> dict[str, str]:
    """Return what `GET /` says; the client compares the version with its own."""
    version = importlib.metadata.version("qdrant-client")
    return {"title": "qdrant - vector search engine", "version": version, "commit": "fake"}


def matched(call: Call) -> tuple[str, str, str]:
    """Return the path's template in the OpenAPI document, the collection's name, the last segment."""
    parts = [unquote(part) for part in call.path.strip("/").split("/")]
    for template in templates(call.method):
        pattern = template.strip("/").split("/")
        if len(pattern) == len(parts) and all(
            given == wanted or wanted.startswith("{") for given, wanted in zip(parts, pattern, strict=True)
        ):
            return template, parts[1] if len(parts) > 1 else "", parts[-1]
    raise Refused(404, "")


def parsed_body(body_type: Any, call: Call) -> Any:
    """The body as the client's own model. Raises Refused (400) as the server does for what it cannot read."""
    if body_type is None:
        return None
    if call.raw and call.body is None:
        raise Refused(400, "Format error in JSON body: expected value at line 1 column 1")
    try:
        return adapter(body_type).validate_python(call.body)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Refused(400, f"Format error in JSON body: {where}: {first['msg']}") from error


@cache
def adapter(body_type: Any) -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(body_type)


def refused(error: ValueError) -> Refused:
    """Local mode's complaint as the server would put it."""
    message = str(error)
    return Refused(409 if "already exists" in message else 400, f"Wrong input: {message}")


def no_collection(name: str) -> Refused:
    return Refused(404, f"Not found: Collection `{name}` doesn't exist!")


def without_ignored_params(prefetch: Any) -> Any:
    """Return the prefetches without the search parameters that local mode would only warn about."""
    if isinstance(prefetch, list):
        return [without_ignored_params(one) for one in prefetch]
    if prefetch is None:
        return None
    inner = without_ignored_params(prefetch.prefetch)
    return prefetch.model_copy(update={"params": idf_alone(prefetch.params), "prefetch": inner})


def idf_alone(params: models.SearchParams | None) -> models.SearchParams | None:
    return models.SearchParams(idf=params.idf) if params and params.idf else None


def data_type_of(schema: Any) -> str:
    return schema["type"] if isinstance(schema, dict) else schema


def as_json(value: Any) -> Any:
    """Models, in lists and mappings too, as plain JSON values."""
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {key: as_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_json(inner) for inner in value]
    return value


# ---- Qdrant's own document


def violations(call: Call, template: str) -> Iterator[str]:
    """Yield what the document says against the request."""
    operation = openapi()["paths"][template][call.method.lower()]
    known = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"}
    for name in call.query.keys() - known:
        yield f"there is no query parameter {name!r}"
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        error = jsonschema.exceptions.best_match(OpenAPIBody(schema).iter_errors(call.body))
        if error:
            where = ".".join(map(str, error.absolute_path)) or "body"
            yield f"{where}: {error.message[:300]}"


@cache
def openapi() -> dict[str, Any]:
    """Return the document, with OpenAPI's `nullable` turned into JSON Schema's null."""
    return with_nulls(json.loads(OPENAPI.read_text()))


@cache
def templates(method: str) -> list[str]:
    """Return the paths that know the method, literal ones before those with a parameter in the same place."""
    paths = [path for path, operations in openapi()["paths"].items() if method.lower() in operations]
    return sorted(paths, key=lambda path: path.count("{"))


def with_nulls(node: Any) -> Any:
    """Replace a branch that is only `nullable`, which would fit everything, by the type null."""
    if isinstance(node, list):
        return [with_nulls(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    plain = {key: with_nulls(inner) for key, inner in node.items() if key != "nullable"}
    if node.get("nullable") is not True:
        return plain
    if plain.keys() <= {"description", "default"}:
        return {"type": "null"}
    return {"anyOf": [plain, {"type": "null"}]}


def referred(validator: Any, ref: str, instance: Any, schema: Any) -> Iterator[Any]:
    """`$ref` by one look-up, for all are local."""
    yield from validator.descend(instance, openapi()["components"]["schemas"][ref.rpartition("/")[2]])


def all_items(validator: Any, items: Any, instance: Any, schema: Any) -> Iterator[Any]:
    """`items`, but long vectors of plain numbers are looked through at once."""
    if not isinstance(instance, list):
        return
    if items.get("type") == "number" and set(map(type, instance)) <= {int, float}:
        return
    for index, inner in enumerate(instance):
        yield from validator.descend(inner, items, path=index)


OpenAPIBody = jsonschema.validators.extend(
    jsonschema.Draft202012Validator, {"$ref": referred, "items": all_items}
)
