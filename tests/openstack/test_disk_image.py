# SPDX-License-Identifier: Apache-2.0
"""tools/build-image --format raw: a disk for virtual machines, of the tree that servers of the devcloud boot too."""

import base64
import json
import os
import pathlib
import re
import subprocess

import pytest

from dbflow.messaging.dispatcher import Dispatcher
from devcloud.settings import ROOT
from tests.openstack.test_guest_image import INSTANCE, answers, dispatcher, user_data
from tests.servers.process import Child

__all__ = ["dispatcher"]
pytestmark = pytest.mark.full

SECTOR = 512
START = 2048 * SECTOR
"""Where the partition begins."""
LABEL = "dbflow-root"
HOST, ADDRESS = "10.0.2.2", "10.0.2.15"
"""What QEMU's own network calls this machine, and the one that it runs."""
SIZE = 6 << 30
QEMU = [
    *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-smp", "2", "-m", "1024"),
    *("-display", "none", "-monitor", "none", "-serial", "stdio"),
    *("-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="),
]
PATIENCE = 600.0
"""Seconds for what takes two minutes on a quiet machine, since every instruction is emulated."""


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("disk") / "guest.raw"
    subprocess.run([ROOT / "tools" / "build-image", path, "--format", "raw"], check=True)
    return path


def run(*argv: object) -> bytes:
    """Its output; 0 is asked for."""
    return subprocess.run([*map(str, argv)], check=True, capture_output=True).stdout


def inside(disk: pathlib.Path, request: str) -> bytes:
    """What debugfs says of the file system."""
    return run("debugfs", "-R", request, f"{disk}?offset={START}")


def read(disk: pathlib.Path, path: str) -> bytes:
    """A file, by way of links."""
    target = re.search(rb'Fast link dest: "(.*)"', inside(disk, f"stat {path}"))
    return read(disk, f"/{target[1].decode().lstrip('/')}") if target else inside(disk, f"cat {path}")


def test_one_partition_to_boot_from(disk: pathlib.Path) -> None:
    table = json.loads(run("sfdisk", "--json", disk))["partitiontable"]
    (partition,) = table["partitions"]
    assert (table["label"], partition["start"], partition["type"]) == ("dos", START // SECTOR, "83")
    assert partition["bootable"]
    assert START + partition["size"] * SECTOR == disk.stat().st_size
    with disk.open("rb") as file:
        assert file.read(440).strip(b"\0"), "no program to boot"


def test_its_file_system_is_sound(disk: pathlib.Path) -> None:
    run("e2fsck", "-f", "-n", f"{disk}?offset={START}")
    told = run("dumpe2fs", "-h", f"{disk}?offset={START}").decode()
    assert re.search(r"^Filesystem volume name: +(\S+)$", told, re.MULTILINE)[1] == LABEL  # type: ignore[index]


def test_kernel_and_initrd_are_where_grub_looks(disk: pathlib.Path) -> None:
    lines = dict(line.split(" ", 1) for line in read(disk, "/boot/grub/grub.cfg").decode().splitlines() if " " in line)
    assert lines["search"].split()[:2] == ["--label", LABEL]
    kernel, *words = lines["linux"].split()
    assert f"root=LABEL={LABEL}" in words
    assert read(disk, kernel)[0x202:0x206] == b"HdrS"
    first = read(disk, lines["initrd"])[:6]
    assert first.startswith((b"070701", b"\x28\xb5\x2f\xfd", b"\x1f\x8b"))  # cpio, zstd, gzip
    assert read(disk, "/etc/fstab").split()[:3] == [f"LABEL={LABEL}".encode(), b"/", b"ext4"]


def test_it_is_of_the_same_tree(disk: pathlib.Path) -> None:
    assert (
        read(disk, "/etc/systemd/system/dbflow-guest.service")
        == (ROOT / "etc" / "systemd" / "dbflow-guest.service").read_bytes()
    )
    assert read(disk, "/usr/bin/dbflow-guest").startswith(b"#!/opt/dbflow/bin/python")
    assert inside(disk, "stat /usr/sbin/mariadbd").startswith(b"Inode:")
    assert read(disk, "/etc/machine-id") == b""


@pytest.mark.timeout(1200)
def test_it_boots_to_an_agent(
    disk: pathlib.Path, tmp_path: pathlib.Path, amqp_url: str, dispatcher: Dispatcher
) -> None:
    """With a larger disk, a volume, and the drive that OpenStack gives; every instruction is emulated."""
    root, volume, config = (tmp_path / name for name in ("root.qcow2", "volume.raw", "config.raw"))
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", disk, root, SIZE)
    run("truncate", "--size=1G", volume)
    write_config_drive(config, tmp_path, amqp_url)
    drives = [f"file={root},format=qcow2", f"file={volume},format=raw", f"file={config},format=raw,readonly=on"]
    argv = [*QEMU, *(word for drive in drives for word in ("-drive", f"{drive},if=virtio,cache=unsafe"))]
    machine = Child(argv, tmp_path / "console.log", os.environ)
    try:
        machine.wait_ready(lambda: answers(dispatcher), PATIENCE, "the machine")
    finally:
        machine.kill()
    said = (tmp_path / "console.log").read_text(errors="replace")
    size = re.search(r"root has (\d+)", said)
    assert size is not None
    assert int(size[1]) > 0.9 * SIZE


def write_config_drive(path: pathlib.Path, work: pathlib.Path, amqp_url: str) -> None:
    """As Nova's, of which cloud-init looks at the label only."""
    content = work / "config" / "openstack" / "latest"
    content.mkdir(parents=True)
    (content / "meta_data.json").write_text(json.dumps({"uuid": INSTANCE, "hostname": "guest"}))
    first, wanted = base64.b64decode(user_data(amqp_url.replace("127.0.0.1", HOST), ADDRESS)).decode().split("\n", 1)
    document = json.loads(wanted)
    document["runcmd"].insert(0, "echo root has $(df --block-size=1 --output=size / | tail -n 1) >/dev/ttyS0")
    (content / "user_data").write_text(f"{first}\n{json.dumps(document)}")
    run("truncate", "--size=8M", path)
    run("mkfs.ext4", "-q", "-L", "config-2", "-d", work / "config", path)
