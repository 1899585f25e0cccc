"""Test that Slack is told, that its address stays secret, and that nothing happens without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.loopback import Call, Connection, LoopbackServer
from tests.conftest import AppMaker


class SlackHook(LoopbackServer):
    """Where Slack would take messages."""

    status = 200

    def respond(self, call: Call, connection: Connection) -> None:
        """Say what Slack says."""
        connection.reply(self.status, b"ok")


def test_message_says_what_happened_and_cannot_be_markup(make_app: AppMaker, tmp_path: Path) -> None:
    """A branch may be called `<!channel>`."""
    (tmp_path / "hook").write_text("")
    app = make_app({"SLACK_URL_FILE": str(tmp_path / "hook")})
    with SlackHook() as hook:
        (tmp_path / "hook").write_text(f"http://127.0.0.1:{hook.port}/services/a/b/c\n")
        told = app.test_cli_runner().invoke(args=["notify", "--failed", "1 < 2 & <!channel>"])
        (call,) = hook.calls("/services/a/b/c")

    assert told.exit_code == 0
    assert call.body["text"].startswith(":x: failed ragbot ")
    assert call.body["text"].endswith(": 1 &lt; 2 &amp; &lt;!channel&gt;")


def test_hook_that_refuses_is_an_error_without_its_address(make_app: AppMaker, tmp_path: Path) -> None:
    """Whoever has the address may write there."""
    app = make_app({"SLACK_URL_FILE": str(tmp_path / "hook")})
    with SlackHook() as hook:
        hook.status = 404
        (tmp_path / "hook").write_text(f"http://127.0.0.1:{hook.port}/services/secret\n")
        refused = app.test_cli_runner().invoke(args=["notify", "hello"])
    unreachable = app.test_cli_runner().invoke(args=["notify", "hello"])

    assert (refused.exit_code, unreachable.exit_code) == (1, 1)
    assert "answered with 404" in refused.stderr
    assert "could not be reached" in unreachable.stderr
    assert "secret" not in refused.output + unreachable.output


@pytest.mark.parametrize("content", ["", "not an address", "ftp://slack.example/x", "https://[::1/x"])
def test_file_without_an_address_is_named(make_app: AppMaker, tmp_path: Path, content: str) -> None:
    """By its setting."""
    (tmp_path / "hook").write_text(content)

    told = make_app({"SLACK_URL_FILE": str(tmp_path / "hook")}).test_cli_runner().invoke(args=["notify", "x"])

    assert told.exit_code == 1
    assert "SLACK_URL_FILE" in told.stderr


def test_nobody_is_told_where_there_is_no_hook(make_app: AppMaker) -> None:
    """A deployment runs the same everywhere."""
    told = make_app({}).test_cli_runner().invoke(args=["notify", "hello"])

    assert (told.exit_code, told.stdout) == (0, "")
    assert "SLACK_URL_FILE is not set" in told.stderr
