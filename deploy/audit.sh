#!/usr/bin/env bash
# Ask PyPI's advisories about every package that `make run` or the image installs. Fails for a known vulnerability,
# and also where a package could not be looked up: an audit that looked at nothing is none. Needs the network.
set -euo pipefail
cd "$(dirname "$0")/.."

options=(--strict --progress-spinner off)
for extra in "" -otel -s3 -sentry; do
    options+=(--requirement "requirements$extra.txt")
done
while read -r id _reason; do
    options+=(--ignore-vuln "$id")
done < <(grep -vE '^[[:space:]]*(#|$)' deploy/audit-exceptions.txt)

exec "${PYTHON:-.venv/bin/python}" -m pip_audit "${options[@]}"
