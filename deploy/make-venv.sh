#!/bin/sh
# Make a virtual environment with the newest Python from 3.11 to 3.13 that is here (3.13 first, also one
# under pyenv) and install pinned requirements into it, wheels alone.
# usage: make-venv.sh FOLDER REQUIREMENTS
set -eu

venv=$1
requirements=$2

works() { # a pyenv shim is found by name even where its version is not chosen
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
        >/dev/null 2>&1
}

find_python() {
    for version in 3.13 3.12 3.11; do
        if works "python$version"; then
            echo "python$version"
            return
        fi
        for root in "${PYENV_ROOT:-}" "$HOME/.pyenv"; do
            [ -n "$root" ] || continue
            for candidate in "$root/versions/$version".*/bin/python; do
                if works "$candidate"; then
                    echo "$candidate"
                    return
                fi
            done
        done
    done
    if works python3; then
        echo python3
    fi
}

if ! [ -x "$venv/bin/python" ] || ! works "$venv/bin/python"; then
    python=$(find_python)
    if [ -z "$python" ]; then
        echo "ragbot needs Python 3.11, 3.12 or 3.13 with venv, and none was found; install one and try again." >&2
        exit 1
    fi
    if ! "$python" -m venv --clear "$venv"; then
        echo "The virtual environment cannot be made in $venv: is this folder writable?" >&2
        exit 1
    fi
fi
echo "Installing $requirements ($("$venv/bin/python" --version)) ..." >&2
if ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: \
    --requirement "$requirements"; then
    echo "The packages of $requirements cannot be installed; the lines above say why." >&2
    exit 1
fi
