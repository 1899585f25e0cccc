#!/bin/sh
# Back up every day at 02:00 UTC and drill the restore on Sundays, for as long as it runs: for containers,
# which have no cron; BACKUP_URL says where backups go. A failed run is told on standard error and does not end the loop.
# It also backs up at once when it starts, for it may have been down at two o'clock.
set -u
cd "$(dirname "$0")/.." || exit 1

DAY=86400
TWO_O_CLOCK=7200

# A shell waits for a foreground sleep before it obeys TERM; for one in the background it does not.
pause=
trap 'kill $pause 2>/dev/null; exit 0' TERM INT

back_up() {
    flask --app wsgi backup create --keep-daily 7 --keep-weekly 4 ||
        echo "backup-loop: the backup failed; see the lines above" >&2
}

drill() {
    flask --app wsgi backup drill ||
        echo "backup-loop: the drill failed; see the lines above" >&2
}

back_up
while :; do
    now=$(date -u +%s)
    # The next two o'clock after now.
    sleep $((DAY - (now - TWO_O_CLOCK) % DAY)) &
    pause=$!
    wait $pause
    back_up
    if [ "$(date -u +%u)" = 7 ]; then
        drill
    fi
done
