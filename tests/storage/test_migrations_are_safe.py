"""Test that no migration has a statement that blocks readers while a full table is rewritten."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from ragbot.config import PROJECT_ROOT

MIGRATIONS = PROJECT_ROOT / "migrations"

Words = dict[str, ast.expr]


@dataclass(frozen=True, slots=True)
class Step:
    """One call of alembic's on a table."""

    name: str
    table: str | None
    words: Words
    positional: Sequence[ast.expr]
    line: int


def steps_of(source: str, function: str = "upgrade") -> Iterator[Step]:
    """Yield the calls `op.x(...)` of a migration, and those of `with op.batch_alter_table(...) as batch`."""
    tree = ast.parse(source)
    (body,) = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == function)
    batches = {
        item.optional_vars.id: _text(item.context_expr.args[0])
        for node in ast.walk(body)
        if isinstance(node, ast.With)
        for item in node.items
        if isinstance(item.optional_vars, ast.Name)
        and isinstance(item.context_expr, ast.Call)
        and ast.unparse(item.context_expr.func) == "op.batch_alter_table"
    }
    for call in (node for node in ast.walk(body) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
            owner, name = call.func.value.id, call.func.attr
            words = {word.arg: word.value for word in call.keywords if word.arg}
            if owner in batches:
                yield Step(name, batches[owner], words, call.args, call.lineno)
            elif owner == "op":
                yield Step(name, _table_of(name, call, words), words, call.args, call.lineno)


def _table_of(name: str, call: ast.Call, words: Words) -> str | None:
    place = TABLE_PLACES.get(name, 0)
    for known in ("table_name", "source_table"):
        if known in words:
            return _text(words[known])
    return _text(call.args[place]) if len(call.args) > place else None


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


# Where alembic's calls take the table's name, if not first.
_ON_A_TABLE = ("index", "foreign_key", "check_constraint", "unique_constraint", "primary_key")
TABLE_PLACES = dict.fromkeys((f"create_{made}" for made in (*_ON_A_TABLE, "exclude_constraint")), 1)


def faults_of(source: str, tables_before: set[str]) -> list[str]:
    """Return what a migration does that stops readers or writers of a table that may be full."""
    found = []
    for step in steps_of(source):
        rule = RULES.get(step.name)
        # A name that is not written out may be any table's.
        touches_old = step.table is None or step.table in tables_before - SMALL_TABLES
        if rule and (touches_old or step.name == "execute") and (fault := rule(step)):
            found.append(f"line {step.line}: {fault}")
    return found


def _index(step: Step) -> str | None:
    if _is_true(step.words.get("postgresql_concurrently")):
        return None
    return "an index on a full table stops its writers: postgresql_concurrently, in an autocommit_block"


def _new_column(step: Step) -> str | None:
    columns = [node for node in step.positional if isinstance(node, ast.Call)]
    words = {word.arg: word.value for column in columns for word in column.keywords if word.arg}
    if _is_false(words.get("nullable")) and "server_default" not in words:
        return "a full table has no value for a column that may not be null: give it a server_default"
    if any(
        isinstance(n, ast.Call) and ast.unparse(n.func).endswith("ForeignKey")
        for c in columns
        for n in c.args
    ):
        return "a foreign key is checked against every row: add it by itself, postgresql_not_valid"
    return None


def _changed_column(step: Step) -> str | None:
    if _is_false(step.words.get("nullable")):
        return (
            "SET NOT NULL reads every row while nobody may: add a check that is not valid, validate it later"
        )
    if "type_" in step.words:
        return "another type writes every row anew while nobody may read: add a column and copy in batches"
    return None


def _constraint(step: Step) -> str | None:
    if _is_true(step.words.get("postgresql_not_valid")):
        return None
    return "a constraint is checked against every row: postgresql_not_valid, and VALIDATE CONSTRAINT later"


def _unique(step: Step) -> str | None:
    if "postgresql_using_index" in step.words:
        return None
    return "it builds an index while nobody may write: create a unique index concurrently in its place"


def _renamed(_step: Step) -> str | None:
    return "the program before this one, which still serves, does not know the new name"


def _statement(step: Step) -> str | None:
    text = " ".join(
        n.value
        for n in ast.walk(ast.Module([ast.Expr(a) for a in step.positional], []))
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    ).upper()
    if re.search(r"CREATE (UNIQUE )?INDEX (?!CONCURRENTLY)", text):
        return "an index on a full table stops its writers: CONCURRENTLY, in an autocommit_block"
    if re.search(r"\bADD CONSTRAINT\b(?!.*\bNOT VALID\b)", text):
        return "a constraint is checked against every row: NOT VALID, and VALIDATE CONSTRAINT later"
    if re.search(
        r"\bSET NOT NULL\b|\bLOCK TABLE\b|\bVACUUM FULL\b|\bCLUSTER\b|\bALTER COLUMN \S+ (SET DATA )?TYPE\b",
        text,
    ):
        return "it holds a full table while it reads or writes every row"
    if re.search(r"^\s*(UPDATE|DELETE)\b(?!.*\bWHERE\b)", text):
        return "every row is written in one transaction: do it in batches"
    return None


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _is_false(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


RULES: dict[str, Callable[[Step], str | None]] = {
    "create_index": _index,
    "add_column": _new_column,
    "alter_column": _changed_column,
    "create_foreign_key": _constraint,
    "create_check_constraint": _constraint,
    "create_unique_constraint": _unique,
    "create_primary_key": _unique,
    "create_exclude_constraint": _unique,
    "rename_table": _renamed,
    "execute": _statement,
}


# A row for each edition of a book: no statement on it takes a moment.
SMALL_TABLES = {"editions"}


def made_by(source: str) -> set[str]:
    return {step.table for step in steps_of(source) if step.name == "create_table" and step.table}


def test_no_migration_stops_those_who_read_and_write() -> None:
    """It runs while the release before it serves, on a table of any size."""
    scripts = reversed([*ScriptDirectory(str(MIGRATIONS)).walk_revisions()])
    tables: set[str] = set()
    found = {}
    for script in scripts:
        source = Path(script.path).read_text()
        if faults := faults_of(source, tables):
            found[script.revision] = faults
        tables |= made_by(source)

    assert {"editions", "messages", "quota_counts"} <= tables
    assert found == {}


# --- and the check can fail ----------------------------------------------------------------------


def migration(body: str) -> str:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return f"import sqlalchemy as sa\nfrom alembic import op\n\ndef upgrade():\n{lines}\n"


@pytest.mark.parametrize(
    "body",
    [
        "op.create_index('ix_old', 'old', ['a'])",
        "op.create_index('ix_old', 'old', ['a'], postgresql_concurrently=False)",
        "op.create_index('ix_old', table_name='old', columns=['a'])",
        "for name in ('old',):\n    op.create_index('ix', name, ['a'])",
        "with op.batch_alter_table('old') as batch:\n    batch.create_index('ix', ['a'])",
        "op.add_column('old', sa.Column('a', sa.Text(), nullable=False))",
        "op.add_column('old', sa.Column('a', sa.Text(), sa.ForeignKey('other.id')))",
        "with op.batch_alter_table('old') as batch:\n"
        "    batch.add_column(sa.Column('a', sa.Text(), nullable=False))",
        "op.alter_column('old', 'a', nullable=False)",
        "op.alter_column('old', 'a', type_=sa.BigInteger())",
        "op.create_foreign_key('fk', 'old', 'other', ['a'], ['id'])",
        "op.create_check_constraint('ck', 'old', 'a > 0')",
        "op.create_unique_constraint('uq', 'old', ['a'])",
        "op.rename_table('old', 'older')",
        "op.execute('CREATE INDEX ix ON old (a)')",
        "op.execute(sa.text('create unique index ix on old (a)'))",
        "op.execute('ALTER TABLE old ALTER COLUMN a SET NOT NULL')",
        "op.execute('ALTER TABLE old ADD CONSTRAINT c CHECK (a > 0)')",
        "op.execute('UPDATE old SET a = 1')",
    ],
)
def test_step_that_stops_others_is_found(body: str) -> None:
    """With the line, and with what to do instead."""
    (fault,) = faults_of(migration(body), {"old"})

    assert re.match(r"line \d+: \w+", fault)


@pytest.mark.parametrize(
    "body",
    [
        "op.create_table('new', sa.Column('a', sa.Text(), nullable=False))\n"
        "op.create_index('ix', 'new', ['a'])",
        "with op.get_context().autocommit_block():\n"
        "    op.create_index('ix', 'old', ['a'], postgresql_concurrently=True)",
        "op.add_column('old', sa.Column('a', sa.Text()))",
        "op.add_column('old', sa.Column('a', sa.Text(), nullable=False, server_default=''))",
        "op.alter_column('old', 'a', nullable=True)",
        "op.create_check_constraint('ck', 'old', 'a > 0', postgresql_not_valid=True)",
        "op.execute('ALTER TABLE old VALIDATE CONSTRAINT ck')",
        "op.execute('CREATE INDEX CONCURRENTLY ix ON old (a)')",
    ],
)
def test_step_that_stops_nobody_is_let_through(body: str) -> None:
    """A rule that forbids everything would soon be switched off."""
    assert faults_of(migration(body), {"old"}) == []
