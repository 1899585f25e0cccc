"""Test the process fixture with an app of ten lines."""

import os
import signal
import sys
import urllib.request

import pytest

from harness.gunicorn_process import GunicornProcess, NotReady, living_processes

SCRATCH = """
import os, sys
print("scratch app says", os.environ.get("WORD"), "key", os.environ.get("OPENAI_API_KEY"), flush=True)

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


@pytest.fixture
def scratch(tmp_path):
    (tmp_path / "scratch.py").write_text(SCRATCH)
    command = (
        *(sys.executable, "-m", "gunicorn", "scratch:app", "--bind", "127.0.0.1:{port}"),
        *("--worker-class", "gthread", "--no-control-socket"),
    )
    return {"cwd": tmp_path, "command": command}


def is_alive(pid):
    return pid in {process.pid for process in living_processes()}


def test_server_is_ready_inside_the_block_and_gone_after_it(scratch, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-developer")

    with GunicornProcess({"WORD": "hello"}, workers=2, threads=3, **scratch) as server:
        answered_by = int(urllib.request.urlopen(f"{server.url}/", timeout=60).read())
        workers = server.worker_pids()
        logs = server.logs()
        pids = [server.pid, *workers]

    assert answered_by in workers
    assert len(workers) == 2
    assert server.startup_s > 0
    assert "scratch app says hello key None" in logs
    assert not any(is_alive(pid) for pid in pids)


def test_terminate_gives_the_exit_code_and_kill_spares_nobody(scratch):
    with GunicornProcess(**scratch) as server:
        assert server.terminate() == 0

    with GunicornProcess(**scratch) as server:
        (worker,) = server.worker_pids()
        server.kill()

        assert not is_alive(worker)


def test_workers_of_a_killed_master_are_ended_too(scratch):
    with GunicornProcess(**scratch) as server:
        (worker,) = server.worker_pids()
        os.kill(server.pid, signal.SIGKILL)

    assert not is_alive(worker)


def test_server_that_cannot_start_says_why_at_once(scratch):
    scratch["command"] = (*scratch["command"][:3], "no_such_module:app")

    with pytest.raises(NotReady, match="no_such_module"), GunicornProcess(**scratch):
        pytest.fail("it started")
