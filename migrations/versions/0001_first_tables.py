"""Create the tables of editions (that an index is built from) and of conversations (sessions, messages).

Revision 0001, the first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create editions with their parts first, then sessions with theirs."""
    op.create_table(
        "editions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("content_sha", sa.String(64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("site_url", sa.Text(), nullable=False),
        sa.Column("language", sa.String(20), nullable=False),
        sa.Column("average_terms", sa.Float(), nullable=False),
        sa.Column("embedder", sa.String(200)),
        sa.Column("dimension", sa.Integer()),
        sa.Column("vocabulary", sa.LargeBinary(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("sections", sa.Integer(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_editions"),
        sa.UniqueConstraint("key", name="uq_editions_key"),
        sa.UniqueConstraint("name", name="uq_editions_name"),
    )

    op.create_table(
        "publications",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("edition_id", sa.Integer(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_publications"),
        sa.ForeignKeyConstraint(
            ["edition_id"], ["editions.id"], name="fk_publications_edition_id_editions", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_publications_edition_id", "publications", ["edition_id"])

    op.create_table(
        "pages",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("edition_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pages"),
        sa.ForeignKeyConstraint(
            ["edition_id"], ["editions.id"], name="fk_pages_edition_id_editions", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_pages_edition_id_position", "pages", ["edition_id", "position"], unique=True)

    op.create_table(
        "sections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("page_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("heading_path", sa.JSON(), nullable=False),
        sa.Column("anchor", sa.Text(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sections"),
        sa.ForeignKeyConstraint(
            ["page_id"], ["pages.id"], name="fk_sections_page_id_pages", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_sections_page_id", "sections", ["page_id"])

    op.create_table(
        "chunks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("page_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("chunk_id", sa.String(36), nullable=False),
        sa.Column("heading_path", sa.JSON(), nullable=False),
        sa.Column("anchor", sa.Text(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("search_sha", sa.String(64), nullable=False),
        sa.Column("sparse", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chunks"),
        sa.ForeignKeyConstraint(
            ["page_id"], ["pages.id"], name="fk_chunks_page_id_pages", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_chunks_page_id", "chunks", ["page_id"])
    op.create_index("ix_chunks_chunk_id", "chunks", ["chunk_id"])
    op.create_index("ix_chunks_search_sha", "chunks", ["search_sha"])

    op.create_table(
        "vectors",
        sa.Column("embedder", sa.String(200), nullable=False),
        sa.Column("search_sha", sa.String(64), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("embedder", "search_sha", name="pk_vectors"),
    )

    op.create_table(
        "sessions",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_activity_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])

    op.create_table(
        "messages",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.String(32), nullable=False),
        sa.Column("session_id", sa.String(32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("mode", sa.String(20), nullable=False),
        sa.Column("selected_text", sa.Text()),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.Column("model", sa.String(200)),
        sa.Column("book_version", sa.String(100)),
        sa.Column("degraded", sa.JSON(), nullable=False),
        sa.Column("cache", sa.String(10)),
        sa.Column("usage", sa.JSON(), nullable=False),
        sa.Column("latency_ms", sa.JSON(), nullable=False),
        sa.Column("error_code", sa.String(50)),
        sa.Column("rating", sa.String(4)),
        sa.Column("comment", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.UniqueConstraint("message_id", name="uq_messages_message_id"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_messages_session_id_sessions", ondelete="CASCADE"
        ),
        # Without `op.f` the naming convention would put its prefix before these names once more.
        sa.CheckConstraint(
            "status IN ('pending', 'answered', 'refused', 'stopped', 'failed')",
            name=op.f("ck_messages_status_known"),
        ),
        sa.CheckConstraint("rating IN ('up', 'down')", name=op.f("ck_messages_rating_known")),
    )
    op.create_index("ix_messages_session_id_id", "messages", ["session_id", "id"])
    op.create_index("ix_messages_status_created_at", "messages", ["status", "created_at"])

    op.create_table(
        "idempotency_keys",
        sa.Column("key_sha", sa.String(64), nullable=False),
        sa.Column("body_sha", sa.String(64), nullable=False),
        sa.Column("message_id", sa.String(32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_sha", name="pk_idempotency_keys"),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["messages.message_id"],
            name="fk_idempotency_keys_message_id_messages",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_idempotency_keys_message_id", "idempotency_keys", ["message_id"])
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])


def downgrade() -> None:
    """Drop all tables with their rows, those first that refer to others."""
    op.drop_table("idempotency_keys")
    op.drop_table("messages")
    op.drop_table("sessions")
    op.drop_table("vectors")
    op.drop_table("chunks")
    op.drop_table("sections")
    op.drop_table("pages")
    op.drop_table("publications")
    op.drop_table("editions")
