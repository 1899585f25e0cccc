"""Let a service have several books, each with editions of its own.

Revision ID: 0008
Revises: 0007

"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# What is stored already belongs to the one book that there was.
DEFAULT_BOOK = "default"

NAMES = "uq_editions_name"
NAMES_OF_A_BOOK = "uq_editions_book_name"


def editions(*parts):
    """Return the table without the book, for SQLite, which builds a table anew to change a constraint."""
    return sa.Table(
        "editions",
        sa.MetaData(),
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
        *parts,
    )


def book_column():
    """Return the column: its constant default rewrites no row."""
    return sa.Column("book", sa.String(60), nullable=False, server_default=DEFAULT_BOOK)


def upgrade():
    """Add the columns, and let two books have editions of one name."""
    op.add_column("messages", sa.Column("book", sa.String(60), nullable=False, server_default=DEFAULT_BOOK))
    with op.batch_alter_table(
        "editions", copy_from=editions(sa.UniqueConstraint("name", name=NAMES))
    ) as table:
        table.add_column(book_column())
        table.drop_constraint(NAMES, type_="unique")
        table.create_unique_constraint(NAMES_OF_A_BOOK, ["book", "name"])


def downgrade():
    """Drop the columns. Editions of other books stay, and get their book's slug before their names."""
    table = sa.table("editions", sa.column("book"), sa.column("name"))
    longer = sa.func.substr(table.c.book + sa.literal(":") + table.c.name, 1, 100)
    op.execute(table.update().where(table.c.book != DEFAULT_BOOK).values(name=longer))
    with op.batch_alter_table(
        "editions",
        copy_from=editions(book_column(), sa.UniqueConstraint("book", "name", name=NAMES_OF_A_BOOK)),
    ) as batch:
        batch.drop_constraint(NAMES_OF_A_BOOK, type_="unique")
        batch.create_unique_constraint(NAMES, ["name"])
        batch.drop_column("book")
    op.drop_column("messages", "book")
