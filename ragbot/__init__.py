"""Answer readers' questions from one book alone, with verbatim citations."""

from ragbot.app import create_app
from ragbot.version import __version__

__all__ = ["__version__", "create_app"]
