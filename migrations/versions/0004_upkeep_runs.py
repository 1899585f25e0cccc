"""Add the runs of backups and restore drills.

Revision ID: 0004
Revises: 0003

"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade():
    """Create a table that no other refers to."""
    op.create_table(
        "upkeep_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_upkeep_runs"),
    )
    op.create_index("ix_upkeep_runs_kind_id", "upkeep_runs", ["kind", "id"])


def downgrade():
    """Drop the table; the archives themselves stay where they are."""
    op.drop_index("ix_upkeep_runs_kind_id", table_name="upkeep_runs")
    op.drop_table("upkeep_runs")
