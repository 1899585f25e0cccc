"""Test the files for hosts with a real validator or a strict schema, and against the settings."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import click
import jsonschema
import kubernetes_validate
import pytest
import yaml
from botocore.validate import ParamValidator
from flask.cli import FlaskGroup, ScriptInfo

from ragbot import create_app
from ragbot.config import PROJECT_ROOT, load_settings
from ragbot.config.resources import MEGABYTE, MachineResources, workers_for
from ragbot.version import __version__
from tests.system.deploy.host_schemas import CLOUD_RUN, RAILWAY, RENDER
from tests.system.deploy.names import KNOWN, OF_OTHERS

DEPLOY = PROJECT_ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"

# What must never stand in a file as its value.
SECRET = re.compile(r"KEY|PASSWORD|TOKEN|SECRET|DATABASE_URL|REDIS_URL")

# preStop and gunicorn's own pause come on top of the longest question.
LONGEST_STOP_S = load_settings({}).query_deadline_s + 10


@cache
def manifests() -> list[tuple[str, dict[str, Any]]]:
    return [
        (path.name, manifest)
        for path in sorted(KUBERNETES.glob("*.yaml"))
        if path.name != "kustomization.yaml"
        for manifest in yaml.safe_load_all(path.read_text())
    ]


def of_kind(kind: str, name: str = "") -> dict[str, Any]:
    (found,) = [
        manifest
        for _, manifest in manifests()
        if manifest["kind"] == kind and (not name or manifest["metadata"]["name"] == name)
    ]
    return found


def pods() -> Iterator[dict[str, Any]]:
    """Yield the specification of every pod that the cluster would run."""
    for _, manifest in manifests():
        spec = manifest.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield spec["template"]["spec"]


def ecs(name: str) -> dict[str, Any]:
    return json.loads((DEPLOY / "ecs" / name).read_text())


def render() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "render.yaml").read_text())


def cloud_run() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "cloudrun" / "service.yaml").read_text())


def named_variables() -> dict[str, dict[str, str | None]]:
    """Return each file's variables, with the value where the file holds one."""
    task = ecs("task-definition.json")["containerDefinitions"][0]
    run = cloud_run()["spec"]["template"]["spec"]["containers"][0]
    web = render()["services"][0]
    example = (KUBERNETES / "secret.env.example").read_text()
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "systemd" / "ragbot.service")
    return {
        "kubernetes": of_kind("ConfigMap")["data"]
        | dict.fromkeys(re.findall(r"^#?([A-Z0-9_]+)=$", example, re.MULTILINE)),
        "ecs": {one["name"]: one["value"] for one in task["environment"]}
        | dict.fromkeys(one["name"] for one in task["secrets"]),
        "cloud run": {one["name"]: one.get("value") for one in run["env"]},
        "render": {one["key"]: one.get("value") for one in web["envVars"]},
        "systemd": dict(pair.split("=", 1) for pair in unit["Service"]["Environment"].split()),
        "crontab": dict(re.findall(r"^([A-Z_]+)=(.*)$", (DEPLOY / "crontab").read_text(), re.MULTILINE)),
    }


# --- each file is what its host takes --------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "manifest"),
    [pytest.param(name, one, id=f"{name}-{one['metadata']['name']}") for name, one in manifests()],
)
def test_kubernetes_takes_each_manifest(file: str, manifest: dict[str, Any]) -> None:
    """By its own schemas, with no field that it does not know."""
    kubernetes_validate.validate(manifest, "1.37", strict=True)


def test_kustomization_has_every_manifest_but_the_release() -> None:
    """The job comes before the others and cannot be changed; the rest is applied at once."""
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    files = {path.name for path in KUBERNETES.glob("*.yaml")}

    assert set(kustomization["resources"]) == files - {"kustomization.yaml", "release-job.yaml"}
    assert kustomization["namespace"] == of_kind("Namespace")["metadata"]["name"]


@pytest.mark.parametrize(
    ("file", "operation", "shape"),
    [
        ("task-definition.json", "RegisterTaskDefinition", None),
        ("service.json", "CreateService", None),
        ("release-overrides.json", "RunTask", "overrides"),
    ],
)
def test_aws_takes_each_document(file: str, operation: str, shape: str | None) -> None:
    """By the model from which its own client is made: names, types, and what must be there."""
    model = botocore.session.get_session().get_service_model("ecs")
    expected = model.operation_model(operation).input_shape
    if shape:
        expected = expected.members[shape]

    report = ParamValidator().validate(ecs(file), expected)

    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize(
    ("document", "schema"),
    [
        pytest.param(render(), RENDER, id="render"),
        pytest.param(json.loads((DEPLOY / "railway.json").read_text()), RAILWAY, id="railway"),
        pytest.param(cloud_run(), CLOUD_RUN, id="cloud run"),
    ],
)
def test_host_takes_its_file(document: object, schema: dict[str, Any]) -> None:
    """By a schema of ours that knows the fields which are used, and no others."""
    jsonschema.Draft202012Validator(schema).validate(document)


@pytest.mark.parametrize(
    ("schema", "broken"),
    [
        (RAILWAY, {"deploy": {"drainingSeconds": "60"}}),
        (RAILWAY, {"deploy": {"healthCheckPath": "/health"}}),
        (RENDER, {"services": [{"type": "web", "instances": 2}]}),
        (CLOUD_RUN, {"spec": {"template": {"spec": {"timeout": 90}}}}),
    ],
)
def test_strict_schema_refuses(schema: dict[str, Any], broken: object) -> None:
    """A check that nothing fails checks nothing."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(broken)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """With programs that are here in the place of those that will be there."""
    text = (DEPLOY / "systemd" / "ragbot.service").read_text()
    unit = tmp_path / "ragbot.service"
    unit.write_text(re.sub(r"^(Exec\w+)=\S+", r"\1=/bin/true", text, flags=re.MULTILINE))

    told = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=300, check=False
    )

    assert (told.returncode, told.stderr) == (0, "")


def test_cron_takes_the_crontab() -> None:
    """Five fields, a user and a command; a percent sign would end the line."""
    lines = (DEPLOY / "crontab").read_text().splitlines()
    jobs = [line for line in lines if line and not re.match(r"#|[A-Z_]+=", line)]

    for job in jobs:
        assert re.fullmatch(r"(?:(?:\*|\d+) ){5} ?ragbot  ?flask [^%]+", re.sub(r" +", " ", job)), job
    assert [job.split("  ragbot")[0].strip().split(" ragbot")[0].strip() for job in jobs] == [
        "0 2 * * *",
        "30 3 * * 0",
        "15 * * * *",
    ]


# --- and what the service needs ---------------------------------------------------------------------


@pytest.mark.parametrize("host", sorted(named_variables()))
def test_every_variable_is_read_by_somebody(host: str) -> None:
    """One that is misspelt is passed on and read by nobody."""
    shell = {"SHELL", "PATH"} if host == "crontab" else set()

    assert named_variables()[host].keys() - shell <= KNOWN - OF_OTHERS


@pytest.mark.parametrize("host", sorted(named_variables()))
def test_settings_of_a_host_are_accepted(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the process will read them."""
    for name, value in named_variables()[host].items():
        if value is not None and name not in ("PATH", "SHELL"):
            monkeypatch.setenv(name, value)

    assert load_settings().environment == ("development" if host == "crontab" else "production")


@pytest.mark.parametrize("host", sorted(named_variables()))
def test_no_secret_stands_in_a_file(host: str) -> None:
    """They are named, and kept where the host keeps secrets."""
    held = {name: value for name, value in named_variables()[host].items() if value is not None}

    assert not [name for name in held if SECRET.search(name)]


def commands() -> dict[str, list[str]]:
    """Return every command of ours in these files, by where it stands."""
    found = {f"pod {pod['containers'][0]['name']}": pod["containers"][0].get("command", []) for pod in pods()}
    found["render"] = render()["services"][0]["preDeployCommand"].split()
    found["railway"] = json.loads((DEPLOY / "railway.json").read_text())["deploy"]["preDeployCommand"]
    found["ecs"] = ecs("release-overrides.json")["containerOverrides"][0]["command"]
    for number, line in enumerate((DEPLOY / "crontab").read_text().splitlines()):
        if " flask " in line:
            found[f"crontab {number}"] = line[line.index("flask ") : line.index(" 2>&1")].split()
    compose = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())["services"]
    found |= {f"compose {name}": compose[name]["command"] for name in ("migrate", "book", "backup")}
    for script in DEPLOY.glob("*.sh"):
        for number, line in enumerate(script.read_text().replace("\\\n", " ").splitlines()):
            if line.strip().startswith("flask "):
                found[f"{script.name} {number}"] = line.replace("--app wsgi ", "").split(" ||")[0].split()
    return {where: command for where, command in found.items() if command}


@pytest.fixture(scope="module")
def flask_command() -> FlaskGroup:
    """Return what `flask` is for this app, its entry points' commands among it."""
    app = create_app({"ENVIRONMENT": "testing", "EMBEDDER": "none"})
    return FlaskGroup(create_app=lambda: app)


@pytest.mark.parametrize("where", sorted(commands()))
def test_every_command_is_there(where: str, flask_command: FlaskGroup) -> None:
    """A job that calls what is not there fails at two in the morning."""
    program, *words = commands()[where]
    if program != "flask":
        assert (PROJECT_ROOT / program).stat().st_mode & 0o111
        return

    # What the environment puts in where an address is.
    words = [re.sub(r'"?\$\{[^}]*SITE_URL[^}]*\}"?', "https://book.example/", word) for word in words]
    # Parses the words and refuses what it does not know; runs nothing.
    command: click.Command | None = flask_command
    # (Looking a command up makes the app the current one for as long as the context is open.)
    with click.Context(flask_command, obj=ScriptInfo(create_app=flask_command.create_app)) as context:
        while isinstance(command, click.Group):
            command = command.get_command(context, word := words.pop(0))
            assert command, f"there is no command {word}"
        command.make_context(command.name, words)


def test_images_are_of_this_version() -> None:
    """A tag that moves would make a rollback bring back something else."""
    images = [pod["containers"][0]["image"] for pod in pods()]
    images.append(ecs("task-definition.json")["containerDefinitions"][0]["image"])
    images.append(cloud_run()["spec"]["template"]["spec"]["containers"][0]["image"])

    assert {image.rpartition(":")[2] for image in images} == {__version__}
    assert {re.split(r"[/:]", image)[-2] for image in images} == {"ragbot", "ragbot-backup"}


def test_answers_have_time_to_end_on_each_host() -> None:
    """What is running at TERM may finish."""
    deployment = of_kind("Deployment")["spec"]["template"]["spec"]
    before_term = deployment["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert deployment["terminationGracePeriodSeconds"] > before_term + LONGEST_STOP_S
    assert ecs("task-definition.json")["containerDefinitions"][0]["stopTimeout"] > LONGEST_STOP_S
    assert render()["services"][0]["maxShutdownDelaySeconds"] > LONGEST_STOP_S
    assert json.loads((DEPLOY / "railway.json").read_text())["deploy"]["drainingSeconds"] > LONGEST_STOP_S
    stop = re.search(r"TimeoutStopSec=(\d+)", (DEPLOY / "systemd" / "ragbot.service").read_text())
    assert int(stop[1]) > LONGEST_STOP_S


def test_no_host_cuts_an_answer_that_is_under_way() -> None:
    """Its own time limit is longer than a question's."""
    deadline = load_settings({}).query_deadline_s
    annotations = of_kind("Ingress", "ragbot")["metadata"]["annotations"]

    assert int(annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"]) > deadline
    assert annotations["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    assert cloud_run()["spec"]["template"]["spec"]["timeoutSeconds"] > deadline


def test_cloud_run_sends_no_more_than_there_are_threads() -> None:
    """One more would wait for a thread while another instance stands idle."""
    spec = cloud_run()["spec"]["template"]["spec"]
    settings = load_settings({})
    (workers,) = [
        int(one["value"]) for one in spec["containers"][0]["env"] if one["name"] == "WEB_CONCURRENCY"
    ]

    assert spec["containerConcurrency"] == workers * (settings.max_streams + settings.reserve_threads)
    assert spec["containers"][0]["resources"]["limits"] == {"cpu": "2", "memory": "2Gi"}
    assert workers <= workers_for(MachineResources(2, 2048 * MEGABYTE), model_inside=True)


def test_release_on_cloud_run_embeds_as_the_service_does() -> None:
    """Vectors of another model are of no use to it."""
    guide = (PROJECT_ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    job = re.search(r"gcloud run jobs deploy(?:.*\\\n)*.*", guide)[0]  # type: ignore[index]
    names = {one["name"] for one in cloud_run()["spec"]["template"]["spec"]["containers"][0]["env"]}

    decisive = {
        name for name in names if re.match("OPENAI_|QDRANT_|(LOCAL_)?EMBEDDER|CONTEXT_|DATABASE_", name)
    }

    assert decisive == {"OPENAI_API_KEY", "DATABASE_URL"}
    assert {name for name in decisive if f"{name}=" not in job} == set()


def test_pods_carry_two_workers() -> None:
    """Of which one answers while the other is replaced."""
    limits = of_kind("Deployment")["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    given = MachineResources(float(limits["cpu"]), 1024 * MEGABYTE)

    assert limits["memory"] == "1Gi"
    assert workers_for(given, model_inside=False) == workers_for(given, model_inside=True) == 2


def test_probes_ask_what_they_are_for() -> None:
    """A liveness probe that asks the database restarts every pod when the database is slow."""
    web = of_kind("Deployment")["spec"]["template"]["spec"]["containers"][0]

    assert web["livenessProbe"]["httpGet"]["path"] == "/health"
    assert web["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert web["startupProbe"]["httpGet"]["path"] == "/health"


def test_every_pod_is_locked_in() -> None:
    """Whoever breaks in finds no shell of root, no token and nothing to write to."""
    found = list(pods())

    assert len(found) == 5
    for pod in found:
        (container,) = pod["containers"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tmp"}
        assert container["resources"]["limits"]["memory"]


def test_everything_finds_its_pods() -> None:
    """Labels that differ by a letter select nothing, and nobody says so."""
    labels = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"].items()
    selectors = [
        of_kind("Deployment")["spec"]["selector"]["matchLabels"],
        of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        of_kind("Service", "ragbot")["spec"]["selector"],
        of_kind("Service", "web")["spec"]["selector"],
        of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]

    for selector in selectors:
        assert selector.items() <= labels
    target = of_kind("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", of_kind("Deployment")["metadata"]["name"])


def test_backup_comes_daily_and_the_drill_weekly() -> None:
    """At two o'clock of a clock that no summer moves."""
    for name, schedule in (("backup", "0 2 * * *"), ("drill", "30 3 * * 0")):
        job = of_kind("CronJob", f"ragbot-{name}")["spec"]

        assert (job["schedule"], job["timeZone"]) == (schedule, "Etc/UTC")
        assert job["concurrencyPolicy"] == "Forbid"
