"""Add what readers asked, kept apart from their sessions, and the groups of such questions.

Revision ID: 0009
Revises: 0008

"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade():
    """Create two tables. A session that is deleted by the previous version leaves its questions unlinked."""
    op.create_table(
        "question_groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("book", sa.String(60), nullable=False),
        sa.Column("space", sa.String(200), nullable=False),
        sa.Column("centroid", sa.LargeBinary(), nullable=False),
        sa.Column("members", sa.Integer(), nullable=False),
        sa.Column("is_example", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_question_groups"),
    )
    op.create_index("ix_question_groups_book_space", "question_groups", ["book", "space"])
    op.create_table(
        "asked_questions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.String(32)),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("book", sa.String(60), nullable=False),
        sa.Column("book_version", sa.String(100)),
        sa.Column("words", sa.Text()),
        sa.Column("language", sa.String(20), nullable=False),
        sa.Column("page", sa.Text(), nullable=False),
        sa.Column("mode", sa.String(20), nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("degraded", sa.Boolean(), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("cited", sa.Text(), nullable=False),
        sa.Column("nearest", sa.Text(), nullable=False),
        sa.Column("sentences", sa.Integer(), nullable=False),
        sa.Column("supported", sa.Integer(), nullable=False),
        sa.Column("cache", sa.String(10), nullable=False),
        sa.Column("cost_usd", sa.Float()),
        sa.Column("first_word_ms", sa.Float()),
        sa.Column("rating", sa.String(4)),
        sa.Column("reason", sa.Text()),
        sa.Column("embedder", sa.String(200)),
        sa.Column("vector", sa.LargeBinary()),
        sa.Column("group_id", sa.Integer()),
        sa.Column("is_example", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_asked_questions"),
        sa.UniqueConstraint("message_id", name="uq_asked_questions_message_id"),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["messages.message_id"],
            name="fk_asked_questions_message_id_messages",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["question_groups.id"],
            name="fk_asked_questions_group_id_question_groups",
            ondelete="SET NULL",
        ),
    )
    op.create_index("ix_asked_questions_book_asked_at", "asked_questions", ["book", "asked_at"])
    op.create_index("ix_asked_questions_group_id", "asked_questions", ["group_id"])


def downgrade():
    """Drop both tables; what was kept for insights is lost, sessions stay."""
    op.drop_table("asked_questions")
    op.drop_table("question_groups")
