# SPDX-License-Identifier: Apache-2.0
"""A server's volumes: id -> file, device's name in the server, and loop device while the server is on."""

from typing import Any

from devcloud.guests.host import attempt, run
from devcloud.guests.state import Guest

NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd")


def attach(guest: Guest, volume: str, path: str, mountpoint: str) -> None:
    """Add a volume; a server that is on sees it at once."""
    disks = guest.read("disks")
    disk: dict[str, Any] = {"path": path, "name": mountpoint.rpartition("/")[2], "loop": None}
    disks[volume] = disk
    if guest.pid:
        disk["loop"] = run("losetup", "--find", "--show", path)
        node = f"mknod -m 660 /dev/{disk['name']} b 7 {disk['loop'].removeprefix('/dev/loop')}"
        _inside(guest, f"{node}; ln -sf ../../{disk['name']} {_link(volume)}")
    guest.write("disks", disks)


def detach(guest: Guest, volume: str) -> None:
    """Take a volume away, whatever the server does with it."""
    disks = guest.read("disks")
    disk = disks.pop(volume, None)
    if disk is None:
        return
    if guest.pid:
        _inside(guest, f"umount -l /dev/{disk['name']} 2>/dev/null; rm -f /dev/{disk['name']} {_link(volume)}")
    _free(disk)
    guest.write("disks", disks)


def extend(guest: Guest, volume: str) -> None:
    """Let the server see that a volume has grown."""
    disk = guest.read("disks").get(volume)
    if disk and disk["loop"]:
        run("losetup", "--set-capacity", disk["loop"])


def connect(guest: Guest) -> str:
    """Before it is on: a line for each volume, of name, loop device and serial number."""
    disks = guest.read("disks")
    for disk in disks.values():
        # A server that died by itself, or with the host, has left what it had.
        _free(disk)
        disk["loop"] = run("losetup", "--find", "--show", disk["path"])
        guest.write("disks", disks)
    return "".join(f"{disk['name']} {disk['loop']} {_serial(volume)}\n" for volume, disk in disks.items())


def disconnect(guest: Guest) -> None:
    """When it is off."""
    disks = guest.read("disks", {})
    for disk in disks.values():
        _free(disk)
    guest.write("disks", disks)


def _free(disk: dict[str, Any]) -> None:
    """Whatever loop device has its file: the one that was noted may be another's since the host was started anew."""
    for loop in run("losetup", "--noheadings", "--output", "NAME", "--associated", disk["path"]).split():
        attempt("losetup", "--detach", loop)
    disk["loop"] = None


def _inside(guest: Guest, script: str) -> None:
    attempt("nsenter", f"--target={guest.pid}", *NAMESPACES, "/bin/sh", "-c", script)


def _link(volume: str) -> str:
    return f"/dev/disk/by-id/virtio-{_serial(volume)}"


def _serial(volume: str) -> str:
    """As a virtual machine would see it."""
    return volume[:20]
