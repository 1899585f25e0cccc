"""Test docs/deployment.md: run what is marked as tried, and check that the rest says why it is not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.gunicorn_process import GunicornProcess, inherited_environment
from ragbot.config import PROJECT_ROOT, Settings, load_settings
from tests.conftest import THREE_CHAPTERS
from tests.system.deploy.dockerfile import Dockerfile
from tests.system.deploy.preloaded_flask import preloaded_flask

GUIDE = (PROJECT_ROOT / "docs" / "deployment.md").read_text()
PROGRAMS = Path(sys.executable).parent

TRIED, SERVED = "<!-- tried -->", "<!-- served -->"
# What a block that is not run here says of itself.
NOTES = ("> Not tried here", "> Tried by hand")

# No engine runs in the tests, but Compose itself, which needs none to read a project.
DOCKER = f"""#!/bin/sh
[ "$1" = compose ] && shift && exec {PROGRAMS / "docker-compose"} "$@"
exit 127
"""


@dataclass(frozen=True)
class Block:
    """Commands of the guide with the line that they begin on and the line of text above them."""

    line: int
    above: str
    text: str


def blocks() -> list[Block]:
    found = []
    for match in re.finditer(r"^```sh\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL):
        before = GUIDE[: match.start()].rstrip().splitlines()
        above = before[-1]
        # A note may have several lines, each with its mark.
        while above.startswith("> ") and not above.startswith(NOTES):
            before.pop()
            above = before[-1]
        found.append(Block(GUIDE[: match.start()].count("\n") + 1, above, match[1]))
    return found


def marked(mark: str) -> list[Block]:
    return [block for block in blocks() if block.above == mark]


def test_every_block_is_tried_or_says_why_not() -> None:
    """A command that nobody ran is a guess, and a reader must know it."""
    unmarked = [
        block.line
        for block in blocks()
        if block.above not in (TRIED, SERVED) and not block.above.startswith(NOTES)
    ]

    assert unmarked == []
    assert len(marked(TRIED)) >= 10


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project that a guide's reader may work in."""
    folder = tmp_path_factory.mktemp("checkout") / "ragbot"
    kept_out = shutil.ignore_patterns(".git", ".venv", ".env", "var", "*.env", ".*_cache")
    shutil.copytree(PROJECT_ROOT, folder, ignore=kept_out)
    return folder


@pytest.fixture(scope="module")
def environment(checkout: Path) -> Iterator[dict[str, str]]:
    """Yield a shell with the programs on its path; the model, which takes seconds, has tests of its own.

    Each of the guide's twenty `flask` commands would import the app anew, as they do in test_procfile.py.
    """
    programs = checkout.parent / "programs"
    programs.mkdir()
    (programs / "docker").write_text(DOCKER)
    (programs / "docker").chmod(0o755)
    environment = inherited_environment() | {
        "PATH": f"{programs}{os.pathsep}{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "TMPDIR": str(checkout.parent),
        "EMBEDDER": "none",
    }
    with preloaded_flask(programs, cwd=checkout, env=environment):
        yield environment


@pytest.fixture(scope="module")
def server(checkout: Path, environment: dict[str, str]) -> Iterator[GunicornProcess]:
    """Yield the server that the guide's reader starts in a terminal of its own."""
    (block,) = marked(SERVED)
    with GunicornProcess(environment, cwd=checkout, command=block.text.split(), workers=2) as server:
        yield server


def run(block: Block, checkout: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-eu", "-c", block.text],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"line {block.line}:\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def test_commands_of_the_guide_do_what_it_says(
    checkout: Path, environment: dict[str, str], request: pytest.FixtureRequest
) -> None:
    """In the guide's order, on one database, as one operator would run them."""
    said = {}
    for block in marked(TRIED):
        if "$URL" in block.text:
            server = request.getfixturevalue("server")
            environment = environment | {"URL": server.url}
        if "book publish" in block.text:
            # There must be an edition to come back from.
            newer = Block(0, "", f"flask --app wsgi book ingest {THREE_CHAPTERS} --edition newer --force")
            run(newer, checkout, environment)
        if "backup restore" in block.text:
            lose_the_database(checkout)
        first = next(line for line in block.text.splitlines() if not line.startswith(("#", "URL=")))
        said[first] = run(block, checkout, environment)

    assert_that_it_is_so(said)


def lose_the_database(checkout: Path) -> None:
    for path in (checkout / "var").glob("ragbot.db*"):
        path.unlink()


def assert_that_it_is_so(said: dict[str, str]) -> None:
    """What the guide promises of what the commands print, by their blocks' first lines."""
    promises = {
        "export BOOK_SITE_URL": r"Published edition[\s\S]*^\* ",
        "curl -sf $URL/health": r'"healthy"[\s\S]*"sources"',
        "openssl rand": r"^[0-9a-f]{48}$[\s\S]*MachineResources\(cores=",
        "honcho": r"release, web",
        "flask --app wsgi db current": r"\(head\)",
        "curl -s $URL/health/ready": r"^http_requests_total",
        "curl -sf -o": r"^200$",
        "curl -sN": r"event: sources[\s\S]*event: done",
        "flask --app wsgi book list": r"Published (?!newer)",
        "flask --app wsgi backup create": r"Created [\s\S]*is whole[\s\S]*Passed[\s\S]*\(RTO\)[\s\S]*\(RPO\)",
        "flask --app wsgi backup restore": r"Restored [\s\S]*^\* ",
    }
    for command, promise in promises.items():
        (text,) = [text for first, text in said.items() if first.startswith(command)]
        assert re.search(promise, text, re.MULTILINE), f"{command}:\n{text}"


def test_server_of_the_guide_is_the_images(checkout: Path) -> None:
    """One way to start it, everywhere."""
    (block,) = marked(SERVED)

    dockerfile = Dockerfile((PROJECT_ROOT / "Dockerfile").read_text())

    assert block.text.split() == dockerfile.last_of("web", "CMD").words


def test_paths_of_the_guide_are_there() -> None:
    """A file that was moved is looked for at night."""
    named = set(re.findall(r"(?<![\w/-])(?:deploy|docs|tests|bench|ragbot)/[\w./-]*\w", GUIDE))

    assert {path for path in named if not (PROJECT_ROOT / path).exists()} == set()


def test_links_within_the_guide_lead_somewhere() -> None:
    """As GitHub names a heading."""
    headings = re.findall(r"^#+ (.*)$", GUIDE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}

    assert set(re.findall(r"\]\(#([^)]+)\)", GUIDE)) <= anchors


def test_settings_of_the_guide_are_settings() -> None:
    """A name with a slip in it is no setting, and nobody says so."""
    settings = {name.upper() for name in Settings.model_fields}
    table = GUIDE[GUIDE.index("| setting |") : GUIDE.index("Secrets for these")]
    named = set(re.findall(r"`([A-Z][A-Z0-9_]+)[`=]", table))

    assert named <= settings
    assert len(named) >= 12


@pytest.mark.parametrize(
    "address",
    [
        "postgres://ragbot:pw@host:5432/ragbot",
        "postgresql://ragbot:pw@/ragbot?host=/cloudsql/PROJECT:REGION:ragbot",
    ],
)
def test_addresses_of_hosts_are_taken(address: str) -> None:
    """As Heroku hands them out, and as Cloud SQL's socket is written."""
    assert load_settings({"DATABASE_URL": address}).database_url.startswith("postgresql+psycopg2://")


def test_arithmetic_of_the_guide_holds() -> None:
    """The figures that scaling rests on are those of docs/performance.md and of the settings."""
    settings = load_settings({})
    performance = (PROJECT_ROOT / "docs" / "performance.md").read_text()
    stream_ms = float(re.search(r"\| stream, 100 tokens \| ([\d.]+)", performance)[1])
    json_ms = float(re.search(r"\| JSON, 100 tokens \| ([\d.]+)", performance)[1])
    talks_s, used = 5, 0.6

    assert f"{int(json_ms)} ms, as a stream of 100 tokens {int(stream_ms)} ms" in GUIDE
    assert f"**{int(used * 1000 / stream_ms)} streams a second**" in GUIDE
    assert f"{settings.max_streams} / 5 s: **{settings.max_streams / talks_s:.1f} a second**" in GUIDE
    for rate, cores, streams in ((10, "0.31", "50"), (100, "3.1", "500"), (1000, "31", "5,000")):
        assert f"{rate * talks_s:,}" == streams
        assert float(cores) == pytest.approx(rate * stream_ms / 1000 / used, rel=0.05)
    for containers, each, places in ((4, 24, "96"), (8, 80, "640"), (52, 120, "6,240")):
        assert f"{containers * each:,}" == places
        assert f"({places}" in GUIDE
