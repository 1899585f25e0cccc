"""Test the fake Qdrant server with the real client."""

import http.client
import json
import time
import urllib.request
import uuid
import warnings

import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from tests.fakes.qdrant_server import QdrantServer

TOPICS, SERVICES, ACTIONS = (str(uuid.UUID(int=n)) for n in (1, 2, 3))
POINTS = [
    models.PointStruct(
        id=TOPICS,
        vector={"dense": [1, 0, 0], "words": models.SparseVector(indices=[1, 9], values=[1.0, 1.0])},
        payload={"edition": "v1", "text": "Topics", "page": None},
    ),
    models.PointStruct(
        id=SERVICES,
        vector={"dense": [0, 1, 0], "words": models.SparseVector(indices=[2, 9], values=[1.0, 1.0])},
        payload={"edition": "v1", "text": "Services", "page": 2},
    ),
    models.PointStruct(
        id=ACTIONS,
        vector={"dense": [0, 0.6, 0.8], "words": models.SparseVector(indices=[9], values=[1.0])},
        payload={"edition": "v2", "text": "Actions", "page": 3},
    ),
]


@pytest.fixture
def server():
    with QdrantServer(validate=True) as running:
        yield running


@pytest.fixture
def client(server):
    with_client = connected(server)
    yield with_client
    with_client.close()


@pytest.fixture
def book(client):
    """Return a collection of three points."""
    create(client, "book_v1")
    client.upsert("book_v1", POINTS, wait=True)
    return client


def connected(server, timeout=2, **more):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
        # Without `verify=False` each client reads the machine's certificates, which takes 0.1 s.
        return QdrantClient(url=server.url, check_compatibility=False, timeout=timeout, verify=False, **more)


def create(client, name):
    client.create_collection(
        name,
        vectors_config={"dense": models.VectorParams(size=3, distance=models.Distance.COSINE)},
        sparse_vectors_config={"words": models.SparseVectorParams(modifier=models.Modifier.IDF)},
    )


def texts(found):
    return [point.payload["text"] for point in found.points]


def hybrid(client, name, query):
    words = models.SparseVector(indices=[2, 9], values=[1.0, 1.0])
    return client.query_points(
        name,
        prefetch=[
            models.Prefetch(query=[1.0, 0.1, 0.0], using="dense", limit=50),
            models.Prefetch(query=words, using="words", limit=50),
        ],
        query=query,
        limit=3,
        with_payload=True,
    )


def edition_is(edition):
    return models.Filter(must=[models.FieldCondition(key="edition", match=models.MatchValue(value=edition))])


def test_collection_lives_from_creation_to_deletion(client):
    assert not client.collection_exists("book_v1")

    create(client, "book_v1")
    info = client.get_collection("book_v1")

    assert client.collection_exists("book_v1")
    assert [c.name for c in client.get_collections().collections] == ["book_v1"]
    assert info.status == models.CollectionStatus.GREEN
    assert info.config.params.vectors["dense"].size == 3
    assert info.config.params.sparse_vectors["words"].modifier == models.Modifier.IDF
    assert client.delete_collection("book_v1") is True
    assert client.delete_collection("book_v1") is False
    assert not client.collection_exists("book_v1")


def test_collection_cannot_be_created_twice(book):
    with pytest.raises(UnexpectedResponse, match="already exists") as refused:
        create(book, "book_v1")

    assert refused.value.status_code == 409


def test_missing_collection_is_404_in_qdrants_words(client):
    with pytest.raises(UnexpectedResponse) as refused:
        client.query_points("nowhere", query=[1.0, 0.0, 0.0])

    assert refused.value.status_code == 404
    assert refused.value.structured()["status"] == {"error": "Not found: Collection `nowhere` doesn't exist!"}


def test_points_come_back_by_likeness_with_their_payload(book):
    found = book.query_points("book_v1", query=[0.9, 0.2, 0.0], using="dense", limit=2)

    assert texts(found) == ["Topics", "Services"]
    assert found.points[0].id == TOPICS
    assert found.points[0].payload["page"] is None
    assert found.points[0].score == pytest.approx(0.976, abs=0.001)


def test_sparse_search_weighs_rare_words_more(book):
    words = models.SparseVector(indices=[2, 9], values=[1.0, 1.0])

    found = book.query_points("book_v1", query=words, using="words", limit=3)

    rare, common = found.points[0].score, found.points[1].score
    assert texts(found)[0] == "Services"
    assert rare - common == pytest.approx(0.98, abs=0.01)  # ln((3 - 1 + .5) / (1 + .5) + 1)
    assert common == pytest.approx(0.134, abs=0.001)


def test_fusion_takes_k_from_the_query(book):
    default = hybrid(book, "book_v1", models.FusionQuery(fusion=models.Fusion.RRF))
    two = hybrid(book, "book_v1", models.RrfQuery(rrf=models.Rrf(k=2)))
    sixty = hybrid(book, "book_v1", models.RrfQuery(rrf=models.Rrf(k=60)))

    assert [p.score for p in default.points] == [p.score for p in two.points]
    assert two.points[0].id == SERVICES
    assert two.points[0].score == pytest.approx(1 / 2 + 1 / 3)
    assert sixty.points[0].score == pytest.approx(1 / 60 + 1 / 61)


def test_filters_parameters_and_thresholds_reach_the_engine(book):
    found = book.query_points(
        "book_v1",
        query=[0.0, 1.0, 0.0],
        using="dense",
        query_filter=edition_is("v2"),
        search_params=models.SearchParams(exact=True, hnsw_ef=64),
        with_payload=["text"],
        with_vectors=["dense"],
    )
    none = book.query_points("book_v1", query=[0.0, 1.0, 0.0], using="dense", score_threshold=1.1)

    assert [p.payload for p in found.points] == [{"text": "Actions"}]
    assert found.points[0].vector["dense"] == pytest.approx([0, 0.6, 0.8])
    assert none.points == []


def test_several_queries_go_in_one_request(book):
    asked = [
        models.QueryRequest(query=v, using="dense", limit=1, with_payload=True)
        for v in ([1, 0, 0], [0, 1, 0])
    ]

    replies = book.query_batch_points("book_v1", asked)

    assert [texts(found) for found in replies] == [["Topics"], ["Services"]]


def test_count_scroll_retrieve_and_facet(book):
    first, offset = book.scroll("book_v1", limit=2)
    rest, end = book.scroll("book_v1", limit=2, offset=offset)
    editions = book.facet("book_v1", "edition")

    assert book.count("book_v1").count == 3
    assert book.count("book_v1", count_filter=edition_is("v1")).count == 2
    assert [p.id for p in first + rest] == [TOPICS, SERVICES, ACTIONS]
    assert end is None
    assert book.retrieve("book_v1", [ACTIONS])[0].payload["page"] == 3
    assert {hit.value: hit.count for hit in editions.hits} == {"v1": 2, "v2": 1}


def test_points_are_deleted_by_id_and_by_filter(book):
    book.delete("book_v1", points_selector=[TOPICS])
    book.delete("book_v1", points_selector=models.FilterSelector(filter=edition_is("v2")))

    assert [p.id for p in book.scroll("book_v1")[0]] == [SERVICES]


def test_update_that_does_not_wait_is_only_acknowledged(book):
    waited = book.upsert("book_v1", POINTS[:1], wait=True)
    not_waited = book.upsert("book_v1", POINTS[:1], wait=False)

    assert waited.status == models.UpdateStatus.COMPLETED
    assert not_waited.status == models.UpdateStatus.ACKNOWLEDGED
    assert not_waited.operation_id > waited.operation_id


def test_batches_and_upload_points_arrive(client):
    create(client, "book_v1")
    batch = models.Batch(ids=[1, 2], vectors={"dense": [[1, 0, 0], [0, 1, 0]]}, payloads=[{"n": 1}, {"n": 2}])

    client.upsert("book_v1", batch)
    client.upload_points("book_v1", [p.model_copy() for p in POINTS], batch_size=2, wait=True)

    assert client.count("book_v1").count == 5


def test_payload_indexes_are_kept_and_shown(book):
    book.create_payload_index("book_v1", "edition", models.PayloadSchemaType.KEYWORD, wait=True)
    book.create_payload_index("book_v1", "page", models.IntegerIndexParams(type="integer", range=True))
    shown = book.get_collection("book_v1").payload_schema
    book.delete_payload_index("book_v1", "page")

    assert shown["edition"].data_type == models.PayloadSchemaType.KEYWORD
    assert shown["page"].data_type == models.PayloadSchemaType.INTEGER
    assert set(book.get_collection("book_v1").payload_schema) == {"edition"}


def test_alias_moves_to_another_collection_in_one_request(server, book):
    create(book, "book_v2")
    book.upsert("book_v2", [POINTS[2]])
    book.update_collection_aliases([alias_to("book_v1")])
    before = book.count("book").count

    book.update_collection_aliases(
        [
            models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name="book")),
            alias_to("book_v2"),
        ]
    )

    assert (before, book.count("book").count) == (3, 1)
    assert [(a.alias_name, a.collection_name) for a in book.get_aliases().aliases] == [("book", "book_v2")]
    assert book.get_collection_aliases("book_v1").aliases == []
    assert texts(hybrid(book, "book", models.FusionQuery(fusion=models.Fusion.RRF))) == ["Actions"]
    assert len(server.calls("/collections/aliases")) == 2


def test_alias_request_that_is_refused_changes_nothing(book):
    book.update_collection_aliases([alias_to("book_v1")])

    with pytest.raises(UnexpectedResponse, match="nowhere") as refused:
        book.update_collection_aliases(
            [
                models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name="book")),
                alias_to("nowhere"),
            ]
        )

    assert refused.value.status_code == 404
    assert book.count("book").count == 3


def alias_to(collection):
    return models.CreateAliasOperation(
        create_alias=models.CreateAlias(collection_name=collection, alias_name="book")
    )


def test_wrong_dimension_and_unknown_vector_are_400(book):
    wrong = models.PointStruct(id=7, vector={"dense": [1.0, 0.0]}, payload={})

    for ask in (
        lambda: book.upsert("book_v1", [wrong]),
        lambda: book.query_points("book_v1", query=[1.0, 0.0], using="dense"),
        lambda: book.query_points("book_v1", query=[1.0, 0.0, 0.0], using="nowhere"),
    ):
        with pytest.raises(UnexpectedResponse, match="Wrong input") as refused:
            ask()
        assert refused.value.status_code == 400
    assert book.count("book_v1").count == 3


def test_keys_are_asked_for_as_the_server_does():
    def status(client, ask):
        try:
            ask(client)
        except UnexpectedResponse as refused:
            return refused.status_code
        else:
            return 200
        finally:
            client.close()

    with QdrantServer(api_key="right", read_only_api_key="reader") as server:
        assert status(connected(server, api_key="right"), lambda c: c.get_collections()) == 200
        assert status(connected(server, api_key="wrong"), lambda c: c.get_collections()) == 401
        assert status(connected(server), lambda c: c.get_collections()) == 401
        assert status(connected(server, api_key="reader"), lambda c: c.get_collections()) == 200
        assert status(connected(server, api_key="reader"), lambda c: create(c, "x")) == 403
        assert urllib.request.urlopen(f"{server.url}/healthz", timeout=60).status == 200


def test_health_and_version_are_served(server):
    for path in ("/healthz", "/readyz", "/livez"):
        assert urllib.request.urlopen(server.url + path, timeout=60).status == 200

    version = json.load(urllib.request.urlopen(server.url, timeout=60))["version"]

    assert version.count(".") == 2


def test_server_that_is_down_refuses_and_comes_back_with_its_points(server, book):
    server.down = True
    with pytest.raises(ResponseHandlingException, match="refused"):
        book.count("book_v1")

    server.down = False

    assert book.count("book_v1").count == 3


def test_hanging_server_runs_into_the_clients_time_limit(server, book):
    server.hang(on="/points/count")
    impatient = connected(server, timeout=1)
    started = time.monotonic()

    with pytest.raises(ResponseHandlingException, match="timed out"):
        impatient.count("book_v1")

    impatient.close()
    assert time.monotonic() - started < 30
    assert server.wait_for_disconnect()
    assert book.collection_exists("book_v1")
    server.hang(None)
    assert book.count("book_v1").count == 3


def test_server_that_hangs_up_without_a_reply(server, book):
    server.hang(0.01)

    with pytest.raises(ResponseHandlingException, match="disconnected"):
        book.count("book_v1")


def test_failing_and_slow_server(server, book):
    server.fail(500, on="/points/count")
    with pytest.raises(UnexpectedResponse, match="told to fail") as refused:
        book.count("book_v1")
    server.fail(429, "Rate limiting exceeded", retry_after=3)
    with pytest.raises(ResourceExhaustedResponse) as limited:
        book.collection_exists("book_v1")
    server.fail(None)
    server.delay_s = 0.05
    started = time.monotonic()

    assert book.count("book_v1").count == 3

    assert time.monotonic() - started >= 0.05
    assert refused.value.status_code == 500
    assert limited.value.retry_after_s == 3


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/collections/c/points/query", {"query": {"rrf": {"k": 0}}}),
        ("/collections/c/points/query", {"query": [1.0], "limit": "many"}),
        ("/collections/c/points/query", {"filter": "all"}),
        ("/collections/c/points?wait=true&ordr=x", {"points": [{"id": 1, "vector": [1.0]}]}),
        ("/collections/c/points", {"points": [{"id": 1, "vector": {"words": {"indices": [1]}}}]}),
        ("/collections/aliases", {"actions": [{"create_alias": {"alias_name": "book"}}]}),
    ],
)
def test_request_against_the_openapi_document_is_refused_and_kept(server, path, body):
    method = "PUT" if "points" in path and "query" not in path else "POST"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
    reply = connection.getresponse()
    error = json.load(reply)["status"]["error"]
    connection.close()

    assert reply.status == 400
    assert error.startswith("Format error in JSON body")
    assert server.violations.pop().startswith(f"{method} /collections/")


def test_violations_that_nobody_took_away_fail_the_test():
    server = QdrantServer(validate=True)
    server.start()
    server.violations.append("POST /collections/c/points/query: query.rrf.k: 0 is less than 1")

    with pytest.raises(AssertionError, match="0 is less than 1"):
        server.__exit__(None)


def test_validation_of_large_batches_is_quick(client):
    client.create_collection(
        "large", vectors_config={"dense": models.VectorParams(size=1536, distance=models.Distance.COSINE)}
    )
    points = [models.PointStruct(id=n, vector={"dense": [0.5] * 1536}, payload={"n": n}) for n in range(64)]
    started = time.process_time()

    client.upsert("large", points)

    assert time.process_time() - started < 3
