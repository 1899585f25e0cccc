"""Read which language of a MkDocs project is the book, for the plug-in mkdocs-static-i18n."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from ragbot.books.formats.config_files import as_list, as_mapping, as_text
from ragbot.books.formats.site_source import Listed


@dataclass(frozen=True, slots=True)
class SiteLanguages:
    """Hold the language that a site has at its root, its other languages, and its own list of the pages.

    With `has_folders` each language has a folder of this name; else the names of its pages end in it
    (`oars.fr.md`), and those of the default language need not.
    """

    default: str = ""
    others: frozenset[str] = frozenset()
    has_folders: bool = False
    nav: object = None

    @property
    def folder(self) -> str:
        """Return the folder of the default language's pages, empty if there is none."""
        return self.default if self.has_folders else ""

    def is_other(self, inner: str) -> bool:
        """Return whether a page is in another language than the book."""
        return self._language(inner) in self.others

    def own_path(self, inner: str) -> str:
        """Return a page's path without the name of the default language."""
        if not self.default or self._language(inner) != self.default:
            return inner
        if self.has_folders:
            return inner.partition("/")[2]
        path = PurePosixPath(inner)
        return path.with_name(PurePosixPath(path.stem).stem + path.suffix).as_posix()

    def placed(self, entry: Listed, has: Callable[[str], bool]) -> Listed:
        """Return an entry of the navigation, which names `oars.md`, for the file `oars.en.md`."""
        path = PurePosixPath(entry.path)
        named = path.with_name(f"{path.stem}.{self.default}{path.suffix}").as_posix() if path.name else ""
        is_named = self.default and not self.has_folders and not has(entry.path) and has(named)
        return replace(entry, path=named) if is_named else entry

    def _language(self, inner: str) -> str:
        if self.has_folders:
            folder, slash, _ = inner.partition("/")
            return folder if slash else ""
        return PurePosixPath(PurePosixPath(inner).stem).suffix.removeprefix(".")


def plugin_options(plugins: object, name: str) -> Iterator[dict[str, object]]:
    """Yield the options of a plug-in, from the list of plug-ins in a configuration."""
    for plugin in [plugins] if isinstance(plugins, dict) else as_list(plugins):
        options = as_mapping(plugin).get(name)
        if isinstance(options, dict):
            yield options


def read_languages(plugins: object) -> SiteLanguages:
    """Read the languages of a project from the list of plug-ins in its configuration."""
    options = next(plugin_options(plugins, "i18n"), {})
    languages = options.get("languages")
    if isinstance(languages, dict):
        # So wrote the plug-in's versions before 1.0.
        found = {str(locale): as_mapping(value) for locale, value in languages.items()}
        default = as_text(options.get("default_language"))
    else:
        found = {as_text(entry.get("locale")): entry for entry in map(as_mapping, as_list(languages))}
        default = next((locale for locale, entry in found.items() if entry.get("default") is True), "")
    if not default:
        return SiteLanguages()
    return SiteLanguages(
        default=default,
        others=frozenset(found) - {default, "default", ""},
        has_folders=options.get("docs_structure") == "folder",
        nav=found.get(default, {}).get("nav"),
    )
