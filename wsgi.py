"""The app that gunicorn and the flask command find by name."""

import sys

from ragbot import create_app
from ragbot.core.errors import ConfigurationError

try:
    app = create_app()
except ConfigurationError as error:
    sys.exit(str(error))
