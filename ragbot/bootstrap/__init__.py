"""Build every service from the settings: the only package that knows all parts."""

from ragbot.bootstrap.extractive import passage_reader
from ragbot.bootstrap.observability import build_error_reporter
from ragbot.bootstrap.services import IsolatedServices, build_services, isolated_services

__all__ = [
    "IsolatedServices",
    "build_error_reporter",
    "build_services",
    "isolated_services",
    "passage_reader",
]
