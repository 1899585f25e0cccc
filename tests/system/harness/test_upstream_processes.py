"""Test the scripted provider as a process of its own, as the benchmarks run it."""

import re
import signal
import subprocess
import sys

import httpx2

from harness.openai_upstream import CHAT

QUESTION = [{"role": "user", "content": "What is a node?"}]


def test_upstream_runs_as_a_process_and_is_steered_from_outside():
    """The bench counts its calls and sets the length of its answers."""
    # It takes a second, which every process would spend while it collects the tests.
    import openai

    process = subprocess.Popen(
        [sys.executable, "-m", "harness.openai_upstream", "--port", "0", "--tokens", "7"],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            base_url = process.stdout.readline().strip()
            control = re.sub("/v1$", "/control", base_url)
            with openai.OpenAI(api_key="k", base_url=base_url, max_retries=0) as client:
                first = client.chat.completions.create(model="gpt-4o", messages=QUESTION)
                httpx2.put(control, json={"answer_tokens": 9})
                second = client.chat.completions.create(model="gpt-4o", messages=QUESTION)
            counts = httpx2.get(control).json()
        finally:
            process.send_signal(signal.SIGTERM)

    assert process.returncode == 0
    assert first.usage.completion_tokens == 7
    assert second.usage.completion_tokens == 9
    assert counts["calls"][CHAT] == 2
