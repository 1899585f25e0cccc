"""Add the vectors of sentences to those of chunks.

Revision ID: 0011
Revises: 0010

"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade():
    """Add an empty column, which takes no time; the next ingestion of a book fills it."""
    op.add_column("vectors", sa.Column("sentences", sa.LargeBinary(), nullable=True))


def downgrade():
    """Drop the column; the next ingestion after an upgrade fills it again."""
    op.drop_column("vectors", "sentences")
