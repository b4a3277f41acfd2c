#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Called as a guest agent is: --config-dir DIR. Starts a database that outlives it, or finds the one that runs.
# What it starts inherits no descriptor, as with Python's subprocess.
alone() {
    for fd in /proc/$BASHPID/fd/*; do
        number=${fd##*/}
        if ((number > 2)); then eval "exec $number>&-"; fi
    done
    exec "$@"
}
log=${2%/*}/log
exec 2> /dev/null
echo "$DBFLOW_BOOT" >> "$log/boots"
# A process that has ended, though nobody reaped it, has no command line any more.
known=$(< "$log/database.pid")
if [[ -z $known || -z $(tr -d '\0' < "/proc/$known/cmdline") ]]; then
    alone setsid /bin/sh "${0%/*}/fake_database.sh" "$log" &
    echo $! > "$log/database.pid"
fi
while :; do alone sleep 600 & wait $!; done
