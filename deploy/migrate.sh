#!/bin/sh
# Bring the database up to this version's tables. Where a later version was here already, as after a rollback,
# it is left as it is: each version works with the tables of the next (docs/deployment.md, “Rollback”).
set -eu
cd "$(dirname "$0")/.."

if said=$(flask --app wsgi db upgrade 2>&1); then
    printf '%s\n' "$said" >&2
    exit
fi
printf '%s\n' "$said" >&2
case $said in
*"Can't locate revision identified by"*)
    echo "The database is a later version's; this one serves from it as it is." >&2
    ;;
*)
    exit 1
    ;;
esac
