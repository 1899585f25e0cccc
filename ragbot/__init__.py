"""Answer readers' questions from one book alone, with verbatim citations."""

import gc

# What loading makes stays, and looking for garbage in it would take an eighth of the time. Without `freeze`
# the first look after it would go through all of it.
_collects = gc.isenabled()
gc.disable()

from ragbot.app import create_app  # noqa: E402
from ragbot.version import __version__  # noqa: E402

if _collects:
    gc.freeze()
    gc.enable()

__all__ = ["__version__", "create_app"]
