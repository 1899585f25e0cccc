"""The import law of the house, held over the syntax trees: who may know whom."""

from __future__ import annotations

import ast
import graphlib
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from ragbot.config import PROJECT_ROOT

# From the ground up. A module stands on its room's floor and imports from floors below, or from its own
# room. `serving` is gunicorn's own file and stands apart: it may know what is below it and nobody knows it.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("core", "version", "tracing", "security_headers"),
    (
        *(
            "telemetry",
            "extensions",
            "metrics",
            "metrics_folder",
            "probing",
            "production_rules",
            "raw_refusals",
            "database_address",
            "redis_address",
            "sizing",
        ),
        *("inbox", "job_limits"),
    ),
    ("providers", "books", "index", "records", "config", "readiness", "answer_metrics", "periodic_tasks"),
    (
        *("answering", "ingest", "ingest_jobs", "preflight"),
        *("upkeep_metrics", "collector", "error_reports"),
    ),
    ("services", "evaluation", "backup", "part_probes"),
    ("wiring", "web", "cli"),
    # It joins what `backup` needs with the parts that `wiring` chooses.
    ("backup_commands",),
    ("app", "serving"),
    ("ragbot",),
    ("wsgi", "ingest_process"),
)

# The rooms that do not know each other.
ROOMS = ("books", "providers", "index", "records")


@dataclass(frozen=True, slots=True)
class Never:
    """These modules never import those."""

    who: tuple[str, ...]
    whom: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OnlyIn:
    """A library that only these modules know."""

    library: str
    who: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OnlyTheStandardLibrary:
    """These modules import nothing else, but each other."""

    who: str


# Names are those of modules without `ragbot.`; a room's name stands for all that is in it.
LAWS: tuple[Never | OnlyIn | OnlyTheStandardLibrary, ...] = (
    OnlyTheStandardLibrary("core"),
    *(Never((room,), tuple(other for other in ROOMS if other != room)) for room in ROOMS),
    Never(("web",), ("providers", "index", "books", "wiring", "backup")),
    # An archive is made from a database and a drill is held with parts that are handed in.
    Never(("backup",), ("providers", "index", "books", "config")),
    Never(("extensions",), ("*",)),
    Never(("*",), ("serving", "wsgi")),
    OnlyIn("flask", ("app", "extensions", "records", "services", "web", "cli", "wiring", "backup_commands")),
    # `preflight` reads the database's address as the engine will; `backup` dumps and fills whole databases.
    OnlyIn(
        "sqlalchemy",
        ("app", "extensions", "records", "services", "web", "cli", "wiring", "preflight", "backup"),
    ),
    OnlyIn("opentelemetry", ("collector",)),
    OnlyIn("sentry_sdk", ("error_reports",)),
    OnlyIn("openai", ("providers.openai_*",)),
    OnlyIn("qdrant_client", ("index.server_store",)),
    OnlyIn("qdrant_edge", ("index.embedded_store",)),
    OnlyIn("boto3", ("backup.s3_place",)),
    OnlyIn("botocore", ("backup.s3_place",)),
)

# `metrics_folder` hands its folder to prometheus_client, which takes it from the environment alone.
READERS_OF_THE_ENVIRONMENT = ("config", "serving", "metrics_folder")

# Two on one floor that know each other all the same.
NEIGHBOURS = {
    ("cli", "web.documentation"): "`flask openapi` prints the document that `/openapi.json` serves",
    ("telemetry", "core.errors"): "the ground",
}

INSIDE_A_FUNCTION = {
    # A heavy or optional library in its own adapter.
    ("providers.openai_client", "openai"): "takes 0.8 s, which a service without a key does not pay",
    ("providers.local_embedder", "onnxruntime"): "takes 60 MB",
    ("providers.local_embedder", "tokenizers"): "goes with it",
    ("metrics", "prometheus_client"): "looks at the environment when it is imported",
    ("metrics_folder", "prometheus_client"): "looks at the environment when it is imported",
    ("web.metrics", "prometheus_flask_exporter"): "imports prometheus_client",
    # The joiner's choice between adapters.
    ("wiring", "index.embedded_store"): "one of two engines, both large",
    ("wiring", "index.server_store"): "one of two engines, both large",
    ("wiring", "providers.local_embedder"): "with numpy, for those who use it",
    ("wiring", "providers.openai_client"): "with HTTP/2 and numpy, for those who have a key",
    ("wiring", "providers.openai_embedder"): "goes with it",
    ("wiring", "providers.openai_generator"): "so does it",
    ("wiring", "records.redis_stores"): "for those who have a Redis",
    ("books.loader", "books.pdf"): "with its library, for those who read a PDF",
    ("backup.addresses", "backup.s3_place"): "its library is an extra",
    ("wiring", "collector"): "an extra, for those who have one",
    ("wiring", "error_reports"): "an extra too",
    # gunicorn reads its configuration before it forks, and the app is for after.
    ("serving", "services"): "the app is a worker's own",
    ("serving", "extensions"): "so is its engine",
    ("serving", "web.watching"): "and what it counts",
    ("serving", "records.capacity"): "and who asks over it",
}


@dataclass(frozen=True, slots=True)
class Import:
    """An import, as names without `ragbot.`; `whom` keeps the dots of a foreign module."""

    who: str
    whom: str
    ours: bool
    inside: bool
    line: int

    def __str__(self) -> str:
        return f"{self.who}, line {self.line}, imports {self.whom}"


@pytest.fixture(scope="module")
def house() -> dict[str, str]:
    """The source of every module, by its name."""
    sources = {"wsgi": (PROJECT_ROOT / "wsgi.py").read_text()}
    for path in (PROJECT_ROOT / "ragbot").rglob("*.py"):
        sources[module_of(path)] = path.read_text()
    return sources


@pytest.fixture(scope="module")
def imports(house: dict[str, str]) -> list[Import]:
    """Every import of the house."""
    return imports_of(house, house)


def module_of(path: Path) -> str:
    parts = path.relative_to(PROJECT_ROOT / "ragbot").with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "ragbot"


def imports_of(sources: dict[str, str], house: Iterable[str]) -> list[Import]:
    """The imports of some modules; `house` are the names of all."""
    known = frozenset(house)
    return [found for module, source in sources.items() for found in _imports(module, source, known)]


def _imports(module: str, source: str, house: frozenset[str]) -> Iterator[Import]:
    tree = ast.parse(source)
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        for name in _names(node, module, house):
            ours = name == "ragbot" or name.startswith("ragbot.")
            whom = name.removeprefix("ragbot.")
            yield Import(module, whom, ours, id(node) in inside, getattr(node, "lineno", 0))


def _names(node: ast.AST, module: str, house: frozenset[str]) -> Iterator[str]:
    """The full names of what a node imports, also where the name is a text."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        here = f"ragbot.{module}".split(".")[: -node.level] if node.level else []
        base = ".".join([*here, *([node.module] if node.module else [])])
        for alias in node.names:
            full = f"{base}.{alias.name}"
            yield full if full.removeprefix("ragbot.") in house else base
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
        called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        if called in ("import_module", "__import__") and node.args and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)


def is_in(module: str, rooms: Iterable[str]) -> bool:
    """Whether a module is one of these or stands in one; `*` stands for any letters."""
    return any(fnmatchcase(module, room) or fnmatchcase(module, f"{room}.*") for room in rooms)


# --- the checks, each from imports to sentences about faults ------------------------------------


def against_the_laws(imports: Iterable[Import]) -> list[str]:
    return [str(one) for one in imports for law in LAWS if _breaks(one, law)]


def _breaks(one: Import, law: Never | OnlyIn | OnlyTheStandardLibrary) -> bool:
    match law:
        case Never(who, whom):
            return one.ours and is_in(one.who, who) and is_in(one.whom, whom) and one.who != one.whom
        case OnlyIn(library, who):
            return not one.ours and is_in(one.whom, (library, f"{library}_*")) and not is_in(one.who, who)
        case OnlyTheStandardLibrary(who):
            known = is_in(one.whom, (who,)) if one.ours else one.whom.split(".")[0] in sys.stdlib_module_names
            return is_in(one.who, (who,)) and not known


def upward(imports: Iterable[Import]) -> list[str]:
    faults = []
    for one in imports:
        if not one.ours or room_of(one.who) == room_of(one.whom) or (one.who, one.whom) in NEIGHBOURS:
            continue
        if floor_of(one.who) <= floor_of(one.whom):
            faults.append(f"{one}, which does not stand below it")
    return faults


def room_of(module: str) -> str:
    return module.split(".")[0]


def floor_of(module: str) -> int:
    for floor, rooms in enumerate(FLOORS):
        if room_of(module) in rooms:
            return floor
    raise AssertionError(f"{module} has no floor yet: give it one in FLOORS")


def inside_functions(imports: Iterable[Import]) -> list[str]:
    return [f"{one} inside a function" for one in imports if one.inside and not _is_allowed_inside(one)]


def _is_allowed_inside(one: Import) -> bool:
    return any(one.who == who and is_in(one.whom, (whom,)) for who, whom in INSIDE_A_FUNCTION)


def in_a_circle(imports: Iterable[Import]) -> list[str]:
    graph: dict[str, set[str]] = {}
    for one in imports:
        # A package's own face hands names on from its modules, which is no circle.
        if one.ours and one.who != "ragbot" and one.whom != "ragbot":
            graph.setdefault(one.who, set()).add(one.whom)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [" imports ".join(reversed(error.args[1]))]
    return []


def reading_the_environment(sources: dict[str, str]) -> list[str]:
    return [
        f"{module}, line {line}, reads the environment"
        for module, source in sources.items()
        if not is_in(module, READERS_OF_THE_ENVIRONMENT)
        for line in _environment_lines(ast.parse(source))
    ]


def _environment_lines(tree: ast.AST) -> Iterator[int]:
    names = {"environ", "environb", "getenv", "getenvb", "putenv"}
    imported = [alias for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    called_os = {alias.asname or "os" for alias in imported if alias.name == "os"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            yield from (node.lineno for alias in node.names if alias.name in names)
        elif isinstance(node, ast.Attribute) and node.attr in names and _is_one_of(node.value, called_os):
            yield node.lineno


def _is_one_of(node: ast.AST, names: set[str]) -> bool:
    # A request has an `environ` too, so what it is an attribute of counts.
    return isinstance(node, ast.Name) and node.id in names


# --- the house keeps the law -------------------------------------------------------------------


def test_every_module_has_a_floor(house: dict[str, str]) -> None:
    """A new one must be given its place before anybody leans on it."""
    floors = {module: floor_of(module) for module in house}

    assert floors["core.domain"] < floors["index.retriever"] < floors["answering.answerer"] < floors["app"]


@pytest.mark.parametrize("check", [against_the_laws, upward, inside_functions, in_a_circle])
def test_nobody_imports_what_is_not_below(
    imports: list[Import], check: Callable[[Iterable[Import]], list[str]]
) -> None:
    """A room that knows its neighbour cannot be changed without it."""
    assert check(imports) == []


def test_the_environment_is_read_in_one_place(house: dict[str, str]) -> None:
    """A setting that is read elsewhere is in no table and in no message."""
    assert reading_the_environment(house) == []


def test_no_exception_outlives_its_reason(imports: list[Import]) -> None:
    """Delete from the list what is not needed any more."""
    inside = {
        pair
        for pair in INSIDE_A_FUNCTION
        for one in imports
        if one.inside and one.who == pair[0] and is_in(one.whom, (pair[1],))
    }
    neighbours = {(one.who, one.whom) for one in imports} & set(NEIGHBOURS)

    assert set(INSIDE_A_FUNCTION) - inside == set()
    assert {pair for pair in NEIGHBOURS if floor_of(pair[0]) == floor_of(pair[1])} - neighbours == set()


# --- and the checks can fail -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "source", "check"),
    [
        ("core.text", "import numpy", against_the_laws),
        ("core.text", "from ragbot.index import sparse", against_the_laws),
        ("books.html", "from ragbot.storage.editions import EditionStore", against_the_laws),
        ("records.models", "import ragbot.index.point_payload", against_the_laws),
        ("web.query", "from ragbot.bootstrap import build_services", against_the_laws),
        ("web.query", "from ..index import retriever", against_the_laws),
        ("web.query", "def view():\n    from ragbot.books import loader", against_the_laws),
        ("index.retriever", "import flask.globals", against_the_laws),
        ("answering.turns", "from sqlalchemy import select", against_the_laws),
        ("answering.turns", "from flask_sqlalchemy import SQLAlchemy", against_the_laws),
        ("providers.extractive", "import openai", against_the_laws),
        ("web.sse", "importlib.import_module('openai')", against_the_laws),
        ("index.published", "import qdrant_client", against_the_laws),
        ("index.server_store", "from qdrant_edge import EdgeShard", against_the_laws),
        ("extensions", "from ragbot.config import Settings", against_the_laws),
        ("app", "from ragbot import serving", against_the_laws),
        ("records.models", "from ragbot.services import current_services", upward),
        ("index.retriever", "def f():\n    from ragbot.answering.answerer import Answerer", upward),
        ("web.query", "from ragbot.cli.commands import ask", upward),
        ("core.domain", "def f():\n    import json", inside_functions),
        ("wiring", "def f():\n    import numpy", inside_functions),
        ("wiring", "f = lambda: __import__('ragbot.ingestion.pipeline')", inside_functions),
    ],
)
def test_bad_import_is_found(
    house: dict[str, str], module: str, source: str, check: Callable[[Iterable[Import]], list[str]]
) -> None:
    """A law that nothing can break holds nothing."""
    (fault, *_) = check(imports_of({module: source}, house))

    assert fault.startswith(f"{module}, line ")


def test_circle_is_found(house: dict[str, str]) -> None:
    """Floors alone do not see one within a room."""
    bad = {
        "index.sparse": "from ragbot.index import vocabulary",
        "index.vocabulary": "from ragbot.index import analysis",
        "index.analysis": "def f():\n    import ragbot.index.bm25",
    }

    (circle,) = in_a_circle(imports_of(bad, house))

    assert all(module in circle for module in bad)


@pytest.mark.parametrize(
    "source", ["import os\nos.environ['X']", "from os import getenv", "import os as o\no.getenv('X')"]
)
def test_reader_of_the_environment_is_found(source: str) -> None:
    """By whatever name it goes."""
    (fault,) = reading_the_environment({"index.sparse": source})

    assert fault.startswith("index.sparse, line ")


def test_module_without_a_floor_is_found(house: dict[str, str]) -> None:
    """Its name is told, and what to do."""
    with pytest.raises(AssertionError, match="attic has no floor"):
        upward(imports_of({"attic": "from ragbot.core import text"}, house))
