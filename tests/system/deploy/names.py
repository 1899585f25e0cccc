"""List the environment variables that a deployment's files may name, and who reads each."""

from __future__ import annotations

from ragbot.config import Settings

# Read by the app, by their own names.
SETTINGS = frozenset(name.upper() for name in Settings.model_fields)

# Read by what stands beside the app in its image.
OF_THE_IMAGE = frozenset(
    {
        "FLASK_APP",  # the flask command finds the app by it
        "PATH",
        "HOME",
        "TMPDIR",
        "PYTHONUNBUFFERED",
        "PYTHONDONTWRITEBYTECODE",
        "BOOK_PATH",  # deploy/release.sh
        "BOOK_SITE_URL",
        "BOOK_TITLE",
        # boto3, for backups in a bucket
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_DEFAULT_REGION",
    }
)

# Read by other people's images, as their documentation says.
OF_OTHERS = frozenset(
    {
        "POSTGRES_USER",
        "POSTGRES_DB",
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",  # our own command for Valkey
        "QDRANT__SERVICE__API_KEY",
        "QDRANT__TELEMETRY_DISABLED",
        "QDRANT__STORAGE__SNAPSHOTS_PATH",
        "QDRANT_INIT_FILE_PATH",
        "GF_SECURITY_ADMIN_PASSWORD",
        "GF_AUTH_ANONYMOUS_ENABLED",
        "GF_USERS_ALLOW_SIGN_UP",
        "GF_ANALYTICS_REPORTING_ENABLED",
        "GF_ANALYTICS_CHECK_FOR_UPDATES",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES",
    }
)

KNOWN = SETTINGS | OF_THE_IMAGE | OF_OTHERS
