"""Add to each message how its answer's sentences stand.

Revision ID: 0006
Revises: 0005

"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade():
    """Add a column without a default, which rewrites no row."""
    op.add_column("messages", sa.Column("grounding", sa.JSON(), nullable=True))


def downgrade():
    """Drop the column; the answers stay."""
    op.drop_column("messages", "grounding")
