"""The whole way of a question over HTTP, on the three-chapter book."""

from flask.testing import FlaskClient


def test_question_gets_an_answer_with_a_verbatim_cited_source(client: FlaskClient) -> None:
    """It is what the service is for."""
    reply = client.post("/query", json={"query": "How long is the cheddar ripened?"})

    assert reply.status_code == 200
    assert "nine months" in reply.json["answer"]
    cited = [source for source in reply.json["sources"] if source["cited"]]
    assert cited[0]["path"] == "02-cheese.md"
    assert "Bob ripens the cheddar for nine months" in cited[0]["quote"]
