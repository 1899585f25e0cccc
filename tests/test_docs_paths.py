"""Check that the files, folders and modules that the documents name exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragbot.config import PROJECT_ROOT

DOCUMENTS = sorted(
    path
    # (The changelog has old names, too.)
    for pattern in ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "bench/*.md", "eval/README.md")
    for path in PROJECT_ROOT.glob(pattern)
)

# Documents name files from the project's root, from `ragbot/` or from `tests/`, or by their last part alone.
ROOTS = (PROJECT_ROOT, PROJECT_ROOT / "ragbot", PROJECT_ROOT / "tests")
_KNOWN = frozenset(
    path.name for folder in ("ragbot", "bench", "tests") for path in (PROJECT_ROOT / folder).rglob("*")
)
# Made when the service runs.
_NOT_CHECKED_IN = frozenset({"var/"})

_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
_FOLDER = re.compile(r"`([\w.-]+/)`")
_FILE = re.compile(r"(?<![\w/.:@$~*-])(?:[\w.-]+/)*[\w.*-]+\.(?:py|md|ya?ml|jsonl?|txt|sh|conf)\b")
# `core.text`, `ragbot.core.text` or `bench.run`; `ragbot.env` is a file.
_MODULE = re.compile(r"(?<![\w./-])(?:ragbot\.)?(?!ragbot\.)([a-z_]+(?:\.[a-z_]+)+)(?![\w/(-])")


def missing_in(text: str) -> Iterator[str]:
    """Yield the files, folders and modules of a document that do not exist."""
    yield from (name for name in _FOLDER.findall(text) if not exists(name))
    for code in _CODE.findall(text):
        for name in _FILE.findall(code):
            if (name.endswith(".py") or is_folder(name.partition("/")[0])) and not exists(name):
                yield name
        for name in _MODULE.findall(code):
            if is_folder(name.partition(".")[0]) and not module_exists(name):
                yield name


def is_folder(name: str) -> bool:
    """Return whether one of the roots has a folder of this name."""
    return any((root / name).is_dir() for root in ROOTS)


def exists(name: str) -> bool:
    """Return whether there is such a file or folder; `*` stands for any letters."""
    is_known = name in _NOT_CHECKED_IN or ("/" not in name.rstrip("/") and name.rstrip("/") in _KNOWN)
    return is_known or any(next(root.glob(name), None) is not None for root in ROOTS)


def module_exists(dotted: str) -> bool:
    """Return whether there is such a module, or a module that has the last part."""
    *above, last = dotted.split(".")
    for root in ROOTS:
        path = root.joinpath(*above)
        if (path / f"{last}.py").is_file() or (path / last).is_dir():
            return True
        module = path.with_suffix(".py")
        if module.is_file() and re.search(rf"\b{last}\b", module.read_text(encoding="utf-8")):
            return True
    return False


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(PROJECT_ROOT).as_posix())
def test_names_in_the_documents_exist(document: Path) -> None:
    """A reader who looks for a file that was renamed stops believing the rest."""
    assert sorted(missing_in(document.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "name", ["core/attic.py", "attic/text.py", "attic.py", "attic/", "docs/attic.md", "core.attic"]
)
def test_missing_name_is_found(name: str) -> None:
    """A check that nothing can fail checks nothing."""
    assert list(missing_in(f"See `{name}`.")) == [name]
