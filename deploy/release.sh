#!/bin/sh
# Before a new version takes requests: migrate the database, and take the book in where none is published.
# May be run again at any time. A newer text of a book is taken in by `flask book ingest` alone, so that a
# deployment never undoes a `flask book publish EARLIER`.
#   BOOK_PATH      the book's folder or file; the one that comes with ragbot if unset
#   BOOK_SITE_URL  the address of the book's site, where its pages are: citations link there
#   BOOK_TITLE     its title, where it does not tell its own
#   SLACK_URL_FILE a file with the address of Slack's web hook, which is told how it went
set -eu
cd "$(dirname "$0")/.."

# Slack's failure is no failure of the release.
tell() {
    status=$?
    if [ "$status" -eq 0 ]; then
        said="The database and the book are ready for this version."
        flask --app wsgi notify "$said" || true
    else
        said="The release ended with status $status; the version before goes on."
        flask --app wsgi notify --failed "$said" || true
    fi
    exit "$status"
}
[ -z "${SLACK_URL_FILE:-}" ] || trap tell EXIT

flask --app wsgi db upgrade
flask --app wsgi book ingest "${BOOK_PATH:-books/physical-ai}" --if-none \
    --site-url "${BOOK_SITE_URL:-}" --title "${BOOK_TITLE:-}"
