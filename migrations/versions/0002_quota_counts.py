"""Add the counters of the rate limits.

Revision ID: 0002
Revises: 0001

"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade():
    """Create a table that no other refers to."""
    op.create_table(
        "quota_counts",
        sa.Column("counter", sa.String(length=200), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("ends_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("counter", name="pk_quota_counts"),
    )
    op.create_index("ix_quota_counts_ends_at", "quota_counts", ["ends_at"])


def downgrade():
    """Drop the table with its counts."""
    op.drop_index("ix_quota_counts_ends_at", table_name="quota_counts")
    op.drop_table("quota_counts")
