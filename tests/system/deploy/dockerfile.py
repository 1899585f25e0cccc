"""Read a Dockerfile and a .dockerignore as a build would, as far as these tests need it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    """Such as `COPY` with all that stands behind it on its line."""

    name: str
    rest: str

    @property
    def words(self) -> list[str]:
        """Return what stands behind it, as a shell would part it; its exec form as a list."""
        return json.loads(self.rest) if self.rest.startswith("[") else shlex.split(self.rest)


@dataclass
class Stage:
    """The instructions after one FROM, in order."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)


class Dockerfile:
    """Stages by name; a stage built on another has its instructions first."""

    def __init__(self, text: str) -> None:
        self.stages: dict[str, Stage] = {}
        self.last = ""
        lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
        for line in lines.replace("\\\n", " ").splitlines():
            name, _, rest = line.strip().partition(" ")
            if name == "FROM":
                base, _, self.last = rest.partition(" AS ")
                self.stages[self.last] = Stage(self.last, base)
            elif name:
                self.stages[self.last].instructions.append(Instruction(name, rest.strip()))

    def all_of(self, stage: str) -> list[Instruction]:
        """Return what is done for a stage, from its outermost base on."""
        own = self.stages[stage]
        before = self.all_of(own.base) if own.base in self.stages else []
        return before + own.instructions

    def environment(self, stage: str) -> dict[str, str]:
        """Return what ENV sets."""
        pairs = [pair for step in self.all_of(stage) if step.name == "ENV" for pair in step.words]
        return dict(pair.split("=", 1) for pair in pairs)

    def last_of(self, stage: str, name: str) -> Instruction:
        """Return the instruction of that name that holds at the end."""
        return [step for step in self.all_of(stage) if step.name == name][-1]

    def copy_into(self, root: Path, stage: str, context: Path, files: Iterable[Path]) -> None:
        """Do a stage's COPY lines from the context, of which only `files` are there, into a root folder."""
        files = list(files)
        arguments: dict[str, str] = {}
        folder = Path("/")
        for step in self.all_of(stage):
            if step.name == "WORKDIR":
                folder = folder / step.rest
            elif step.name == "ARG":
                name, _, default = step.rest.partition("=")
                arguments[name] = default
            elif step.name == "COPY" and "--from=" not in step.rest:
                words = [_filled_in(word, arguments) for word in step.words]
                for source in words[:-1]:
                    _copy(source, root, folder / words[-1], context, files, is_folder=words[-1].endswith("/"))


def _filled_in(word: str, arguments: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], word)


def _copy(
    source: str, root: Path, target: Path, context: Path, files: list[Path], *, is_folder: bool
) -> None:
    found = [path for path in files if path == Path(source) or path.is_relative_to(source)]
    assert found, f"COPY {source}: nothing of that name is left by .dockerignore"
    for path in found:
        # Of a folder its contents are copied, of a file the file.
        below = path.relative_to(source) if path != Path(source) else Path(path.name if is_folder else "")
        to = root / str(target / below).lstrip("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        # With its time, by which Python tells whether the compiled form beside it is that of this file.
        shutil.copy2(context / path, to)
        if path.suffix == ".py":
            _copy_compiled(context / path, to.parent)


def _copy_compiled(module: Path, folder: Path) -> None:
    """Copy what was compiled of a module: an image has it from the start, by a RUN that is not done here."""
    for compiled in (module.parent / "__pycache__").glob(f"{module.stem}.*.pyc"):
        (folder / "__pycache__").mkdir(exist_ok=True)
        shutil.copy(compiled, folder / "__pycache__")


class Ignored:
    """A .dockerignore: the last line that matches a path, or a folder above it, decides."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        self._rules = [(line.startswith("!"), _pattern(line.removeprefix("!"))) for line in lines]

    def __contains__(self, path: Path) -> bool:
        names = [str(path), *(str(parent) for parent in path.parents)]
        ignored = False
        for is_exception, pattern in self._rules:
            if any(pattern.fullmatch(name) for name in names):
                ignored = not is_exception
        return ignored


def _pattern(line: str) -> re.Pattern[str]:
    pieces = re.split(r"(\*\*/|\*)", line)
    meanings = {"**/": "(?:.*/)?", "*": "[^/]*"}
    return re.compile("".join(meanings.get(piece, re.escape(piece)) for piece in pieces))
