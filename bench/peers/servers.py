"""Prepare ragbot and the peer with the same chunks, and run both against the same provider and database."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import create_engine, make_url, text

from bench.peers.made_book import write_book
from bench.run import BenchFailed, Upstream, running_upstream
from harness.flask_command import flask_command
from harness.gunicorn_process import COMMAND, GunicornProcess
from harness.stack import running_postgres

Database = Literal["sqlite", "postgresql"]

PEER = "bench.peers.plain_flask"
PEER_COMMAND = (
    *(sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:{port}"),
    *("-k", "gthread", "--threads", "32", "--keep-alive", "75", f"{PEER}:create_app()"),
)
ANSWER_TOKENS = 100
# As a model writes: ragbot checks and cites sentence by sentence.
SENTENCE_TOKENS = 20
SITE_URL = "https://book.test/"
# As it ships, but for quotas so large that they refuse nothing: they are counted all the same.
QUOTAS = {
    "RATE_LIMIT_ENABLED": "true",
    "RATE_LIMIT_QUERIES_PER_MINUTE": "1000000",
    "RATE_LIMIT_QUERIES_PER_DAY_PER_IP": "10000000",
}
# numpy multiplies with all cores, and its threads spin while they wait for each other. That costs the peer
# more CPU than all else, and how much is for the machine's load to say.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
CHUNKS = text(
    'SELECT pages.source, pages.address, chunks.start, chunks."end", chunks.heading_path, chunks.anchor '
    "FROM chunks JOIN pages ON pages.id = chunks.page_id ORDER BY pages.position, chunks.position"
)


@dataclass(frozen=True)
class Side:
    """Hold one of the two servers to compare: `server()` starts it."""

    name: str
    settings: Mapping[str, str]
    command: tuple[str, ...]

    def server(self, *, workers: int = 1, **settings: str) -> GunicornProcess:
        """Return a server that `with` starts."""
        return GunicornProcess({**self.settings, **settings}, workers=workers, command=self.command)


@dataclass(frozen=True)
class Ground:
    """Hold both sides, prepared, and the provider that both ask."""

    ragbot: Side
    peer: Side
    upstream: Upstream


@contextmanager
def prepared(
    chunks: int, database: Database, report: Callable[[str], None], *, one_thread: bool = False
) -> Iterator[Ground]:
    """Fill both with a made book of so many chunks; remove everything after the block.

    `one_thread` keeps the peer's numpy to one thread.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-peers-")))
        upstream = stack.enter_context(running_upstream())
        urls = stack.enter_context(_databases(database, folder))
        provider = {"OPENAI_API_KEY": "test", "OPENAI_BASE_URL": upstream.base_url}
        ragbot = provider | QUOTAS | {"DATABASE_URL": urls["ragbot"], "INDEX_DIR": str(folder / "index")}
        ragbot["EMBEDDER"] = "openai"
        peer = provider | {"DATABASE_URL": urls["peer"], "QDRANT_PATH": str(folder / "qdrant")}
        if one_thread:
            peer |= ONE_THREAD
        report(f"ragbot reads {chunks} chunks")
        book = folder / "book"
        book.mkdir()
        write_book(book, chunks)
        flask_command(["db", "upgrade"], ragbot)
        flask_command(["book", "ingest", str(book), "--site-url", SITE_URL], ragbot)
        exported = folder / "chunks.jsonl"
        found = export_chunks(urls["ragbot"], exported)
        if found != chunks:
            raise BenchFailed(f"ragbot made {found} chunks of a book that was written for {chunks}")
        report("the peer reads the same")
        flask_command(["ingest", str(exported)], peer | {"FLASK_APP": PEER})
        upstream.forget()
        upstream.set_tokens(ANSWER_TOKENS, sentence_tokens=SENTENCE_TOKENS)
        yield Ground(Side("ragbot", ragbot, COMMAND), Side("peer", peer, PEER_COMMAND), upstream)


def export_chunks(database_url: str, path: Path) -> int:
    """Write ragbot's chunks as JSON lines, and return their number."""
    engine = create_engine(database_url)
    with engine.connect() as connection, path.open("w") as out:
        rows = connection.execute(CHUNKS).all()
        for row in rows:
            headings = (
                row.heading_path if isinstance(row.heading_path, list) else json.loads(row.heading_path)
            )
            chunk = {
                "text": row.source[row.start : row.end],
                "heading": " > ".join(headings),
                "url": f"{row.address}#{row.anchor}",
            }
            out.write(json.dumps(chunk) + "\n")
    engine.dispose()
    return len(rows)


@contextmanager
def _databases(kind: Database, folder: Path) -> Iterator[dict[str, str]]:
    """Yield an address for each side; on PostgreSQL, two databases of one server."""
    if kind == "sqlite":
        yield {name: f"sqlite:///{folder}/{name}.db" for name in ("ragbot", "peer")}
        return
    with running_postgres() as url:
        engine = create_engine(sqlalchemy_url(url), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for name in ("ragbot", "peer"):
                connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        yield {name: sqlalchemy_url(url, name) for name in ("ragbot", "peer")}


def sqlalchemy_url(url: str, name: str | None = None) -> str:
    """Return the address of a database of the server."""
    address = make_url(url).set(drivername="postgresql+psycopg2")
    return (address.set(database=name) if name else address).render_as_string(hide_password=False)
