"""Choose the version of a Docusaurus project that is read."""

from __future__ import annotations

import json
from dataclasses import replace
from posixpath import normpath

from ragbot.books.files import BookFolder
from ragbot.books.formats.config_files import as_texts
from ragbot.books.formats.docusaurus_config import DocsFolder
from ragbot.core.errors import BookError, FileUnreadable


def versioned_docs(folder: BookFolder, base: str, docs: DocsFolder, wanted: str) -> DocsFolder:
    """Return the folder of the wanted version, of the last released one if none is named.

    Raises BookError if there is no such version, or its folder is not there.
    """
    prefix = f"{docs.id}_" if docs.id else ""
    versions = _versions(folder, below(base, f"{prefix}versions.json"))
    last = docs.last_version or (versions[0] if versions else "current")
    name = wanted or last
    if name not in (*versions, "current"):
        if docs.id and not versions:
            return docs
        known = ", ".join((*versions, "current"))
        raise BookError(f"There is no version {name} of {docs.path}; there are: {known}.")
    default = "" if name == last else "next" if name == "current" else name
    route = f"{docs.route}/{docs.version_paths.get(name, default)}".strip("/")
    if name == "current":
        return replace(docs, route=route)
    path = f"{prefix}versioned_docs/version-{name}"
    if not (folder.root / below(base, path)).is_dir():
        raise BookError(
            f"{prefix}versions.json names the version {name}, and there is no folder {path}. Add it, or read "
            "another version (--version current)."
        )
    return replace(
        docs,
        path=path,
        version=name,
        route=route,
        sidebars=f"{prefix}versioned_sidebars/version-{name}-sidebars.json",
    )


def _versions(folder: BookFolder, path: str) -> list[str]:
    if not folder.has(path):
        return []
    try:
        found = json.loads(folder.read_text(path))
    except (FileUnreadable, ValueError, RecursionError) as fault:
        raise BookError(f"{path} cannot be read, so the released version is not known: {fault}") from fault
    return as_texts(found)


def below(base: str, name: str) -> str:
    """Return a path below the folder of the configuration."""
    return normpath(f"{base}/{name}" if base else name)
