# SPDX-License-Identifier: Apache-2.0
# Shell functions of the project's commands: source this file from bash, then call `enter_repo`.
# shellcheck shell=bash disable=SC2034

# What a newcomer's machine needs, as Debian 12 packages. The core packages start no service and make no user.
RUN_PACKAGES=(mariadb-server-core mariadb-client mariadb-backup)
# The tests' coordination and messaging servers. libzookeeper-java is the server of the package zookeeper without
# its dependency on a desktop's Java. The console is looked at with Chromium.
# Networks are cut with iproute2 and nftables.
TEST_PACKAGES=(libzookeeper-java default-jre-headless rabbitmq-server chromium python3-swift python3-keystonemiddleware
    iproute2 nftables logrotate shellcheck xfsprogs e2fsprogs)
# A whole OpenStack; its python3- packages only, since those of the services bring a hundred others. Without
# python3-sqlalchemy-ext, which is only recommended, Neutron takes twice the processor time.
DEVCLOUD_PACKAGES=(mariadb-server-core mariadb-client-core memcached rabbitmq-server uwsgi-core uwsgi-plugin-python3
    python3-sqlalchemy-ext python3-keystonemiddleware python3-pymysql python3-keystone python3-swift python3-glance
    python3-placement python3-neutron python3-cinder python3-nova python3-designate bind9 iproute2 util-linux nftables)
# What tools/build-image builds with.
IMAGE_PACKAGES=(debootstrap squashfs-tools fdisk e2fsprogs grub-common grub-pc-bin qemu-utils)
# What openstack-full boots one of them with.
EMULATOR_PACKAGES=(qemu-system-x86)
DATABASE_USER=dbflow-db
VENV=.venv
CACHE=.cache

# Print each argument on a line of its own.
say() { printf '%s\n' "$@"; }

die() {
    say "$@" >&2
    exit 1
}

# Make the repository's root the current directory, wherever the command was called from.
enter_repo() { cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1; }

is_root() { [[ $EUID -eq 0 ]]; }

# Seconds since $1 (an $EPOCHREALTIME), with one decimal.
seconds_since() { awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }'; }

# Print those of the packages that are not installed.
missing_packages() {
    local package
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || say "$package"
    done
}

# The mirror that this machine itself installs from, else Debian's: `mirror Debian`, or `mirror Debian-Security`.
mirror() {
    local label=$1 found
    found=$(apt-get indextargets --format '$(SITE) $(LABEL)' 'Created-By: Packages' 2>/dev/null |
        awk -v label="$label" '$2 == label { print $1; exit }')
    say "${found:-http://deb.debian.org/${label,,}}"
}

# Print a Python 3.11 or later that can make virtual environments; fail when there is none.
find_python() {
    local python
    for python in python3 /usr/bin/python3 python3.11 python3.12 python3.13; do
        if "$python" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$python"
            return
        fi
    done
    return 1
}

# Let programs of the virtual environment, and servers in sbin, be found by name. Python keeps what it has compiled: the
# tests start thousands of processes, most of whose time would go into compiling the same modules again.
use_environment() {
    export PATH="$PWD/$VENV/bin:$PATH:/usr/sbin:/sbin"
    unset PYTHONDONTWRITEBYTECODE
}
