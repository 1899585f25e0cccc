"""Serve a model file over OpenAI's protocol with llama.cpp's own server, until standard input ends.

usage: python bench/llama_server.py MODEL.gguf NAME PORT THREADS

It runs in a virtual environment of its own, with the package xllamacpp and nothing of ragbot.
"""

import sys

# The rules, 700 tokens of passages, a conversation and an answer take less than half of it.
CONTEXT_TOKENS = 8192


def main() -> None:
    """Start the server, print its address, and wait."""
    import xllamacpp

    path, name, port, threads = sys.argv[1:]
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.model_alias = {name}
    params.hostnames = ["127.0.0.1"]
    params.port = int(port)
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = 1
    params.cpuparams.n_threads = int(threads)
    params.cpuparams_batch.n_threads = int(threads)
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
