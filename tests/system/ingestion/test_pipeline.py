"""Test an ingestion that is killed and run again."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from harness.flask_command import flask_command, start_flask_command
from harness.openai_upstream import EMBEDDINGS, Hang, OpenAIUpstream, Reply
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.ingestion.app_state import answer, names, published, vectors_in


def test_killed_command_leaves_the_old_edition_and_the_next_run_goes_on(
    make_app: AppMaker, app_database: str, tmp_path: Path
) -> None:
    """The kernel kills without a word, between any two instructions."""
    book = shutil.copytree(THREE_CHAPTERS, tmp_path / "book")
    app = make_app()
    services_of(app).ingestion.ingest_book(book, edition="first")
    # Five batches of 64 texts: while the fifth is asked for, one at least is committed.
    for number in range(5 * 64):
        (book / f"page-{number:03}.md").write_text(f"# Page {number}\n\nMilk of farm {number}.\n")
    with OpenAIUpstream() as upstream:
        upstream.script(*[Reply()] * 4, endpoint=EMBEDDINGS)
        upstream.always(Hang(), endpoint=EMBEDDINGS)
        environment = {
            "DATABASE_URL": app_database,
            "INDEX_DIR": str(tmp_path / "index"),
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": upstream.base_url,
            "EMBEDDER": "openai",
        }
        command = ["book", "ingest", str(book)]
        with tempfile.TemporaryFile() as said:
            process = start_flask_command(command, environment, said, said)
            try:
                assert upstream.wait_for_calls(EMBEDDINGS, 5, timeout=120)
            finally:
                process.kill()
                process.wait(60)
        killed_at = names(app), answer(app)
        kept = vectors_in(app)
        upstream.reset()

        again = flask_command(command, environment)

        embedded = sum(len(call.body["input"]) for call in upstream.calls(EMBEDDINGS))

    assert killed_at[0] == ["first"]
    assert "nine months" in str(killed_at[1]["answer"])
    assert kept >= 64
    assert embedded == vectors_in(app) - kept
    assert f"{embedded} embedded" in again
    assert published(app) != "first"
