"""Check the docstrings of `ragbot/`: what must have one, and with which word it may begin."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from ragbot.config import PROJECT_ROOT

# A docstring opens with a verb. These words open a noun phrase, a question or a fragment.
NO_VERBS = frozenset(
    """A An The This That These Those What Whether Which Who Whose How Where When Why All Any Each Every Some
    Such No Nothing One It Its As At Before Behind For From In Of Under With Within Without""".split()
)

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Definition:
    """Describe a module, class or function. `is_public` says that other modules may use it."""

    name: str
    node: Documented
    is_public: bool

    @property
    def docstring(self) -> str:
        """Return its docstring, or ""."""
        return ast.get_docstring(self.node) or ""


def faults_in(source: str, *, contracts: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield a sentence for each missing docstring, and for each that does not open with a verb.

    `contracts` are the names of methods whose docstring is that of a Protocol: an adapter need not repeat it.
    """
    for definition in definitions_in(ast.parse(source)):
        is_method = "." in definition.name
        if not definition.docstring:
            method = definition.name.rpartition(".")[2]
            if definition.is_public and not (is_method and method in contracts):
                yield f"{definition.name} has no docstring"
        elif (first := definition.docstring.split()[0].strip(",.:;")) in NO_VERBS:
            yield f'{definition.name} begins with "{first}"'


def definitions_in(tree: ast.Module) -> Iterator[Definition]:
    """Yield the module and everything in it, functions in functions included."""
    yield Definition("the module", tree, is_public=True)
    yield from _inside(tree.body, prefix="", is_public=True)


def _inside(body: Iterable[ast.AST], *, prefix: str, is_public: bool) -> Iterator[Definition]:
    for node in body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            name = f"{prefix}{node.name}"
            is_seen = is_public and not node.name.startswith("_")
            yield Definition(name, node, is_public=is_seen)
            is_class = isinstance(node, ast.ClassDef)
            yield from _inside(node.body, prefix=f"{name}.", is_public=is_seen and is_class)
        else:
            yield from _inside(ast.iter_child_nodes(node), prefix=prefix, is_public=is_public)


def documented_methods(source: str) -> Iterator[str]:
    """Yield the names of the methods that a Protocol in the source documents."""
    for definition in definitions_in(ast.parse(source)):
        if isinstance(definition.node, ast.ClassDef) and "Protocol" in map(
            ast.unparse, definition.node.bases
        ):
            methods = [node for node in definition.node.body if isinstance(node, FUNCTIONS)]
            yield from (method.name for method in methods if ast.get_docstring(method))


MODULES = sorted((PROJECT_ROOT / "ragbot").rglob("*.py"))


@pytest.fixture(scope="module")
def contracts() -> frozenset[str]:
    """Return the names of the methods that the project's Protocols document."""
    return frozenset(
        name for path in MODULES for name in documented_methods(path.read_text(encoding="utf-8"))
    )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PROJECT_ROOT)))
def test_docstrings_are_there_and_open_with_a_verb(path: Path, contracts: frozenset[str]) -> None:
    """An engineer reads them in an editor's tooltip, without the code around."""
    assert list(faults_in(path.read_text(encoding="utf-8"), contracts=contracts)) == []


GOOD = '''
"""Load books."""

class Shelf:
    """Hold books."""

    def book(self):
        """Return a book."""

    def _move(self):
        pass

def load():
    """Load a book."""

    def helper():
        pass
'''


@pytest.mark.parametrize(
    ("found", "replaced", "fault"),
    [
        ('"""Load books."""', "", "the module has no docstring"),
        (
            '"""Load books."""',
            '"""Whether books load."""',
            'the module begins with "Whether"',
        ),
        ('"""Hold books."""', "", "Shelf has no docstring"),
        ('"""Hold books."""', '"""The books."""', 'Shelf begins with "The"'),
        ('"""Return a book."""', "pass", "Shelf.book has no docstring"),
        ('"""Load a book."""', "", "load has no docstring"),
        (
            "        pass\n\ndef",
            '        """A move."""\n\ndef',
            'Shelf._move begins with "A"',
        ),
        ("def load", "if True:\n  def read(): pass\n\ndef load", "read has no docstring"),
    ],
)
def test_each_kind_of_fault_is_found(found: str, replaced: str, fault: str) -> None:
    """A check that cannot fail protects nothing."""
    bad = dedent(GOOD).replace(found, replaced, 1)

    assert list(faults_in(GOOD)) == []
    assert list(faults_in(bad)) == [fault]


def test_adapter_need_not_repeat_a_contract_but_a_function_of_that_name_is_no_adapter() -> None:
    """The contract is in one place, the Protocol."""
    source = '"""Store."""\nclass Store:\n    """Store."""\n    def ping(self): pass\ndef ping(): pass\n'

    assert list(faults_in(source, contracts=frozenset({"ping"}))) == ["ping has no docstring"]
