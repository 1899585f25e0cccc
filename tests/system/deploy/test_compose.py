"""Test docker-compose.yml as Compose reads it, and what an operator relies on in it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ragbot.config import PROJECT_ROOT, load_settings
from ragbot.config.compose_variables import COMPOSE_VARIABLES
from tests.system.deploy.names import KNOWN, OF_OTHERS, SETTINGS

COMPOSE = Path(sys.executable).parent / "docker-compose"
OWN_STORES = ("postgres", "qdrant", "redis")
PROFILES = tuple(word for name in (*OWN_STORES, "backup", "monitoring") for word in ("--profile", name))
EXAMPLE = PROJECT_ROOT / ".env.example"

REQUIRED = {
    "POSTGRES_PASSWORD": "0f1e2d3c4b5a69788796a5b4",
    "REDIS_PASSWORD": "1f1e2d3c4b5a69788796a5b4",
    "QDRANT_API_KEY": "2f1e2d3c4b5a69788796a5b4",
    "GRAFANA_PASSWORD": "3f1e2d3c4b5a69788796a5b4",
    "BOOK_SITE_URL": "https://book.test/",
}

# What a service of ours needs besides its own; one of Compose's own version would not start with less.
ONE_SHOTS = ("migrate", "book")


def compose(variables: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(COMPOSE), "--env-file", os.devnull, *arguments],
        cwd=PROJECT_ROOT,
        # No file of the developer's, who may run the service from this checkout.
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "RAGBOT_ENV_FILE": os.devnull}
        | dict(variables),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def understood(*arguments: str) -> dict[str, Any]:
    """Return the whole file with all profiles, as Compose would run it."""
    told = compose(REQUIRED, *arguments, *PROFILES, "config", "--format", "json")
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """Return the plain project."""
    return understood("--file", "docker-compose.yml")


@pytest.fixture(scope="module")
def services(project: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Its services by name."""
    return project["services"]


@pytest.fixture(scope="module")
def ours(services: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the services that run ragbot's image."""
    return {name: service for name, service in services.items() if "build" in service}


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_nothing_starts_without_its_secret(name: str) -> None:
    """A default that everybody knows is no secret, and an empty one is none at all."""
    for value in ({}, {name: ""}):
        variables = {key: text for key, text in REQUIRED.items() if key != name} | value

        told = compose(variables, "config", "--quiet")

        assert told.returncode != 0
        assert f"required variable {name} is missing" in told.stderr


def test_example_offers_what_the_file_asks_for_and_nothing_else() -> None:
    """A variable that is nowhere told is found by nobody, and one that nobody reads misleads."""
    offered = set(re.findall(r"^#?([A-Z0-9_]+)=", EXAMPLE.read_text(), re.MULTILINE))
    asked = variables_of("docker-compose.yml") | variables_of("deploy/compose.tls.yml")
    of_compose = {variable.name for variable in COMPOSE_VARIABLES}

    assert asked - offered == {"RAGBOT_ENV_FILE"}
    # (The first one is Compose's own.)
    assert of_compose - asked == {"COMPOSE_PROFILES"}


def test_example_sets_what_runs_beside_ragbot_and_no_secret() -> None:
    """Operators begin by copying it."""
    assigned = dict(
        line.split("=", 1) for line in EXAMPLE.read_text().splitlines() if re.match(r"[A-Z]", line)
    )

    assert assigned == {"COMPOSE_PROFILES": ",".join(OWN_STORES)}


def variables_of(file: str) -> set[str]:
    return set(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)", (PROJECT_ROOT / file).read_text()))


def test_every_variable_is_a_setting_or_another_images(services: dict[str, dict[str, Any]]) -> None:
    """One that is misspelt is passed on and read by nobody."""
    named = {name for service in services.values() for name in service.get("environment", {})}

    assert named <= KNOWN | {"GRAFANA_PASSWORD"}
    assert named - SETTINGS - OF_OTHERS == {"TMPDIR", "GRAFANA_PASSWORD"}


def test_settings_of_the_service_are_accepted(
    ours: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the process will read them, the empty ones too."""
    for service in ours.values():
        for name, value in service["environment"].items():
            monkeypatch.setenv(name, value)

        settings = load_settings()

        assert settings.environment == "production"
        assert settings.database_url.startswith("postgresql+psycopg2://ragbot:")
        assert settings.trusted_proxies == 1
        assert settings.chosen_rate_limit_storage == "redis"


def test_pools_of_four_replicas_fit_into_the_database(services: dict[str, dict[str, Any]]) -> None:
    """At the peak each worker opens its overflow too."""
    environment = services["web"]["environment"]
    of_a_worker = int(environment["DB_POOL_SIZE"]) + int(environment["DB_MAX_OVERFLOW"])
    allowed = next(
        int(word.partition("=")[2])
        for word in services["postgres"]["command"]
        if word.startswith("max_connections=")
    )

    workers = 4 * int(services["web"]["deploy"]["resources"]["limits"]["cpus"])

    assert workers * of_a_worker < allowed - 20


def test_several_web_containers_can_run(services: dict[str, dict[str, Any]]) -> None:
    """A fixed port or a name allows one; and the next `up` would end those of `--scale`."""
    told = compose(REQUIRED | {"WEB_REPLICAS": "4"}, "config", "--format", "json")
    assert json.loads(told.stdout)["services"]["web"]["scale"] == 4
    web = services["web"]

    assert "ports" not in web
    assert "container_name" not in web


def test_web_waits_for_the_one_migration(services: dict[str, dict[str, Any]]) -> None:
    """Not each replica migrates, and none starts on tables that are not there."""
    assert services["web"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert services["migrate"]["command"] == ["flask", "db", "upgrade"]
    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert services["migrate"]["restart"] == "no"


def test_only_the_proxy_is_reached_from_outside(project: dict[str, Any]) -> None:
    """Grafana is, from the machine itself."""
    published = {
        name: [port.get("host_ip", "everywhere") for port in service["ports"]]
        for name, service in project["services"].items()
        if service.get("ports")
    }

    assert published == {"proxy": ["everywhere"], "grafana": ["127.0.0.1"]}
    assert project["networks"]["back"]["internal"] is True
    for name in ("postgres", "qdrant", "redis"):
        assert set(project["services"][name]["networks"]) == {"back"}


def test_every_image_is_pinned(services: dict[str, dict[str, Any]], ours: dict[str, dict[str, Any]]) -> None:
    """To a release with all its numbers."""
    foreign = {name: service["image"] for name, service in services.items() if name not in ours}

    for image in foreign.values():
        assert re.search(r":v?\d+\.\d+(\.\d+)?(-|$)", image), image
    assert not [image for image in foreign.values() if "latest" in image]


def test_dump_is_not_older_than_the_server(services: dict[str, dict[str, Any]]) -> None:
    """pg_dump refuses a newer server, and that is found out at two in the morning."""
    server = re.search(r"postgres:(\d+)\.", services["postgres"]["image"])
    client = re.search(r"postgresql-client-(\d+)=", (PROJECT_ROOT / "Dockerfile").read_text())

    assert server
    assert client
    assert int(client[1]) >= int(server[1])


def test_every_service_has_limits_and_a_locked_root(services: dict[str, dict[str, Any]]) -> None:
    """One that runs away takes no other with it; one that is broken into changes nothing."""
    for name, service in services.items():
        limits = service["deploy"]["resources"]["limits"]
        assert float(limits["cpus"]) > 0, name
        assert int(limits["memory"]) >= 128 * 1024**2, name
        assert service["read_only"] is True, name
        assert "no-new-privileges:true" in service["security_opt"], name


def test_every_lasting_service_has_a_health_check(
    services: dict[str, dict[str, Any]], ours: dict[str, dict[str, Any]]
) -> None:
    """The image brings web's; the one-shots end, and the backup's loop has nobody to ask."""
    lasting = services.keys() - ours.keys()

    assert all("test" in services[name]["healthcheck"] for name in lasting)
    assert "healthcheck" not in services["web"]
    for name in (*ONE_SHOTS, "backup"):
        assert services[name]["healthcheck"]["disable"] is True


def test_answers_have_time_to_end(services: dict[str, dict[str, Any]]) -> None:
    """Docker kills after ten seconds unless it is told otherwise."""
    grace = int(re.fullmatch(r"(\d+)s", services["web"]["stop_grace_period"])[1])

    assert grace > load_settings().query_deadline_s + 10


def test_mounted_files_are_there(project: dict[str, Any]) -> None:
    """Docker makes an empty folder of a path that is not there, and the service fails on it."""
    mounted = {
        Path(volume["source"]).relative_to(PROJECT_ROOT)
        for service in project["services"].values()
        for volume in service.get("volumes", [])
        if volume["type"] == "bind"
    }

    assert Path("deploy/nginx/nginx.conf") in mounted
    for path in mounted:
        assert (PROJECT_ROOT / path).exists(), path


def test_tls_is_added_by_a_second_file(tmp_path: Path) -> None:
    """Its certificates and its server block come in the place of the plain one."""
    files = ("--file", "docker-compose.yml", "--file", "deploy/compose.tls.yml")
    named = REQUIRED | {"TLS_DIR": str(tmp_path), "SERVER_NAME": "book.test"}
    told = compose(named, *files, "config", "--format", "json")
    assert told.returncode == 0, told.stderr
    unnamed = compose(REQUIRED | {"TLS_DIR": str(tmp_path)}, *files, "config", "--quiet")

    proxy = json.loads(told.stdout)["services"]["proxy"]
    assert proxy["environment"]["SERVER_NAME"] == "book.test"
    assert "required variable SERVER_NAME is missing" in unnamed.stderr
    assert [port["target"] for port in proxy["ports"]] == [8080, 8443]
    mounted = {volume["target"]: Path(volume["source"]) for volume in proxy["volumes"]}
    assert {"/etc/nginx/tls", "/etc/nginx/ragbot/servers/plain.conf"} <= mounted.keys()
    # The image fills in the templates, and what is mounted includes what it makes of them.
    output = proxy["environment"]["NGINX_ENVSUBST_OUTPUT_DIR"]
    (template,) = mounted["/etc/nginx/templates"].glob("*.template")
    assert output in proxy["tmpfs"]
    assert f"include {output}/{template.stem};" in mounted["/etc/nginx/ragbot/server-name.inc"].read_text()


@pytest.mark.parametrize("files", [(), ("--file", "deploy/compose.tls.yml")], ids=["plain", "tls"])
def test_read_only_services_get_files_alone(files: tuple[str, ...], tmp_path: Path) -> None:
    """An engine refuses to write a `content` or a variable into a root that is read-only."""
    named = REQUIRED | {"TLS_DIR": str(tmp_path), "SERVER_NAME": "book.test"}
    told = compose(named, "--file", "docker-compose.yml", *files, *PROFILES, "config", "--format", "json")
    assert told.returncode == 0, told.stderr
    project = json.loads(told.stdout)

    given = [*project.get("configs", {}).values(), *project.get("secrets", {}).values()]

    assert given
    assert all("file" in one for one in given)


def test_stores_that_are_not_wanted_are_left_out_by_empty_variables() -> None:
    """The index of a book fits into each container, and the database keeps quotas."""
    plain = json.loads(compose(REQUIRED, "config", "--format", "json").stdout)
    told = compose(REQUIRED | {"QDRANT_URL": "", "REDIS_URL": ""}, "config", "--format", "json")
    assert told.returncode == 0, told.stderr

    environment = json.loads(told.stdout)["services"]["web"]["environment"]

    assert (environment["QDRANT_URL"], environment["REDIS_URL"]) == ("", "")
    assert plain["services"]["web"]["environment"]["QDRANT_URL"] == "http://qdrant:6333"


def test_memory_of_a_web_container_can_be_raised() -> None:
    """The tests in it, and books that are uploaded to it, need more than answers do."""
    told = compose(REQUIRED | {"WEB_MEMORY": "4g"}, "config", "--format", "json")
    services = json.loads(told.stdout)["services"]

    assert int(services["web"]["deploy"]["resources"]["limits"]["memory"]) == 4 * 1024**3


OF_OPERATORS = {
    "OPENAI_API_KEY": "sk-test",
    "DATABASE_URL": "postgresql://me:secret@managed.example:5432/mine",
    "QDRANT_URL": "https://managed.example:6333",
    "REDIS_URL": "rediss://managed.example:6379/0",
    "RATE_LIMIT_QUERIES_PER_MINUTE": "30",
    "DB_POOL_SIZE": "3",
}


def test_every_setting_of_the_one_file_reaches_the_service(tmp_path: Path) -> None:
    """A key that reaches no container is missed in silence, and a book is asked without a model."""
    own = tmp_path / ".env"
    own.write_text("".join(f"{name}={value}\n" for name, value in (REQUIRED | OF_OPERATORS).items()))

    told = compose(
        {"RAGBOT_ENV_FILE": str(own)}, "--env-file", str(own), *PROFILES, "config", "--format", "json"
    )
    assert told.returncode == 0, told.stderr
    services = json.loads(told.stdout)["services"]

    for name in ("web", "book", "migrate", "backup"):
        assert services[name]["environment"].items() >= OF_OPERATORS.items(), name
        assert services[name]["environment"]["GRAFANA_PASSWORD"] == ""
    assert "OPENAI_API_KEY" not in services["postgres"]["environment"]


def test_managed_stores_need_no_change_of_the_file() -> None:
    """What is managed elsewhere is neither started nor waited for, and needs no password here."""
    variables = {name: REQUIRED[name] for name in ("QDRANT_API_KEY", "GRAFANA_PASSWORD", "BOOK_SITE_URL")}

    told = compose(variables | OF_OPERATORS, "config", "--format", "json")
    assert told.returncode == 0, told.stderr
    services = json.loads(told.stdout)["services"]

    assert services.keys() == {"proxy", "web", "migrate", "book"}
    # The network of the stores is closed to the outside.
    assert all("front" in services[name]["networks"] for name in ("web", "migrate", "book"))


def test_one_file_means_the_same_to_docker_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`docker run --env-file` takes each line as it stands, with its quotes."""
    lines = {name: f'"{value}"' for name, value in OF_OPERATORS.items()} | {"BOOK_TITLE": ""}
    for name, value in lines.items():
        monkeypatch.setenv(name, value)

    settings = load_settings()

    assert settings.openai_api_key is not None
    assert settings.openai_api_key.get_secret_value() == "sk-test"
    assert (settings.rate_limit_queries_per_minute, settings.db_pool_size) == (30, 3)
    assert settings.qdrant_url == OF_OPERATORS["QDRANT_URL"]


def test_profiles_are_asked_for(project: dict[str, Any]) -> None:
    """A small machine runs the service without them."""
    variables = REQUIRED | {"COMPOSE_PROFILES": ",".join(OWN_STORES)}
    plain = json.loads(compose(variables, "config", "--format", "json").stdout)["services"]

    assert plain.keys() == {"proxy", "web", "migrate", "book", "postgres", "qdrant", "redis"}
    assert project["services"].keys() - plain.keys() == {
        "backup",
        "prometheus",
        "alertmanager",
        "grafana",
    }


def test_yaml_is_tidy() -> None:
    """yamllint over every file of ours, with a key that is there twice as an error."""
    files = [
        "docker-compose.yml",
        # Relative, as the configuration names some of them.
        *sorted(
            str(path.relative_to(PROJECT_ROOT))
            for folder in ("deploy", ".github")
            for path in (PROJECT_ROOT / folder).rglob("*.y*ml")
        ),
    ]

    told = subprocess.run(
        [str(COMPOSE.parent / "yamllint"), "--strict", "--config-file", ".yamllint.yml", *files],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert (told.returncode, told.stdout) == (0, "")
    assert yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())["name"] == "ragbot"
