#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Make a database through the API and use it: `bash tools/demo.sh`. Sets everything up by itself, as any user.
# dbflow and the database go on afterwards, to look around; `bash tools/demo.sh stop` ends and removes both.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
enter_repo

STATE=${DBFLOW_DEMO_DIR:-/var/tmp/dbflow-demo-$(id -u)}
PORT=${DBFLOW_DEMO_PORT:-8779}
PID_FILE=$STATE/pid

# Whether the process of the pid file is our standalone, and not one that got its number.
runs() {
    [[ -f $PID_FILE ]] && tr '\0' ' ' <"/proc/$(<"$PID_FILE")/cmdline" 2>/dev/null | grep -qF -- "--state-dir $STATE "
}

start() {
    runs && return
    mkdir -p "$STATE"
    chmod 711 "$STATE"
    # Detached, with no output of this shell's kept open: it must outlive the demo.
    setsid dbflow-standalone --state-dir "$STATE" --port "$PORT" >"$STATE/out" 2>&1 </dev/null &
    echo $! >"$PID_FILE"
    until grep -q '^ready: ' "$STATE/out"; do
        runs || kill -0 "$(<"$PID_FILE")" 2>/dev/null || die "dbflow-standalone did not start:" "$(<"$STATE/out")"
        read -rt 0.1 <> <(:) || true
    done
}

stop() {
    if runs; then
        python tools/demo.py "$STATE" clean
        kill "$(<"$PID_FILE")"
        while runs; do read -rt 0.1 <> <(:) || true; done
    fi
    rm -rf "$STATE"
    say "stopped; nothing is left of the demo"
}

began=$EPOCHREALTIME
bash tools/setup.sh run
use_environment
if [[ ${1:-} == stop ]]; then
    stop
    exit
fi
say "set up in $(seconds_since "$began") s"
start
grep '^ready: ' "$STATE/out"
python tools/demo.py "$STATE" run
say "" "Everything above took $(seconds_since "$began") s. dbflow and the database go on:" \
    "  . $VENV/bin/activate" \
    "  dbflow-manage --state-dir $STATE operation list" \
    "  open $(sed -n 's/^console: //p' "$STATE/out")    (the console; good once, for ten minutes)" \
    "  curl $(sed -n 's/^ready: //p' "$STATE/out")/doc/    (or open it: the API, to try out)" \
    "  bash tools/demo.sh stop"
