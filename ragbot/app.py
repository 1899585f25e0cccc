"""Create the Flask app: settings, logging, extensions, services, blueprints, error handlers, commands."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import click
from flask import Flask
from flask_openapi import Info, OpenAPI
from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from ragbot.bootstrap import build_error_reporter, build_services
from ragbot.cli import LazyCommands
from ragbot.config import PROJECT_ROOT, Settings, load_settings
from ragbot.core.errors import ConfigurationError
from ragbot.extensions import LazyMigrate, db
from ragbot.observability.logging import configure_logging
from ragbot.services import EXTENSION, Services
from ragbot.storage import models as _models  # noqa: F401 - the tables must be known to migrations
from ragbot.storage.engine import EngineLimits, engine_options, make_safe
from ragbot.version import __version__
from ragbot.web.api.admin import admin
from ragbot.web.api.book import book
from ragbot.web.api.books import books
from ragbot.web.api.health import health
from ragbot.web.api.ingest import ingest
from ragbot.web.api.insights import insights
from ragbot.web.api.metrics import metrics
from ragbot.web.api.query import query
from ragbot.web.api.sessions import sessions
from ragbot.web.api.widget_tokens import widget_tokens
from ragbot.web.errors import invalid, register_error_handlers
from ragbot.web.lazy_rule import LazyRule
from ragbot.web.middleware.access_log import log_requests
from ragbot.web.middleware.authentication import guard_admin, is_console_password_right
from ragbot.web.middleware.client_address import trust_proxies
from ragbot.web.middleware.cors import allow_origins
from ragbot.web.middleware.load_shedding import shed_load
from ragbot.web.middleware.rate_limits import limit_calls
from ragbot.web.middleware.requests import StrictRequest, identify_requests, refuse_large_bodies
from ragbot.web.middleware.response_headers import secure_headers
from ragbot.web.middleware.widget_tokens import page_session, require_widget_tokens
from ragbot.web.operation_metrics import start_operation_metrics
from ragbot.web.pages.api_docs import documentation
from ragbot.web.pages.ask import ask_form, ask_page
from ragbot.web.pages.console import console
from ragbot.web.pages.insights import insights_page
from ragbot.web.pages.widget import widget
from ragbot.web.schemas import Problem

MAX_BODY_BYTES = 64 * 1024


def create_app(overrides: Mapping[str, Any] | None = None, **parts: Any) -> OpenAPI:
    """Create a ready app. `overrides` are settings by name; `parts` replace what bootstrap would choose.

    Raises ConfigurationError for settings that cannot be used. Opens no connection and no file but `.env`.
    """
    settings = load_settings(overrides)
    _configure_logging(settings)
    app = OpenAPI(
        "ragbot",
        root_path=str(PROJECT_ROOT),
        info=Info(title="ragbot", version=__version__),
        validation_error_model=Problem,
        validation_error_callback=invalid,
        doc_ui=False,
    )
    app.request_class = StrictRequest
    app.url_rule_class = LazyRule
    # An address has one spelling: a similar one is not found, instead of a page that redirects to it.
    app.url_map.merge_slashes = False
    app.config.update(_flask_settings(settings))
    engine = _open_database(app, settings)
    app.extensions[EXTENSION] = services = build_services(settings, engine, **parts)
    _add_middleware(app, settings, services)
    operations = (query, book, books, sessions, widget_tokens, health, admin, ingest, insights)
    for blueprint in operations:
        app.register_api(blueprint)
    start_operation_metrics(operations, services.metrics)
    app.register_blueprint(console)
    app.register_blueprint(insights_page)
    app.register_blueprint(documentation)
    app.register_blueprint(widget)
    if settings.public_ask_page:
        app.register_blueprint(ask_page)
        app.register_blueprint(ask_form)
    app.register_blueprint(metrics)
    register_error_handlers(app)
    app.cli = LazyCommands(app.name)
    return app


def _configure_logging(settings: Settings) -> None:
    stream = _log_stream()
    as_json = settings.environment == "production" or not stream.isatty()
    configure_logging(settings.chosen_log_level, as_json=as_json, to=stream)
    if report := build_error_reporter(settings):
        configure_logging(settings.chosen_log_level, as_json=as_json, to=stream, report=report)


def _log_stream() -> TextIO:
    """Return standard output; for our commands, which print their results there, standard error."""
    command = click.get_current_context(silent=True)
    return sys.stdout if command is None or command.info_name == "run" else sys.stderr


def _open_database(app: Flask, settings: Settings) -> Engine:
    db.init_app(app)
    LazyMigrate(app, str(PROJECT_ROOT / "migrations"))
    with app.app_context():
        engine = db.engine
    make_safe(engine, _limits(settings))
    return engine


def _add_middleware(app: Flask, settings: Settings, services: Services) -> None:
    questions = (query, ask_form)
    # They run in this order before a request, and in the opposite order after it.
    identify_requests(app)
    log_requests(app)
    trust_proxies(app, settings.trusted_proxies)
    shed_load(app, services.turns, questions=questions)
    limit_calls(
        app,
        settings,
        services.counters,
        questions=questions,
        others=(
            (sessions,),
            (book, books),
            (widget_tokens,),
            (admin, ingest, insights),
            (documentation, console, insights_page),
            (ask_page,),
        ),
        open_to_pages=(query, sessions, book, books, widget_tokens),
        behind_password=(console, insights_page),
        is_password_right=is_console_password_right,
        page_session=page_session if settings.widget_token_minutes else None,
    )
    guard_admin(app)
    refuse_large_bodies(app, exempt=("ingest.send",))
    require_widget_tokens(app, questions=questions)
    allow_origins(app, settings.allowed_origins)
    secure_headers(app)


def _flask_settings(settings: Settings) -> dict[str, Any]:
    return {
        "SQLALCHEMY_DATABASE_URI": settings.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": _engine_options(settings),
        "MAX_CONTENT_LENGTH": MAX_BODY_BYTES,
        "TESTING": settings.environment == "testing",
    }


def _engine_options(settings: Settings) -> dict[str, Any]:
    address = make_url(settings.database_url)
    if address.get_backend_name() == "sqlite":
        _make_folder(Path(address.database or ""))
    return engine_options(address, _limits(settings))


def _limits(settings: Settings) -> EngineLimits:
    return EngineLimits(
        size=settings.db_pool_size,
        overflow=settings.db_max_overflow,
        wait_s=settings.db_pool_timeout_s,
        recycle_s=settings.db_pool_recycle_s,
        lock_s=settings.db_lock_timeout_s,
        statement_s=settings.db_statement_timeout_s,
    )


def _make_folder(database: Path) -> None:
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The database's folder {database.parent} cannot be created: {error.strerror}."
        ) from error
