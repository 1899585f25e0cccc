"""Define JSON Schemas for the fields of Render's, Railway's and Cloud Run's files that we use.

Their own schemas are served from their sites alone. These are written from their documentation and are
narrower: a field or a value that is not here is an error, so that whoever uses a new one looks it up.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def fields(required: Schema, optional: Schema | None = None) -> Schema:
    """Return an object that has these, may have those, and nothing else."""
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": sorted(required),
        "additionalProperties": False,
    }


def one_of(*values: object) -> Schema:
    """Return one of these values."""
    return {"enum": list(values)}


def listed(entry: Schema, *, least: int = 1) -> Schema:
    """Return a list of these."""
    return {"type": "array", "items": entry, "minItems": least}


def number(least: int, most: int) -> Schema:
    """Return a whole number; Railway refuses one that is written as text."""
    return {"type": "integer", "minimum": least, "maximum": most}


TEXT: Schema = {"type": "string", "minLength": 1}
NAME: Schema = {"type": "string", "pattern": "^[a-z][a-z0-9-]{0,62}$"}
PATH: Schema = {"type": "string", "pattern": "^/"}
VARIABLE: Schema = {"type": "string", "pattern": "^[A-Z][A-Z0-9_]*$"}

# render.com/docs/blueprint-spec
_REGION = one_of("oregon", "ohio", "virginia", "frankfurt", "singapore")
_VARIABLES = listed(
    {
        "oneOf": [
            fields({"key": VARIABLE, "value": TEXT}),
            fields({"key": VARIABLE, "generateValue": one_of(True)}),
            fields({"key": VARIABLE, "sync": one_of(False)}),
            fields(
                {
                    "key": VARIABLE,
                    "fromDatabase": fields({"name": NAME, "property": one_of("connectionString")}),
                }
            ),
            fields(
                {
                    "key": VARIABLE,
                    "fromService": fields(
                        {"name": NAME, "type": one_of("keyvalue"), "property": one_of("connectionString")}
                    ),
                }
            ),
        ]
    }
)
RENDER = fields(
    {
        "services": listed(
            {
                "oneOf": [
                    fields(
                        {
                            "type": one_of("web"),
                            "name": NAME,
                            "runtime": one_of("docker"),
                            "plan": one_of("starter", "standard", "pro", "pro plus"),
                            "region": _REGION,
                            "healthCheckPath": PATH,
                            "envVars": _VARIABLES,
                        },
                        {
                            "dockerfilePath": TEXT,
                            "dockerContext": TEXT,
                            "autoDeployTrigger": one_of("commit", "checksPass", "off"),
                            "numInstances": number(1, 100),
                            "preDeployCommand": TEXT,
                            "maxShutdownDelaySeconds": number(1, 300),
                        },
                    ),
                    fields(
                        {
                            "type": one_of("keyvalue"),
                            "name": NAME,
                            "plan": one_of("free", "starter", "standard", "pro", "pro plus"),
                            "region": _REGION,
                            "maxmemoryPolicy": one_of("allkeys-lru", "volatile-lru", "noeviction"),
                            "ipAllowList": listed(fields({"source": TEXT}), least=0),
                        }
                    ),
                ]
            }
        ),
        "databases": listed(
            fields(
                {
                    "name": NAME,
                    "plan": one_of("basic-256mb", "basic-1gb", "basic-4gb", "pro-4gb", "pro-8gb"),
                    "region": _REGION,
                    "ipAllowList": listed(fields({"source": TEXT}), least=0),
                },
                {"postgresMajorVersion": one_of("15", "16", "17", "18")},
            )
        ),
    }
)

# docs.railway.com/config-as-code/reference
RAILWAY = fields(
    {
        "$schema": one_of("https://railway.com/railway.schema.json"),
        "build": fields({"builder": one_of("DOCKERFILE", "RAILPACK")}, {"dockerfilePath": TEXT}),
        "deploy": fields(
            {"healthcheckPath": PATH, "preDeployCommand": listed(TEXT)},
            {
                "healthcheckTimeout": number(1, 3600),
                "overlapSeconds": number(0, 3600),
                "drainingSeconds": number(0, 3600),
                "restartPolicyType": one_of("ON_FAILURE", "ALWAYS", "NEVER"),
                "restartPolicyMaxRetries": number(1, 100),
                "numReplicas": number(1, 50),
            },
        ),
    }
)

# cloud.google.com/run/docs/reference/yaml/v1
_PROBE = fields(
    {"httpGet": fields({"path": PATH, "port": number(1, 65535)})},
    {
        "periodSeconds": number(1, 240),
        "timeoutSeconds": number(1, 240),
        "failureThreshold": number(1, 100),
    },
)
CLOUD_RUN = fields(
    {
        "apiVersion": one_of("serving.knative.dev/v1"),
        "kind": one_of("Service"),
        "metadata": fields(
            {"name": NAME, "annotations": fields({"run.googleapis.com/ingress": one_of("all")})}
        ),
        "spec": fields(
            {
                "template": fields(
                    {
                        "metadata": fields(
                            {
                                "annotations": fields(
                                    {
                                        # Annotations are text, and YAML makes numbers of what has no quotes.
                                        "autoscaling.knative.dev/minScale": {"pattern": r"^\d+$", **TEXT},
                                        "autoscaling.knative.dev/maxScale": {"pattern": r"^\d+$", **TEXT},
                                        "run.googleapis.com/cpu-throttling": one_of("true", "false"),
                                        "run.googleapis.com/startup-cpu-boost": one_of("true", "false"),
                                        "run.googleapis.com/cloudsql-instances": TEXT,
                                    }
                                )
                            }
                        ),
                        "spec": fields(
                            {
                                "containerConcurrency": number(1, 1000),
                                "timeoutSeconds": number(1, 3600),
                                "serviceAccountName": TEXT,
                                "containers": listed(
                                    fields(
                                        {
                                            "image": TEXT,
                                            "ports": listed(
                                                fields(
                                                    {
                                                        "name": one_of("http1", "h2c"),
                                                        "containerPort": number(1, 65535),
                                                    }
                                                )
                                            ),
                                            "resources": fields(
                                                {"limits": fields({"cpu": TEXT, "memory": TEXT})}
                                            ),
                                            "startupProbe": _PROBE,
                                            "livenessProbe": _PROBE,
                                            "env": listed(
                                                {
                                                    "oneOf": [
                                                        fields({"name": VARIABLE, "value": TEXT}),
                                                        fields(
                                                            {
                                                                "name": VARIABLE,
                                                                "valueFrom": fields(
                                                                    {
                                                                        "secretKeyRef": fields(
                                                                            {"name": NAME, "key": TEXT}
                                                                        )
                                                                    }
                                                                ),
                                                            }
                                                        ),
                                                    ]
                                                }
                                            ),
                                        }
                                    )
                                ),
                            }
                        ),
                    }
                )
            }
        ),
    }
)
