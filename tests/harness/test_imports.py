"""Test that the programs of bench/ and the modules of harness/ can be imported."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from ragbot.config import PROJECT_ROOT

MODULES = sorted(path for folder in ("bench", "harness") for path in (PROJECT_ROOT / folder).glob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_module_can_be_imported(path: Path) -> None:
    """They run seldom, so a name that moved in ragbot/ would be missed."""
    name = path.parent.name if path.stem == "__init__" else f"{path.parent.name}.{path.stem}"

    import_module(name)
