#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Run what CI runs: `bash tools/test.sh`, or some of it: `bash tools/test.sh lint unit`.
# Suites: lint unit contract functional wire openstack console fault bench, and, only by name,
# for the night, openstack-full (a process a service, RabbitMQ, two compute hosts, a virtual machine), and every kill
# point: sweep, of dbflow's own parts, and openstack-sweep.
# Installs what it needs first. Results as JUnit XML are in .cache/tests/, the console's screenshots in
# .cache/tests/console/. The last line sums up the tests.
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
enter_repo

SUITES=(lint unit contract functional wire openstack console fault bench)
AT_NIGHT=(openstack-full sweep openstack-sweep)
CODE=(dbflow flows guest conductor devcloud)
RESULTS=$CACHE/tests
summary=()
failed=0
child=

# Servers that the tests start die with the pytest that started them.
stop_child() { [[ -n $child ]] && kill "$child" 2>/dev/null && wait "$child"; }
trap stop_child EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Run a command so that a signal to this script reaches it at once.
run() {
    local status
    "$@" </dev/null &
    child=$!
    wait "$child"
    status=$?
    child=
    return "$status"
}

check() {
    local log=$RESULTS/lint.log
    if ! run "$@" >"$log" 2>&1; then
        cat "$log"
        say "lint: failed: $*"
        return 1
    fi
}

lint() {
    local bad=0
    check ruff check . || bad=1
    check ruff format --check . || bad=1
    check codespell || bad=1
    check bandit -q -ii -r -c pyproject.toml "${CODE[@]}" || bad=1
    check lint-imports || bad=1
    check mypy || bad=1
    return "$bad"
}

tests() {
    local suite=$1
    shift
    run python -m pytest -q -o cache_dir="$CACHE/pytest" --junitxml="$RESULTS/$suite.xml" --durations=5 "$@"
}

run_suite() {
    case $1 in
        lint) lint ;;
        unit) tests unit tests/unit -n 2 --timeout=300 ;;
        # They wait more than they work.
        functional) tests functional tests/functional -n 3 --timeout=300 ;;
        fault) tests fault tests/fault -m 'not sweep' -n 2 --timeout=300 ;;
        sweep) tests sweep tests/fault -m sweep --timeout=1800 ;;
        # One file's tests share an instance, or a server that one of them stops.
        contract | wire | console) tests "$1" "tests/$1" -n 2 --dist loadfile --timeout=300 ;;
        bench) tests bench tests/bench -n 2 --timeout=300 ;;
        # The first test waits for the cloud, and the first of a real guest for its image.
        openstack) tests openstack tests/openstack -m 'not sweep' --timeout=900 ;;
        openstack-sweep) tests openstack-sweep tests/openstack -m sweep --timeout=21600 ;;
        openstack-full)
            bash tools/setup.sh emulator || return
            DEVCLOUD_OPTIONS='--mode full --computes 2' tests openstack-full tests/openstack -m 'not sweep' --timeout=900
            ;;
    esac
}

report() {
    local suite=$1 status=$2 seconds=$3 word=ok
    case $status in
        0) ;;
        5) word='no tests yet' ;; # pytest's status for having collected none
        *)
            word=FAILED
            failed=1
            ;;
    esac
    summary+=("$(printf '%-15s%-13s%8s s' "$suite" "$word" "$seconds")")
    say "== ${summary[-1]}"
}

main() {
    local suites=("$@") suite from
    ((${#suites[@]})) || suites=("${SUITES[@]}")
    for suite in "${suites[@]}"; do
        [[ " ${SUITES[*]} ${AT_NIGHT[*]} " == *" $suite "* ]] ||
            die "no suite $suite; there are: ${SUITES[*]}, and for the night ${AT_NIGHT[*]}"
    done
    bash tools/setup.sh test || exit 1
    use_environment
    rm -rf "$RESULTS"
    mkdir -p "$RESULTS"
    for suite in "${suites[@]}"; do
        say "== $suite"
        from=$EPOCHREALTIME
        run_suite "$suite"
        report "$suite" "$?" "$(seconds_since "$from")"
    done
    say '' 'Summary' "${summary[@]}"
    python tools/count_tests.py "$RESULTS"/*.xml
    return "$failed"
}

main "$@"
