"""Define `flask notify`: tell Slack how a deployment went."""

from __future__ import annotations

import json
import socket
from html import escape
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import click
from flask.cli import with_appcontext

from ragbot.cli.errors import failing_in_one_sentence
from ragbot.core.errors import ConfigurationError, RagbotError
from ragbot.services import current_services
from ragbot.version import __version__

# A deployment does not wait for Slack.
LIMIT_S = 10


class NotTold(RagbotError):
    """Report that a message did not arrive."""

    code = "not_told"


@click.command("notify")
@click.argument("text")
@click.option("--failed", is_flag=True, help="It went wrong.")
@with_appcontext
@failing_in_one_sentence
def notify(text: str, failed: bool) -> None:
    """Send TEXT to Slack, by the web hook in SLACK_URL_FILE. Does nothing where that is not set."""
    settings = current_services().settings
    if settings.slack_url_file is None:
        click.echo("SLACK_URL_FILE is not set: nobody was told.", err=True)
        return
    sign = ":x: failed" if failed else ":white_check_mark:"
    told = f"{sign} ragbot {__version__} ({settings.environment}, {socket.gethostname()}): {text}"
    send_to_slack(_hook_in(settings.slack_url_file), told)
    click.echo("Slack was told.")


def send_to_slack(hook: SplitResult, text: str) -> None:
    """Post a text to a web hook. Raises NotTold, without the address: whoever has it may write there."""
    body = json.dumps({"text": escape(text, quote=False)})
    kind = HTTPSConnection if hook.scheme == "https" else HTTPConnection
    connection = kind(hook.hostname or "", hook.port, timeout=LIMIT_S)
    try:
        connection.request("POST", hook.path or "/", body, {"Content-Type": "application/json"})
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        raise NotTold(f"Slack's web hook could not be reached ({type(error).__name__}).") from error
    finally:
        connection.close()
    if status != HTTPStatus.OK:
        raise NotTold(f"Slack's web hook answered with {status}; look at the address in SLACK_URL_FILE.")


def _hook_in(path: Path) -> SplitResult:
    try:
        hook = urlsplit(path.read_text(encoding="utf-8").strip())
        _ = hook.port
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"SLACK_URL_FILE cannot be read ({type(error).__name__}).") from error
    if hook.scheme not in ("https", "http") or not hook.hostname:
        raise ConfigurationError("SLACK_URL_FILE must hold an address that begins with https://.")
    return hook
