# SPDX-License-Identifier: Apache-2.0
"""Stopping a cloud: nothing of it is left but its directory, and that too if wished."""

import os
import pathlib
import shutil
import signal

from devcloud.guests import images, network, power
from devcloud.guests.host import attempt, run
from devcloud.guests.state import all_of
from devcloud.processes import Process, stop
from devcloud.settings import Settings

LAST = ("mariadb", "memcached", "rabbitmq")
"""What the others need to end in peace; then ``epmd``, which RabbitMQ needs."""


def down(settings: Settings, purge: bool) -> None:
    """Servers are cut off, as by a power failure; Nova switches them on at the next start, as it knows that they were.
    ``purge`` removes everything."""
    running = Process.all(settings)
    stop(process for process in running if process.name not in (*LAST, "epmd"))
    stop(process for process in running if process.name in LAST)
    stop(process for process in running if process.name == "epmd")
    _end_servers(settings.directory)
    _free_loops(settings.directory / "cinder")
    images.unmount_all(settings.directory)
    if purge:
        shutil.rmtree(settings.directory)


def _end_servers(cloud: pathlib.Path) -> None:
    guests = [guest for guest in all_of(cloud) if guest.exists]
    for guest in guests:
        if pid := guest.pid:
            os.kill(pid, signal.SIGKILL)
    for guest in guests:
        power.off(guest, 0.0)
        attempt("ip", "netns", "del", guest.namespace)
        power.remove_cgroup(guest)
    network.remove_all(cloud)


def _free_loops(place: pathlib.Path) -> None:
    """Those that a compute service killed in the middle has left."""
    for line in run("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE").splitlines():
        name, _, file = line.partition(" ")
        if file.strip().startswith(f"{place}/"):
            attempt("losetup", "--detach", name)
