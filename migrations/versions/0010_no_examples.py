"""Drop what told made-up questions from those of readers: made-up ones are in no table any more.

Revision ID: 0010
Revises: 0009

"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade():
    """Delete made-up rows, which would count as readers' questions, and drop the columns in place."""
    op.execute("DELETE FROM asked_questions WHERE is_example")
    op.execute("DELETE FROM question_groups WHERE is_example")
    op.drop_column("asked_questions", "is_example")
    op.drop_column("question_groups", "is_example")


def downgrade():
    """Add the columns again; every row is a reader's."""
    for table in ("question_groups", "asked_questions"):
        op.add_column(table, sa.Column("is_example", sa.Boolean(), nullable=False, server_default=sa.false()))
