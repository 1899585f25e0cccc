"""Check that tests and benchmarks share the harness alone, and that the service needs none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragbot.config import PROJECT_ROOT
from tests.test_import_rules import imports_of, is_in

NEVER = {
    "tests": ("bench",),
    "bench": ("tests",),
    "harness": ("tests", "bench"),
    "ragbot": ("tests", "bench", "harness"),
}


def sources_of(package: str) -> dict[str, str]:
    """Return the source of each module of a package, by its name."""
    paths = (PROJECT_ROOT / package).rglob("*.py")
    return {module_of(path.relative_to(PROJECT_ROOT)): path.read_text() for path in paths}


def module_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


def faults(package: str, sources: dict[str, str]) -> list[str]:
    """Return a sentence for each import that the package must not have."""
    return [str(one) for one in imports_of(sources, sources) if is_in(one.whom, NEVER[package])]


@pytest.mark.parametrize("package", NEVER)
def test_package_imports_none_of_these(package: str) -> None:
    """Who changes a test must not have to ask what a benchmark makes of it."""
    sources = sources_of(package)

    assert len(sources) > 5
    assert faults(package, sources) == []


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("tests", "import bench.run"),
        ("bench", "def f():\n    from tests.conftest import services_of"),
        ("harness", "import importlib\nimportlib.import_module('bench.run')"),
        ("ragbot", "from harness import loopback"),
    ],
)
def test_bad_import_is_found(package: str, source: str) -> None:
    """A rule that nothing can break checks nothing."""
    (fault,) = faults(package, {f"{package}.made_up": source})

    assert fault.startswith(f"{package}.made_up, line ")
