"""Add the lines that a model wrote for chunks.

Revision ID: 0007
Revises: 0006

"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade():
    """Create a table that no other refers to."""
    op.create_table(
        "chunk_contexts",
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("search_sha", sa.String(length=64), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", "search_sha", name="pk_chunk_contexts"),
    )


def downgrade():
    """Drop the table; the editions that were indexed with its lines stay."""
    op.drop_table("chunk_contexts")
