# ragbot's image.
#   docker build -t ragbot .                            the service, with the book that comes with it at /book
#   docker build -t ragbot --build-arg BOOK=books/mine . the same with another book (or mount one at /book)
#   docker build -t ragbot --build-arg EXTRAS="otel sentry" .  with what traces and error reports need
#   docker build -t ragbot-backup --target backup .     the same with pg_dump and psql, for backups
#   docker build -t ragbot-test --target test .         the same with the tests: docker run --rm ragbot-test pytest
# Podman needs `--format docker`, for the health check.
# Base images are pinned by their tags. A digest would pin them harder; pin what your registry serves with
# `docker buildx imagetools inspect python:3.13.16-slim-trixie`.

FROM python:3.13.16-slim-trixie AS packages

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
ARG EXTRAS=""
COPY requirements.txt requirements-otel.txt requirements-sentry.txt /tmp/
# Wheels alone: nothing is compiled, and no compiler is needed. What stands under "# Tests" stays away, and
# so does pip itself.
RUN sed '/^# Tests/,$d' /tmp/requirements.txt > /tmp/runtime.txt \
    && python -m venv --without-pip /venv \
    && pip --python /venv/bin/python install --only-binary=:all: --requirement /tmp/runtime.txt \
    && for extra in $EXTRAS; do \
        pip --python /venv/bin/python install --only-binary=:all: --requirement "/tmp/requirements-$extra.txt"; \
    done


# What the tests need.
FROM packages AS packages-of-test

COPY requirements-dev.txt requirements-s3.txt /tmp/
RUN pip --python /venv/bin/python install --only-binary=:all: --requirement /tmp/requirements-dev.txt


# boto3, for backups in a bucket.
FROM packages AS packages-of-backup

COPY requirements-s3.txt /tmp/requirements-s3.txt
RUN pip --python /venv/bin/python install --only-binary=:all: --requirement /tmp/requirements-s3.txt


FROM python:3.13.16-slim-trixie AS service

LABEL org.opencontainers.image.title="ragbot" \
      org.opencontainers.image.description="Answers readers' questions from one book alone" \
      org.opencontainers.image.licenses="MIT"

# A number, so that Kubernetes can see that it is not root; high, so that it is nobody on the host.
RUN groupadd --gid 10001 ragbot \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin ragbot \
    && pip uninstall --yes --root-user-action=ignore pip

WORKDIR /app
COPY --from=packages /venv /venv
COPY wsgi.py ./
COPY ragbot/ ragbot/
COPY templates/ templates/
COPY static/ static/
COPY migrations/ migrations/
COPY deploy/release.sh deploy/backup-loop.sh deploy/

# Compiled now: at run time the root file system may be read-only. Writable then need to be /tmp (where the
# embedded index goes, unless INDEX_DIR says otherwise), /dev/shm, and /app/var if SQLite is used. /sites is for a
# volume with the pages of live sites: a new volume takes over the owner of the folder that it is mounted on.
RUN /venv/bin/python -m compileall -q wsgi.py ragbot migrations \
    && install --directory --owner=10001 --group=10001 /app/var /sites

ARG BOOK=books/physical-ai
COPY ${BOOK} /book/

ENV PATH=/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    FLASK_APP=wsgi \
    ENVIRONMENT=production \
    HOST=0.0.0.0 \
    PORT=8000 \
    BOOK_PATH=/book

# Writable for everybody also where a host mounts an empty volume of its own there, as Fargate does.
VOLUME ["/tmp"]
USER 10001:10001
EXPOSE 8000
# gunicorn's TERM: no new requests, running answers to their end.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/health' % (os.environ.get('PORT') or 8000), timeout=4)"]
CMD ["gunicorn", "-c", "python:ragbot.serving", "wsgi:app"]


FROM service AS backup

USER 0:0
# The files that the service's packages lack; a COPY would store all of them again.
RUN --mount=type=bind,from=packages-of-backup,source=/venv,target=/more cp --archive --update /more/. /venv/
# The server's own version: pg_dump must not be older. Debian 13 has 17, docker-compose.yml runs 17.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends 'postgresql-client-17=17.*' \
    && rm -rf /var/lib/apt/lists/* \
    && install --directory --owner=10001 --group=10001 /backups /work
USER 10001:10001
# There is no server in it to ask.
HEALTHCHECK NONE
CMD ["deploy/backup-loop.sh"]


FROM service AS test

USER 0:0
RUN --mount=type=bind,from=packages-of-test,source=/venv,target=/more cp --archive --update /more/. /venv/
USER 10001:10001
COPY README.md CONTRIBUTING.md CHANGELOG.md pyproject.toml Makefile Procfile Dockerfile docker-compose.yml ./
COPY .dockerignore .env.example requirements.txt requirements-dev.txt ./
COPY bench/ bench/
COPY books/ books/
COPY deploy/ deploy/
COPY docs/ docs/
COPY eval/ eval/
COPY harness/ harness/
COPY tests/ tests/
COPY widget/ widget/
# The root may be read-only: whatever is written goes to /tmp. tests/system/ starts servers of a whole checkout.
ENV PYTEST_ADDOPTS="-p no:cacheprovider --ignore tests/system" \
    HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis


# The last stage is what a build without a target gives.
FROM service AS web
