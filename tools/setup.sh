#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Install what dbflow needs: `bash tools/setup.sh run` for the product, `bash tools/setup.sh test` for its tests too,
# `bash tools/setup.sh devcloud` for an OpenStack to develop with (tools/devcloud), `bash tools/setup.sh image` for the
# images that database servers boot from (tools/build-image), `bash tools/setup.sh emulator` for what tests boot one with.
# What is there already is left alone, so that a second time takes no time.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
enter_repo

# Debian starts the daemons of packages as they are installed, unless this file says no; ours start their own.
forbid_daemons() {
    local policy=/usr/sbin/policy-rc.d
    [[ -e $policy ]] && return
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
}

install_packages() {
    local packages=("$@") log=$CACHE/apt.log
    if ! is_root; then
        die "Packages are missing. Install them, then call this again:" \
            "sudo apt-get update && sudo apt-get install --no-install-recommends ${packages[*]}"
    fi
    say "installing ${packages[*]}"
    forbid_daemons
    if ! { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
        install --no-install-recommends "${packages[@]}"; } >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        die "apt-get failed; all of its output is in $log"
    fi
}

# mariadbd refuses to run as root.
make_database_user() {
    is_root || return 0
    getent passwd "$DATABASE_USER" >/dev/null && return
    useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$DATABASE_USER"
}

make_environment() {
    local profile=$1 python=$2 extras=$3 wanted log=$CACHE/pip.log
    wanted=$(sha256sum setup.cfg pyproject.toml tools/constraints.txt | sha256sum)
    # What the tests need includes what the product needs.
    if grep -qsxF "$wanted" "$VENV"/installed-{"$profile",test} && "$VENV/bin/python" -c ''; then
        return
    fi
    say "installing Python packages into $VENV"
    if ! { "$VENV/bin/python" -m pip --version || "$python" -m venv --clear "$VENV"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        die "no virtual environment: see $log"
    fi
    # setuptools comes first, so that the build uses the pinned one.
    local pip=("$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile)
    pip+=(-c tools/constraints.txt)
    if ! { "${pip[@]}" setuptools && "${pip[@]}" --no-build-isolation -e ".$extras"; } >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        die "pip failed; all of its output is in $log"
    fi
    [[ $profile == test ]] && compile "$VENV/lib"
    say "$wanted" >"$VENV/installed-$profile"
}

# Here and not by pip, which does it with one processor. Some packages hold files of other Pythons, for which it fails.
compile() { "$VENV/bin/python" -m compileall -q -j 0 "$1" >/dev/null 2>&1 || true; }

# The tests' Keystone: packages beside those of the environment, which Keystone uses, too.
make_keystone() {
    local place=$CACHE/keystone wanted log=$CACHE/pip.log
    wanted=$(sha256sum tools/keystone.txt)
    grep -qsxF "$wanted" "$place/installed" && return
    say "installing Keystone into $place"
    rm -rf "$place"
    if ! "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps \
        --target "$place" -r tools/keystone.txt >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        die "pip failed; all of its output is in $log"
    fi
    compile "$place"
    say "$wanted" >"$place/installed"
}

main() {
    local profile=${1:-run} extras='' packages=("${RUN_PACKAGES[@]}") missing python
    case $profile in
        run) ;;
        test)
            extras='[test,doc]'
            packages+=("${TEST_PACKAGES[@]}" "${DEVCLOUD_PACKAGES[@]}" "${IMAGE_PACKAGES[@]}")
            ;;
        devcloud) packages=("${DEVCLOUD_PACKAGES[@]}") ;;
        image) packages=("${IMAGE_PACKAGES[@]}") ;;
        emulator) packages=("${EMULATOR_PACKAGES[@]}") ;;
        *) die "usage: bash tools/setup.sh run|test|devcloud|image|emulator" ;;
    esac
    mkdir -p "$CACHE"
    exec 9>"$CACHE/setup.lock"
    flock 9
    find_python >/dev/null || packages+=(python3-venv)
    mapfile -t missing < <(missing_packages "${packages[@]}")
    ((${#missing[@]})) && install_packages "${missing[@]}"
    if [[ $profile =~ ^(devcloud|image|emulator)$ ]]; then return; fi
    make_database_user
    python=$(find_python) || die "Python 3.11 or later, with venv, is needed"
    make_environment "$profile" "$python" "$extras"
    if [[ $profile == test ]]; then make_keystone; fi
}

main "$@"
