"""Dump a PostgreSQL database with pg_dump, and restore it with pg_restore and psql in one transaction."""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from psycopg2.extensions import make_dsn
from sqlalchemy import URL, Connection, NullPool, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from ragbot.backup.databases import MigrateUp, Snapshot
from ragbot.backup.manifest import DatabaseKind, Manifest
from ragbot.core.errors import BackupError, BackupUnreadable
from ragbot.extensions import db
from ragbot.storage.table_counts import NOT_BACKED_UP, REVISIONS, TableCounts, contents, tables

CONNECT_TIMEOUT_S = 10
# How long to wait for the lock of a table while others write to it.
LOCK_PATIENCE_S = 60

# A drill that was killed leaves its database behind; an older one belongs to no run.
_SCRATCH = re.compile(r"ragbot_scratch_([0-9]{10})_[0-9a-f]{8}")
_LEFT_S = 24 * 3600

# The lines before the first statement that makes something, and those of them that set a parameter.
_HEAD = re.compile(rb"\s*$|--|\\restrict |SET |SELECT pg_catalog\.set_config\(")
_SETTING = re.compile(rb"SET (\w+) = ")

# The line of `pg_restore --list` on a table that every dump has.
_LISTED_SCHEMA = re.compile(rf"^\d+; \d+ \d+ TABLE (.+) {REVISIONS} ", re.MULTILINE)

_MAJOR = re.compile(r"\(PostgreSQL\) ([0-9]+)")
_HIDDEN = ("password", "sslpassword", "passfile")


class PostgresDatabase:
    """Dump and restore a database on a server, with the programs pg_dump, pg_restore and psql."""

    kind: DatabaseKind = "postgresql"

    def __init__(self, url: str, programs: Path | None = None, *, is_direct: bool = False) -> None:
        """Open nothing yet. `programs` is the folder of the programs, by default those on the PATH.

        With `is_direct` the address is believed to be the server's own; else a pooler is looked for.
        """
        self.url = url
        self._is_direct = is_direct
        self._url = make_url(url)
        self._programs = programs

    def snapshot(self, dump: Path) -> Snapshot:
        with self._connected() as connection:
            # The counts and the dump show the same moment, whatever is written meanwhile.
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            moment = connection.scalar(text("SELECT pg_export_snapshot()"))
            version = self._version_at_least_of(connection)
            found = contents(connection)
            schema = connection.scalar(text("SELECT current_schema()"))
            self._run("pg_dump", self._dump_options(dump, str(moment), _qualified(schema, found.rows)))
        rows = {name: 0 if name in NOT_BACKED_UP else count for name, count in found.rows.items()}
        return Snapshot(
            TableCounts(found.revision, rows, found.edition, found.newest_at), database_version=version
        )

    def contents(self) -> TableCounts | None:
        with self._connected() as connection:
            found = contents(connection)
        return found if found.rows else None

    def check(self, dump: Path, manifest: Manifest) -> None:  # noqa: ARG002 - the rows are counted when restored
        try:
            self._run("pg_restore", ["--file=/dev/null", str(dump)], connects=False)
        except BackupError as error:
            raise BackupUnreadable(f"Its database cannot be read. {error}") from error

    def restore(self, dump: Path, manifest: Manifest, migrate_up: MigrateUp) -> None:
        """Replace the tables in one transaction that also counts the rows; a fault changes nothing."""
        schema = self._schema_of(dump)
        with self._connected() as connection:
            there = set(tables(connection))
            schemas = set(connection.scalars(text("SELECT nspname FROM pg_namespace")))
            settings = set(connection.scalars(text("SELECT name FROM pg_settings")))
        # Tables of later migrations must go too, or those migrations could not create them again.
        dropped = there & {*manifest.rows, *db.metadata.tables, REVISIONS}
        before = [
            "SET client_min_messages = warning;",
            f"SET lock_timeout = '{LOCK_PATIENCE_S}s';",
            # (Who may not create a schema may still restore into one that is there.)
            *([] if schema in schemas else [f"CREATE SCHEMA {_quoted(schema)};"]),
            _expected_schema(schema),
            *(f"DROP TABLE IF EXISTS {name} CASCADE;" for name in _qualified(schema, sorted(dropped))),
        ]
        after = [_counted(name, manifest.rows[_bare(name)]) for name in _qualified(schema, manifest.rows)]
        self._play(dump, before, after, settings)
        migrate_up(self.url)

    @contextmanager
    def scratch(self, folder: Path) -> Iterator[PostgresDatabase]:  # noqa: ARG002 - it is the server's
        name = f"ragbot_scratch_{int(time.time())}_{secrets.token_hex(4)}"
        with self._connected(autocommit=True) as connection:
            for left in connection.scalars(text("SELECT datname FROM pg_database")).all():
                found = _SCRATCH.fullmatch(left)
                if found and time.time() - int(found[1]) > _LEFT_S:
                    connection.execute(text(f"DROP DATABASE IF EXISTS {left} WITH (FORCE)"))
            schema = connection.scalar(text("SELECT current_schema()"))
            try:
                connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
            except DBAPIError as error:
                raise BackupError(
                    f"A temporary database cannot be created on the server: {_first_line(str(error.orig))}. "
                    "Give the role of DATABASE_URL the right CREATEDB."
                ) from error
        try:
            url = self._url.set(database=name)
            if schema not in (None, "public"):
                # It may be a setting of the live database, which this one does not have.
                given = _given(url).get("options", "")
                path = f"-csearch_path={_quoted(schema)}".replace(" ", r"\ ")
                url = url.update_query_dict({"options": f"{given} {path}".lstrip()})
            shown = url.render_as_string(hide_password=False)
            yield PostgresDatabase(shown, self._programs, is_direct=self._is_direct)
        finally:
            with suppress(BackupError), self._connected(autocommit=True) as connection:
                connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))

    def _dump_options(self, dump: Path, moment: str, names: Iterable[str]) -> list[str]:
        # Tables by name, with their sequences and indexes: extensions are the server's. A type or a function
        # of our own, if a migration ever makes one, must be named here too; a drill would miss it.
        return [
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            f"--snapshot={moment}",
            f"--lock-wait-timeout={LOCK_PATIENCE_S}s",
            f"--file={dump}",
            *(f"--table={name}" for name in names),
            *(f"--exclude-table-data={name}" for name in NOT_BACKED_UP),
        ]

    def _schema_of(self, dump: Path) -> str:
        """Return the schema of the tables in a dump, which does not create it."""
        listed = subprocess.run(  # noqa: S603
            [self._program("pg_restore"), "--list", str(dump)],
            capture_output=True,
            text=True,
            check=False,
            env=_LANGUAGE,
        ).stdout
        found = _LISTED_SCHEMA.search(listed)
        return found[1] if found else "public"

    def _version_at_least_of(self, connection: Connection) -> str:
        """Return the server's version. Raises BackupError if the programs are older than it."""
        version = str(connection.scalar(text("SHOW server_version")))
        server = int(connection.scalar(text("SHOW server_version_num")) or 0) // 10_000
        program = self._program("pg_dump")
        said = subprocess.run(  # noqa: S603
            [program, "--version"], capture_output=True, text=True, check=False, env=_LANGUAGE
        ).stdout
        found = _MAJOR.search(said)
        if found is None or int(found[1]) < server:
            raise BackupError(
                f"{program} is of version {found[1] if found else 'unknown'}, older than the server's "
                f"{server}; install PostgreSQL's client programs of version {server}, or name their folder "
                "in PG_BIN_DIR."
            )
        return version

    def _play(
        self, dump: Path, before: Sequence[str], after: Sequence[str], settings: Collection[str]
    ) -> None:
        """Run statements, then a dump, then statements, in one transaction; `settings` the server knows."""
        psql = [
            self._program("psql"),
            "--no-psqlrc",
            "--quiet",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
            "--file=-",
            f"--dbname={self._address()}",
        ]
        source = [self._program("pg_restore"), "--no-owner", "--no-privileges", "--file=-", str(dump)]
        with tempfile.TemporaryFile() as complaints, tempfile.TemporaryFile() as unread:
            with (
                subprocess.Popen(  # noqa: S603
                    psql,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=complaints,
                    env=self._environment(),
                ) as player,
                subprocess.Popen(  # noqa: S603
                    source, stdout=subprocess.PIPE, stderr=unread, env=_LANGUAGE
                ) as reader,
            ):
                assert player.stdin
                assert reader.stdout
                try:
                    with suppress(BrokenPipeError):
                        player.stdin.write("\n".join([*before, ""]).encode())
                        _copy_script(reader.stdout, player.stdin, settings)
                        if reader.wait():
                            # psql commits at the end of its input; without a client the server rolls back.
                            player.kill()
                        player.stdin.write("\n".join([*after, ""]).encode())
                    with suppress(BrokenPipeError):
                        player.stdin.close()
                except BaseException:
                    player.kill()
                    raise
                finally:
                    reader.stdout.close()
                player.wait()
            if player.returncode:
                raise BackupError(
                    f"The database was left as it was: {_complaint(complaints) or _complaint(unread)}."
                )

    def _run(self, program: str, options: Sequence[str], *, connects: bool = True) -> None:
        command = [self._program(program), *options]
        if connects:
            command.append(f"--dbname={self._address()}")
        with tempfile.TemporaryFile() as complaints:
            environment = self._environment() if connects else _LANGUAGE
            done = subprocess.run(  # noqa: S603
                command, stdin=subprocess.DEVNULL, stderr=complaints, env=environment, check=False
            )
            if done.returncode:
                raise BackupError(f"{program} failed: {_complaint(complaints)}.")

    def _program(self, name: str) -> str:
        found = shutil.which(name, path=str(self._programs) if self._programs else None)
        if found is None:
            where = f"in {self._programs}" if self._programs else "on the PATH"
            raise BackupError(
                f"The program {name} is not {where}; install PostgreSQL's client programs, "
                "or name their folder in PG_BIN_DIR."
            )
        return found

    def _address(self) -> str:
        """Return the connection string for arguments, which every local user can read: without secrets."""
        shown = {name: value for name, value in _given(self._url).items() if name not in _HIDDEN}
        return str(make_dsn(**{"connect_timeout": CONNECT_TIMEOUT_S, **shown}))

    def _environment(self) -> dict[str, str]:
        given = _given(self._url)
        secret = {"PGPASSWORD": given.get("password"), "PGPASSFILE": given.get("passfile")}
        return {**_LANGUAGE, **{name: str(value) for name, value in secret.items() if value}}

    @contextmanager
    def _connected(self, *, autocommit: bool = False) -> Iterator[Connection]:
        engine = create_engine(
            self._url,
            poolclass=NullPool,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
            isolation_level="AUTOCOMMIT" if autocommit else "READ COMMITTED",
        )
        try:
            with engine.connect() as connection:
                if not self._is_direct:
                    _refuse_pooler(connection)
                    # A transaction's isolation is set before its first query.
                    connection.rollback()
                yield connection
        except DBAPIError as error:
            # The driver's first line names the server, not the password.
            raise BackupError(f"The database cannot be used: {_first_line(str(error.orig))}.") from error
        finally:
            engine.dispose()


def _refuse_pooler(connection: Connection) -> None:
    """Raise BackupError if something hands out the server's connections to many clients in turn.

    pg_dump and the dumps empty the search path of their session. A pooler would give that connection to a
    reader next, who finds no table.
    """
    driver = connection.connection.driver_connection
    assert driver is not None
    # A pooler must name a process of its own: the server's is another one in the next transaction.
    if driver.info.backend_pid != connection.scalar(text("SELECT pg_backend_pid()")):
        raise BackupError(
            "DATABASE_URL leads to a pooler, whose connections PostgreSQL's programs would spoil for the "
            "service; set DATABASE_DIRECT_URL to the server's own address."
        )


# Error messages are parsed, so they must be in one language; no other variable is passed on.
_LANGUAGE: Mapping[str, str] = {"LC_ALL": "C"}


def _given(url: URL) -> dict[str, object]:
    """Return the driver's connection arguments for an address."""
    _, given = url.get_dialect()().create_connect_args(url)
    return dict(given)


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


def _qualified(schema: str, names: Iterable[str]) -> list[str]:
    return [f"{_quoted(schema)}.{_quoted(name)}" for name in names]


def _bare(qualified: str) -> str:
    return qualified.rpartition('."')[2].removesuffix('"')


def _expected_schema(schema: str) -> str:
    """Return a statement that fails unless the service finds its tables in a schema."""
    literal = schema.replace("'", "''")
    fault = (
        f"the backup is of the schema {literal}, and DATABASE_URL leads to another one; "
        f"add ?options=-csearch_path={literal} to it"
    )
    return (
        f"DO $schema$ BEGIN IF current_schema() IS DISTINCT FROM '{literal}' THEN "
        f"RAISE EXCEPTION USING MESSAGE = '{fault}'; END IF; END $schema$;"
    )


def _counted(name: str, rows: int) -> str:
    """Return a statement that fails, and with it the transaction, if a table has not its rows."""
    fault = f"table {_bare(name)} has not the {rows} rows of the manifest"
    counted = f"(SELECT count(*) FROM {name})"  # noqa: S608 - a name that was read as one
    return f"DO $count$ BEGIN IF {counted} <> {rows} THEN RAISE EXCEPTION '{fault}'; END IF; END $count$;"


def _copy_script(script: IO[bytes], target: IO[bytes], settings: Collection[str]) -> None:
    """Copy a dump's statements, without those of its head that set what is not among the settings.

    Programs that are later than the server set parameters of their own version: 17's `transaction_timeout`.
    """
    for line in script:
        setting = _SETTING.match(line)
        if setting is None or setting[1].decode() in settings:
            target.write(line)
        if not _HEAD.match(line):
            break
    shutil.copyfileobj(script, target)


def _complaint(said: IO[bytes]) -> str:
    """Return the first error line of a program; later ones may quote rows."""
    said.seek(0)
    lines = said.read(100_000).decode(errors="replace").splitlines()
    worst = [line for line in lines if re.search(r"\b(error|fatal|ERROR|FATAL):", line)]
    return _first_line((worst or lines or [""])[0])


def _first_line(said: str) -> str:
    return (said.strip().splitlines() or ["no reason was given"])[0].rstrip(".")
