"""Test the image as far as possible without building it: its files, its start, its user."""

from __future__ import annotations

import base64
import html
import http.client
import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from harness.gunicorn_process import GunicornProcess, inherited_environment
from ragbot.config import PROJECT_ROOT
from tests.system.deploy.dockerfile import Dockerfile, Ignored

# Where this environment's programs are: an image has them in /venv/bin.
PROGRAMS = Path(sys.executable).parent
PASSWORD = "a-console-for-authors-only"


@pytest.fixture(scope="module")
def dockerfile() -> Dockerfile:
    """Return the parsed Dockerfile of the project."""
    return Dockerfile((PROJECT_ROOT / "Dockerfile").read_text())


@pytest.fixture(scope="module")
def ignored() -> Ignored:
    """Return what a build never sees."""
    return Ignored((PROJECT_ROOT / ".dockerignore").read_text())


def build_context(ignored: Ignored) -> list[Path]:
    """Return every file that the build would be sent, relative to the project."""
    found = []
    for folder, subfolders, names in os.walk(PROJECT_ROOT):
        subfolders[:] = [name for name in subfolders if name not in (".git", ".venv", "node_modules")]
        found += [Path(folder, name).relative_to(PROJECT_ROOT) for name in names]
    return [path for path in found if path not in ignored]


@pytest.fixture(scope="module")
def image(dockerfile: Dockerfile, ignored: Ignored, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with just the files that COPY puts into the last stage."""
    root = tmp_path_factory.mktemp("image")
    dockerfile.copy_into(root, "web", PROJECT_ROOT, build_context(ignored))
    (root / "app" / "var").mkdir()
    # As the build does: at run time nothing is kept of what a process compiles.
    compiled = ["-m", "compileall", "-q", "wsgi.py", "ragbot", "migrations"]
    subprocess.run([PROGRAMS / "python", *compiled], cwd=root / "app", check=True, timeout=300)
    return root


def test_tests_run_in_their_own_target(
    dockerfile: Dockerfile, ignored: Ignored, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """As `docker compose exec web pytest` does, with the settings of a service in the environment."""
    root = tmp_path_factory.mktemp("test-image")
    dockerfile.copy_into(root, "test", PROJECT_ROOT, build_context(ignored))
    environment = inherited_environment() | dockerfile.environment("test")
    environment |= {
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "TMPDIR": str(tmp_path),
        "HOME": str(tmp_path),
        "OPENAI_API_KEY": "sk-of-the-service",
        "DATABASE_URL": "postgresql://nobody@db.invalid/ragbot",
    }

    ran = subprocess.run(
        # All are collected, so that each module finds what it imports; two files are run.
        # (Not rewritten for asserts, nor read for Hypothesis's constants: both take each module's source.)
        [
            *(str(PROGRAMS / "pytest"), "-k", "test_settings.py or test_query.py"),
            *("--assert=plain", "-p", "no:hypothesispytest"),
        ],
        cwd=root / "app",
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    assert (root / "app" / "tests" / "system").is_dir()
    assert "--ignore tests/system" in environment["PYTEST_ADDOPTS"]
    assert ran.returncode == 0, ran.stdout[-4000:]
    assert re.search(r"^\d{2,} passed, .*\d{4,} deselected", ran.stdout, re.MULTILINE)


def environment_of(dockerfile: Dockerfile, image: Path, temp: Path) -> dict[str, str]:
    """Return the image's own variables, with the places that this machine gives."""
    of_image = dockerfile.environment("web")
    # The port is the test's to choose, as it is the host's.
    assert of_image.pop("PORT") == "8000"
    return (
        inherited_environment()
        | of_image
        | {
            "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
            "BOOK_PATH": str(image / "book"),
            "TMPDIR": str(temp),
            "HOME": str(temp),
            "HOST": "127.0.0.1",
            # The model takes seconds and has tests of its own.
            "EMBEDDER": "none",
            "CONSOLE_PASSWORD": PASSWORD,
        }
    )


def test_service_runs_from_what_is_copied_and_writes_nowhere_else(
    dockerfile: Dockerfile, image: Path, tmp_path: Path
) -> None:
    """A forgotten folder is found here and not by the first reader; the root may be read-only."""
    environment = environment_of(dockerfile, image, tmp_path)
    app = image / "app"
    before = contents(app)

    released = subprocess.run(
        [app / "deploy" / "release.sh"],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert released.returncode == 0, released.stderr
    command = dockerfile.last_of("web", "CMD").words
    with GunicornProcess(environment, cwd=app, command=command, workers=2) as server:
        healthy = get(server.port, "/health")
        ready = get(server.port, "/health/ready")
        locked = get(server.port, "/")
        console = get(server.port, "/", password=PASSWORD)
        assets = [get(server.port, address) for address in assets_of(console.body)]
        documentation = get(server.port, "/openapi.json")
        check = subprocess.run(
            [str(PROGRAMS / "python"), *check_command(dockerfile)[1:]],
            env={"PORT": str(server.port)},
            timeout=300,
            check=False,
        )

    statuses = [answer.status for answer in (healthy, ready, locked, console, documentation)]
    assert statuses == [200, 200, 401, 200, 200]
    assert len(assets) >= 3
    assert {answer.status for answer in assets} == {200}
    assert check.returncode == 0
    assert {path for path in contents(app) - before if not path.startswith("var/")} == set()


def contents(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


class Answer:
    """A status with its text."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.body = response.read().decode()


def get(port: int, path: str, *, password: str = "") -> Answer:
    headers = {}
    if password:
        headers["Authorization"] = f"Basic {base64.b64encode(f'author:{password}'.encode()).decode()}"
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path, headers=headers)
        return Answer(connection.getresponse())


def assets_of(page: str) -> list[str]:
    """Return the addresses of a page's styles and scripts."""
    found = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    return [html.unescape(address) for address in found]


def check_command(dockerfile: Dockerfile) -> list[str]:
    """HEALTHCHECK's, of its exec form."""
    rest = dockerfile.last_of("web", "HEALTHCHECK").rest
    return Dockerfile(f"FROM x AS y\n{rest[rest.index('CMD') :]}").last_of("y", "CMD").words


def test_health_check_fails_where_nobody_answers(dockerfile: Dockerfile) -> None:
    """Else a dead container would pass for a healthy one."""
    command = [str(PROGRAMS / "python"), *check_command(dockerfile)[1:]]

    check = subprocess.run(command, env={"PORT": "1"}, capture_output=True, timeout=300, check=False)

    assert check.returncode == 1


def test_last_stage_runs_as_nobody_in_particular(dockerfile: Dockerfile) -> None:
    """With a number: Kubernetes refuses a name where it demands `runAsNonRoot`."""
    for stage in ("web", "backup"):
        assert dockerfile.last_of(stage, "USER").rest == "10001:10001"


def test_nothing_is_built_in_the_last_stage(dockerfile: Dockerfile) -> None:
    """What builds is attack surface; what tests is weight."""
    steps = [step.rest for step in dockerfile.all_of("web") if step.name == "RUN"]
    packages = [step.rest for step in dockerfile.all_of("packages") if step.name == "RUN"]

    assert not [step for step in steps if re.search(r"apt-get|pip install|\bgcc\b|\bmake\b", step)]
    assert any("pip uninstall" in step for step in steps)
    assert any("--only-binary=:all:" in step and "/^# Tests/,$d" in step for step in packages)


@pytest.mark.parametrize("stage", ["web", "backup", "test"])
def test_packages_are_stored_once_in_an_image(dockerfile: Dockerfile, stage: str) -> None:
    """A second COPY over the first keeps both: the image for backups was half as large again."""
    copied = [step.rest for step in dockerfile.all_of(stage) if step.name == "COPY"]

    assert [rest for rest in copied if rest.endswith(" /venv")] == ["--from=packages /venv /venv"]


def test_folders_for_volumes_belong_to_the_services_user(dockerfile: Dockerfile) -> None:
    """A new volume takes over the owner of the folder below it; where there is none, it is root's."""
    made = " ".join(step.rest for step in dockerfile.all_of("backup") if "--owner=10001" in step.rest)

    for folder in ("/app/var", "/sites", "/backups", "/work"):
        assert f" {folder}" in made


def test_packages_of_the_image_are_those_that_run_the_service() -> None:
    """The line that parts them from the tests' is where the Dockerfile cuts."""
    requirements = (PROJECT_ROOT / "requirements.txt").read_text()
    runtime, _, tests = requirements.partition("\n# Tests")

    assert "gunicorn==" in runtime
    assert "pytest" not in runtime
    assert {line.split("==")[0] for line in tests.splitlines()[1:] if line} == {"pytest"}


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "books/mine/.env.production",
        ".git/config",
        "books/mine/.git/config",
        "var/ragbot.db",
        "ragbot/__pycache__/app.cpython-313.pyc",
        "deploy/compose.env",
        "deploy/backup.env",
        "secrets.txt",
    ],
)
def test_build_never_sees(ignored: Ignored, path: str) -> None:
    """What is not sent cannot be copied, by whatever line."""
    assert Path(path) in ignored


def test_build_sees_what_it_copies(ignored: Ignored) -> None:
    """The other way round."""
    for path in ("wsgi.py", "ragbot/web/api/query.py", "static/vendor/x.js", "deploy/release.sh"):
        assert Path(path) not in ignored


def test_no_secret_is_baked_in(dockerfile: Dockerfile) -> None:
    """An image is copied to places that its maker does not know."""
    names = {
        *dockerfile.environment("web"),
        *(step.rest.partition("=")[0] for step in dockerfile.all_of("web") if step.name == "ARG"),
    }

    assert not [name for name in names if re.search(r"KEY|PASSWORD|TOKEN|SECRET|_URL", name)]


def test_base_images_are_pinned(dockerfile: Dockerfile) -> None:
    """To a release with all its numbers: `latest` is another image tomorrow."""
    stages = dockerfile.stages
    bases = [stage.base for stage in stages.values() if stage.base not in stages]

    assert bases
    for base in bases:
        assert re.fullmatch(r"python:3\.13\.\d+-slim-\w+", base)


def test_hadolint_finds_nothing() -> None:
    """The linter of Dockerfiles, down to its remarks."""
    found = subprocess.run(
        [str(PROGRAMS / "hadolint"), "--no-color", "Dockerfile"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert (found.returncode, found.stdout) == (0, "")


@pytest.mark.skipif(not (PROGRAMS / "shellcheck").exists(), reason="shellcheck has no wheel for this machine")
def test_shellcheck_finds_nothing() -> None:
    """The linter of shell scripts."""
    scripts = [*sorted((PROJECT_ROOT / "deploy").glob("*.sh")), PROJECT_ROOT / ".ci" / "run"]

    found = subprocess.run(
        [str(PROGRAMS / "shellcheck"), *map(str, scripts)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert (found.returncode, found.stdout) == (0, "")
